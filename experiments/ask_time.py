"""How long does `smac` think? Milliseconds of one ask with its tell, after so many observations.

    python experiments/ask_time.py

On `hartmann6` (6 numbers) and `mixed` (8 parts of every kind, conditions, a forbidden part). The observations before
the measured ones are of random configurations, which the optimizer is made to remember, so that they take no search;
then 40 trials are timed in CPU time, the first with the fit of the hyperparameters that is due. Cheap trials are those
of which the usual thinking would be more than a twentieth, so that it thinks less.
"""

from __future__ import annotations

import statistics
import time
from itertools import islice

from mfbo import Outcome
from mfbo.ledger.environment import hardware, versions
from mfbo.optimizers.registry import make
from mfbo.optimizers.sampling import random_configs
from mfbo.optimizers.spec import Optimizer
from mfbo.search import Search
from mfbo.task import Task
from mfbo.tasks.registry import load

AFTER = (100, 300, 1000, 3000, 10_000)
GOALS = {100: 20, 1000: 50, 10_000: 200}
TRIALS = 40


def step(optimizer: Optimizer, task: Task, virtual: bool) -> None:
    """One trial, of a fraction of a second; the surrogate does its best for it where the clock is virtual."""
    trial = optimizer.ask()
    assert trial is not None
    loss = task.true_loss(trial.config) + 1 - trial.rung.work
    optimizer.tell(trial, Outcome("ok", loss, trial.rung, trial.rung.work, virtual=virtual))


def measure(name: str, observations: int, virtual: bool) -> list[float]:
    """CPU milliseconds of each of the timed trials."""
    task = load(name)
    optimizer = make(Search("smac"), task, task.fidelity.ladder())
    optimizer.remember(list(islice(random_configs(task.space, 1), observations * 2 // 3)))
    for _ in range(observations):
        step(optimizer, task, virtual)
    found = []
    for _ in range(TRIALS):
        began = time.process_time()
        step(optimizer, task, virtual)
        found.append(1000 * (time.process_time() - began))
    return found


def main() -> None:
    """Measure and print."""
    print("| task | observations | median | mean | most | goal |\n|---|---|---|---|---|---|")
    for name, virtual in (("hartmann6", True), ("mixed", True), ("hartmann6", False)):
        for observations in AFTER:
            times = measure(name, observations, virtual)
            middle, mean = statistics.median(times), statistics.fmean(times)
            cells = [name if virtual else f"{name}, cheap trials", observations]
            cells += [f"{middle:.1f} ms", f"{mean:.1f} ms", f"{max(times):.0f} ms", GOALS.get(observations, "")]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    print(hardware(), versions())


if __name__ == "__main__":
    main()
