"""Drawing configurations from a space: at random, or from a grid; never one twice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.hyperparameters import CategoricalHyperparameter, Constant, Hyperparameter, OrdinalHyperparameter
from ConfigSpace.util import deactivate_inactive_hyperparameters

from mfbo.errors import BadSpace
from mfbo.files.short_space import why_not_choice, why_not_range
from mfbo.optimizers.legal import Legal, is_scarce
from mfbo.trial import Config, Value, config_key

DRAWN_AT_ONCE = 64
TRIES = 200  # draws without a new configuration, before a space counts as used up
MORE_TRIES = 20 * TRIES  # the same where there are too many configurations to list those that are left
MAX_GRID_POINTS = 1_000_000  # points of a grid that are visited at most
GRID_TRIES = 1000  # points of a grid without a new configuration, before the legal ones are sought instead
FEW = 20  # a grid of which fewer than one in so many is legal is made finer
WANTED = 64  # legal points of a finer grid
FINER = 6  # times that a grid is made finer
POINTS = {1: 10, 2: 5, 3: 5}  # values a numeric hyperparameter gets on a grid, by their number; else 3


def plain(config: Configuration) -> Config:
    """Its values as plain Python, so that they survive JSON; inactive hyperparameters are absent."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in dict(config).items()}


def beats(loss: float, level: float, known: Sequence[tuple[float, float]]) -> bool:
    """Whether a result is better than all of `known`, (level, loss), at its level or above; or than any, if none is."""
    rivals = [other for at, other in known if at >= level] or [other for _, other in known]
    return loss < min(rivals, default=math.inf)


def check_space(space: ConfigurationSpace) -> None:
    """Refuse what no optimizer or ledger can deal with.

    Raises:
        BadSpace: there is nothing to tune, a choice is a list, a tuple or an object, or a range is not finite.
    """
    if len(space) == 0:
        raise BadSpace("the space has no hyperparameters; there is nothing to tune")
    for name, hyperparameter in space.items():
        for value in _listed(hyperparameter) or []:
            plain_value = value.item() if hasattr(value, "item") else value  # np.arange has numbers of its own
            if not isinstance(plain_value, bool | int | float | str | None):
                raise BadSpace(f"choice {value!r} of {name!r}: give a number, a word, True, False or None")
            if reason := why_not_choice(plain_value):
                raise BadSpace(f"{name!r}: {reason}")
        if hasattr(hyperparameter, "lower") and (
            reason := why_not_range(hyperparameter.lower, hyperparameter.upper, log=False)
        ):
            raise BadSpace(f"{name!r}: {reason}")


def sample(space: ConfigurationSpace, number: int) -> list[Configuration]:
    """Random configurations by the space's own random numbers, as `ConfigurationSpace.sample_configuration`.

    Where few configurations are legal they are built, in a bounded time; they may repeat then, and be fewer.
    """
    if not is_scarce(space):
        found = space.sample_configuration(number)
        return found if isinstance(found, list) else [found]
    legal = Legal(space, random.Random(int(space.random.randint(2**31))))
    drawn = [legal.draw() for _ in range(number)]
    return [Configuration(space, values=config) for config in drawn if config is not None]


def random_configs(space: ConfigurationSpace, seed: int) -> Iterator[Config]:
    """Different configurations, uniformly from `space` (on their log scales), until it is used up.

    Where few of them are legal they are listed if they are not too many, and built else; see `mfbo.optimizers.legal`.
    """
    space = deepcopy(space)
    space.seed(seed)
    legal = Legal(space, random.Random(seed))
    scarce = is_scarce(space)
    seen: set[str] = set()
    misses, tries = 0, 0 if scarce else TRIES
    while misses < tries:
        for config in map(plain, space.sample_configuration(DRAWN_AT_ONCE)):
            misses += 1
            if (key := config_key(config)) not in seen:
                seen.add(key)
                misses = 0
                yield config
    listed = legal.every()
    for config in listed if listed is not None else _built(legal) if scarce else _drawn(space):
        if (key := config_key(config)) not in seen:
            seen.add(key)
            yield config


def _built(legal: Legal) -> Iterator[Config]:
    """Random legal configurations, until none that is new comes in many tries."""
    seen: set[str] = set()
    misses = 0
    while misses < TRIES and (config := legal.draw()) is not None:
        misses = misses + 1 if config_key(config) in seen else 0
        seen.add(config_key(config))
        yield config


def _drawn(space: ConfigurationSpace) -> Iterator[Config]:
    """The same of a space where most are legal."""
    seen: set[str] = set()
    misses = 0
    while misses < MORE_TRIES:
        for config in map(plain, space.sample_configuration(DRAWN_AT_ONCE)):
            misses = misses + 1 if config_key(config) in seen else 0
            seen.add(config_key(config))
            yield config


def grid_configs(space: ConfigurationSpace, given: Mapping[str, Sequence[Value]], seed: int) -> Iterator[Config]:
    """The grid of `space` in a shuffled order.

    Args:
        space: categories and constants are taken as they are, numbers spread over their range, ends included.
        given: values to use instead, by hyperparameter.
        seed: of the order.

    Raises:
        BadSpace: `given` names what is not in the space, or a value outside its range.
    """
    axes, rng = grid_axes(space, given), random.Random(seed)
    size = math.prod(len(values) for values in axes.values())
    seen: set[str] = set()
    misses = 0
    for index in _shuffled(size, rng):
        config = _point(space, axes, index)
        if config is None or (key := config_key(config)) in seen:
            misses += 1
            if misses == GRID_TRIES:
                break
            continue
        misses = 0
        seen.add(key)
        yield config
    finer = FINER if space.forbidden_clauses else 0
    for level in range(finer + 1):
        if level and len(seen) >= min(size / FEW, WANTED):
            return
        if level or misses == GRID_TRIES:
            for config in Legal(space, rng, _finer(space, axes, given, level)).each():
                if (key := config_key(config)) not in seen:
                    seen.add(key)
                    yield config


def _finer(
    space: ConfigurationSpace, axes: Mapping[str, list[Value]], given: Mapping[str, Sequence[Value]], level: int
) -> dict[str, list[Value]]:
    """The axes with `level` times twice as many steps, where they are ranges and not given."""
    found = dict(axes)
    for name, hyperparameter in space.items():
        if level and name not in given:
            found[name] = _spread(hyperparameter, (len(axes[name]) - 1) * 2**level + 1)
    return found


def _shuffled(size: int, rng: random.Random) -> Iterator[int]:
    """The numbers below `size` in a random order; `MAX_GRID_POINTS` of them where there are more."""
    if size <= MAX_GRID_POINTS:
        yield from rng.sample(range(size), size)
        return
    seen: set[int] = set()
    while len(seen) < MAX_GRID_POINTS:
        index = rng.randrange(size)
        if index not in seen:
            seen.add(index)
            yield index


def grid_axes(space: ConfigurationSpace, given: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
    """The values of each hyperparameter on the grid; see `grid_configs`."""
    for name in given:
        if name not in space:
            raise BadSpace(f"grid names {name!r}, which is not in the space; there are: {', '.join(space)}")
    numeric = [h for h in space.values() if not isinstance(h, CategoricalHyperparameter | OrdinalHyperparameter)]
    points = POINTS.get(len(numeric), 3)
    axes: dict[str, list[Value]] = {}
    for name, hyperparameter in space.items():
        values = list(given[name]) if name in given else _spread(hyperparameter, points)
        wrong = [value for value in values if not hyperparameter.legal_value(value)]
        if wrong:
            raise BadSpace(f"grid value {wrong[0]!r} of {name!r} is outside the space: {hyperparameter}".strip())
        axes[name] = values
    return axes


def _listed(hyperparameter: Hyperparameter) -> list[Value] | None:
    """The values of a hyperparameter that lists them."""
    if isinstance(hyperparameter, Constant):
        return [hyperparameter.value]
    if isinstance(hyperparameter, CategoricalHyperparameter):
        return list(hyperparameter.choices)
    return list(hyperparameter.sequence) if isinstance(hyperparameter, OrdinalHyperparameter) else None


def _spread(hyperparameter: Hyperparameter, points: int) -> list[Value]:
    if (listed := _listed(hyperparameter)) is not None:
        return listed
    values = [hyperparameter.to_value(i / (points - 1)) for i in range(points)]
    numbers = [value.item() if hasattr(value, "item") else value for value in values]
    return list(dict.fromkeys(numbers))


def _point(space: ConfigurationSpace, axes: Mapping[str, Sequence[Value]], index: int) -> Config | None:
    """The grid's point of that number, without its inactive hyperparameters; None where it is forbidden."""
    values: Config = {}
    for name, choices in axes.items():
        index, position = divmod(index, len(choices))
        values[name] = choices[position]
    try:
        return plain(deactivate_inactive_hyperparameters(values, space))
    except ForbiddenValueError:
        return None
