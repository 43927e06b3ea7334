"""The Pareto front of runs with several objectives: loss against each of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from mfbo.analysis.chart import Chart, Panel, Series, axis_of
from mfbo.analysis.figures import only
from mfbo.analysis.style import label_of, plain
from mfbo.display.text import number, pairs
from mfbo.errors import NothingToShow
from mfbo.evidence.pareto import Front, front, front_of
from mfbo.goal import LOSS
from mfbo.objectives import shown, title

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part
    from mfbo.goal import Goal

Point: TypeAlias = tuple[float, float, str]
MAX_DOMINATED = 500  # dominated configurations that are drawn


def fronts(part: Part) -> list[tuple[str, Front]]:
    """The fronts of the runs that have one, with the name of their group."""
    found = [(group, front_of(run)) for group, runs in part.groups.items() for run in runs]
    return [(group, one) for group, one in found if one]


def pareto(material: Material) -> Chart:
    """Loss against each other objective: the front as a step, what it dominates faint.

    Raises:
        NothingToShow: several tasks, or one objective only.
    """
    part = only(material)
    found = fronts(part)
    if not found:
        raise NothingToShow("these runs have one objective, so there is no front; tune with --objectives loss,size")
    others = list(dict.fromkeys(name for _, one in found for name in one.names if name != LOSS))
    return Chart(
        f"{plain(part.name, 24)}: Pareto front ({found[0][1].rung})",
        "Pareto front",
        f"{_better(others, part.goal)} Large: the front, of which no other configuration is as good in every "
        "objective and better in one; faint: what it dominates. Only results at the highest level are compared.",
        tuple(_panel(name, [(group, one) for group, one in found if name in one.names], part.goal) for name in others),
    )


def _better(others: list[str], goal: Goal) -> str:
    """Which way is better, where it is the same for all."""
    sides = {shown(name, 1.0, goal) < 0 for name in others}
    if len(sides) > 1:
        return ""
    up, right = "Higher" if goal.maximize else "Lower", "right" if True in sides else "left"
    return f"{up} and further {right} is better."


def _panel(name: str, found: list[tuple[str, Front]], goal: Goal) -> Panel:
    """Loss against one other objective; with more than two, members of the front need not lie on the step."""
    series: list[Series] = []
    for group, one in found:
        members, dominated = (_points(one, name, goal, some) for some in (one.members, one.others[:MAX_DOMINATED]))
        step = [members[index] for index in front([(x, y) for x, y, _ in members])]
        label = group if all(group != other.label for other in series) else ""
        for points, label_, size, opacity in ((dominated, "", 2.5, 0.3), (members, label, 4.0, 1.0)):
            if points:
                xs, ys, texts = zip(*_turned(points, name, goal), strict=True)
                series.append(Series(group, xs, ys, "marks", label_, texts=texts, size=size, opacity=opacity))
        edge = _turned(step, name, goal)
        series.append(Series(group, [x for x, _, _ in edge], [y for _, y, _ in edge], "steps", marked=False, width=1))
    all_x, all_y = [value for one in series for value in one.x], [value for one in series for value in one.y]
    return Panel(axis_of(plain(title(name, goal), 30), all_x), axis_of(label_of(goal), all_y), tuple(series))


def _turned(points: list[Point], name: str, goal: Goal) -> list[Point]:
    """Points in the signs of their metrics."""
    return [(shown(name, x, goal), goal.value(y), text) for x, y, text in points]


def _points(found: Front, name: str, goal: Goal, those: tuple[Any, ...]) -> list[tuple[float, float, str]]:
    """(other objective, loss, text) of results."""
    x, y = found.names.index(name), found.names.index(LOSS)
    points = []
    for one, values in those:
        measured = f"{plain(goal.name, 30)} {number(goal.value(values[y]))}"
        where = f"trial {one.trial.id}: {pairs(one.trial.config)}"
        points.append((values[x], values[y], f"{measured} at {number(shown(name, values[x], goal))}\n{where}"))
    return points
