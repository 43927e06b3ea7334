"""The figure of the suite: regret against cost, and ranks against cost, as `suite.py --figure` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from suite_scores import CHECKPOINTS, geometric, regrets

from mfbo.analysis.style import HEIGHT, WIDTH, drawing, log_ticks, looks, save
from mfbo.evidence.statistics import average_ranks

COSTS = np.geomspace(0.25, CHECKPOINTS[-1], 120)


def draw(folder: Path, names: Sequence[str], tasks: Sequence[str], seeds: int, *, bold: str, output: Path) -> None:
    """Regret above, ranks below, one line an optimizer; ranks over the seeds that all of them have."""
    values = {name: regrets(folder, name, tasks, seeds, COSTS.tolist()) for name in names}
    shared = ~np.isnan(np.array(list(values.values()))).all(axis=(1, 3)).any(axis=0)
    blocks = np.array([found[:, shared] for found in values.values()]).transpose(1, 2, 0, 3)
    ranks = average_ranks(blocks.reshape(-1, len(names), len(COSTS)))
    with drawing():
        handles = []
        figure = Figure(figsize=(WIDTH, 2 * HEIGHT + 0.16 * -(-len(names) // 3)))
        above, below = figure.subplots(2, 1, sharex=True)
        for place, (name, look) in enumerate(zip(names, looks(list(names)), strict=True)):
            style = {
                "color": look.colour,
                "marker": look.marker,
                "markevery": 20,
                "linewidth": 2 if name == bold else 1,
            }
            above.plot(COSTS, geometric(values[name]), **style)
            below.plot(COSTS, ranks[place], **style)
            handles.append(Line2D([], [], label=name.rpartition(":")[2], **(style | {"markevery": 1})))
        above.set(xscale="log", yscale="log", ylabel="normalised regret")
        below.set(xscale="log", xlabel="cost (full evaluations)", ylabel="average rank")
        log_ticks(above.yaxis, *above.get_ylim())
        log_ticks(below.xaxis, COSTS[0], COSTS[-1])
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        save(figure, output)
