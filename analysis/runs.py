"""Figures of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D

from mfbo.analysis import style
from mfbo.evidence.comparison import Comparison, Group, compare
from mfbo.evidence.curves import common_costs, on
from mfbo.evidence.statistics import mean_sem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mfbo.evidence.curves import Floats
    from mfbo.evidence.statistics import Band

PERIODS = {"h": 3600, "min": 60, "s": 1}
DOTTED = (0, (1, 1))


def anytime(runs: Sequence[Path | str], output: Path) -> None:
    """Draw the anytime performance of runs: what their incumbents were worth against the cost charged by then.

    A line for each optimizer: of its one run, or the mean of several seeds with its standard error, from the cost at
    which every seed has a result to the cost at which the first of them ends. Where the loss at full fidelity is known,
    that is what is drawn, as regret where the optimum is known too. Else it is the validation loss that was observed,
    at the fidelity that the incumbent had reached: it may rise where a higher rung takes over, and the line is dotted
    until the incumbents of all seeds were measured at full fidelity. See `mfbo.evidence.curves.anytime`.

    Args:
        runs: their folders, all of one task.
        output: a .png, .svg or .pdf file.

    Raises:
        BadValue: another suffix, a place that cannot be written, or as `mfbo.evidence.comparison.compare`.
        RunError: as `mfbo.evidence.comparison.compare`.
    """
    style.checked(output)
    comparison = compare(runs)
    with style.drawing():
        style.save(anytime_figure(comparison), output)


def anytime_figure(comparison: Comparison) -> Figure:
    """The figure of `anytime`; to be called, and the figure to be saved, within `style.drawing`."""
    lines = mean_lines(comparison)
    unit, scale = cost_unit(comparison, max(line.costs[-1] for line in lines))
    figure: Figure
    figure, axes = style.framed(_title(comparison), *_key(comparison, lines))
    for number, line in enumerate(lines):
        _draw(axes, line, scale, markers=(0.03 + 0.05 * number, 0.25))
    axes.set_xlabel(unit)
    axes.set_ylabel(loss_label(comparison))
    _cost_axis(axes, np.concatenate([line.costs for line in lines]) / scale)
    _loss_axis(axes, comparison, lines)
    return figure


class Line(NamedTuple):
    """A line of the figure; of its points, number `full` is the first with all incumbents at full fidelity."""

    label: str
    look: style.Look
    costs: Floats
    band: Band
    full: int


def mean_lines(comparison: Comparison) -> list[Line]:
    """Means of the groups, less the optimum where it is known."""
    looks = style.looks([group.optimizer for group in comparison.groups])
    lines = []
    for group, look in zip(comparison.groups, looks, strict=True):
        costs = common_costs(group.curves)
        band = mean_sem(on(group.curves, costs) - (comparison.optimum or 0.0))
        full = 0.0 if comparison.true else max(curve.full_from for curve in group.curves)
        lines.append(Line(group_label(group), look, costs, band, int(np.searchsorted(costs, full))))
    return lines


def _draw(axes: Axes, line: Line, scale: float, markers: tuple[float, float]) -> None:
    """A mean with its band, dotted below full fidelity; `markers` is where the first is, and the way to the next."""
    costs, band, full = line.costs / scale, line.band, line.full
    colour = line.look.colour
    if np.isfinite(band.low).all():
        axes.fill_between(costs, band.low, band.high, step="post", color=colour, alpha=0.18, linewidth=0)
    axes.plot(costs[: full + 1], band.centre[: full + 1], color=colour, drawstyle="steps-post", linestyle=DOTTED)
    axes.plot(costs[full:], band.centre[full:], color=colour, drawstyle="steps-post")
    axes.plot(costs, band.centre, color=colour, linestyle="none", marker=line.look.marker, markevery=markers)


def group_label(group: Group) -> str:
    """``smac, workers=4 (5 seeds)``; the cost of a ``random-2x`` is halved, as it is given twice the others'."""
    seeds = f"{len(group.seeds)} seeds" if len(group.seeds) > 1 else f"seed {group.seeds[0]}"
    share = f", cost / {group.share:g}" if group.share != 1 else ""
    return f"{style.plain(group.name, 34)}{share} ({seeds})"


def _key(comparison: Comparison, lines: Sequence[Line]) -> tuple[list[Line2D], str]:
    """What the legend shows: a line each, what dots and bands are."""
    key = [Line2D([], [], color=line.look.colour, marker=line.look.marker, label=line.label) for line in lines]
    if any(line.full for line in lines):
        key.append(Line2D([], [], color="0.3", linestyle=DOTTED, label="below full fidelity"))
    several = any(len(group.seeds) > 1 for group in comparison.groups)
    return key, "mean ± standard error over seeds" if several else ""


def _title(comparison: Comparison) -> str:
    """Task and budget; of a task in a file, not where that lies."""
    task = style.plain(comparison.task.replace("\\", "/").rpartition("/")[2])
    if not comparison.limits:
        return f"{task}, no cost limit"
    budgets = " to ".join(dict.fromkeys(str(comparison.limits[end]).rstrip("x") for end in (0, -1)))
    return f"{task}, budget {budgets}{' full evaluations' if comparison.unit == 'x' else ''}"


def cost_unit(comparison: Comparison, end: float) -> tuple[str, float]:
    """The label of the cost axis, and how many of the budget's units one of its own is."""
    if comparison.unit == "x":
        return "Cost (full evaluations)", 1.0
    name, scale = next(((name, scale) for name, scale in PERIODS.items() if end >= 3 * scale), ("s", 1))
    paid = f" at {comparison.paid}" if comparison.paid else ""
    return f"Cost ({name}{paid}, {'virtual' if comparison.virtual else 'optimizer included'})", scale


def loss_label(comparison: Comparison) -> str:
    """What the loss axis shows."""
    if comparison.optimum is not None:
        return "Incumbent's regret at full\nfidelity (loss \N{MINUS SIGN} optimum)"
    return (
        "Incumbent's true loss\n(at full fidelity)"
        if comparison.true
        else "Validation loss of incumbent\n(at the fidelity reached)"
    )


def _cost_axis(axes: Axes, costs: Floats) -> None:
    """Logarithmic, from the first result to the last end."""
    low = min(costs[costs > 0], default=1.0)
    high = max(costs.max(), low)
    axes.set_xscale("log", nonpositive="clip")
    axes.set_xlim(low / 1.1, high * 1.1)
    style.log_ticks(axes.xaxis, low, high)


def _loss_axis(axes: Axes, comparison: Comparison, lines: Sequence[Line]) -> None:
    """Logarithmic for regret, where 0 runs along the bottom, and for losses above 0 that span a decade."""
    centres = np.concatenate([line.band.centre for line in lines])
    above = centres[centres > 0]
    regret = comparison.optimum is not None
    if not len(above) or (not regret and (len(above) < len(centres) or above.max() < 10 * above.min())):
        return
    tops = np.concatenate([np.nan_to_num(line.band.high) for line in lines])
    low, high = above.min() / 1.4, max(above.max(), tops.max()) * 1.1
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(low, high)
    style.log_ticks(axes.yaxis, low, high)
