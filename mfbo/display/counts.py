"""Counts over the results of a run, updated with each result, and the table of rungs made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from mfbo.cost.price import beside, of_run
from mfbo.display.tables import one_line, plain_table
from mfbo.display.text import clean, headline, number, rung_words, seconds, short_rung
from mfbo.goal import Goal

if TYPE_CHECKING:
    from rich.table import Table

    from mfbo.cost.price import Price
    from mfbo.ledger.plan import Step
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Rung

ALL_DATA = "all data, "
RUNG_COLUMNS = ("level", "done", "stopped", "failed", "best", "spent")


@dataclass
class RungCounts:
    """Results of the trials at one rung.

    Attributes:
        done: trials that finished with a loss.
        stopped: trials that were stopped before their end, or lost.
        failed: trials that failed or diverged.
        best: lowest loss that was measured there.
        seconds: cost of all trials.
        finished_seconds: cost of those that finished with a loss.
    """

    done: int = 0
    stopped: int = 0
    failed: int = 0
    best: float | None = None
    seconds: float = 0.0
    finished_seconds: float = 0.0


@dataclass
class RunCounts:
    """Counts over results; `add` takes constant time.

    Attributes:
        ladder: the rungs of the run.
        rungs: results by the rung that was asked for.
        errors: how often each error occurred, by its headline.
        lost: trials that were lost with the machine that they ran on.
        training: seconds of training, all trials together.
        evaluation: seconds of evaluation.
        virtual: whether any seconds were a surrogate's.
        run: whose newest plan stands beside what was done; None where several are counted together.
        price: per hour; None where money is not shown.
        goal: the metric of the run, and whether it is maximised.
    """

    ladder: frozenset[Rung] = frozenset()
    rungs: dict[Rung, RungCounts] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    training: float = 0.0
    evaluation: float = 0.0
    virtual: bool = False
    run: Run | None = None
    price: Price | None = None
    goal: Goal = field(default_factory=Goal)

    @classmethod
    def of(cls, run: Run) -> RunCounts:
        """The counts over the results of `run`."""
        counts = cls(frozenset(run.header.rungs), run=run, price=of_run(run), goal=run.header.goal)
        for result in run.results:
            counts.add(result)
        return counts

    def add(self, result: Result) -> None:
        """Count one more."""
        outcome = result.outcome
        rung = self.rungs.setdefault(result.trial.rung, RungCounts())
        rung.seconds += outcome.cost
        self.training += outcome.train
        self.evaluation += outcome.evaluation
        self.virtual = self.virtual or outcome.virtual
        if outcome.status == "ok":
            rung.done += 1
            rung.finished_seconds += outcome.cost
        elif outcome.final:
            rung.failed += 1
            self.errors[headline(outcome.error)] += 1
        else:
            rung.stopped += 1
            if outcome.status == "lost":
                self.lost += 1
                self.errors[headline(outcome.error)] += 1
        if outcome.loss is not None and (outcome.status == "ok" or outcome.rung in self.ladder):
            reached = self.rungs.setdefault(
                outcome.rung, RungCounts()
            )  # lower than asked for, where the budget was short
            reached.best = outcome.loss if reached.best is None else min(reached.best, outcome.loss)

    @property
    def finished(self) -> int:
        """Trials that count towards a limit of trials: all but the stopped."""
        return sum(rung.done + rung.failed for rung in self.rungs.values())

    def plan_progress(self) -> str:
        """Finished and planned trials by level: ``level 1: 12 of 19 trials, level 2: 3 of 6``; empty without a plan."""
        rows = [(level, step, row) for level, (step, row) in enumerate(self._planned(), 1) if row.done]
        parts = [f"level {level}: {done_of(row.done, step, ' of ')}" for level, step, row in rows]
        return ", ".join([f"{parts[0]} trials", *parts[1:]]) if parts else ""

    def forecast_check(self) -> list[str]:
        """Measured beside expected cost of a trial, by the newest plan, a line for each level that has results."""
        lines = []
        for level, (step, row) in enumerate(self._planned(), 1):
            if row.done:
                costs = row.finished_seconds / row.done, step.cost
                mean, expected = (seconds(cost) + beside(self.price, cost) for cost in costs)
                trials = f"{done_of(row.done, step, ' of ')} trials"
                lines.append(f"  level {level} ({rung_words(step.rung)}): {trials}, {mean} each, {expected} expected")
        return lines

    def _planned(self) -> list[tuple[Step, RungCounts]]:
        plan = self.run.header.plan if self.run else None
        steps = self.run.planned if self.run and plan and plan.measured else ()
        return [(step, self.rungs.get(step.rung, RungCounts())) for step in steps]

    @property
    def failed(self) -> int:
        """Trials that failed or diverged."""
        return sum(rung.failed for rung in self.rungs.values())


def rung_table(counts: RunCounts, best: Rung | None, narrow: bool = False, short: bool = False) -> Table:
    """A row for each rung that has results or is planned, lowest first; measured beside expected figures.

    Args:
        counts: of the run.
        best: the incumbent's rung.
        narrow: leave out columns that a narrow terminal has no room for.
        short: leave out of the levels that they have all data, where all of them do.
    """
    names = ["level", "done", "failed", "best"] if narrow else list(RUNG_COLUMNS)
    if counts.price and not narrow:  # money needs their room
        used = {"stopped": any(row.stopped for row in counts.rungs.values()), "failed": counts.failed}
        names = [name for name in names if used.get(name, True)]
    run = counts.run
    timed = run is not None and run.header.plan is not None and run.header.plan.unit == "s"
    steps = {step.rung: step for step in run.planned} if run is not None and timed else {}
    table = plain_table(*names, *(["each"] if steps and not narrow else []))
    table.columns[names.index("best")].header = one_line(f"best {clean(counts.goal.name, 20)}")
    if steps:
        table.columns[names.index("done")].header = one_line("done/plan")
        table.columns[-1].header = table.columns[-1].header if narrow else one_line("each/plan")
    rows = {**{rung: RungCounts() for rung in steps}, **counts.rungs}
    same = ALL_DATA if short and all(short_rung(rung).startswith(ALL_DATA) for rung in rows) else ""
    for rung, row in sorted(rows.items(), key=lambda item: item[0].work):
        best_style = "bold green" if rung == best else ""
        cells = {
            "level": one_line((short_rung(rung) if narrow else rung_words(rung)).removeprefix(same)),
            "done": Text(done_of(row.done, steps.get(rung), "/")),
            "stopped": _count(row.stopped, "yellow"),
            "failed": _count(row.failed, "red"),
            "best": Text("-" if row.best is None else number(counts.goal.value(row.best)), best_style),
            "spent": Text(seconds(row.seconds) + beside(counts.price, row.seconds)),
        }
        each = [Text(_mean_cost(row, steps.get(rung)))] if steps and not narrow else []
        table.add_row(*(cells[name] for name in names), *each)
    return table


def done_of(done: int, step: Step | None, word: str) -> str:
    """``3 of 7`` trials; the number alone where there is no plan for them, or it allowed for fewer."""
    return str(done) if step is None or done > step.trials else f"{done}{word}{step.trials}"


def _mean_cost(row: RungCounts, step: Step | None) -> str:
    """Mean seconds of a finished trial, and the expected ones."""
    mean = seconds(row.finished_seconds / row.done) if row.done else "-"
    return mean if step is None else f"{mean}/{seconds(float(f'{step.cost:.2g}'))}"


def _count(many: int, style: str) -> Text:
    return Text(str(many), style=style if many else "dim")
