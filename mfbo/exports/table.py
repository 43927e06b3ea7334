"""A run as a table: one row a result, in the order in which they came in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.constraints import feasible
from mfbo.cost.price import of_run
from mfbo.exports import needed
from mfbo.files.printable import clean_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.constraints import Constraint
    from mfbo.cost.price import Price
    from mfbo.goal import Goal
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Outcome

Row = dict[str, Any]
_OTHERS = (
    "trial", "status", "epochs", "data", "work", "asked_epochs", "asked_data", "start_epoch", "train", "evaluation",
    "optimizer", "spent", "money", "wall", "virtual", "error",
)  # fmt: skip
FORMULA = tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")  # what a spreadsheet may begin a formula or a command with


def rows(run: Run) -> list[Row]:
    """Every result with the same keys; what it does not have is None.

    The column ``loss`` is called as the run's metric where that has a name, and has it in its own sign. Names of other
    metrics and of hyperparameters begin with ``metric.`` and ``config.``; costs are in seconds, `spent` is in the unit
    of the budget, and `money` the same in money, where there is a price.
    """
    price = of_run(run)
    kept = run.header.search.constraints
    limited = bool(kept) or any(result.outcome.status == "memory" for result in run.results)
    found = [
        _row(result, price, run.header.goal) | ({"feasible": _feasible(result.outcome, kept)} if limited else {})
        for result in run.results
    ]
    names = dict.fromkeys(name for row in found for name in row)
    for entry in run.header.space.get("hyperparameters", []):
        names.setdefault(f"config.{entry['name']}")
    return [{name: row.get(name) for name in names} for row in found]


def _feasible(outcome: Outcome, constraints: Sequence[Constraint]) -> bool:
    return outcome.status != "memory" and feasible(outcome, constraints)


def _row(result: Result, price: Price | None, goal: Goal) -> Row:
    trial, outcome = result.trial, result.outcome
    value = None if outcome.loss is None else goal.value(outcome.loss)
    return {
        "trial": trial.id,
        "status": outcome.status,
        _column(goal): value,
        **outcome.rung.counts,
        "data": outcome.rung.data,
        "work": outcome.rung.work,
        **{f"asked_{name}": number for name, number in trial.rung.counts.items()},
        "asked_data": trial.rung.data,
        "start_epoch": outcome.start_epoch,
        "train": outcome.train,
        "evaluation": outcome.evaluation,
        "optimizer": result.overhead,
        "spent": result.spent,
        **({"money": price.amount(result.at)} if price else {}),
        "wall": result.wall,
        "virtual": outcome.virtual,
        "error": outcome.error,
        **{f"metric.{name}": number for name, number in outcome.metrics.items()},
        **{f"config.{name}": setting for name, setting in trial.config.items()},
    }


def _column(goal: Goal) -> str:
    """The name of the column with what was measured; one that another column has is marked."""
    return f"measured.{goal.name}" if goal.name in _OTHERS else goal.name


def frame(run: Run) -> Any:
    """The rows as a pandas DataFrame.

    Raises:
        MissingExtra: pandas is not installed.
    """
    return needed("pandas", "exports").DataFrame(rows(run))


def write_csv(run: Run, out: Path) -> None:
    """Comma-separated, the names in the first line; None is empty."""
    found = rows(run)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([harmless(name) for name in found[0]] if found else ["trial"])
        writer.writerows([harmless(value) for value in row.values()] for row in found)


def write_parquet(run: Run, out: Path) -> None:
    """A column a key, by pyarrow.

    Raises:
        MissingExtra: pandas or pyarrow is not installed.
    """
    needed("pyarrow", "exports")
    table = frame(run)
    for name in table.columns:  # a hyperparameter may have choices of several types, a column may not
        if table[name].map(type).nunique() > 1 and table[name].dtype == object:
            table[name] = table[name].map(lambda value: value if value is None else str(value))
    table.to_parquet(out)


def harmless(value: Any) -> Any:
    """Text without control characters; what a spreadsheet would take for a formula gets a quote in front.

    >>> harmless("=1+1"), harmless("+1"), harmless("adam"), harmless(-1.5)
    ("'=1+1", "'+1", 'adam', -1.5)
    """
    if not isinstance(value, str):
        return value
    text = clean_lines(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
