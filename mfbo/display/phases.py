"""What ``mfbo study`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mfbo.cost.price import beside
from mfbo.display.tables import plain_table
from mfbo.display.text import amount, clean, number, pairs
from mfbo.goal import Goal

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mfbo.study.phases_result import Phases, StudyLine

TEST_METRICS = ("accuracy", "macro_f1")


def phases(found: Phases) -> RenderableType:
    """Cost by phase, the narrowed ranges, a line per optimizer, and the best configuration."""
    costs = ", ".join(f"{name} {charged(found, cost)}" for name, cost in found.costs.items())
    total = charged(found, found.total)
    parts: list[RenderableType] = [Text(f"\n{clean(found.task)}: {total} of {found.max_cost}", "bold"), Text(costs)]
    if found.narrowed:
        parts.append(Text("\nafter exploration", "bold"))
        parts += [Text(f"  {clean(line)}", "" if " -> " in line else "dim") for line in found.narrowed]
    parts += [Text("\non unseen data", "bold"), _table(found)]
    parts += [Text(f"  {line.optimizer}: {clean(line.note)}", "dim") for line in found.lines if line.note]
    spread = f"± standard deviation over {found.seeds} seeds; " if found.seeds > 1 else ""
    parts.append(Text(f"{spread}to 1%: trials until within 1% of the final best", "dim"))
    if found.paid and found.lines:  # in the table there is no room for money
        own = ", ".join(f"{clean(line.optimizer)} {charged(found, line.cost)}" for line in found.lines)
        parts.append(Text(f"cost: {own}", "dim"))
    if found.lines and found.lines[0].config:
        parts.append(Text(f"\nbest: {pairs(found.lines[0].config)}"))
    return Group(*parts)


def charged(found: Phases, cost: float) -> str:
    """A cost, and in money where there is a price and the cost is in time."""
    return amount(cost, found.unit) + beside(found.paid, cost)


def _table(found: Phases) -> Table:
    goal = found.goal
    validation = "val. loss" if goal == Goal() else clean(goal.name, 20)
    tested = list(TEST_METRICS) if goal == Goal() else [goal.name, *goal.others(dict.fromkeys(TEST_METRICS, 0.0))]
    names = [f"test {clean(name, 20)}" if name == goal.name else name.replace("_f1", " F1") for name in tested]
    table = plain_table("optimizer", *names, validation, "trials", "to 1%", "cost")
    for line in found.lines:
        value = "" if line.value is None else number(line.value)
        counts = [value, str(line.trials), str(line.iterations or ""), amount(line.cost, found.unit)]
        cells = [clean(line.optimizer), *(_score(line, name) for name in tested), *counts]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _score(line: StudyLine, name: str) -> str:
    if name not in line.test:
        return ""
    spread = f" ± {number(line.deviation[name], 2)}" if line.seeds > 1 else ""
    return number(line.test[name]) + spread
