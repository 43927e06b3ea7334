"""Figures of what was tried: learning curves, loss against each hyperparameter, importance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mfbo.analysis import style
from mfbo.analysis.compared import only, task
from mfbo.analysis.report.plots_trials import BEST, OTHERS, curve, hyperparameters, seen, some, tuned
from mfbo.errors import NothingToShow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from mfbo.analysis.report.material import Material
    from mfbo.analysis.report.plots_trials import Seen

CURVES = 25
PANELS, COLUMNS = 8, 2
PANEL = 1.15  # inches high
TICKS = 4  # that the narrow panels have room for


def learning(material: Material) -> Figure:
    """Validation loss as training goes on, a line a configuration: the best, and others by lot; the best one thick.

    Raises:
        NothingToShow: several tasks, or no trial that reported more than once.
    """
    part = only(material)
    curves = [(one, curve(one)) for one in some(seen(part), CURVES, CURVES)]
    if not any(len(points) > 1 for _, points in curves):
        raise NothingToShow("no trial reported its loss on the way, so there are no learning curves")
    looks = dict(zip(part.groups, style.looks(list(part.groups)), strict=True))
    figure: Figure
    figure, axes = style.framed(f"{task(material)}: learning curves", _key(looks, [one for one, _ in curves]), "")
    for place, (one, points) in reversed(list(enumerate(curves))):
        width, alpha = (2.2, 1.0) if place == 0 else (0.7, 0.6)
        marker = "." if len(points) == 1 else "none"
        look = {"color": looks[one.group].colour, "linewidth": width, "alpha": alpha, "marker": marker}
        axes.plot(*zip(*points, strict=True), **look)
    axes.set_xlabel("Work (% of a full evaluation)")
    axes.set_ylabel("Validation loss")
    works = [work for _, points in curves for work, _ in points]
    _log(axes, axes.xaxis, works)
    _losses(axes, [loss for _, points in curves for _, loss in points])
    return figure


def scatter(material: Material) -> Figure:
    """Loss against each hyperparameter, the most important first; faint points were measured below the best's fidelity.

    Raises:
        NothingToShow: several tasks, or no trial that came to a loss.
    """
    part = only(material)
    chosen = some(seen(part), BEST, OTHERS)
    names = tuned(part)[:PANELS]
    if not chosen or not names:
        raise NothingToShow(
            "no trial came to a loss, or nothing was tuned, so there is nothing to draw; `mfbo show` says why"
        )
    looks = dict(zip(part.groups, style.looks(list(part.groups)), strict=True))
    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    key = _key(looks, chosen)
    figure = Figure(figsize=(style.WIDTH, PANEL * rows + 0.35 + 0.16 * len(key) / 2))
    places = np.ravel(figure.subplots(rows, columns, squeeze=False, sharey=True))
    known = hyperparameters(part)
    for axes, name in zip(places, names, strict=False):
        _panel(axes, name, chosen, looks, log=known.get(name, {}).get("log") is True)
    for axes in places[len(names) :]:
        axes.set_axis_off()
    _losses(places[0], [one.loss for one in chosen])
    figure.supylabel("Loss", fontsize=8)
    figure.suptitle(f"{task(material)}: what was tried", fontsize=8, x=0.02, ha="left")
    figure.legend(handles=key, loc="outside lower center", ncols=2)
    return figure


def _panel(axes: Axes, name: str, chosen: Sequence[Seen], looks: dict[str, style.Look], *, log: bool) -> None:
    mine = [one for one in chosen if name in one.result.trial.config]
    values = [one.result.trial.config[name] for one in mine]
    words = any(isinstance(value, str | bool) for value in values)
    kinds = sorted({str(value) for value in values}) if words else []
    xs = [kinds.index(str(value)) for value in values] if words else [float(value) for value in values]
    top = max(one.result.outcome.rung.work for one in chosen)
    for one, x in zip(mine, xs, strict=True):
        look = looks[one.group]
        alpha = 0.9 if one.result.outcome.rung.work >= top - 1e-9 else 0.25
        axes.plot(x, one.loss, look.marker, color=look.colour, markersize=2.5, alpha=alpha, markeredgewidth=0)
    if words:
        axes.set_xticks(range(len(kinds)), [style.plain(kind, 10) for kind in kinds])
        axes.set_xlim(-0.5, len(kinds) - 0.5)
    elif log:
        _log(axes, axes.xaxis, xs)
        inside = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
        ticks = inside[:: math.ceil(len(inside) / TICKS)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(TICKS, integer=all(isinstance(value, int) for value in values)))
    axes.set_xlabel(style.plain(name, 24), labelpad=1)


def importance(material: Material) -> Figure:
    """What each hyperparameter explains of the loss's variance, by itself and with its interactions.

    Raises:
        NothingToShow: several tasks, or too few trials.
    """
    found = only(material).importances
    if found is None:
        raise NothingToShow("importance needs 20 complete trials or more, in which the loss varies; let the run go on")
    rows = found.rows[:12]
    key = [
        Line2D([], [], color=colour, linewidth=5, label=label)
        for label, colour in (("by itself", "#0072B2"), ("with its interactions", "#A6CBE3"))
    ]
    figure: Figure
    figure, axes = style.framed(f"{task(material)}: what decides the loss", key, "")
    figure.set_figheight(0.95 + 0.2 * len(rows))
    place = np.arange(len(rows))
    errors = [100 * row.error for row in rows]
    axes.barh(place, [100 * row.total for row in rows], 0.75, color="#A6CBE3", xerr=errors, error_kw={"linewidth": 0.7})
    axes.barh(place, [100 * row.alone for row in rows], 0.35, color="#0072B2")
    axes.set_yticks(place, [style.plain(row.name, 22) for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(f"Share of the variance (%); the forest\nforetells {100 * max(0.0, found.r_squared):.0f}% of it")
    return figure


def _key(looks: dict[str, style.Look], chosen: Sequence[Seen]) -> list[Line2D]:
    """A line for each optimizer that is drawn."""
    drawn = {one.group for one in chosen}
    return [
        Line2D([], [], color=look.colour, marker=look.marker, label=style.plain(name, 34))
        for name, look in looks.items()
        if name in drawn
    ]


def _losses(axes: Axes, losses: Sequence[float]) -> None:
    """Logarithmic for losses above 0 that span a decade."""
    if min(losses) > 0 and max(losses) >= 10 * min(losses):
        _log(axes, axes.yaxis, losses)


def _log(axes: Axes, axis: Axis, values: Sequence[float]) -> None:
    above = [value for value in values if value > 0]
    if not above:
        return
    low, high = min(above), max(above)
    scale, limits = (axes.set_xscale, axes.set_xlim) if axis is axes.xaxis else (axes.set_yscale, axes.set_ylim)
    scale("log")
    limits(low / 1.15, high * 1.15)
    style.log_ticks(axis, low, max(high, low * 1.01))
