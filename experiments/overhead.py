"""What does mfbo itself cost: starting up, a trial in the loop and the ledger, a run of 10,000 trials, reading it back?

    python experiments/overhead.py

CPU seconds (user and system) of whole processes, the least of five; the run of 10,000 trials once.

Result (2 cores of an Intel Xeon, Python 3.11.7, smac 2.4.1, numpy 2.4.6; 2026-11-24):

==============================  =================  ============
what                            measured           goal
==============================  =================  ============
mfbo --help                     109 ms CPU         200 ms
mfbo tasks                      116 ms CPU         200 ms
a trial, in memory              0.139 ms CPU       1 ms
a trial, with a ledger          0.155 ms CPU       1 ms
random on branin, 10000 trials  4.8 s CPU, 169 MB  30 s, 300 MB
mfbo show of it                 1.22 s CPU         2 s
==============================  =================  ============
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.ledger.environment import hardware, versions
from mfbo.trial import Config, Rung

TRIALS = 10_000
MFBO = (sys.executable, "-m", "mfbo")


def process(command: Sequence[str]) -> tuple[float, float, float]:
    """(CPU seconds, wall seconds, peak memory in MB) of a command that must succeed."""
    began = time.perf_counter()
    child = subprocess.Popen([*MFBO, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB here
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss * scale / 1e6


def least(command: Sequence[str], times: int = 5) -> float:
    """Fewest CPU seconds."""
    return min(process(command)[0] for _ in range(times))


def a_trial(folder: Path | None) -> float:
    """CPU milliseconds of the loop and the ledger for one trial that costs nothing itself."""

    def train(config: Config, fidelity: Rung, context: mfbo.Context) -> mfbo.Measurement:
        return mfbo.Measurement(float(config["x"]), cost=1.0)

    space = ConfigurationSpace({"x": (0.0, 1.0)})
    task = mfbo.Task("nothing", space, train, stateless=True, full_cost=1.0)
    began = time.process_time()
    result = mfbo.tune(task, max_trials=TRIALS, optimizer="random", out=folder)
    return 1000 * (time.process_time() - began) / result.trials


def main() -> None:
    """Measure and print, each figure beside its goal."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            ("mfbo --help", f"{1000 * least(['--help']):.0f} ms CPU", "200 ms"),
            ("mfbo tasks", f"{1000 * least(['tasks']):.0f} ms CPU", "200 ms"),
            ("a trial, in memory", f"{a_trial(None):.3f} ms CPU", "1 ms"),
            ("a trial, with a ledger", f"{a_trial(folder / 'nothing'):.3f} ms CPU", "1 ms"),
        ]
        run = ["tune", "branin", "--optimizer", "random", "--max-trials", str(TRIALS), "--out", f"{name}/run", "--json"]
        cpu, _, memory = process(run)
        rows.append((f"random on branin, {TRIALS} trials", f"{cpu:.1f} s CPU, {memory:.0f} MB", "30 s, 300 MB"))
        size = (folder / "run" / "ledger.jsonl").stat().st_size / 1e6
        rows.append(("mfbo show of it", f"{least(['show', f'{name}/run']):.2f} s CPU ({size:.0f} MB)", "2 s"))
    print(f"| {'what':34} | {'measured':20} | {'goal':12} |\n|{'-' * 36}|{'-' * 22}|{'-' * 14}|")
    for what, measured, goal in rows:
        print(f"| {what:34} | {measured:20} | {goal:12} |")
    print(hardware(), versions())


if __name__ == "__main__":
    main()
