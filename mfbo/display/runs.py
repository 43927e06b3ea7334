"""A line for each run of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mfbo.cost.price import beside, of_run
from mfbo.display.text import amount, clean, number
from mfbo.ledger.observer import Observer

if TYPE_CHECKING:
    from mfbo.engine.result import TuneResult
    from mfbo.errors import BadCost
    from mfbo.study.spec import Entry


class RunLines:
    """Prints a line for each run that has ended.

    Args:
        quiet: print only why there is no result.
        total: runs of the comparison.
        err: on standard error, which a notebook shows as a failure.
    """

    def __init__(self, *, quiet: bool, total: int, err: bool = True) -> None:
        self._quiet, self._total, self._count, self._err = quiet, total, 0, err

    def observer_of(self, entry: Entry) -> Observer:
        """A run begins; its trials are not shown."""
        return Observer()

    def on_failure(self, entry: Entry, error: BadCost) -> None:
        """Print why there is no result."""
        click.echo(f"{self._next(entry)}: {clean(str(error))}", err=self._err)

    def on_result(self, entry: Entry, result: TuneResult) -> None:
        """Print the result of a run."""
        where = self._next(entry)
        if self._quiet:
            return
        money = beside(of_run(result.ledger), result.ledger.seconds)
        measured = f"best {clean(result.goal.name, 40)} {number(result.best.value)}" if result.best else ""
        best = f"{measured} ({result.best.fidelity})" if result.best else "no result"
        cost = amount(result.cost, result.unit)
        click.echo(f"{where}: {best}, trials: {result.trials}, cost {cost}{money}", err=self._err)

    def _next(self, entry: Entry) -> str:
        self._count += 1
        return f"[{self._count}/{self._total}] {clean(entry.task)} {entry.optimizer} seed {entry.seed}"
