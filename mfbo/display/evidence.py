"""What ``mfbo compare`` prints of one task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mfbo.cost.price import beside, of_runs
from mfbo.display.tables import plain_table
from mfbo.display.text import amount, clean, number, seconds
from mfbo.goal import Goal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mfbo.evidence.summary import Evidence, Standing


def comparison(found: Evidence) -> RenderableType:
    """Optimizers by final loss, best first, and the cost at which each reached the final loss of the baseline."""
    what, unit = found.comparison, found.comparison.unit
    counts = {standing.seeds for standing in found.standings}
    seeds = f", {max(counts)} seed{'s' if max(counts) > 1 else ''}" if len(counts) == 1 else ""
    head = f"\n{clean(what.task)} at a cost of {amount(found.end, unit)}{beside(what.paid, found.end)}{seeds}"
    called = "losses" if what.goal == Goal() else "results"
    goal, name = what.goal, clean(what.goal.name, 20)
    columns, compared = ["optimizer", name, "trials", "to 1%"], found.quality is not None
    table = plain_table(*columns, *(["reached", "speed-up", "p"] if compared else []))
    for standing in found.standings:
        name = standing.name if seeds else f"{standing.name} ({standing.seeds})"
        table.add_row(*(Text(cell) for cell in [clean(name), *_cells(standing, unit, goal, compared=compared)]))
    notes = [*_money(found), _loss_words(found), "to 1%: trials until within 1% of the final best, median"]
    if found.baseline and compared:
        notes.append(
            f"reached: seeds that got to the final mean of {clean(found.baseline)} to stay, and the median cost of that"
            + _reached(found)
        )
        notes.append(
            f"speed-up over {clean(found.baseline)}: 95% bootstrap interval; p: Wilcoxon, paired seeds, Holm-adjusted"
        )
    if low := [f"{clean(one.name)} {one.below}" for one in found.standings if one.below]:
        notes.append(
            f"{called} at a lower fidelity than that of {found.baseline}, which cannot be compared: {', '.join(low)}"
        )
    for run, reason in found.left_out:
        notes.append(clean(f"left out: {run.header.optimizer}, seed {run.header.seed}: {reason}"))
    return Group(Text(head, "bold"), table, *(Text(note, "dim") for note in notes))


def _money(found: Evidence) -> list[str]:
    """Cost of all runs together, where there is a price."""
    runs = found.comparison.runs
    price, spent = of_runs(runs), sum(run.seconds for run in runs)
    return [f"all {len(runs)} runs together: {seconds(spent)}, {price.of(spent)}"] if price else []


def _reached(found: Evidence) -> str:
    """The same cost in money, for which the table has no room."""
    price, known = found.comparison.paid, [standing for standing in found.standings if standing.cost < math.inf]
    return ": " + ", ".join(f"{clean(one.name)} {price.of(one.cost)}" for one in known) if price and known else ""


def _cells(standing: Standing, unit: str, goal: Goal, *, compared: bool) -> list[str]:
    spread = "" if math.isnan(standing.error) else f" ± {number(standing.error, 2)}"
    cells = [number(goal.value(standing.loss)) + spread, f"{standing.trials:.0f}", f"{standing.iterations:.0f}"]
    if not compared:
        return cells
    cost = f" at {amount(standing.cost, unit)}" if standing.cost < math.inf else ""
    cells.append(f"{standing.reached}/{standing.seeds}{cost}")
    return [*cells, speed_words(standing), "" if standing.pvalue is None else f"{standing.pvalue:.2g}"]


def speed_words(standing: Standing) -> str:
    """``3.2 (1.9-5.1)``; empty without a comparison."""
    found = standing.speed_up
    if found is None:
        return ""
    if not found.factor:
        return "not reached"
    return f"{number(found.factor, 2)} ({number(found.low, 2)}-{number(found.high, 2)})"


def _loss_words(found: Evidence) -> str:
    goal, name = found.comparison.goal, clean(found.comparison.goal.name, 20)
    what = "validation loss" if goal == Goal() else f"{goal.better}; that"
    if found.comparison.true:
        what = "true loss" if goal == Goal() else f"{goal.better}; the true one"
        return f"{name}: {what} of the incumbent at full fidelity, mean ± standard error over seeds"
    return f"{name}: {what} of the incumbent, mean ± standard error over seeds"
