"""Figures that compare optimizers: cost to quality, average ranks, critical difference, rung correlation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from mfbo.analysis import style
from mfbo.analysis.runs import anytime_figure, cost_unit
from mfbo.errors import NothingToShow
from mfbo.evidence.rung_correlation import rung_correlations
from mfbo.evidence.summary import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mfbo.analysis.report.material import Material, Part
    from mfbo.evidence.ranking import Ranking
    from mfbo.evidence.summary import Evidence

NEVER = 1.6  # times the last cost: where runs are drawn that did not get there


def anytime(material: Material) -> Figure:
    """As `mfbo.analysis.runs.anytime` draws it.

    Raises:
        NothingToShow: several tasks, or no comparison.
    """
    figure: Figure = anytime_figure(_compared(only(material)).comparison)
    return figure


def quality(material: Material) -> Figure:
    """The cost at which each run came to what the baseline's mean had in the end; crosses had not by then.

    Raises:
        NothingToShow: several tasks, no comparison, or no baseline.
    """
    found = _compared(only(material))
    if found.baseline is None:
        raise NothingToShow("no random or grid search among the runs, so there is no quality to reach; add one of them")
    if found.quality is None:
        text = f"{found.baseline} has no result at a cost of {found.end:.3g}, where the first run ends"
        raise NothingToShow(f"{text}, so there is no quality to reach; give the runs more cost")
    unit, scale = cost_unit(found.comparison, found.end)
    groups, end = found.comparison.groups, found.end / scale
    looks = style.looks([group.optimizer for group in groups])
    figure: Figure
    figure, axes = style.framed(f"{task(material)}: cost to a loss of {found.quality:.3g}", [], "")
    for row, (group, look) in enumerate(zip(groups, looks, strict=True)):
        costs = np.array(found.reached(group)) / scale
        there = costs <= end
        axes.plot(costs[there], np.full(there.sum(), row), look.marker, color=look.colour, clip_on=False)
        axes.plot(np.full((~there).sum(), NEVER * end), np.full((~there).sum(), row), "x", color=look.colour)
        axes.annotate(f"{there.sum()}/{len(there)}", (1.01, row), xycoords=("axes fraction", "data"), va="center")
    axes.axvline(end, color="0.5", linestyle=":", linewidth=0.8)
    axes.annotate(
        "never", (NEVER * end, 1.01), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=7
    )
    axes.set_yticks(range(len(groups)), [style.plain(group.name, 18) for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlabel(unit)
    known = [cost for group in groups for cost in found.reached(group) if math.isfinite(cost)]
    _log(axes, min([*known, found.end]) / scale, NEVER * end, end)
    return figure


def ranks(material: Material) -> Figure:
    """Average rank against the share of the cost that was spent.

    Raises:
        NothingToShow: fewer than two optimizers or blocks.
    """
    found = _ranked(material)
    looks = style.looks(list(found.names))
    handles = _key(found.names, looks)
    figure: Figure
    figure, axes = style.framed(f"Average rank over {len(found.final)} {found.kind}", handles, "")
    for row, look in zip(found.ranks, looks, strict=True):
        axes.plot(100 * found.shares, row, color=look.colour, marker=look.marker, markevery=0.2)
    axes.set_xlabel("Cost (% of the budget)")
    axes.set_ylabel("Average rank (1 is best)")
    axes.invert_yaxis()
    _log(axes, 100 * float(found.shares[0]), 100, 100)
    return figure


def critical(material: Material) -> Figure:
    """Critical-difference diagram: final average ranks; a bar joins optimizers that differ by no more than chance.

    Raises:
        NothingToShow: as `ranks`.
    """
    found = _ranked(material)
    looks, last = style.looks(list(found.names)), found.ranks[:, -1]
    figure: Figure
    figure, axes = style.framed(f"Final ranks over {len(found.final)} {found.kind}", [], "")
    order = found.order
    for row, index in enumerate(order):
        axes.plot(last[index], row, looks[index].marker, color=looks[index].colour, clip_on=False)
        axes.annotate(f"{last[index]:.2f}", (1.01, row), xycoords=("axes fraction", "data"), va="center")
    place = {found.names[index]: row for row, index in enumerate(order)}
    for group in found.alike():
        rows = [place[name] for name in group]
        x = float(np.mean([last[found.names.index(name)] for name in group]))
        axes.plot([x, x], [min(rows), max(rows)], color="0.55", linewidth=3, solid_capstyle="round", zorder=1)
    axes.set_yticks(range(len(order)), [style.plain(found.names[index], 18) for index in order])
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(0.9, len(order) + 0.1)
    axes.set_xlabel(
        f"Average rank (1 is best); a bar joins\nwhat does not differ: Wilcoxon, Holm, p > {SIGNIFICANCE_LEVEL}"
    )
    return figure


def correlation(material: Material) -> Figure:
    """How losses at each rung rank configurations like losses at the highest, by optimizer.

    Raises:
        NothingToShow: several tasks, or no configuration that was seen at two rungs.
    """
    part = only(material)
    groups = part.groups
    looks = style.looks(list(groups))
    drawn = []
    for (name, runs), look in zip(groups.items(), looks, strict=True):
        found = rung_correlations(*runs)
        top = max((one.high for one in found), key=lambda rung: rung.work, default=None)
        points = [(100 * one.low.work, one.rho) for one in found if one.high == top and not math.isnan(one.rho)]
        if points:
            drawn.append((name, look, points))
    if not drawn:
        raise NothingToShow(
            "no three configurations were seen at two rungs, so no rung can be said to foretell another"
        )
    handles = _key([name for name, _, _ in drawn], [look for _, look, _ in drawn])
    figure: Figure
    figure, axes = style.framed(f"{task(material)}: what low rungs foretell", handles, "")
    for _, look, points in drawn:
        axes.plot(*zip(*points, strict=True), color=look.colour, marker=look.marker)
    axes.axhline(0, color="0.6", linewidth=0.6)
    axes.set_ylim(-1.05, 1.05)
    axes.set_xlabel("Work of the lower rung (% of a full evaluation)")
    axes.set_ylabel("Rank correlation\nwith the highest rung")
    works = [work for _, _, points in drawn for work, _ in points]
    _log(axes, min(works), max(works), max(works))
    return figure


def only(material: Material) -> Part:
    """The one task.

    Raises:
        NothingToShow: there are several.
    """
    if len(material.parts) > 1:
        names = ", ".join(part.name for part in material.parts)
        raise NothingToShow(
            f"runs of {len(material.parts)} tasks ({names}) do not fit into one such figure; give those of one"
        )
    return material.parts[0]


def task(material: Material) -> str:
    """Its name, for a title."""
    name: str = style.plain(only(material).name, 24)
    return name


def _compared(part: Part) -> Evidence:
    found: Evidence | None = part.found
    if found is None:
        raise NothingToShow(part.problem or "no run came to a result that can be compared; `mfbo show` says why")
    return found


def _ranked(material: Material) -> Ranking:
    found: Ranking | None = material.ranking
    if found is None:
        raise NothingToShow("ranks need two optimizers or more, over two tasks or two seeds that all of them share")
    return found


def _key(names: list[str] | tuple[str, ...], looks: list[style.Look]) -> list[Line2D]:
    return [
        Line2D([], [], color=look.colour, marker=look.marker, label=style.plain(name, 34))
        for name, look in zip(names, looks, strict=True)
    ]


def _log(axes: Axes, low: float, high: float, labelled: float) -> None:
    """A logarithmic axis from `low` to `high`, with numbers up to `labelled`."""
    axes.set_xscale("log")
    axes.set_xlim(low / 1.15, high * 1.15)
    style.log_ticks(axes.xaxis, low, max(labelled, low * 1.01))
