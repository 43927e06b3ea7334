"""What the adapters of `peers` have in common: mfbo's ask and tell around a library that answers in its own terms."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import CategoricalHyperparameter, Constant, Hyperparameter, OrdinalHyperparameter

from mfbo.errors import BadSpace
from mfbo.optimizers.sampling import TRIES
from mfbo.trial import Config, Outcome, Rung, Trial, Value, config_key


class Library(Protocol):
    """A peer in its own terms, but for levels of the ladder: 0 for the lowest rung."""

    def suggest(self) -> tuple[Any, Config, int]:
        """(its handle, configuration, level) of what it wants to know next."""

    def report(self, theirs: Any, config: Config, level: int, loss: float | None) -> None:
        """Tell it of a loss; None where the trial failed."""


class Peer:
    """mfbo's protocol around a library.

    One that repeats a configuration at a rung is told the loss that is known, which costs it nothing.

    Args:
        library: what decides.
        rungs: the ladder, low to full.
    """

    def __init__(self, library: Library, rungs: Sequence[Rung]) -> None:
        self._library, self._rungs = library, list(rungs)
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._running: dict[int, Any] = {}
        self._known: dict[tuple[str, int], float | None] = {}
        self._asked = 0

    def ask(self) -> Trial | None:
        """The library's next question whose answer is not known; None where there is none in many tries."""
        for _ in range(TRIES):
            theirs, config, level = self._library.suggest()
            key = config_key(config), level
            if key in self._known:
                self._library.report(theirs, config, level, self._known[key])
                continue
            self._running[self._asked] = theirs
            self._asked += 1
            return Trial(self._asked - 1, config, self._rungs[level])
        return None

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Hand the loss on."""
        level = self._level[trial.rung]
        self._known[trial.key, level] = outcome.loss
        self._library.report(self._running.pop(trial.id), trial.config, level, outcome.loss)

    def pending(self) -> None:
        """The library may come back to any of them."""

    def remember(self, configs: Sequence[Config]) -> None:
        """A suite's run is never replayed."""


class Dice:
    """The global random numbers of Python, NumPy and, where asked, PyTorch, as one library sees them.

    Args:
        seed: 0 or more.
        torch: PyTorch's module, if the library draws from it.
    """

    def __init__(self, seed: int, torch: Any = None) -> None:
        self._torch = torch
        before = self._state()
        random.seed(seed)
        np.random.seed(seed)
        if torch:
            torch.manual_seed(seed)
        self._mine = self._state()
        self._restore(before)

    @contextmanager
    def own(self) -> Iterator[None]:
        """Within, they go on from where the library left them; outside, nothing has changed."""
        before = self._state()
        self._restore(self._mine)
        try:
            yield
        finally:
            self._mine = self._state()
            self._restore(before)

    def _state(self) -> tuple[Any, ...]:
        return random.getstate(), np.random.get_state(), self._torch.get_rng_state() if self._torch else None

    def _restore(self, state: tuple[Any, ...]) -> None:
        random.setstate(state[0])
        np.random.set_state(state[1])
        if self._torch:
            self._torch.set_rng_state(state[2])


def choices(hyperparameter: Hyperparameter) -> list[Value] | None:
    """The values of one that lists them; None for a number with a range."""
    if isinstance(hyperparameter, Constant):
        return [hyperparameter.value]
    if isinstance(hyperparameter, CategoricalHyperparameter):
        return list(hyperparameter.choices)
    return list(hyperparameter.sequence) if isinstance(hyperparameter, OrdinalHyperparameter) else None


def decoded(space: ConfigurationSpace, theirs: dict[str, Any]) -> Config:
    """The configuration of a library's values; listed values are given by their index.

    What has a single value need not be there.
    """
    config: Config = {}
    for name, hyperparameter in space.items():
        listed = choices(hyperparameter)
        value = theirs.get(name, 0)
        value = value.item() if hasattr(value, "item") else value
        config[name] = value if listed is None else listed[int(value)]
    return config


def single(hyperparameter: Hyperparameter) -> bool:
    """Whether it has one value only, so that libraries need not hear of it."""
    return len(choices(hyperparameter) or [0, 1]) == 1


def refuse(library: str, space: ConfigurationSpace, *, conditions: bool) -> None:
    """Refuse a space that the library has no words for.

    Args:
        library: its name.
        space: what is to be tuned.
        conditions: whether the library knows conditions.

    Raises:
        BadSpace: it has forbidden clauses, or conditions where the library knows none.
    """
    if space.forbidden_clauses:
        raise BadSpace(f"{library} knows no forbidden clauses, and {space.name!r} has some; leave this task out")
    if space.conditions and not conditions:
        raise BadSpace(f"{library} knows no conditions, and {space.name!r} has some; leave this task out")
