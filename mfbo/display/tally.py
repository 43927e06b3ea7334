"""Counts over the results of a run, kept up as they come in, and the table of rungs that shows them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from mfbo.cost.price import beside, of_run
from mfbo.display.tables import one_line, plain_table
from mfbo.display.text import headline, number, rung_words, seconds, short_rung

if TYPE_CHECKING:
    from rich.table import Table

    from mfbo.cost.price import Price
    from mfbo.ledger.plan import Plan, Step
    from mfbo.ledger.run import Result, Run
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
        ended: of those that ended with a loss.
    """

    done: int = 0
    stopped: int = 0
    failed: int = 0
    best: float | None = None
    seconds: float = 0.0
    ended: float = 0.0


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
        plan: what was expected; None where nothing was.
        price: what its cost is paid with; None where money is not shown.
    """

    ladder: frozenset[Rung] = frozenset()
    rungs: dict[Rung, RungTally] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    training: float = 0.0
    evaluation: float = 0.0
    virtual: bool = False
    plan: Plan | None = None
    price: Price | None = None

    @classmethod
    def of(cls, run: Run) -> Tally:
        """The counts over the results of `run`."""
        tally = cls(frozenset(run.header.rungs), plan=run.header.plan, price=of_run(run))
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
            rung.ended += outcome.cost
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

    def of_plan(self) -> str:
        """Trials done of those that were planned, by rung, low to high: ``12/19 + 3/6 + 0/2``; empty without a plan."""
        return " + ".join(f"{row.done}/{step.trials}" for step, row in self._planned())

    def forecast(self) -> list[str]:
        """What a trial at each rung was expected to cost, and what it did cost; a line a rung that has results."""
        said = []
        for step, row in self._planned():
            if row.done:
                mean, expected = (
                    seconds(cost) + beside(self.price, cost) for cost in (row.ended / row.done, step.cost)
                )
                each = f"{mean} each, {expected} expected"
                said.append(f"  {rung_words(step.rung)}: {row.done} of {step.trials} planned trials, {each}")
        return said

    def _planned(self) -> list[tuple[Step, RungTally]]:
        steps = self.plan.steps if self.plan and self.plan.measured else ()
        return [(step, self.rungs.get(step.rung, RungTally())) for step in steps]

    @property
    def failed(self) -> int:
        """Trials that failed or diverged."""
        return sum(rung.failed for rung in self.rungs.values())


def rung_table(tally: Tally, best: Rung | None, narrow: bool = False) -> Table:
    """A row for each rung that has results or is planned, low to full; beside what came, what was expected.

    Args:
        tally: the counts.
        best: the incumbent's rung.
        narrow: leave out what a narrow terminal has no room for.
    """
    names = ["rung", "done", "failed", "best loss"] if narrow else list(COLUMNS)
    if tally.price and not narrow:  # money needs their room
        counts = {"stopped": any(row.stopped for row in tally.rungs.values()), "failed": tally.failed}
        names = [name for name in names if counts.get(name, True)]
    steps = {step.rung: step for step in tally.plan.steps} if tally.plan and tally.plan.unit == "s" else {}
    table = plain_table(*names, *(["each"] if steps and not narrow else []))
    if steps:
        table.columns[names.index("done")].header = one_line("done/plan")
        table.columns[-1].header = table.columns[-1].header if narrow else one_line("each/plan")
    rows = {**{rung: RungTally() for rung in steps}, **tally.rungs}
    for rung, row in sorted(rows.items(), key=lambda item: item[0].work):
        best_style = "bold green" if rung == best else ""
        cells = {
            "rung": one_line(short_rung(rung) if narrow else rung_words(rung)),
            "done": Text(str(row.done) + (f"/{steps[rung].trials}" if rung in steps else "")),
            "stopped": _count(row.stopped, "yellow"),
            "failed": _count(row.failed, "red"),
            "best loss": Text("-" if row.best is None else number(row.best), best_style),
            "spent": Text(seconds(row.seconds) + beside(tally.price, row.seconds)),
        }
        each = [Text(_each(row, steps.get(rung)))] if steps and not narrow else []
        table.add_row(*(cells[name] for name in names), *each)
    return table


def _each(row: RungTally, step: Step | None) -> str:
    """Seconds of a trial that ended, and as they were expected."""
    mean = seconds(row.ended / row.done) if row.done else "-"
    return mean if step is None else f"{mean}/{seconds(float(f'{step.cost:.2g}'))}"


def _count(many: int, style: str) -> Text:
    return Text(str(many), style=style if many else "dim")
