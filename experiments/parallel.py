"""How much of their time do workers stand idle?

python experiments/parallel.py

"""

from __future__ import annotations

import time
from typing import NamedTuple

from ConfigSpace import ConfigurationSpace
from table import Table, footer, judged

import mfbo
from mfbo.ledger import Run
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
        "task          ", "optimizer", "workers", "trials", "time     ", "ideal    ", "efficiency", "filled", "CPU     "
    )
    idle = False
    for task in TASKS:
        for optimizer in OPTIMIZERS:
            for workers in WORKERS:
                found, spent = simulated(task, optimizer, workers)
                idle |= found.filled < 0.999
                table.row(task, optimizer, workers, TRIALS, *words(found), f"{spent:.1f} ms")
    for task in TASKS:
        found, spent = simulated(task, "asha", 64, LONG)
        table.row(task, "asha", 64, LONG, *words(found), f"{spent:.1f} ms")
    for workers in (1, 2):
        table.row("sleeper, real", "random", workers, 100, *words(real(workers, 100)), "")
    footer()
    judged(not idle)


def words(found: Efficiency) -> tuple[str, ...]:
    """For a row of the table."""
    return f"{found.seconds:.2f} s", f"{found.ideal:.2f} s", f"{found.efficiency:.3f}", f"{found.filled:.3f}"


if __name__ == "__main__":
    main()
