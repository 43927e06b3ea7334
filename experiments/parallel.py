"""How much of their time do workers stand idle?

python experiments/parallel.py

"""

from __future__ import annotations

import time
from typing import NamedTuple

from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.environment import hardware, versions
from mfbo.ledger import Run
from mfbo.trial import Config, Rung

TRIALS = 1000
TASKS = ("hartmann6", "hartmann6-cost", "mixed")
OPTIMIZERS = ("random", "hyperband", "smac")
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


def real(workers: int, trials: int = 100) -> Efficiency:
    """Efficiency of worker processes on this machine."""
    task = mfbo.Task("sleeper", ConfigurationSpace({"seconds": (0.1, 0.5)}), sleeper)
    how = mfbo.Settings(workers=workers)
    return efficiency(mfbo.tune(task, max_trials=trials, optimizer="random", settings=how).ledger, workers)


def row(*cells: object) -> None:
    """A line of a table."""
    task, optimizer, workers, seconds, ideal, share, filled, spent = (str(cell) for cell in cells)
    print(
        f"| {task:14} | {optimizer:9} | {workers:>7} | {seconds:>9} | {ideal:>9} | {share:>10} | {filled:>6} | {spent:>8} |",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    row("task", "optimizer", "workers", "time", "ideal", "efficiency", "filled", "CPU")
    print(f"|{'-' * 16}|{'-' * 11}|{'-' * 9}|{'-' * 11}|{'-' * 11}|{'-' * 12}|{'-' * 8}|{'-' * 10}|")
    for task in TASKS:
        for optimizer in OPTIMIZERS:
            for workers in WORKERS:
                found, spent = simulated(task, optimizer, workers)
                figures = (f"{found.seconds:.2f} s", f"{found.ideal:.2f} s", f"{found.efficiency:.3f}")
                row(task, optimizer, workers, *figures, f"{found.filled:.3f}", f"{spent:.1f} ms")
    for workers in (1, 2):
        found = real(workers)
        figures = (f"{found.seconds:.2f} s", f"{found.ideal:.2f} s", f"{found.efficiency:.3f}")
        row("sleeper, real", "random", workers, *figures, f"{found.filled:.3f}", "")
    print(hardware(), versions())


if __name__ == "__main__":
    main()
