"""Tables without lines, in which words give way to figures."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

WORDS = ("rung", "fidelity", "status", "configuration")


def plain_table(*names: str) -> Table:
    """A table with these columns: `WORDS` to the left and shortened where there is no room, figures to the right."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(one_line(name), justify="left" if name in WORDS else "right", no_wrap=name not in WORDS)
    return table


def one_line(text: str, style: str = "") -> Text:
    """Text that is cut, not wrapped."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def facts_table() -> Table:
    """Names to the left, what they stand for to the right."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
