"""The figure of the suite: regret against cost, and ranks against cost, as `suite.py --figure` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from suite_scores import CHECKPOINTS, Families, geometric, regrets

from mfbo.analysis.style import HEIGHT, WIDTH, drawing, log_ticks, looks, save
from mfbo.evidence.statistics import average_ranks

COSTS = np.geomspace(0.25, CHECKPOINTS[-1], 120)


def draw(folder: Path, names: Sequence[str], families: Families, seeds: int, *, bold: str, output: Path) -> None:
    """A column a family: regret above, ranks below, one line an optimizer; ranks over the seeds that all have."""
    with drawing():
        figure = Figure(figsize=(WIDTH * max(1.0, len(families) / 2), 2 * HEIGHT + 0.16 * -(-len(names) // 3)))
        axes = figure.subplots(2, len(families), sharex=True, squeeze=False)
        for (family, tasks), (above, below) in zip(families.items(), axes.T, strict=True):
            handles = _column(folder, names, tasks, seeds, bold=bold, axes=(above, below))
            above.set(title=family, xscale="log", yscale="log")
            below.set(xscale="log", xlabel="cost (full evaluations)")
            log_ticks(above.yaxis, *above.get_ylim())
            log_ticks(below.xaxis, COSTS[0], COSTS[-1])
        axes[0, 0].set_ylabel("normalised regret")
        axes[1, 0].set_ylabel("average rank")
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        save(figure, output)


def _column(
    folder: Path, names: Sequence[str], tasks: Sequence[str], seeds: int, *, bold: str, axes: tuple[Axes, Axes]
) -> list[Line2D]:
    """Draw one family; the handles of a legend."""
    values = {name: regrets(folder, name, tasks, seeds, COSTS.tolist()) for name in names}
    shared = ~np.isnan(np.array(list(values.values()))).all(axis=(1, 3)).any(axis=0)
    blocks = np.array([found[:, shared] for found in values.values()]).transpose(1, 2, 0, 3)
    ranks = average_ranks(blocks.reshape(-1, len(names), len(COSTS)))
    handles = []
    for place, (name, look) in enumerate(zip(names, looks(list(names)), strict=True)):
        style = {
            "color": look.colour,
            "marker": look.marker,
            "markevery": 20,
            "linewidth": 2 if name == bold else 1,
        }
        axes[0].plot(COSTS, geometric(values[name]), **style)
        axes[1].plot(COSTS, ranks[place], **style)
        handles.append(Line2D([], [], label=name.rpartition(":")[2], **(style | {"markevery": 1})))
    return handles
