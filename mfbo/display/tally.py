"""Counts over the results of a run, kept up as they come in, and the table of rungs that shows them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from mfbo.display.tables import one_line, plain_table
from mfbo.display.text import headline, number, rung_words, seconds, short_rung

if TYPE_CHECKING:
    from rich.table import Table

    from mfbo.ledger import Result, Run
    from mfbo.trial import Rung

COLUMNS = ("rung", "done", "stopped", "failed", "best loss", "spent")


@dataclass
class RungTally:
    """What came of the trials at one rung.

    Attributes:
        done: trials that ended with a loss.
        stopped: trials that were stopped before their end, or lost.
        failed: trials that failed or diverged.
        best: lowest loss that was measured there.
        seconds: cost of them all.
    """

    done: int = 0
    stopped: int = 0
    failed: int = 0
    best: float | None = None
    seconds: float = 0.0


@dataclass
class Tally:
    """Counts over results; `add` takes the same time however many there are.

    Attributes:
        ladder: the rungs of the run.
        rungs: what came of the trials, by the rung that was asked.
        errors: how often each error was met, by its headline.
        lost: trials that were lost with the machine that they ran on.
        training: seconds of training, all trials together.
        evaluation: seconds of evaluation.
        virtual: whether any seconds were a surrogate's.
    """

    ladder: frozenset[Rung] = frozenset()
    rungs: dict[Rung, RungTally] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    training: float = 0.0
    evaluation: float = 0.0
    virtual: bool = False

    @classmethod
    def of(cls, run: Run) -> Tally:
        """The counts over the results of `run`."""
        tally = cls(frozenset(run.header.rungs))
        for result in run.results:
            tally.add(result)
        return tally

    def add(self, result: Result) -> None:
        """Count one more."""
        outcome = result.outcome
        rung = self.rungs.setdefault(result.trial.rung, RungTally())
        rung.seconds += outcome.cost
        self.training += outcome.train
        self.evaluation += outcome.evaluation
        self.virtual = self.virtual or outcome.virtual
        if outcome.status == "ok":
            rung.done += 1
        elif outcome.final:
            rung.failed += 1
            self.errors[headline(outcome.error)] += 1
        else:
            rung.stopped += 1
            if outcome.status == "lost":
                self.lost += 1
                self.errors[headline(outcome.error)] += 1
        if outcome.loss is not None and (outcome.status == "ok" or outcome.rung in self.ladder):
            reached = self.rungs.setdefault(outcome.rung, RungTally())  # lower than asked, where money was short
            reached.best = outcome.loss if reached.best is None else min(reached.best, outcome.loss)

    @property
    def finished(self) -> int:
        """Trials that count towards a limit of trials: all but the stopped."""
        return sum(rung.done + rung.failed for rung in self.rungs.values())

    @property
    def failed(self) -> int:
        """Trials that failed or diverged."""
        return sum(rung.failed for rung in self.rungs.values())


def rung_table(tally: Tally, best: Rung | None, narrow: bool = False) -> Table:
    """A row for each rung that has results, low to full.

    Args:
        tally: the counts.
        best: the incumbent's rung.
        narrow: leave out what a narrow terminal has no room for.
    """
    names = ["rung", "done", "failed", "best loss"] if narrow else list(COLUMNS)
    table = plain_table(*names)
    for rung, row in sorted(tally.rungs.items(), key=lambda item: item[0].work):
        best_style = "bold green" if rung == best else ""
        cells = {
            "rung": one_line(short_rung(rung) if narrow else rung_words(rung)),
            "done": Text(str(row.done)),
            "stopped": _count(row.stopped, "yellow"),
            "failed": _count(row.failed, "red"),
            "best loss": Text("-" if row.best is None else number(row.best), best_style),
            "spent": Text(seconds(row.seconds)),
        }
        table.add_row(*(cells[name] for name in names))
    return table


def _count(many: int, style: str) -> Text:
    return Text(str(many), style=style if many else "dim")
