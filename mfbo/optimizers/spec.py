"""What an optimizer is: the methods that a run calls, and the facts that the other rooms need to know of it.

Nothing heavy is imported here or in the modules that hold a `SPEC`: SMAC, ConfigSpace and Optuna are imported where an
optimizer is built, so that listing optimizers, planning and drawing figures do without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mfbo.fidelity import Fidelity
    from mfbo.search import Search
    from mfbo.task import Task
    from mfbo.trial import Config, Known, Outcome, Rung, Trial


class Scheduler(Protocol):
    """Ask and tell alone: what planning needs of an optimizer."""

    def ask(self) -> Trial | None:
        """The next trial, numbered from 0; None when there is none until more is told, or ever."""

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """The outcome of `trial`; called once for each, in any order, never for one that was stopped early."""


class Optimizer(Scheduler, Protocol):
    """What a run needs of an optimizer. With the same seed and told the same, it always asks for the same trials."""

    def pending(self) -> Collection[str] | None:
        """Keys of the told configurations that may be asked for again; None where it may be any of them.

        Those in flight need not be among them. The checkpoints of all others are deleted.
        """

    def remember(self, configs: Sequence[Config]) -> None:
        """Before a replay: the configurations that were asked for, in the order of their first ask.

        The asks of a replay must come out the same with or without it; it only spares the search for them.
        """


@runtime_checkable
class RevisesLosses(Protocol):
    """An optimizer of one loss that several objectives can be combined into: the weights change during a run."""

    def revise_losses(self, losses: Sequence[float | None]) -> None:
        """Replace the losses of all results told so far, in the order in which they were told."""


@runtime_checkable
class AcceptsResults(Protocol):
    """An optimizer that can be told results of trials which it did not ask for, during its run."""

    def add_result(self, result: Known) -> None:
        """Add a result; its configuration is asked for next if it beats all results so far."""


@runtime_checkable
class GrowsLadder(Protocol):
    """An optimizer whose ladder can get rungs on top during its run, and lose those that it never asked for."""

    def grow(self, rungs: Sequence[Rung], *, best: bool = False) -> None:
        """Use this ladder from now on: the one so far, with rungs above it or without its highest ones.

        Args:
            rungs: low to high.
            best: ask next for the best of the highest rung that has results, at the highest of `rungs`.
        """


@dataclass(frozen=True)
class BuildInputs:
    """What an optimizer is built from.

    Attributes:
        task: its space and grid are used.
        rungs: the ladder, low to full.
        search: all its options; its prior is None where the optimizer takes none.
        earlier: results of an earlier run; empty where the optimizer takes none.
    """

    task: Task
    rungs: Sequence[Rung]
    search: Search
    earlier: Sequence[Known] = ()

    @property
    def prior(self) -> Config | None:
        """A whole configuration believed to be good."""
        return self.search.prior if isinstance(self.search.prior, dict) else None


LadderRule: TypeAlias = Callable[["Sequence[Rung]", "Fidelity", float], "list[Rung]"]
"""(ladder from low to full, fidelity of the task, least work of a rung outside the ladder) -> rungs used."""


def every_rung(ladder: Sequence[Rung], fidelity: Fidelity, least: float) -> list[Rung]:
    """The whole ladder."""
    return list(ladder)


def top_rung(ladder: Sequence[Rung], fidelity: Fidelity, least: float) -> list[Rung]:
    """The full evaluation alone."""
    return list(ladder[-1:])


@dataclass(frozen=True)
class OptimizerSpec:
    """Everything that is known of an optimizer outside its own module.

    Attributes:
        name: as it is typed.
        description: one line.
        build: makes one for a run.
        schedule: (rungs, eta) -> the optimizer's own scheduling rule over the configurations of `numbered`, without
            a surrogate; planning counts its trials.
        colour: in figures, ``#rrggbb``; colour-blind safe beside the others.
        marker: in figures, matplotlib's letter.
        rungs: which rungs of a ladder it evaluates at.
        takes_prior: whether it can begin near a configuration believed to be good.
        takes_earlier_results: whether it can begin with, and be told, results from outside its run.
        takes_objectives: whether several objectives can be combined into its loss.
        grows: whether its ladder can get rungs on top during its run.
        cost_share: cost that it is given in comparisons where others are given 1.
        overhead: seconds of its own computation for a trial (experiments/suite.md).
    """

    name: str
    description: str
    build: Callable[[BuildInputs], Optimizer]
    schedule: Callable[[Sequence[Rung], int], Scheduler]
    colour: str
    marker: str
    rungs: LadderRule = every_rung
    takes_prior: bool = False
    takes_earlier_results: bool = False
    takes_objectives: bool = False
    grows: bool = False
    cost_share: float = 1.0
    overhead: float = 0.0

    @property
    def single_rung(self) -> bool:
        """Whether it evaluates at full fidelity alone."""
        return self.rungs is top_rung


def numbered() -> Iterator[Config]:
    """Stand-in configurations without an end, for a schedule."""
    return ({"number": number} for number in count())
