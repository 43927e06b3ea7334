"""Do several objectives find a better front than the loss alone, at equal cost?

    python experiments/objectives.py

Of the task `mixed`, loss against training time; hypervolume of what was evaluated in full, in units of what 2,000
random configurations come to (loss, logarithm of the time), after 12 full evaluations; mean over 6 seeds. Virtual
cost, so that every machine gets the same.

RESULT
"""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
from table import Table, footer, judged

import mfbo
from mfbo.optimizers.sampling import random_configs
from mfbo.pareto import hypervolume
from mfbo.task import Task, load
from mfbo.tasks.synthetic_mixed import at_full, costs

NAMES = ("loss", "cost")
SEEDS, COST = 6, 12
WAYS = (("smac", NAMES), ("smac", ()), ("hyperband", NAMES), ("asha", NAMES), ("random", ()))


def points(task: Task, configs: list[mfbo.Config]) -> list[tuple[float, float]]:
    """(true loss, logarithm of the seconds) of configurations at full fidelity."""
    return [(at_full(config), math.log(float(costs(config, task.fidelity.full)[-1]))) for config in configs]


def found(
    task: Task, optimizer: str, names: tuple[str, ...], seed: int, cost: float = COST
) -> list[tuple[float, float]]:
    """Points of all configurations that a run has evaluated in full."""
    run = mfbo.tune(task, f"{cost:g}x", optimizer=optimizer, seed=seed, objectives=names).ledger
    return points(task, [r.trial.config for r in run.results if r.outcome.status == "ok" and r.outcome.rung.work == 1])


def main() -> None:
    """Measure and print; exit code 1 where several objectives did not pay off."""
    task = load("mixed")
    drawn = points(task, list(islice(random_configs(task.space, 54321), 2000)))
    corner = tuple(np.median(drawn, axis=0))
    whole = hypervolume(drawn, corner)
    table, means = Table("optimizer", "objectives", "hypervolume", "error", "loss"), {}
    for optimizer, names in WAYS:
        seen = [found(task, optimizer, names, seed) for seed in range(SEEDS)]
        volumes = [hypervolume(those, corner) / whole for those in seen]
        means[optimizer, names] = float(np.mean(volumes))
        error, loss = np.std(volumes, ddof=1) / math.sqrt(SEEDS), np.mean([min(those)[0] for those in seen])
        table.row(optimizer, ",".join(names or ("loss",)), f"{np.mean(volumes):.3f}", f"{error:.3f}", f"{loss:.3f}")
    footer()
    judged(means["smac", NAMES] > max(means["smac", ()], means["random", ()]))


if __name__ == "__main__":
    main()
