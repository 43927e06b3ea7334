"""Legal configurations of a space whose forbidden parts leave little: built value by value, not drawn and rejected.

A depth-first search assigns the hyperparameters in ConfigSpace's order, parents before what they decide, and turns back
as soon as a forbidden clause holds; then single values are drawn anew where the result stays legal (Gibbs sampling), so
that the configurations do not crowd where the search begins. All steps are counted, so an ask takes a bounded time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.forbidden import ForbiddenRelation
from ConfigSpace.util import deactivate_inactive_hyperparameters

from mfbo.trial import Config, Value

PROBED = 1000  # random configurations that show how many are legal
SCARCE = 0.05  # share of legal ones below which drawing and rejecting gives way
MAX_STEPS = 20_000  # values that are tried for one configuration
MAX_LISTED = 5000  # configurations that are listed at once
MAX_WHOLE_VALUES = 1000  # values of a whole number that are tried one by one; of more, and of floats, some are drawn
CANDIDATES = 12  # drawn values of a number that are tried at one place
SWEEPS = 12  # new values for each hyperparameter, on average, after a configuration was built

ANEW = 0.05  # share of configurations that are built anew; the others are reached from the one before


def is_scarce(space: ConfigurationSpace) -> bool:
    """Whether so few configurations are legal that drawing and rejecting them takes long."""
    if not space.forbidden_clauses:
        return False
    from mfbo.optimizers.points import Points

    try:
        return len(Points(space).drawn(PROBED, np.random.RandomState(0))) < SCARCE * PROBED
    except TypeError:  # a relation between words and numbers
        return False


class Legal:
    """Builds configurations of one space.

    Args:
        space: what to tune; its random state is not touched.
        rng: where the random numbers come from.
        axes: values by hyperparameter that are tried, in place of all.
    """

    def __init__(
        self, space: ConfigurationSpace, rng: random.Random, axes: Mapping[str, Sequence[Value]] | None = None
    ) -> None:
        self._space, self._rng, self._axes = space, rng, axes or {}
        self._draws = np.random.RandomState(rng.getrandbits(32))
        self._order = list(space.values())
        place = {hyperparameter.name: i for i, hyperparameter in enumerate(self._order)}
        self._ending: dict[str, list[Any]] = {name: [] for name in place}  # clauses, by the last they are about
        self._about: dict[str, list[Any]] = {name: [] for name in place}
        for clause in space.forbidden_clauses:
            names = sorted(_names(clause), key=place.__getitem__)
            self._ending[names[-1]].append(clause)
            for name in names:
                self._about[name].append(clause)
        self._steps, self._most = 0.0, MAX_STEPS
        self._last: Config | None = None

    @property
    def finite(self) -> bool:
        """Whether every value of every hyperparameter is tried."""
        return all(self._listed(hyperparameter) is not None for hyperparameter in self._order)

    def every(self, *, brief: bool = False) -> list[Config] | None:
        """All configurations in a random order; None where there are too many, or to find them takes too long.

        Args:
            brief: give up sooner.
        """
        if not self.finite:
            return None
        self._steps, self._most = 0.0, MAX_STEPS if brief else 5 * MAX_STEPS
        found = list(islice(self._extended(0, {}), MAX_LISTED + 1))
        self._rng.shuffle(found)
        return None if self._steps > self._most or len(found) > MAX_LISTED else found

    def each(self) -> Iterator[Config]:
        """One after another, until they are used up or a next one takes more than `MAX_STEPS`."""
        self._steps, self._most = 0.0, MAX_STEPS
        for config in self._extended(0, {}):
            self._steps = 0.0
            yield config

    def draw(self) -> Config | None:
        """One, at random; None where none was found."""
        if self._last is None or self._rng.random() < ANEW:
            self._last = next(self.each(), None) or self._default()
        self._last = self._last and self.moved(self._last)
        return self._last

    def moved(self, config: Config) -> Config:
        """Another one in reach of `config`, by changes of single values; the same where all of them are forbidden."""
        values = dict(config)
        free = [h for h in self._order if h.name in values and not self._space.children_of[h.name]]
        for hyperparameter in self._rng.choices(free, k=SWEEPS * len(free)) if free else ():
            before = values[hyperparameter.name]
            clauses = self._about[hyperparameter.name]
            values[hyperparameter.name] = next(iter(self._candidates(hyperparameter, values, clauses, 1)), before)
            if any(clause.is_forbidden_value(values) for clause in clauses):
                values[hyperparameter.name] = before
        return self._checked(values) or config

    def _extended(self, place: int, values: dict[str, Any]) -> Iterator[Config]:
        if place == len(self._order):
            if (config := self._checked(values)) is not None:
                yield config
            return
        hyperparameter = self._order[place]
        if not self._active(hyperparameter.name, values):
            yield from self._extended(place + 1, values)
            return
        clauses = self._ending[hyperparameter.name]
        for value in self._candidates(hyperparameter, values, clauses, CANDIDATES):
            self._steps += 1 + len(clauses) / 10  # which take their time
            if self._steps > self._most:
                break
            values[hyperparameter.name] = value
            if not any(clause.is_forbidden_value(values) for clause in clauses):
                yield from self._extended(place + 1, values)
        values.pop(hyperparameter.name, None)

    def _active(self, name: str, values: Mapping[str, Any]) -> bool:
        conditions = self._space.parent_conditions_of[name]
        parents = {parent.name for parent in self._space.parents_of[name]}
        return parents <= set(values) and all(condition.satisfied_by_value(values) for condition in conditions)

    def _listed(self, hyperparameter: Any) -> list[Any] | None:
        """All its values, or those of its axis; None where there are too many."""
        if hyperparameter.name in self._axes:
            return list(self._axes[hyperparameter.name])
        for name in ("choices", "sequence"):
            if hasattr(hyperparameter, name):
                return list(getattr(hyperparameter, name))
        if hasattr(hyperparameter, "value"):
            return [hyperparameter.value]
        whole = isinstance(hyperparameter.default_value, int) and hyperparameter.size <= MAX_WHOLE_VALUES
        return list(range(int(hyperparameter.lower), int(hyperparameter.upper) + 1)) if whole else None

    def _candidates(
        self, hyperparameter: Any, values: Mapping[str, Any], clauses: Sequence[Any], number: int
    ) -> list[Any]:
        """Values in a random order: all that are listed, else `number` that were drawn."""
        listed = self._listed(hyperparameter)
        if listed is not None:
            return self._rng.sample(listed, len(listed))
        low, high = self._bounds(hyperparameter, values, clauses)
        if low > high:
            return []
        if (low, high) == (hyperparameter.lower, hyperparameter.upper):
            drawn = hyperparameter.sample_value(number, seed=self._draws)
        else:
            inside = [float(hyperparameter.to_vector(end)) for end in (low, high)]
            places = self._draws.uniform(inside[0], inside[1], number)
            drawn = hyperparameter.to_value(np.append(places, inside) if number > 1 else places)
        return list(dict.fromkeys(value.item() if hasattr(value, "item") else value for value in drawn))

    def _bounds(self, hyperparameter: Any, values: Mapping[str, Any], clauses: Sequence[Any]) -> tuple[Any, Any]:
        """What relations to values that are set leave of its range."""
        low, high = hyperparameter.lower, hyperparameter.upper
        for clause in clauses:
            if not isinstance(clause, ForbiddenRelation):
                continue
            left = clause.left.name == hyperparameter.name
            other = values.get((clause.right if left else clause.left).name)
            kind = type(clause).__name__
            if other is None or isinstance(other, str):
                continue
            if ("Less" in kind and left) or ("Greater" in kind and not left):
                low = max(low, other)
            elif "Less" in kind or "Greater" in kind:
                high = min(high, other)
        return low, high

    def _checked(self, values: Mapping[str, Any]) -> Config | None:
        try:
            found = dict(deactivate_inactive_hyperparameters(dict(values), self._space))
        except (ForbiddenValueError, ValueError):
            return None
        return {name: value.item() if hasattr(value, "item") else value for name, value in found.items()}

    def _default(self) -> Config | None:
        return self._checked({h.name: h.default_value for h in self._order})


def _names(clause: Any) -> set[str]:
    """The hyperparameters that a clause is about."""
    if hasattr(clause, "dlcs"):
        return {name for literal in clause.dlcs for name in _names(literal)}
    return {clause.left.name, clause.right.name} if hasattr(clause, "left") else {clause.hyperparameter.name}
