"""Optimizers: `ask` for a trial, `tell` what became of it. No clocks, files or workers in here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from mfbo.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.task import Task
    from mfbo.trial import Config, Outcome, Rung, Trial

OPTIMIZERS = {
    "smac": "SMAC3's multi-fidelity facade: Hyperband brackets over a random-forest surrogate",
    "hyperband": "the same brackets with random configurations",
    "random": "random search, every trial at full fidelity",
    "grid": "grid search in shuffled order, every trial at full fidelity",
}
DEFAULT = "smac"


class Optimizer(Protocol):
    """What the tuning loop needs of an optimizer. One with a fixed seed, told the same, always asks the same."""

    def ask(self) -> Trial | None:
        """The next trial, numbered from 0; None when there is none until more is told, or ever."""

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """What became of `trial`; called once for each, in any order, never for one that was stopped early."""

    def remember(self, configs: Sequence[Config]) -> None:
        """Before a replay: the configurations that were asked, in the order of their first ask.

        The asks of a replay must come out the same with or without it; it only spares the search for them.
        """


def make(name: str, task: Task, rungs: Sequence[Rung], seed: int) -> Optimizer:
    """The optimizer of that name.

    Args:
        name: one of `OPTIMIZERS`.
        task: its space and grid.
        rungs: the ladder, low to full.
        seed: 0 or more.

    Raises:
        UnknownName: no such optimizer.
        BadSpace: the space has nothing to tune.
    """
    if name not in OPTIMIZERS:
        raise UnknownName("optimizer", name, OPTIMIZERS)
    if name in ("smac", "hyperband"):
        from mfbo.optimizers.brackets import BracketOptimizer

        return BracketOptimizer(task.space, rungs, seed, surrogate=name == "smac")
    from mfbo.optimizers.full import FullFidelity
    from mfbo.optimizers.sampling import grid_configs, random_configs

    source: Iterator[Config]
    source = random_configs(task.space, seed) if name == "random" else grid_configs(task.space, task.grid or {}, seed)
    return FullFidelity(source, rungs[-1])


def ladder_of(name: str, rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs that optimizer `name` evaluates at: all of them, or the full one alone."""
    return list(rungs) if name in ("smac", "hyperband") else list(rungs[-1:])
