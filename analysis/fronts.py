"""The Pareto front of runs with several objectives: loss against each of the others, for print and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from mfbo.analysis import style
from mfbo.analysis.compared import only, task
from mfbo.analysis.report.plots import Json, logarithmic, losses_axis, plain
from mfbo.display.text import number, pairs
from mfbo.errors import NothingToShow
from mfbo.evidence.pareto import Front, front, front_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mfbo.analysis.report.material import Material, Part
    from mfbo.analysis.style import Look

OTHERS = 500  # dominated configurations that are drawn


def fronts(part: Part) -> dict[str, list[Front]]:
    """The fronts of the runs that have one, by the name of their group."""
    found = {name: [one for run in runs if (one := front_of(run))] for name, runs in part.groups.items()}
    return {name: those for name, those in found.items() if those}


def others(found: Front) -> list[str]:
    """Its objectives but the loss."""
    return [name for name in found.names if name != "loss"]


def pareto(material: Material) -> Figure:
    """Loss against each other objective: the front as a step, what it dominates faint.

    Raises:
        NothingToShow: several tasks, or one objective only.
    """
    part = only(material)
    found = fronts(part)
    if not found:
        raise NothingToShow("these runs have one objective, so there is no front; tune with --objectives loss,size")
    first = next(iter(found.values()))[0]
    looks = dict(zip(part.groups, style.looks(list(part.groups)), strict=True))
    names = others(first)
    key = [style.key_line(name, looks[name]) for name in found]
    figure: Figure
    if len(names) == 1:
        figure, axes = style.framed(f"{task(material)}: Pareto front ({first.rung})", key, "")
        panels = [axes]
    else:
        figure = Figure(figsize=(style.WIDTH, 1.9 * len(names) + 0.3))
        panels = list(np.ravel(figure.subplots(len(names), 1, squeeze=False)))
        figure.suptitle(f"{task(material)}: Pareto front ({first.rung})", fontsize=8, x=0.02, ha="left")
        figure.legend(handles=key, loc="outside lower center", ncols=2)
    for axes, name in zip(panels, names, strict=True):
        _panel(axes, name, found, looks)
    return figure


def _panel(axes: Axes, name: str, found: dict[str, list[Front]], looks: dict[str, Look]) -> None:
    """Loss against one other objective; with more than two, members of the front need not lie on the step."""
    xs: list[float] = []
    ys: list[float] = []
    for group, each in found.items():
        for one in each:
            look, (members, beaten) = looks[group], (_pairs(one, name, one.members), _pairs(one, name, one.others))
            xs, ys = [*xs, *(x for x, _ in members + beaten)], [*ys, *(y for _, y in members + beaten)]
            dots = {"marker": look.marker, "color": look.colour, "linestyle": "none", "markeredgewidth": 0}
            if beaten:
                axes.plot(*zip(*beaten[:OTHERS], strict=True), **dots, markersize=2.5, alpha=0.25)
            axes.plot(*zip(*members, strict=True), **dots, markersize=4)
            step = [members[i] for i in front(members)]
            axes.step(*zip(*step, strict=True), where="post", color=look.colour, linewidth=1)
    axes.set_xlabel(style.plain(name, 30))
    axes.set_ylabel("Validation loss")
    style.wide_log(axes.set_xscale, axes.xaxis, xs)
    style.wide_log(axes.set_yscale, axes.yaxis, ys)


def _pairs(found: Front, name: str, those: tuple[Any, ...]) -> list[tuple[float, float]]:
    """(other objective, loss) of results."""
    x, y = found.names.index(name), found.names.index("loss")
    return [(values[x], values[y]) for _, values in those]


def plots(part: Part, look: dict[str, Look]) -> dict[str, Json]:
    """The same for plotly: a figure for each other objective."""
    found = fronts(part)
    names = list(dict.fromkeys(name for each in found.values() for one in each for name in others(one)))
    return {name: _plot(name, found, look) for name in names}


def _plot(name: str, found: dict[str, list[Front]], look: dict[str, Look]) -> Json:
    data: list[Json] = []
    for group, one in ((group, one) for group, each in found.items() for one in each if name in one.names):
        for those, opacity, size in ((one.others[:OTHERS], 0.3, 5), (one.members, 1.0, 8)):
            points = _pairs(one, name, those)
            data.append(
                {
                    "meta": group,
                    "name": plain(group) + (" front" if opacity == 1 else ""),
                    "mode": "markers",
                    "x": [x for x, _ in points],
                    "y": [y for _, y in points],
                    "text": [
                        plain(f"trial {result.trial.id}: {pairs(result.trial.config)}", 300) for result, _ in those
                    ],
                    "hovertemplate": "loss %{y:.4g} at %{x:.4g}<br>%{text}<extra></extra>",
                    "marker": {"color": look[group].colour, "size": size},
                    "opacity": opacity,
                }
            )
    xs, ys = ([value for trace in data for value in trace[axis]] for axis in "xy")
    wide = min(xs) > 0 and max(xs) >= 10 * min(xs)
    return {
        "data": data,
        "layout": {
            "xaxis": {**(logarithmic(xs) if wide else {"type": "linear"}), "title": {"text": plain(name)}},
            "yaxis": {**losses_axis(ys), "title": {"text": "Validation loss"}},
        },
    }


def rows(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the members of all fronts; no rows where there is none."""
    found = [(group, one) for group, each in fronts(part).items() for one in each]
    names = list(dict.fromkeys(name for _, one in found for name in one.names))
    cells = [
        [group, str(result.trial.id), *_cells(names, one, values), pairs(result.trial.config)]
        for group, one in found
        for result, values in one.members
    ]
    return ["optimizer", "trial", *names, "configuration"], cells


def _cells(names: list[str], found: Front, values: tuple[float, ...]) -> list[str]:
    known = dict(zip(found.names, values, strict=True))
    return [number(known[name]) if name in known else "-" for name in names]
