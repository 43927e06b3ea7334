"""Scores of the suite: normalised regret, its geometric mean over tasks, average rank, Wilcoxon's test with Holm's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from suite_families import scale
from suite_runs import path_of, seed_of

from mfbo.evidence.curves import Curve, normalised_regret
from mfbo.evidence.statistics import average_ranks, holm, wilcoxon

CHECKPOINTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
RANKED = (2.0, 4.0, 16.0)
FLOOR = 1e-3  # of a mean regret, before its logarithm is taken: a thousandth of a median random configuration's
WORST = 10.0  # regret counted at most: what diverges, infinite, does not decide a mean alone
RESAMPLES = 500
Families: TypeAlias = Mapping[str, Sequence[str]]


def regrets(
    folder: Path, name: str, tasks: Sequence[str], seeds: int, costs: Sequence[float] = CHECKPOINTS
) -> NDArray[np.float64]:
    """(tasks, seeds, costs): 1 before the first result, as a random guess is worth; NaN where there is no run.

    At most `WORST`.
    """
    found = np.full((len(tasks), seeds, len(costs)), np.nan)
    for i, task in enumerate(tasks):
        optimum, median = scale(folder, task)
        for seed in range(seeds):
            path = path_of(folder, name, task, seed)
            if not path.exists():
                continue
            data = json.loads(path.read_text())
            if data.get("seed") != seed_of(task, seed):
                continue
            steps, losses = np.array(data["costs"]), np.array(data["losses"])
            curve = Curve(steps, losses, np.ones_like(steps), data["cost"])
            values = normalised_regret(curve.at(costs), optimum, median)
            begun = np.array(costs) <= data["cost"]
            found[i, seed] = np.where(np.isnan(values) & begun, 1.0, np.clip(values, 0.0, WORST))
    return found


def geometric(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(costs,): geometric mean over tasks of the mean over seeds, of those that were run; NaN where none was.

    A task that was not run at all, such as one that a peer refuses, is left out.
    """
    values = values[ran(values)]
    values = values[:, ~np.isnan(values).all(axis=(0, 2))]
    if not values.size:
        return np.full(values.shape[2], np.nan)
    return np.exp(np.log(np.maximum(values.mean(axis=1), FLOOR)).mean(axis=0))


def ran(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(..., tasks): which of (..., tasks, seeds, costs) have a run."""
    return ~np.isnan(values).all(axis=(-1, -2))


def together(values: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(names,), (tasks,): who has any run of (names, tasks, seeds, costs), and the tasks that all of these have."""
    having = ran(values)
    present = having.any(axis=1)
    return present, having[present].all(axis=0)


def ratio(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(costs,): regret of one optimizer over that of another, on the tasks that both have run."""
    both = ran(own) & ran(other)
    return geometric(own[both]) / geometric(other[both])


def table(folder: Path, names: Sequence[str], families: Families, seeds: int, *, against: str, cost: float) -> str:
    """Markdown: a table for each family, then the worst family of each optimizer."""
    points = tuple(at for at in CHECKPOINTS if at <= cost)
    found = {
        family: np.array([regrets(folder, name, tasks, seeds, points) for name in names])
        for family, tasks in families.items()
    }
    parts = [_family(family, names, values, points, against) for family, values in found.items()]
    return "\n\n".join([*parts, _worst(names, found, points)] if len(names) > 1 else parts)


def _family(
    family: str, names: Sequence[str], values: NDArray[np.float64], points: Sequence[float], against: str
) -> str:
    """Regret, and where `RANKED` the average rank over the seeds and tasks that all have run."""
    having, (present, shared) = ran(values), together(values)
    blocks = values[present][:, shared].transpose(1, 2, 0, 3).reshape(-1, int(present.sum()), len(points))
    kept = [name for name, there in zip(names, present, strict=True) if there]
    ranks = dict(zip(kept, average_ranks(blocks), strict=True))
    stars = dict(zip(kept, _stars(blocks, kept.index(against) if against in kept else 0), strict=True))
    ranked = [k for k, at in enumerate(points) if at in RANKED and len(names) > 1]
    head = [f"{at:g}" for at in points] + [f"rank at {points[k]:g}" for k in ranked]
    runs = (~np.isnan(values[present][:, shared][..., 0])).sum(axis=2).min(initial=values.shape[2])
    title = f"### {family}: {values.shape[1]} tasks x {runs} seeds"
    if not shared.all():
        title += f"; ranks on the {shared.sum()} that all have"
    lines = [title, "", _row("optimizer", head), _rule(head)]
    for name, found, has in zip(names, values, having, strict=True):
        if not has.any():
            lines.append(_row(name, ["none"] + [""] * (len(head) - 1)))
            continue
        cells = [_cell(value) for value in geometric(found)]
        cells += [f"{ranks[name][k]:.2f}{'*' if stars[name][k] else ''}" for k in ranked]
        lines.append(_row(name if has.all() else f"{name}, {has.sum()} tasks", cells))
    return "\n".join(lines)


def _worst(names: Sequence[str], found: Mapping[str, NDArray[np.float64]], points: Sequence[float]) -> str:
    """The greatest ratio, over families, of an optimizer's regret to that of any other there, on the tasks of both."""
    head = [f"{at:g}" for at in points]
    lines = ["### Worst family: regret over that of the best other optimizer", "", _row("optimizer", head), _rule(head)]
    for i, name in enumerate(names):
        of = {}
        for family, values in found.items():
            met = [other for j, other in enumerate(values) if j != i and (ran(values[i]) & ran(other)).any()]
            if met:
                of[family] = np.max([ratio(values[i], other) for other in met], axis=0)
        worst = [max(of, key=lambda family: of[family][k]) for k in range(len(points) if of else 0)]
        lines.append(_row(name, [f"{of[family][k]:.2f} {family}" for k, family in enumerate(worst)] or ["none"]))
    return "\n".join(lines)


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _rule(cells: Sequence[str]) -> str:
    return "|---|" + "---|" * len(cells)


def speed_up(folder: Path, name: str, baseline: str, tasks: Sequence[str], seeds: int, *, cost: float) -> str:
    """How many times less `name` costs for what `baseline` has at `cost`, by the geometric mean of regret.

    With a bootstrap interval (percentiles, 95%): each resample draws tasks and, in each of them, seeds, both in pairs.
    """
    costs = np.geomspace(0.05, cost, 400)
    ours, theirs = (regrets(folder, each, tasks, seeds, costs.tolist()) for each in (name, baseline))

    def factor(i: NDArray[np.int_], j: NDArray[np.int_]) -> float:
        mine, goal = geometric(ours[i[:, None], j]), geometric(theirs[i[:, None], j])[-1]
        return float(costs[-1] / costs[np.argmax(mine <= goal)]) if (mine <= goal).any() else 0.0

    rng, (n, m) = np.random.default_rng(0), ours.shape[:2]
    drawn = [factor(rng.integers(n, size=n), rng.integers(m, size=(n, m))) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    point = factor(np.arange(n), np.tile(np.arange(m), (n, 1)))
    times = f"{point:.1f} times less ({low:.1f} to {high:.1f}, 95%)"
    return f"{name} comes to what {baseline} has at {costs[-1]:g} for {times}"


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _stars(blocks: NDArray[np.float64], own: int) -> NDArray[np.bool_]:
    """(names, checkpoints): whether the adjusted p-value against `own` is under 5%."""
    names, points = blocks.shape[1:]
    p = np.ones((names, points))
    for k in range(points):
        rows = blocks[~np.isnan(blocks[:, :, k]).any(axis=1)][:, :, k]
        others = [i for i in range(names) if i != own]
        if len(rows):
            p[others, k] = holm([wilcoxon(rows[:, own], rows[:, i]) for i in others])
    return p < 0.05
