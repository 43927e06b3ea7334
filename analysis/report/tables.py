"""Tables of a report: trials, rungs, failures. Rows of plain values; who shows them makes them harmless."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mfbo.constraints import feasible
from mfbo.cost.price import of_run
from mfbo.display.counts import RunCounts
from mfbo.display.text import clean, clean_lines, headline, rung_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.analysis.report.material import Part
    from mfbo.evidence.rung_correlation import RungCorrelation
    from mfbo.ledger.run import Result, Run

Cell: TypeAlias = str | float | int | bool | None
MAX_TRACEBACK_LINES = 60  # the last
MAX_FAILURE_KINDS = 20  # that are shown
FIXED_COLUMNS = ("epochs", "data", "work", "status", "trial", "cost_s", "overhead_s", "spent")


@dataclass
class Table:
    """A table.

    Attributes:
        columns: their names.
        rows: of as many cells.
        measured: the column that it is in the order of.
        down: whether the highest value there comes first.
    """

    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    measured: str = "loss"
    down: bool = False


def trials(part: Part, most: int | None = None) -> Table:
    """A row a result, the best first; hyperparameters in the first columns.

    Args:
        part: the runs of one task.
        most: rows; the best where there are more.
    """
    goal = part.goal
    found = sorted(part.results, key=lambda pair: math.inf if (loss := pair[1].outcome.loss) is None else loss)[:most]
    names = list(dict.fromkeys(name for _, result in found for name in result.trial.config))
    metrics = list(dict.fromkeys(name for _, result in found for name in goal.others(result.outcome.metrics)))
    prices = {id(run): of_run(run) for run in part.runs}
    whose = ("optimizer", "seed") if len(part.runs) > 1 else ()
    money = ("money",) if any(prices.values()) else ()
    errors = ("error",) if any(result.outcome.error for _, result in found) else ()
    taken = {*FIXED_COLUMNS, *whose, *money, "error"}
    measured = _free(goal.name, "measured", taken)
    shown_metrics = [_free(name, "metric", taken) for name in metrics]
    shown_names = [_free(name, "config", taken) for name in names]
    counts = list(dict.fromkeys(name for _, result in found for name in result.outcome.rung.counts)) or ["epochs"]
    fixed = [*counts, *FIXED_COLUMNS[1:]]
    columns = [*shown_names, measured, *shown_metrics, *whose, *fixed, *money, *errors]
    table = Table(columns, measured=measured, down=goal.maximize)
    for run, result in found:
        outcome, rung, price = result.outcome, result.outcome.rung, prices[id(run)]
        table.rows.append(
            [
                *(result.trial.config.get(name) for name in names),
                None if outcome.loss is None else goal.value(outcome.loss),
                *(outcome.metrics.get(name) for name in metrics),
                *((run.header.optimizer, run.header.seed) if whose else ()),
                *(rung.counts.get(name) for name in counts),
                *(rung.data, rung.work, _status(run, result), result.trial.id),
                *(outcome.cost, result.overhead, result.spent),
                *([price.amount(result.at) if price else None] if money else []),
                *([headline(outcome.error) if outcome.error else None] if errors else []),
            ]
        )
    return table


def _status(run: Run, result: Result) -> str:
    """What became of a trial, or that it breaks a constraint of the run or needs more memory than there is."""
    outcome = result.outcome
    if outcome.status == "memory":
        return "infeasible: out of memory"
    kept = feasible(outcome, run.header.search.constraints) or outcome.status != "ok"
    return outcome.status if kept else "infeasible"


def _free(name: str, kind: str, taken: set[str]) -> str:
    """`name`, or with its kind before it where a column has that name already."""
    name = name if name not in taken else f"{kind}.{name}"
    taken.add(name)
    return name


@dataclass(frozen=True)
class RungRow:
    """What came of the trials at one rung, and how well it predicts the highest.

    Attributes:
        name: in words.
        work: percent of a full evaluation.
        done, stopped, failed: trials.
        best: lowest loss.
        seconds: cost of them all.
        predicts: rank correlation with the highest rung in words, or that it cannot be told.
    """

    name: str
    work: float
    done: int
    stopped: int
    failed: int
    best: float | None
    seconds: float
    predicts: str


def rungs(runs: Sequence[Run], correlations: Sequence[RungCorrelation]) -> list[RungRow]:
    """A row for each rung that has results, low to full, all runs together."""
    counts = RunCounts(frozenset(rung for run in runs for rung in run.header.rungs))
    for run in runs:
        for result in run.results:
            counts.add(result)
    known = {one.low: one for one in correlations}
    rows = []
    for rung, row in sorted(counts.rungs.items(), key=lambda item: item[0].work):
        tally, predicts = (row.done, row.stopped, row.failed), "-"
        if one := known.get(rung):
            interval = f"{one.rho:.2f} ({one.lower:.2f} to {one.upper:.2f}, {one.n} configurations)"
            predicts = interval if one.known else f"cannot be told ({one.n} configurations)"
        rows.append(RungRow(rung_words(rung), 100 * rung.work, *tally, row.best, row.seconds, predicts))
    return rows


@dataclass(frozen=True)
class Failure:
    """Trials that failed of the same reason.

    Attributes:
        reason: in a line.
        status: of the first.
        trials: which: ``smac, seed 0, trial 3``.
        text: traceback of the first; several lines.
        config: of the first.
    """

    reason: str
    status: str
    trials: list[str]
    text: str
    config: dict[str, Cell]

    @property
    def count(self) -> int:
        """How many trials."""
        return len(self.trials)

    @property
    def first(self) -> str:
        """The configuration of the first, in a line."""
        return ", ".join(f"{clean(name, 60)}={clean(value, 60)}" for name, value in self.config.items())


def failures(part: Part) -> list[Failure]:
    """By reason, the most frequent first."""
    found: dict[str, Failure] = {}
    for run, result in part.results:
        outcome = result.outcome
        if not (outcome.failed or outcome.status == "lost"):
            continue
        reason = headline(outcome.error)
        if reason not in found:
            text = clean_lines("\n".join((outcome.error or "").splitlines()[-MAX_TRACEBACK_LINES:]))
            found[reason] = Failure(reason, outcome.status, [], text, dict(result.trial.config))
        found[reason].trials.append(
            f"{clean(run.header.optimizer, 40)}, seed {run.header.seed}, trial {result.trial.id}"
        )
    return sorted(found.values(), key=lambda failure: -len(failure.trials))
