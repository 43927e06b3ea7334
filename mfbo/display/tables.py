"""Tables without lines, in which text is shortened before figures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from mfbo.display.text import clean, number
from mfbo.goal import Goal

if TYPE_CHECKING:
    from mfbo.ledger.run import Result

MIN_NAME_WIDTH = 6  # columns of a hyperparameter's name that is cut
TEXT_COLUMNS = ("level", "fidelity", "status", "configuration", "task", "optimizer", "state", "run")  # left-aligned


def plain_table(*names: str, widths: Mapping[str, int] | None = None) -> Table:
    """A table with these columns: `TEXT_COLUMNS` left-aligned and shortened where need be, figures right-aligned.

    Args:
        names: of the columns.
        widths: least widths, so that columns keep their place from one drawing to the next.
    """
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name in names:
        words, width = name in TEXT_COLUMNS, (widths or {}).get(name)
        table.add_column(one_line(name), justify="left" if words else "right", no_wrap=not words, min_width=width)
    return table


def one_line(text: str, style: str = "") -> Text:
    """Text that is cut, not wrapped."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def measured(best: Result, goal: Goal) -> Text:
    """``best 0.1234`` of a loss, ``best val_acc 0.9444`` of a metric that has a name."""
    text = Text("best " if goal == Goal() else f"best {clean(goal.name, 40)} ")
    return text.append("-" if best.outcome.loss is None else number(goal.value(best.outcome.loss)), "bold green")


def facts_table() -> Table:
    """Names on the left, their values on the right."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def aligned(configs: Sequence[Mapping[str, object]], room: int) -> list[str]:
    """A line of names, then one of values for each configuration: as many hyperparameters as there is room for.

    Long names are cut where there is no room for them beside all values; a value never is, as half a number is a wrong
    one.

    >>> aligned([{"batch_size": 32, "lr": 0.1, "layers": 2}, {"batch_size": 128}], room=15)
    ['batch_size lr ', '32         0.1', '128        -  ']
    >>> aligned([{"batch_size": 32, "lr": 0.1}], room=11)
    ['batch_ lr ', '32     0.1']
    """
    columns: list[tuple[str, list[str], int]] = []
    left = room + 1  # of a column and the space before it
    for name in dict.fromkeys(name for config in configs for name in config):
        values = [number(config.get(name, "-"), 3) for config in configs]
        width = max(min(MIN_NAME_WIDTH, cell_len(clean(name))), *map(cell_len, values))
        if columns and 1 + width > left:
            break
        columns.append((clean(name), values, width))
        left -= 1 + width
    lines = [""] * (len(configs) + 1)
    for name, values, width in columns:
        more = max(0, cell_len(name) - width)
        if more <= left:
            left -= more
        else:
            more = 0
        cells = [set_cell_size(text, width + more) for text in (name, *values)]
        lines = [f"{line} {cell}" if line else cell for line, cell in zip(lines, cells, strict=True)]
    return lines
