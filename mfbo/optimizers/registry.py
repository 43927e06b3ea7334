"""Optimizers: `ask` for a trial, `tell` what became of it. No clocks, files or workers in here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mfbo.errors import BadValue, UnknownName
from mfbo.fidelity import ETA
from mfbo.trial import Rung

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mfbo.fidelity import Fidelity
    from mfbo.task import Task
    from mfbo.trial import Config, Known, Outcome, Trial

OPTIMIZERS = {
    "smac": "SMAC3 with asynchronous halving, and one Gaussian process over configuration and fidelity",
    "smac-stock": "SMAC3's multi-fidelity facade: Hyperband brackets over a random-forest surrogate",
    "hyperband": "the same brackets with random configurations",
    "random": "random search, every trial at full fidelity",
    "random-2x": "the same; where optimizers are compared, it is given twice the cost of the others",
    "grid": "grid search in shuffled order, every trial at full fidelity",
    "asha": "asynchronous successive halving of random configurations",
    "one-epoch": "random configurations for one epoch, in between the best of them in full",
    "tpe": "Optuna's TPE with its Hyperband pruner (extra: tpe)",
}
DEFAULT = "smac"
LEARNERS = ("smac", "smac-stock")
"""Those that can begin with results of an earlier run."""
BELIEVERS = ("smac", "smac-stock", "hyperband", "asha")
"""Those that can begin with a prior, and draw near it."""
SCALARISED = ("smac", "smac-stock", "hyperband", "asha", "random", "random-2x", "grid")
"""Those that can be told several objectives as one loss."""
SHARE = {"random-2x": 2.0}
"""Cost that an optimizer is given where others are given 1."""


class Optimizer(Protocol):
    """What the tuning loop needs of an optimizer. One with a fixed seed, told the same, always asks the same."""

    def ask(self) -> Trial | None:
        """The next trial, numbered from 0; None when there is none until more is told, or ever."""

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """What became of `trial`; called once for each, in any order, never for one that was stopped early."""

    def pending(self) -> Collection[str] | None:
        """Keys of the configurations that were told and may be asked again; None where it may be any of them.

        Those in flight need not be among them. The checkpoints of all others are deleted.
        """

    def remember(self, configs: Sequence[Config]) -> None:
        """Before a replay: the configurations that were asked, in the order of their first ask.

        The asks of a replay must come out the same with or without it; it only spares the search for them.
        """


@runtime_checkable
class Reteller(Protocol):
    """One that can be told several objectives: their weights change, and with them what was told."""

    def retell(self, losses: Sequence[float | None]) -> None:
        """All that was told comes to these losses instead, in the order in which it was told."""


@runtime_checkable
class Hearer(Protocol):
    """One of `LEARNERS`."""

    def hear(self, known: Known) -> None:
        """A result from elsewhere, once the run has begun; asked for next if it beats all that is known."""


def make(
    name: str,
    task: Task,
    rungs: Sequence[Rung],
    seed: int,
    known: Sequence[Known] = (),
    *,
    prior: Config | None = None,
    eta: int = ETA,
    objectives: Sequence[str] = (),
) -> Optimizer:
    """The optimizer of that name.

    Args:
        name: one of `OPTIMIZERS`.
        task: its space and grid.
        rungs: the ladder, low to full.
        seed: 0 or more.
        known: results of an earlier run; those in `LEARNERS` make use of them.
        prior: a configuration believed in; those in `BELIEVERS` make use of it.
        eta: one of so many configurations of a rung is promoted.
        objectives: names of several; none for the loss alone. For those in `SCALARISED`.

    Raises:
        UnknownName: no such optimizer.
        BadSpace: the space has nothing to tune, or choices that a ledger cannot hold.
        BadValue: several objectives, for an optimizer that can be told but one.
    """
    if objectives:
        if name not in SCALARISED:
            raise BadValue(f"{name} supports one objective only; these support several: {', '.join(SCALARISED)}")
        from mfbo.optimizers.parego import Scalarised

        return Scalarised(make(name, task, rungs, seed, known, prior=prior, eta=eta), objectives, seed)
    if name not in OPTIMIZERS:
        raise UnknownName("optimizer", name, OPTIMIZERS)
    from mfbo.optimizers.sampling import check_space

    check_space(task.space)
    if name == "smac":
        from mfbo.optimizers.smac.optimizer import CurveOptimizer

        return CurveOptimizer(task.space, rungs, seed, known, prior, eta=eta)
    if name in ("smac-stock", "hyperband"):
        from mfbo.optimizers.smac_stock.optimizer import BracketOptimizer

        surrogate = name == "smac-stock"
        return BracketOptimizer(task.space, rungs, seed, surrogate=surrogate, known=known, prior=prior, eta=eta)
    if name == "tpe":
        from mfbo.optimizers.tpe import Tpe

        return Tpe(task.space, rungs, seed, eta)
    return _baseline(name, task, rungs, seed, prior=prior, eta=eta)


def _baseline(name: str, task: Task, rungs: Sequence[Rung], seed: int, *, prior: Config | None, eta: int) -> Optimizer:
    """An optimizer that draws configurations without looking at results."""
    from mfbo.optimizers.asha import Asha
    from mfbo.optimizers.full import FullFidelity
    from mfbo.optimizers.one_epoch import OneEpoch
    from mfbo.optimizers.sampling import grid_configs, random_configs

    if name == "grid":
        return FullFidelity(grid_configs(task.space, task.grid or {}, seed), rungs[-1])
    source = random_configs(task.space, seed)
    if name == "asha":
        from mfbo.optimizers.priors import Prior, near

        believed = Prior(task.space, prior, seed) if prior is not None else None
        return Asha(near(believed, source) if believed else source, rungs, believed, eta)
    return OneEpoch(source, rungs) if name == "one-epoch" else FullFidelity(source, rungs[-1])


def ladder_of(name: str, fidelity: Fidelity, path: str | None) -> list[Rung]:
    """The rungs that optimizer `name` evaluates at.

    Args:
        name: one of `OPTIMIZERS`.
        fidelity: of the task.
        path: through it; the default one if None.
    """
    return rungs_of(name, fidelity.ladder(path), fidelity)


def rungs_of(name: str, ladder: Sequence[Rung], fidelity: Fidelity, low: float = 0.0) -> list[Rung]:
    """Of a ladder, the rungs that optimizer `name` evaluates at.

    Args:
        name: one of `OPTIMIZERS`.
        ladder: low to high.
        fidelity: of the task.
        low: least work of a rung that is not of the ladder: `one-epoch` then trains for as many epochs as that takes.
    """
    if name in ("random", "random-2x", "grid"):
        return list(ladder[-1:])
    if name != "one-epoch":
        return list(ladder)
    data = ladder[-1].data
    epochs = max(fidelity.epoch_range[0], math.ceil(low / fidelity.work(1, data) * (1 - 1e-9)))
    first = Rung(epochs, data, fidelity.work(epochs, data))
    lowest = first if first.work < ladder[-1].work else ladder[0]
    return [lowest, ladder[-1]] if lowest.work < ladder[-1].work else list(ladder)
