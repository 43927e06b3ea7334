"""The figure of the study: accuracy of the incumbent at full fidelity against cost, a panel a task; see mission.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mission_tasks import accuracies, best

from mfbo.analysis.style import HEIGHT, WIDTH, drawing, log_ticks, looks, save
from mfbo.evidence.statistics import mean_sem

if TYPE_CHECKING:
    from mission_overall import Study

BANDS = ("smac", "random")  # optimizers with their standard error
FIRST = 0.5  # full evaluations


def draw(study: Study, output: Path) -> None:
    """Means over seeds; `smac` and random search with a standard error to either side; dashed: the table's best."""
    costs = np.geomspace(FIRST, study.cost, 120)
    with drawing():
        figure = Figure(figsize=(WIDTH * max(1.0, 0.6 * len(study.tasks)), HEIGHT * 1.2))
        axes = figure.subplots(1, len(study.tasks), squeeze=False)[0]
        handles = []
        for axis, task in zip(axes, study.tasks, strict=True):
            handles = []
            for name, look in zip(study.names, looks(list(study.names)), strict=True):
                band = mean_sem(accuracies(study, task, name, costs.tolist()))
                width = 2 if name == "smac" else 1
                style = {"color": look.colour, "marker": look.marker, "markevery": 20, "linewidth": width}
                axis.plot(costs, band.centre, **style)
                if name in BANDS:
                    axis.fill_between(costs, band.low, band.high, color=look.colour, alpha=0.2, linewidth=0)
                handles.append(Line2D([], [], label=name, **(style | {"markevery": 1})))
            axis.axhline(best(task), linestyle="--", linewidth=0.8, color="0.5")
            axis.set(title=task, xscale="log", xlabel="cost (full evaluations)")
            log_ticks(axis.xaxis, costs[0], costs[-1])
        axes[0].set_ylabel("validation accuracy")
        figure.legend(handles=handles, loc="outside lower center", ncols=min(5, 2 + len(study.tasks)))
        save(figure, output)
