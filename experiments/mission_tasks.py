"""What the study says of one task: the recording, qualities by budget, and what low fidelities tell; see mission.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr
from suite_families import scale, task_of
from suite_runs import path_of
from suite_scores import CHECKPOINTS, regrets

from mfbo.evidence.curves import cost_for_good
from mfbo.tasks.tables import recorded as tables
from mfbo.tasks.tables.recording import Floats

if TYPE_CHECKING:
    from mission_overall import Study

NEAR = 0.01  # of the best accuracy
EARLY = 6.0  # full evaluations in which nine runs of ten are to come near
MACRO_F1_AT = (4.0, 16.0)


def section(study: Study, task: str) -> str:
    """Markdown."""
    return "\n\n".join([about(task), qualities(study, task), paths(task)])


def about(task: str) -> str:
    """What the table is."""
    found = tables.recording(task)
    plan, rows = found.about["plan"], len(found.configs)
    error, points = tables.misfit(task)
    return (
        f"## {task}: {rows} of {found.about['planned']} planned trainings\n\n"
        f"A full evaluation learns from {_learned(task)} samples for {found.epochs} epochs, data fractions "
        f"{', '.join(f'{part:g}' for part in plan['data'])}, epochs measured at the end of rungs of "
        f"{', '.join(str(end) for end in plan['ends'])}; {_sizes(plan)}recorded on {found.about['hardware']['cpu']}, "
        f"{found.about['date']}. It takes {task_of(f'table-{task}').full_cost:.1f} s of processor time on average. Two "
        f"training seeds differ by {found.noise[-1]:.3f} in the error of a full evaluation (standard deviation); at "
        f"{points} random points, which the table does not use, the interpolated error is off by {error:.3f} (root "
        f"mean square, the noise of their own training in it). The best recorded accuracy is {best(task):.3f}. "
        "Between the recorded fractions and ends a loss is interpolated, so that a rung in between tells a part of "
        "what a full evaluation does by construction: that flatters whoever uses low fidelities."
    )


def _learned(task: str) -> int:
    return int(tables.recording(task).passes[:, -1, 0].max())


def _sizes(plan: dict[str, object]) -> str:
    """What else was cut down."""
    fixed = dict(plan["fixed"])  # type: ignore[call-overload]
    parts = [f"{fixed['max_length']} tokens of a text" if "max_length" in fixed else ""]
    parts += ["embeddings frozen" if fixed.get("freeze") == "embeddings" else ""]
    parts += [f"the lowest {plan['layers']} of the model's layers" if plan["layers"] else ""]
    parts += [f"{plan['size']} of the pixels of an image" if plan["size"] != 1 else ""]
    said = ", ".join(part for part in parts if part)
    return f"{said}; " if said else ""


def qualities(study: Study, task: str) -> str:
    """Markdown: mean accuracy at full fidelity by budget, macro F1, and how soon runs come near the best."""
    points = [at for at in CHECKPOINTS if at <= study.cost]
    f1_at = [at for at in MACRO_F1_AT if at <= study.cost]
    head = [f"{at:g}" for at in points] + [f"F1 at {at:g}" for at in f1_at]
    head += ["evaluations", "seconds", "trials", f"by {EARLY:g}"]
    lines = ["| optimizer | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
    untuned = default(task)
    rest = ["", "", "", ""]
    cells = [f"{untuned[0]:.3f}"] * len(points) + [f"{untuned[1]:.3f}"] * len(f1_at) + rest
    lines.append("| the default, not tuned | " + " | ".join(cells) + " |")
    for name in study.names:
        cells = [f"{value:.3f}" for value in accuracies(study, task, name, points).mean(axis=0)]
        cells += [f"{value:.3f}" for value in _stepwise(study, task, name, "macro_f1", f1_at).mean(axis=0)]
        lines.append(f"| {name} | " + " | ".join([*cells, *_near(study, task, name)]) + " |")
    return (
        "Mean accuracy on the validation part by full evaluations spent, and macro F1; then full evaluations, seconds "
        f"and trials until half of the runs are within {NEAR:.0%} of the best accuracy to stay, and how many runs are "
        f"by {EARLY:g} full evaluations:\n\n" + "\n".join(lines)
    )


def _near(study: Study, task: str, name: str) -> list[str]:
    grid = np.geomspace(0.05, study.cost, 400)
    near = accuracies(study, task, name, grid.tolist()) >= (1 - NEAR) * best(task) - 1e-9
    reached = np.array([cost_for_good(grid, row) for row in near])
    middle, early = float(np.median(reached)), f"{np.mean(reached <= EARLY):.0%}"
    if not np.isfinite(middle):
        return ["not by half", "", "", early]
    there = [at if np.isfinite(at) else study.cost for at in reached]
    trials = [_stepwise(study, task, name, "iterations", [at])[seed, 0] for seed, at in enumerate(there)]
    seconds = middle * task_of(f"table-{task}").full_cost
    return [f"{middle:.1f}", f"{seconds:.0f}", f"{np.median(trials):.0f}", early]


def accuracies(study: Study, task: str, name: str, costs: Sequence[float]) -> Floats:
    """(seeds, costs): of the incumbent at full fidelity, without noise; the median configuration's before the first."""
    optimum, median = scale(study.folder, f"table-{task}")
    regret = regrets(study.folder, name, [f"table-{task}"], study.seeds, costs)[0]
    return 1 - np.minimum(1.0, optimum + regret * (median - optimum))


def _stepwise(study: Study, task: str, name: str, what: str, costs: Sequence[float]) -> Floats:
    """(seeds, costs): of the incumbent; before the first one its own."""
    rows = []
    for seed in range(study.seeds):
        found = json.loads(path_of(study.folder, name, f"table-{task}", seed).read_text())
        places = np.searchsorted(np.array(found["costs"]), np.array(costs) + 1e-9, side="right") - 1
        rows.append(np.array(found[what])[np.maximum(0, places)])
    return np.array(rows, dtype=float)


def default(task: str) -> tuple[float, float]:
    """(accuracy, macro F1) of the default configuration, with which `smac` begins, and no other optimizer."""
    found = tables.training(task).full(dict(task_of(f"table-{task}").space.get_default_configuration()))
    return 1 - float(found[tables.ENDED]), float(found[tables.MACRO_F1])


def best(task: str) -> float:
    """The best recorded accuracy."""
    return 1 - float(task_of(f"table-{task}").optimum)


def paths(task: str) -> str:
    """Markdown: Spearman's rank correlation with a full evaluation, and the cost, by fraction and epochs."""
    found = tables.recording(task)
    first = np.flatnonzero(found.seeds == 0)
    last = _ranked(found.ended[first, -1, -1])
    epochs = found.about["plan"]["ends"]  # what lies between is interpolated from these
    if len(epochs) == 1:
        epochs = sorted({max(1, round(found.epochs * 3.0**-k)) for k in range(4)})
    full = np.mean([found.costs(row, -1)[-1] for row in first])
    lines = [
        "Rank correlation with a full evaluation, and the cost as a part of one:",
        "",
        "| data | " + " | ".join(f"{epoch} epochs" for epoch in epochs) + " |",
        "|---|" + "---|" * len(epochs),
    ]
    for place, fraction in enumerate(found.data):
        cells = []
        for epoch in epochs:
            losses = _ranked(found.ended[first, place, epoch - 1])
            told = f"{spearmanr(losses, last).statistic:.2f}" if len(set(losses)) > 1 else "all alike"
            cost = np.mean([found.costs(row, place)[epoch - 1] for row in first]) / full
            cells.append(f"{told} for {cost:.3f}")
        lines.append(f"| {fraction:.0%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ranked(losses: Floats) -> Floats:
    """What diverged is the worst."""
    return np.where(np.isnan(losses), np.inf, losses)
