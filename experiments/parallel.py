"""How much of their time do workers stand idle?

    python experiments/parallel.py

Simulated clusters of 1, 4, 16 and 64 workers. Efficiency is the cost of all trials, divided by the workers and by the
time that the run took; a full evaluation costs 1 s on average, up to 3.7 s with hartmann6-cost, up to 3 s with mixed.
Filled is the share of the workers' time that was spent on trials until the last one began, the least of the four
numbers of workers. CPU is that of the whole program for each trial, the most of the four.

| task           | optimizer | trials |     1 |     4 |    16 |    64 | filled | CPU     |
|----------------|-----------|--------|-------|-------|-------|-------|--------|---------|
| hartmann6      | random    |   1000 | 1.000 | 1.000 | 0.992 | 0.977 |  1.000 |  0.6 ms |
| hartmann6      | hyperband |   1000 | 1.000 | 0.998 | 0.967 | 0.820 |  1.000 |  5.0 ms |
| hartmann6      | asha      |   1000 | 1.000 | 0.994 | 0.906 | 0.670 |  1.000 |  0.4 ms |
| hartmann6      | smac      |   1000 | 1.000 | 0.997 | 0.951 | 0.670 |  1.000 | 18.5 ms |
| hartmann6      | asha      |  10000 | -     | -     | -     | 0.957 |  1.000 |  0.4 ms |
| hartmann6-cost | random    |   1000 | 1.000 | 0.997 | 0.978 | 0.898 |  1.000 |  0.8 ms |
| hartmann6-cost | hyperband |   1000 | 1.000 | 0.987 | 0.874 | 0.474 |  1.000 |  5.1 ms |
| hartmann6-cost | asha      |   1000 | 1.000 | 0.998 | 0.868 | 0.357 |  1.000 |  0.4 ms |
| hartmann6-cost | smac      |   1000 | 1.000 | 0.995 | 0.943 | 0.616 |  1.000 | 17.9 ms |
| hartmann6-cost | asha      |  10000 | -     | -     | -     | 0.835 |  1.000 |  0.4 ms |
| mixed          | random    |   1000 | 1.000 | 0.999 | 0.982 | 0.890 |  1.000 |  0.5 ms |
| mixed          | hyperband |   1000 | 1.000 | 0.983 | 0.882 | 0.631 |  1.000 |  5.9 ms |
| mixed          | asha      |   1000 | 1.000 | 1.000 | 0.778 | 0.546 |  1.000 |  0.4 ms |
| mixed          | smac      |   1000 | 1.000 | 0.995 | 0.962 | 0.772 |  1.000 | 21.0 ms |
| mixed          | asha      |  10000 | -     | -     | -     | 0.900 |  1.000 |  0.4 ms |

| workers of this machine | trials of 0.1 to 0.5 s | efficiency |
|-------------------------|------------------------|------------|
|                       1 |                    100 |      0.969 |
|                       2 |                    100 |      0.969 |

2 cores of an Intel Xeon that did other work as well, Linux; python 3.11.7, smac 2.4.1, pebble 5.2.3.

No worker is ever idle while there is something to ask. What keeps 64 workers below 0.95 in 1,000 trials is their end
alone: when the last trial has begun, a worker that comes free has nothing to do, and a full evaluation takes as long as
a third of such a run, or more (2.9 s of trials for each of 64 workers with hyperband, 1.1 s with asha). Longer runs end
no later: with ten times the trials the loss of asha falls from 33% to 4% where evaluations cost the same.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from ConfigSpace import ConfigurationSpace
from table import Table, footer, judged

import mfbo
from mfbo.ledger.run import Run
from mfbo.trial import Config, Rung

TRIALS, LONG = 1000, 10_000
TASKS = ("hartmann6", "hartmann6-cost", "mixed")
OPTIMIZERS = ("random", "hyperband", "asha", "smac")
WORKERS = (1, 4, 16, 64)


class Efficiency(NamedTuple):
    """How well workers were used.

    Attributes:
        seconds: that the run took on its clock.
        ideal: cost of all trials, divided by the workers.
        filled: share of the workers' time that was spent on trials until the last one began. After that nothing is left
            to give to a worker that has come free.
    """

    seconds: float
    ideal: float
    filled: float

    @property
    def efficiency(self) -> float:
        """Of the whole run, its end included."""
        return self.ideal / self.seconds


def efficiency(run: Run, workers: int) -> Efficiency:
    """Of a run that was never interrupted."""
    spans = [(result.wall - result.outcome.cost, result.wall) for result in run.results]
    first, last = min(began for began, _ in spans), max(began for began, _ in spans)
    end = max(ended for _, ended in spans)
    busy = sum(min(ended, last) - began for began, ended in spans)
    filled = busy / (workers * (last - first)) if last > first else 1.0
    return Efficiency(end - first, sum(ended - began for began, ended in spans) / workers, filled)


def simulated(task: str, optimizer: str, workers: int, trials: int = TRIALS) -> tuple[Efficiency, float]:
    """Efficiency of simulated workers, and CPU milliseconds a trial."""
    began = time.process_time()
    how = mfbo.Settings(workers=workers)
    result = mfbo.tune(task, max_trials=trials, optimizer=optimizer, settings=how)
    return efficiency(result.ledger, workers), 1000 * (time.process_time() - began) / result.trials


def sleeper(config: Config, fidelity: Rung, context: mfbo.Context) -> float:
    """A trial that needs no processor: 0.1 to 0.5 s."""
    time.sleep(float(config["seconds"]))
    return float(config["seconds"])


def real(workers: int, trials: int) -> Efficiency:
    """Efficiency of worker processes on this machine."""
    task = mfbo.Task("sleeper", ConfigurationSpace({"seconds": (0.1, 0.5)}), sleeper)
    how = mfbo.Settings(workers=workers)
    return efficiency(mfbo.tune(task, max_trials=trials, optimizer="random", settings=how).ledger, workers)


def main() -> None:
    """Measure and print; exit code 1 if a worker stood idle while there was something to ask."""
    table = Table(
        "task          ", "optimizer", "trials", *(f"{workers:5}" for workers in WORKERS), "filled", "CPU    "
    )
    least = 1.0
    for task in TASKS:
        for optimizer in OPTIMIZERS:
            found, spent = zip(*(simulated(task, optimizer, workers) for workers in WORKERS), strict=True)
            filled = min(one.filled for one in found)
            least = min(least, filled)
            cells = (f"{one.efficiency:.3f}" for one in found)
            table.row(task, optimizer, TRIALS, *cells, f"{filled:.3f}", f"{max(spent):.1f} ms")
        long, taken = simulated(task, "asha", WORKERS[-1], LONG)
        table.row(task, "asha", LONG, *["-"] * 3, f"{long.efficiency:.3f}", f"{long.filled:.3f}", f"{taken:.1f} ms")
    print()
    table = Table("workers of this machine", "trials of 0.1 to 0.5 s", "efficiency")
    for workers in (1, 2):
        table.row(workers, 100, f"{real(workers, 100).efficiency:.3f}")
    footer()
    judged(least > 0.999)


if __name__ == "__main__":
    main()
