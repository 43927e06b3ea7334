"""Scores of the suite: normalised regret, its geometric mean over tasks, average rank, Wilcoxon's test with Holm's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from suite_runs import path_of

from mfbo.evidence.curves import Curve, normalised_regret
from mfbo.evidence.statistics import average_ranks, holm, wilcoxon
from mfbo.optimizers.sampling import random_configs
from mfbo.tasks.registry import load

CHECKPOINTS = (0.5, 1, 2, 4, 8, 16, 32)
FLOOR = 1e-3  # of a mean regret, before its logarithm is taken: a thousandth of a median random configuration's
DRAWS = 2001
RESAMPLES = 500


@lru_cache
def scale(folder: Path, task: str) -> tuple[float, float]:
    """(optimum, loss of the median random configuration at full fidelity, without noise); kept in `folder`."""
    path = folder / "scales" / f"{task}.json"
    if not path.exists():
        loaded = load(task)
        source = random_configs(loaded.space, 12345)
        losses = [loaded.true_loss(config) for config, _ in zip(source, range(DRAWS), strict=False)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([float(loaded.optimum), float(np.median(losses))]))
    optimum, median = json.loads(path.read_text())
    return optimum, median


def regrets(
    folder: Path, name: str, tasks: Sequence[str], seeds: int, costs: Sequence[float] = CHECKPOINTS
) -> NDArray[np.float64]:
    """(tasks, seeds, costs): 1 before the first result, as a random guess is worth; NaN where there is no run."""
    found = np.full((len(tasks), seeds, len(costs)), np.nan)
    for i, task in enumerate(tasks):
        optimum, median = scale(folder, task)
        for seed in range(seeds):
            path = path_of(folder, name, task, seed)
            if not path.exists():
                continue
            data = json.loads(path.read_text())
            steps, losses = np.array(data["costs"]), np.array(data["losses"])
            curve = Curve(steps, losses, np.ones_like(steps), data["cost"])
            values = normalised_regret(curve.at(costs), optimum, median)
            begun = np.array(costs) <= data["cost"]
            found[i, seed] = np.where(np.isnan(values) & begun, 1.0, np.maximum(values, 0.0))
    return found


def geometric(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(costs,): geometric mean over tasks of the mean over seeds, of those that were run."""
    values = values[:, ~np.isnan(values).all(axis=(0, 2))]
    return np.exp(np.log(np.maximum(values.mean(axis=1), FLOOR)).mean(axis=0))


def table(folder: Path, names: Sequence[str], tasks: Sequence[str], seeds: int, against: str) -> str:
    """Markdown: geometric mean of regret, then average rank; a star where Wilcoxon with Holm says so at 5%.

    A star is for an optimizer from which `against` differs, over tasks and seeds as blocks.
    """
    values = np.array([regrets(folder, name, tasks, seeds) for name in names])
    head = "| optimizer | " + " | ".join(f"{at:g}" for at in CHECKPOINTS) + " |\n|---|" + "---|" * len(CHECKPOINTS)
    lines = ["Geometric mean of normalised regret:", "", head]
    for name, found in zip(names, values, strict=True):
        lines.append(f"| {name} | " + " | ".join(_cell(value) for value in geometric(found)) + " |")
    if len(names) < 2:
        return "\n".join(lines)
    lines += ["", f"Average rank over tasks and seeds (* differs from {against}, Wilcoxon with Holm, 5%):", "", head]
    blocks = values.transpose(1, 2, 0, 3).reshape(-1, len(names), len(CHECKPOINTS))
    ranks = average_ranks(blocks)
    stars = _stars(blocks, list(names).index(against) if against in names else 0)
    for i, name in enumerate(names):
        cells = [f"{ranks[i, k]:.2f}{'*' if stars[i, k] else ''}" for k in range(len(CHECKPOINTS))]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def speed_up(folder: Path, name: str, baseline: str, tasks: Sequence[str], seeds: int) -> str:
    """How many times less `name` costs for what `baseline` has at the last checkpoint, by the geometric mean of regret.

    With a bootstrap interval (percentiles, 95%): each resample draws tasks and, in each of them, seeds, both in pairs.
    """
    costs = np.geomspace(0.05, CHECKPOINTS[-1], 400)
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
