"""Does a good prior help, and is a bad one shaken off?

    python experiments/priors.py

Of 400 random configurations the prior is the fifth best, or the twentieth from the end; or there is none. Mean regret
after 10, 25, 50 and 100% of 20 full evaluations; virtual cost, so that every machine gets the same.

RESULT
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from table import Table, footer, judged

import mfbo
from mfbo.curves import anytime
from mfbo.optimizers.sampling import random_configs
from mfbo.task import Task, load
from mfbo.trial import Config

TASKS = ("hartmann6", "mixed")
SEEDS = {"asha": 20, "hyperband": 20, "smac": 30}
SHARES = (0.1, 0.25, 0.5, 1.0)
COST = 20.0
WORSE = 1.5  # times the regret without a prior, that a bad one may end with


def priors(task: Task, of: int = 400) -> dict[str, Config | None]:
    """None, a good one and a bad one."""
    assert task.true_loss
    ranked = sorted(islice(random_configs(task.space, 12345), of), key=task.true_loss)
    return {"none": None, "good": ranked[4], "bad": ranked[-20]}


def regrets(task: Task, optimizer: str, prior: Config | None, seeds: int, cost: float = COST) -> list[float]:
    """Mean over seeds after each of `SHARES` of the cost, of the incumbent at full fidelity; 0 is the optimum."""
    assert task.optimum is not None
    runs = [mfbo.tune(task, f"{cost:g}x", optimizer=optimizer, seed=s, prior=prior).ledger for s in range(seeds)]
    losses = [anytime(run, task.true_loss).at([cost * share for share in SHARES]) for run in runs]
    return [float(mean) for mean in np.nanmean(losses, axis=0) - task.optimum]


def main() -> None:
    """Measure and print; exit code 1 where a bad prior was not shaken off."""
    good = True
    table = Table("task     ", "optimizer", "prior", *(f"{share:6.0%}" for share in SHARES))
    for name in TASKS:
        task = load(name)
        for optimizer, seeds in SEEDS.items():
            ends = {}
            for label, prior in priors(task).items():
                found = regrets(task, optimizer, prior, seeds)
                ends[label] = found[-1]
                table.row(name, optimizer, label, *(f"{regret:.3f}" for regret in found))
            good &= ends["bad"] <= WORSE * ends["none"]
    footer()
    judged(good)


if __name__ == "__main__":
    main()
