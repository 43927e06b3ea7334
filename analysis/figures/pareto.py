"""The Pareto front of runs with several objectives: loss against each of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mfbo.analysis.chart import Chart, Panel, Series, axis_of
from mfbo.analysis.figures import only
from mfbo.analysis.style import plain
from mfbo.display.text import number, pairs
from mfbo.errors import NothingToShow
from mfbo.evidence.pareto import Front, front, front_of

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part

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
    others = list(dict.fromkeys(name for _, one in found for name in one.names if name != "loss"))
    return Chart(
        f"{plain(part.name, 24)}: Pareto front ({found[0][1].rung})",
        "Pareto front",
        "Lower and further left is better. Large: the front, of which no other configuration is as good in every "
        "objective and better in one; faint: what it dominates. Only results at the highest rung are compared.",
        tuple(_panel(name, [(group, one) for group, one in found if name in one.names]) for name in others),
    )


def _panel(name: str, found: list[tuple[str, Front]]) -> Panel:
    """Loss against one other objective; with more than two, members of the front need not lie on the step."""
    series: list[Series] = []
    for group, one in found:
        members, dominated = _points(one, name, one.members), _points(one, name, one.others[:MAX_DOMINATED])
        step = [members[index] for index in front([(x, y) for x, y, _ in members])]
        label = group if all(group != other.label for other in series) else ""
        for points, label_, size, opacity in ((dominated, "", 2.5, 0.3), (members, label, 4.0, 1.0)):
            if points:
                xs, ys, texts = zip(*points, strict=True)
                series.append(Series(group, xs, ys, "marks", label_, texts=texts, size=size, opacity=opacity))
        series.append(Series(group, [x for x, _, _ in step], [y for _, y, _ in step], "steps", marked=False, width=1))
    all_x, all_y = [value for one in series for value in one.x], [value for one in series for value in one.y]
    return Panel(axis_of(name, all_x), axis_of("Validation loss", all_y), tuple(series))


def _points(found: Front, name: str, those: tuple[Any, ...]) -> list[tuple[float, float, str]]:
    """(other objective, loss, text) of results."""
    x, y = found.names.index(name), found.names.index("loss")
    said = "loss {} at {}\ntrial {}: {}"
    return [
        (values[x], values[y], said.format(number(values[y]), number(values[x]), one.trial.id, pairs(one.trial.config)))
        for one, values in those
    ]
