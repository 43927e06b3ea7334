"""The figure of the suite: regret against cost, and ranks against cost, as `suite.py --figure` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from suite_scores import Families, geometric, regrets, together

from mfbo.analysis.style import HEIGHT, WIDTH, drawing, log_ticks, looks, save
from mfbo.evidence.statistics import average_ranks

LEAST = 0.25  # full evaluations at the left end
ACROSS = 4  # families beside each other


def draw(
    folder: Path, names: Sequence[str], families: Families, seeds: int, *, cost: float, bold: str, output: Path
) -> None:
    """A column a family: regret above, ranks below, one line an optimizer.

    Ranks are over the seeds and tasks that all have who have any of the family.
    """
    costs = np.geomspace(LEAST, cost, 120)
    across = min(ACROSS, len(families))
    down = -(-len(families) // across)
    with drawing():
        figure = Figure(figsize=(WIDTH * max(1.0, across / 2), 2 * down * HEIGHT + 0.16 * -(-len(names) // 3)))
        axes = figure.subplots(2 * down, across, sharex=True, squeeze=False)
        places = [(axes[2 * row, column], axes[2 * row + 1, column]) for row in range(down) for column in range(across)]
        handles: list[Line2D] = []
        for (family, tasks), (above, below) in zip(families.items(), places, strict=False):
            handles = _column(folder, names, tasks, seeds, costs, bold=bold, axes=(above, below))
            above.set(title=family, xscale="log", yscale="log")
            below.set(xscale="log", xlabel="cost (full evaluations)")
            log_ticks(above.yaxis, *above.get_ylim())
            log_ticks(below.xaxis, costs[0], costs[-1])
            below.xaxis.set_tick_params(labelbottom=True)
        for pair in places[len(families) :]:
            for unused in pair:
                unused.set_axis_off()
        for row in range(down):
            axes[2 * row, 0].set_ylabel("normalised regret")
            axes[2 * row + 1, 0].set_ylabel("average rank")
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        save(figure, output)


def _column(
    folder: Path,
    names: Sequence[str],
    tasks: Sequence[str],
    seeds: int,
    costs: np.ndarray,
    *,
    bold: str,
    axes: tuple[Axes, Axes],
) -> list[Line2D]:
    """Draw one family; the handles of a legend."""
    values = {name: regrets(folder, name, tasks, seeds, costs.tolist()) for name in names}
    every = np.array(list(values.values()))
    present, shared = together(every)
    common = every[present][:, shared]
    common = common[:, :, ~np.isnan(common).all(axis=3).any(axis=(0, 1))]  # seeds that all have
    blocks = common.transpose(1, 2, 0, 3).reshape(-1, len(common), len(costs))
    ranks = dict(zip(np.array(names)[present].tolist(), average_ranks(blocks), strict=True))
    handles = []
    for name, look in zip(names, looks(list(names)), strict=True):
        style = {
            "color": look.colour,
            "marker": look.marker,
            "markevery": 20,
            "linewidth": 2 if name == bold else 1,
        }
        if name in ranks:
            axes[0].plot(costs, geometric(values[name]), **style)
            axes[1].plot(costs, ranks[name], **style)
        handles.append(Line2D([], [], label=name.rpartition(":")[2], **(style | {"markevery": 1})))
    return handles
