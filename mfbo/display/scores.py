"""What ``mfbo validate`` and ``mfbo data status`` print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mfbo.cost.price import beside
from mfbo.display.tables import facts_table, plain_table
from mfbo.display.text import PATH, clean, number, pairs, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from mfbo.data import SourceStatus
    from mfbo.engine.validate import Validation


def scores(found: Validation) -> RenderableType:
    """Mean and spread over the seeds, the confusion matrix, and where the model is."""
    n = len(found.scores)
    head = Text(f"{clean(found.task)} on its test split, {clean(found.rung)}, {n} seed{'s' if n > 1 else ''}", "bold")
    table = facts_table()
    for name in found.names:
        spread = f" ± {number(found.deviation(name))}" if n > 1 else ""
        table.add_row(Text(clean(name)), Text(number(found.mean(name)) + spread))
    table.add_row(Text("runtime"), Text(f"{seconds(found.seconds)} in all{beside(found.price, found.seconds)}"))
    parts: list[RenderableType] = [head, Text(pairs(found.config)), table]
    if n > 1:
        parts.append(Text("± is the standard deviation over the seeds", "dim"))
    if found.confusion:
        parts += [Text("\nconfusion, true classes in rows, predicted ones in columns, all seeds", "dim")]
        parts.append(_matrix(found.confusion))
    if found.folder:
        parts.append(Text(f"\nmodel of seed {found.scores[0].seed}: {clean(found.folder, PATH)}"))
    return Group(*parts)


def _matrix(confusion: Sequence[Sequence[int]]) -> RenderableType:
    table = plain_table("", *map(str, range(len(confusion))))
    for name, row in enumerate(confusion):
        table.add_row(Text(str(name), "dim"), *(Text(str(count)) for count in row))
    return table


def data_sets(found: Sequence[SourceStatus]) -> RenderableType:
    """A paragraph a data set."""
    parts: list[RenderableType] = []
    for status in found:
        table = facts_table()
        if status.where:
            table.add_row(Text("  folder"), Text(clean(status.where, PATH)))
        if status.rows:
            table.add_row(Text("  rows"), Text(", ".join(f"{split} {rows}" for split, rows in status.rows.items())))
            table.add_row(Text("  prepared"), Text(", ".join(status.prepared) or "not yet; the first run does it"))
            table.add_row(Text("  disk"), Text(f"{status.bytes / 2**20:.0f} MiB"))
        if status.problem:
            table.add_row(Text("  problem"), Text(clean(status.problem, PATH), "red"))
        parts += [Text(status.name, "bold"), table]
    return Group(*parts)
