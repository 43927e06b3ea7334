"""What the live display draws, fitted to the width and height of the terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mfbo.display.tables import one_line, plain_table
from mfbo.display.tally import rung_table
from mfbo.display.text import amount, clean, headline, number, pairs, rung_words, seconds, short_rung, status_words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from mfbo.display.watch import Watch
    from mfbo.ledger import Result
    from mfbo.trial import Trial

BAR_WIDTH = 30
WIDE = 72  # columns; with less there is no room for bars and configurations
NARROW = 66  # columns; with less, the table of rungs has fewer of its own
STYLES = {"stopped": "yellow", "failed": "red", "diverged": "red", "running": "cyan"}


class Panel:
    """The whole display at one moment.

    Args:
        watch: the run.
        status: why it ended; None while it goes on.
        lock: held while `watch` is read.
    """

    def __init__(self, watch: Watch, status: str | None, lock: AbstractContextManager[object]) -> None:
        self._watch = watch
        self._status = status
        self._lock = lock

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts, with as many of the last trials as there is room for."""
        try:
            with self._lock:
                parts = self._parts(options.max_width, console.size.height)
        except Exception as error:  # no run shall end because it could not be drawn
            parts = [Text(f"cannot draw this run: {type(error).__name__}: {clean(error)}", style="red")]
        yield from parts

    def _parts(self, width: int, height: int) -> list[RenderableType]:
        watch, wide = self._watch, width >= WIDE
        meters = meter_table(watch, wide)
        parts: list[RenderableType] = [title(watch, self._status), meters]
        used = 1 + meters.row_count
        if watch.tally.rungs:
            rungs = rung_table(watch.tally, watch.best.outcome.rung if watch.best else None, width < NARROW)
            parts += [Text(), rungs]
            used += 2 + rungs.row_count
        if watch.best:
            best = incumbent_lines(watch.best, watch.unit)
            parts += [Text(), best]
            used += 1 + sum(-(-len(line) // width) for line in best.plain.splitlines())
        if watch.last or watch.flights:
            parts += [Text(), trial_table(watch, max(1, height - used - 3), wide)]
        return parts


def title(watch: Watch, status: str | None) -> Text:
    """Task, optimizer and seed; how long it will take, or why it ended."""
    header = watch.run.header
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(clean(header.task, 40), "bold").append(
        f"  {clean(header.optimizer, 40)}  seed {clean(header.seed, 40)}"
    )
    if status is not None:
        text.append("  ").append(status_words(status), "bold red" if status == "failed" else "bold")
    elif (left := watch.time_left) is not None:
        text.append(f"  about {seconds(max(1.0, round(left)))} left", "cyan")
    return text


def meter_table(watch: Watch, wide: bool) -> Table:
    """A bar for each limit."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    for meter in watch.meters():
        bar = ProgressBar(1.0, meter.share, BAR_WIDTH, complete_style="cyan", finished_style="cyan")
        bars = [bar] if wide and meter.limited else []
        percent = f"{100 * meter.share:.0f}%" if meter.limited else ""
        table.add_row(Text(meter.name), *bars, Text(meter.words, no_wrap=True), Text(percent))
    return table


def incumbent_lines(best: Result, unit: str) -> Text:
    """Loss, fidelity, cost at which it was found; metrics; configuration."""
    outcome = best.outcome
    text = Text("best ", style="").append(number(outcome.loss), "bold green")
    text.append(f" at {rung_words(outcome.rung)}; trial {best.trial.id}, found at {amount(best.spent, unit)}\n")
    if outcome.metrics:
        text.append(f"{pairs(outcome.metrics)}\n")
    return text.append(pairs(best.trial.config))


def trial_table(watch: Watch, room: int, wide: bool) -> Table:
    """The last results, then the trials in flight, in so many rows."""
    table = plain_table("trial", "fidelity", "status", "loss", "cost", *(["configuration"] if wide else []))
    flights = list(watch.flights.values())
    shown = flights[: max(1, room // 2)]
    most = room - len(shown) - (len(flights) > len(shown))
    for result in list(watch.last)[-most:] if most > 0 else []:
        outcome = result.outcome
        loss = Text("-" if outcome.loss is None else number(outcome.loss), "bold green" if result is watch.best else "")
        what = one_line(headline(outcome.error), "red") if outcome.error else None
        _row(table, result.trial, outcome.status, loss, outcome.cost, what=what)
    for trial, since in shown:
        _row(table, trial, "running", Text("-"), watch.now - since)
    if len(flights) > len(shown):
        table.add_row("", one_line(f"and {len(flights) - len(shown)} more", "dim"), one_line("running", "dim"))
    return table


def _row(table: Table, trial: Trial, status: str, loss: Text, cost: float, *, what: Text | None = None) -> None:
    cells = [
        Text(str(trial.id)),
        one_line(short_rung(trial.rung)),
        one_line(clean(status, 20), STYLES.get(status, "")),
        loss,
        Text(seconds(cost)),
        what or one_line(pairs(trial.config), "dim"),
    ]
    table.add_row(*cells[: len(table.columns)])
