"""What the live display draws, fitted to the width and height of the terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mfbo.cost.price import beside
from mfbo.display.counts import rung_table
from mfbo.display.tables import aligned, measured, one_line, plain_table
from mfbo.display.text import (
    PATH,
    amount,
    clean,
    headline,
    number,
    overtaking,
    pairs,
    rung_words,
    seconds,
    short_rung,
    status_words,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from mfbo.display.progress import Progress
    from mfbo.ledger.run import Result
    from mfbo.trial import Trial

BAR_WIDTH = 30
MIN_TRIAL_ROWS = 5  # of the table of trials, before what they print is shown
WIDE = 72  # terminal columns; with fewer, bars and configurations are left out
ROOMY = 90  # terminal columns; with fewer, the table of rungs has shorter names
NARROW = 66  # terminal columns; with fewer, the table of rungs has fewer columns
TRIAL_WIDTHS = {"trial": 5, "fidelity": 0, "status": 8, "loss": 7, "cost": 6}
PRICED_COST_WIDTH = 20  # columns of a cost with money beside it
STATUS_STYLES = {
    "ok": "",
    "stopped": "yellow",
    "lost": "yellow",
    "running": "cyan",
}  # every other status is a failure: red


class Panel:
    """The whole display at one moment.

    Args:
        progress: the run.
        status: why it ended; None while it runs.
        lock: held while `progress` is read.
    """

    def __init__(self, progress: Progress, status: str | None, lock: AbstractContextManager[object]) -> None:
        self._progress = progress
        self._status = status
        self._lock = lock

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts, with as many of the last trials as there is room for."""
        try:
            with self._lock:
                parts = self._parts(options.max_width, console.size.height)
        except Exception as error:  # a fault of the display must not end the run
            parts = [Text(f"cannot draw this run: {type(error).__name__}: {clean(error)}", style="red")]
        yield from parts

    def _parts(self, width: int, height: int) -> list[RenderableType]:
        progress, wide = self._progress, width >= WIDE
        meters = meter_table(progress, wide)
        parts: list[RenderableType] = [title(progress, self._status), meters]
        used = 1 + meters.row_count
        if progress.counts.rungs:
            best_rung = progress.best.outcome.rung if progress.best else None
            rungs = rung_table(progress.counts, best_rung, width < NARROW, width < ROOMY)
            parts += [Text(), rungs]
            used += 2 + rungs.row_count
        if progress.best:
            best = incumbent_lines(progress, progress.best)
            parts += [Text(), best]
            used += 1 + sum(-(-len(line) // width) for line in best.plain.splitlines())
        said = printed_lines(progress)[: max(0, height - used - MIN_TRIAL_ROWS)]
        if progress.last or progress.running:
            parts += [Text(), trial_table(progress, max(1, height - used - 3 - len(said)), width), *said]
        return parts


def title(progress: Progress, status: str | None) -> Text:
    """Task, optimizer and seed; how long it will take, or why it ended."""
    header = progress.run.header
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(clean(header.task, 40), "bold").append(
        f"  {clean(header.optimizer, 40)}  seed {clean(header.seed, 40)}"
    )
    if status is not None:
        text.append("  ").append(status_words(status), "bold red" if status == "failed" else "bold")
    elif (left := progress.time_left) is not None:
        text.append(f"  about {seconds(max(1.0, round(left)))} left", "cyan")
    return text


def meter_table(progress: Progress, wide: bool) -> Table:
    """A bar for each limit."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    for meter in progress.meters():
        bar = ProgressBar(1.0, meter.share, BAR_WIDTH, complete_style="cyan", finished_style="cyan")
        bars = [bar] if wide and meter.limited else []
        percent = f"{100 * meter.share:.0f}%" if meter.limited else ""
        table.add_row(Text(meter.name), *bars, Text(meter.words, no_wrap=True), Text(percent))
    return table


def incumbent_lines(progress: Progress, best: Result) -> Text:
    """Its loss or metric, fidelity, cost at which it was found, and the better one of a lower level; configuration."""
    goal, price = progress.counts.goal, progress.counts.price
    text, metrics = measured(best, goal), goal.others(best.outcome.metrics)
    found, over = amount(best.spent, progress.unit) + beside(price, best.at), overtaking(progress.overtaken)
    text.append(f" at {rung_words(best.outcome.rung)}{over}; trial {best.trial.id}, found at {found}\n")
    if metrics:
        text.append(f"{pairs(metrics)}\n")
    return text.append(pairs(best.trial.config))


def printed_lines(progress: Progress) -> list[Text]:
    """What running trials have printed last, a line each."""
    return [one_line(f"{number}> {clean(line, PATH)}", "dim") for number, line in sorted(progress.printed.items())]


def trial_table(progress: Progress, rows: int, width: int) -> Table:
    """The last results, then the running trials, fitted to `rows` and `width` columns of text."""
    running = list(progress.running.values())
    shown = running[: max(1, rows // 2)]
    most = rows - len(shown) - (len(running) > len(shown))
    last = list(progress.last)[-most:] if most > 0 else []
    configs = [*(result.trial.config for result in last), *(trial.config for trial, _ in shown)]
    longest = max((len(short_rung(rung)) for rung in progress.run.header.rungs), default=0)
    cost_width = PRICED_COST_WIDTH if progress.counts.price else TRIAL_WIDTHS["cost"]
    widths = {**TRIAL_WIDTHS, "fidelity": min(longest, 24), "cost": cost_width}
    wide = width >= WIDE
    names, *values = aligned(configs, width - sum(widths.values()) - 2 * len(widths))
    table = plain_table(*widths, widths=widths if wide else None)
    goal = progress.counts.goal
    table.columns[list(widths).index("loss")].header = one_line(clean(goal.name, 12))
    if wide:
        table.add_column(one_line(names))
    for result, config in zip(last, values, strict=False):
        outcome, better = result.outcome, "bold green" if result is progress.best else ""
        loss = Text("-" if outcome.loss is None else number(goal.value(outcome.loss)), better)
        what = one_line(headline(outcome.error), "red") if outcome.error else one_line(config, "dim")
        cells = _cells(result.trial, outcome.status)
        table.add_row(
            *cells,
            loss,
            Text(seconds(outcome.cost) + beside(progress.counts.price, outcome.cost)),
            *([what] if wide else []),
        )
    for (trial, since), config in zip(shown, values[len(last) :], strict=True):
        what = one_line(config, "dim")
        table.add_row(
            *_cells(trial, "running"), Text("-"), Text(seconds(progress.now - since)), *([what] if wide else [])
        )
    if len(running) > len(shown):
        table.add_row("", one_line(f"and {len(running) - len(shown)} more", "dim"), one_line("running", "dim"))
    return table


def _cells(trial: Trial, status: str) -> list[Text]:
    style = STATUS_STYLES.get(status, "red")
    return [Text(str(trial.id)), one_line(short_rung(trial.rung)), one_line(clean(status, 20), style)]
