"""What ``mfbo narrow`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mfbo.display.tables import facts_table
from mfbo.display.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mfbo.study.narrowing import Narrowed


def narrowing(found: Narrowed) -> RenderableType:
    """Each hyperparameter: before, after, why, and how sure."""
    table = facts_table()
    for bound in found.bounds:
        change = f"{bound.before} -> {bound.after}" if bound.narrowed else bound.before
        sure = f"; at least {100 * bound.sure:.0f}% sure" if bound.narrowed else ""
        table.add_row(Text(clean(bound.name, 60)), Text(clean(change), "bold" if bound.narrowed else ""))
        table.add_row(Text(), Text(clean(bound.why) + sure, "dim"))
    head = f"{found.promising} promising of {found.tried} configurations"
    if not any(bound.narrowed for bound in found.bounds):
        head += "; nothing is narrowed, for the reasons below: the space in the file is that of the run"
    return Group(Text(head, "bold"), table)
