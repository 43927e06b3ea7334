"""Charts in print, by matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from mfbo.analysis import style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from mfbo.analysis.chart import Axis, Chart, Panel, Series
    from mfbo.analysis.style import Look

DOTTED = (0, (1, 1))
NO_GROUP = style.Look("0.35", "o")
PANEL_HEIGHT = {1: 1.9, 2: 1.15}  # inches, by how many columns of panels there are
ROW_HEIGHT = 0.2  # inches, of a category on the y axis
PANEL_TICKS = 4  # that panels of half a column have room for


def figure_of(chart: Chart, looks: Mapping[str, Look]) -> Figure:
    """The figure; to be called, and the figure to be saved, within `style.drawing`."""
    figure: Figure
    handles = _handles(chart, looks)
    if len(chart.panels) == 1:
        figure, axes = style.framed(chart.title, handles, chart.key)
        if len(chart.panels[0].y.categories) > 8:
            figure.set_figheight(0.95 + ROW_HEIGHT * len(chart.panels[0].y.categories))
        places = [axes]
    else:
        rows = math.ceil(len(chart.panels) / chart.columns)
        figure = Figure(figsize=(style.WIDTH, PANEL_HEIGHT[chart.columns] * rows + 0.35 + 0.08 * len(handles)))
        places = list(np.ravel(figure.subplots(rows, chart.columns, squeeze=False, sharey=chart.columns > 1)))
        figure.suptitle(chart.title, fontsize=8, x=0.02, ha="left")
        figure.legend(handles=handles, loc="outside lower center", ncols=2, title=chart.key or None)
        for unused in places[len(chart.panels) :]:
            unused.set_axis_off()
    for number, (axes, panel) in enumerate(zip(places, chart.panels, strict=False)):
        _draw_panel(axes, panel, looks, PANEL_TICKS if chart.columns > 1 else 7)
        if chart.columns > 1 and number % chart.columns:
            axes.set_ylabel("")
    return figure


def _handles(chart: Chart, looks: Mapping[str, Look]) -> list[Any]:
    """What the legend shows: each label once, and what dots mean."""
    series = [one for panel in chart.panels for one in panel.series]
    found: dict[str, Any] = {}
    for one in series:
        look = looks.get(one.group, NO_GROUP)
        if one.label and one.draw == "bars":
            found.setdefault(one.label, Patch(color=one.colour or look.colour, label=style.plain(one.label)))
        elif one.label:
            label = style.plain(one.label, 56)
            found.setdefault(one.label, Line2D([], [], color=look.colour, marker=look.marker, label=label))
    if any(one.dotted for one in series):
        found["dotted"] = Line2D([], [], color="0.3", linestyle=DOTTED, label="below full fidelity")
    return list(found.values())


def _draw_panel(axes: Axes, panel: Panel, looks: Mapping[str, Look], most_ticks: int) -> None:
    _set_axis(axes, "x", panel.x, most_ticks)
    _set_axis(axes, "y", panel.y, most_ticks)
    bars = [one for one in panel.series if one.draw == "bars"]
    lines = [one for one in panel.series if one.draw != "bars"]
    for number, one in enumerate(bars):
        _draw_bars(axes, one, 0.75 - 0.4 * number)
    for number, one in enumerate(lines):
        look = looks.get(one.group, NO_GROUP)
        colour = one.colour or look.colour
        if one.draw == "marks":
            _draw_marks(axes, one, colour, look.marker, rows=panel.y.scale == "categories")
        else:
            _draw_line(axes, one, colour, look.marker, number)
    if panel.end is not None:
        axes.axvline(panel.end, color="0.5", linestyle=":", linewidth=0.8)
    for low, high in panel.joins:
        x = float(np.mean([value for one in panel.series for value, row in zip(one.x, one.y, strict=True)
                           if low <= row <= high]))  # fmt: skip
        axes.plot([x, x], [low, high], color="0.55", linewidth=3, solid_capstyle="round", zorder=1)
    for row, text in enumerate(panel.beside):
        axes.annotate(text, (1.01, row), xycoords=("axes fraction", "data"), va="center")


def _set_axis(axes: Axes, letter: str, axis: Axis, most_ticks: int) -> None:
    own = axes.xaxis if letter == "x" else axes.yaxis
    set_scale, set_limits = (axes.set_xscale, axes.set_xlim) if letter == "x" else (axes.set_yscale, axes.set_ylim)
    own.set_label_text(style.plain(axis.label, 80) if letter == "x" else axis.label)
    if axis.scale == "categories":
        names = [style.plain(name, 18 if letter == "y" else 10) for name in axis.categories]
        own.set_ticks(range(len(names)), names)
        set_limits(*((len(names) - 0.5, -0.5) if axis.reversed else (-0.5, len(names) - 0.5)))
        return
    if axis.scale == "log":
        set_scale("log", nonpositive="clip")
        set_limits(axis.low / 1.15, (axis.never or axis.high) * 1.15)
    if axis.limits:
        set_limits(*axis.limits)
    ticks = axis.ticks(most_ticks)
    if ticks is not None:
        labels = [f"{tick:g}" for tick in ticks]
        if axis.never is not None:
            ticks, labels = [*ticks, axis.never], [*labels, "never"]
        own.set_major_locator(FixedLocator(ticks))
        own.set_major_formatter(
            FuncFormatter(lambda value, place: labels[place] if place is not None else f"{value:g}")
        )
        own.set_minor_locator(NullLocator())
        own.set_minor_formatter(NullFormatter())
    if axis.reversed:
        own.set_inverted(True)


def _draw_line(axes: Axes, one: Series, colour: str, marker: str, number: int) -> None:
    """A line with its band, dotted below full fidelity; marks stand apart from those of other lines."""
    x, y = np.asarray(one.x, dtype=float), np.asarray(one.y, dtype=float)
    steps = one.draw == "steps"
    how: dict[str, Any] = {
        "color": colour,
        "linewidth": one.width,
        "alpha": one.opacity,
        "drawstyle": "steps-post" if steps else "default",
    }
    if len(one.low) and np.isfinite(np.asarray(one.low, dtype=float)).all():
        if len(x) > 12 or steps:
            axes.fill_between(
                x, one.low, one.high, step="post" if steps else None, color=colour, alpha=0.18, linewidth=0
            )
        else:
            errors = np.maximum([y - np.asarray(one.low), np.asarray(one.high) - y], 0)
            axes.errorbar(x, y, errors, fmt="none", ecolor=colour, elinewidth=0.7, capsize=2)
    if one.dotted:
        axes.plot(x[: one.dotted + 1], y[: one.dotted + 1], **{**how, "linestyle": DOTTED})
    if len(x) > 1 or not one.marked:
        axes.plot(x[one.dotted :], y[one.dotted :], **how)
    if one.marked:
        every = (0.03 + 0.05 * number, 0.25) if len(x) > 12 or steps else None
        marks = {"marker": marker, "markersize": one.size, "markevery": every, "linewidth": one.width}
        axes.plot(x, y, color=colour, linestyle="none", alpha=one.opacity, **marks)


def _draw_marks(axes: Axes, one: Series, colour: str, marker: str, *, rows: bool) -> None:
    crossed = np.asarray(one.crossed if len(one.crossed) else np.zeros(len(one.x)), dtype=bool)
    x, y = np.asarray(one.x, dtype=float), np.asarray(one.y, dtype=float)
    opacity = np.broadcast_to(np.asarray(one.opacity, dtype=float), x.shape)
    how: dict[str, Any] = {"color": colour, "linestyle": "none", "markersize": one.size}
    how["clip_on"] = not rows  # marks at an end of a row are drawn whole; elsewhere they would take room of the layout
    for alpha in np.unique(opacity):
        here = ~crossed & (opacity == alpha)
        axes.plot(x[here], y[here], marker=marker, alpha=alpha, markeredgewidth=0, **how)
    axes.plot(x[crossed], y[crossed], marker="x", **how)


def _draw_bars(axes: Axes, one: Series, height: float) -> None:
    errors = None
    if len(one.low):
        x = np.asarray(one.x, dtype=float)
        errors = np.maximum([x - np.asarray(one.low), np.asarray(one.high) - x], 0)
    axes.barh(one.y, one.x, height, color=one.colour, xerr=errors, error_kw={"linewidth": 0.7})
