"""Tables of a report: trials, rungs, failures. Rows of plain values; who shows them makes them harmless."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mfbo.cost.price import of_run
from mfbo.display.counts import RunCounts
from mfbo.display.text import clean, clean_lines, headline, rung_words
from mfbo.evidence.rung_correlation import rung_correlations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.analysis.report.material import Part
    from mfbo.ledger.run import Run

Cell: TypeAlias = str | float | int | bool | None
LINES = 60  # of a traceback, the last
FIXED = ("optimizer", "seed", "trial", "status", "loss", "epochs", "data", "work", "cost_s", "thinking_s", "spent")


@dataclass
class Table:
    """A table: names of its columns, and rows of as many cells."""

    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)


def trials(part: Part, most: int | None = None) -> Table:
    """A row a result, in the order in which they came in.

    Args:
        part: the runs of one task.
        most: rows; those of the lowest loss where there are more.
    """
    results = part.results
    if most is not None and len(results) > most:
        keep = sorted(results, key=lambda pair: math.inf if (loss := pair[1].outcome.loss) is None else loss)[:most]
        ids = {id(result) for _, result in keep}
        results = [pair for pair in results if id(pair[1]) in ids]
    names = list(dict.fromkeys(name for _, result in results for name in result.trial.config))
    metrics = list(dict.fromkeys(name for _, result in results for name in result.outcome.metrics))
    prices = {id(run): of_run(run) for run in part.runs}
    priced = any(prices.values())
    fixed = (*FIXED, "money") if priced else FIXED
    taken = {*fixed, "error"}
    columns = [*fixed, *(_free(name, "metric", taken) for name in metrics), *(_free(n, "config", taken) for n in names)]
    table = Table([*columns, "error"])
    for run, result in results:
        outcome, rung, price = result.outcome, result.outcome.rung, prices[id(run)]
        table.rows.append(
            [
                run.header.optimizer,
                run.header.seed,
                result.trial.id,
                outcome.status,
                outcome.loss,
                rung.epochs,
                rung.data,
                rung.work,
                outcome.cost,
                result.thinking,
                result.spent,
                *([price.amount(result.at) if price else None] if priced else []),
                *(outcome.metrics.get(name) for name in metrics),
                *(result.trial.config.get(name) for name in names),
                headline(outcome.error) if outcome.error else None,
            ]
        )
    return table


def _free(name: str, kind: str, taken: set[str]) -> str:
    """`name`, or with its kind before it where a column has that name already."""
    name = name if name not in taken else f"{kind}.{name}"
    taken.add(name)
    return name


@dataclass(frozen=True)
class RungRow:
    """What came of the trials at one rung, and what it foretold.

    Attributes:
        name: in words.
        work: percent of a full evaluation.
        done, stopped, failed: trials.
        best: lowest loss.
        seconds: cost of them all.
        rho: rank correlation with the highest rung; NaN where unknown.
        n: configurations that were seen at both.
    """

    name: str
    work: float
    done: int
    stopped: int
    failed: int
    best: float | None
    seconds: float
    rho: float
    n: int


def rungs(runs: Sequence[Run]) -> list[RungRow]:
    """A row for each rung that has results, low to full, all runs together."""
    counts = RunCounts(frozenset(rung for run in runs for rung in run.header.rungs))
    for run in runs:
        for result in run.results:
            counts.add(result)
    found = rung_correlations(*runs)
    top = max((one.high for one in found), key=lambda rung: rung.work, default=None)
    known = {one.low: one for one in found if one.high == top}
    rows = []
    for rung, row in sorted(counts.rungs.items(), key=lambda item: item[0].work):
        rho, n = (known[rung].rho, known[rung].n) if rung in known else (math.nan, 0)
        name, ended = rung_words(rung), (row.done, row.stopped, row.failed)
        rows.append(RungRow(name, 100 * rung.work, *ended, row.best, row.seconds, rho, n))
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


def failures(part: Part) -> list[Failure]:
    """By reason, the most frequent first."""
    found: dict[str, Failure] = {}
    for run, result in part.results:
        outcome = result.outcome
        if not (outcome.failed or outcome.status == "lost"):
            continue
        reason = headline(outcome.error)
        if reason not in found:
            text = clean_lines("\n".join((outcome.error or "").splitlines()[-LINES:]))
            found[reason] = Failure(reason, outcome.status, [], text, dict(result.trial.config))
        found[reason].trials.append(
            f"{clean(run.header.optimizer, 40)}, seed {run.header.seed}, trial {result.trial.id}"
        )
    return sorted(found.values(), key=lambda failure: -len(failure.trials))
