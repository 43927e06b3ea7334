"""Processes that a train function starts: what works when it is called alone works in a trial, with every start method.

A train function in a task file, and in a script that calls `mfbo.tune` itself, uses pools, processes, executors, joblib
and a `DataLoader`, by fork, spawn and forkserver, in a worker and in the process of the run. What each comes to is
compared with what the same comes to without mfbo.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

SECONDS = 1800  # for all that one of them runs; minutes, as each child imports the task
WAYS = [(kind, workers) for kind in ("file", "script") for workers in (0, 1)]
CODE = """
import json, multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from ConfigSpace import ConfigurationSpace
import mfbo

FACTOR = 3

def times(x):
    return FACTOR * x

def put(queue, x):
    queue.put(times(x))

class Numbers:
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return float(times(i))

def by_pool(context):
    with context.Pool(1) as pool:
        return sum(pool.map(times, [1, 2, 3]))

def by_process(context):
    queue = context.Queue()
    process = context.Process(target=put, args=(queue, 5))
    process.start()
    found = queue.get(timeout=120)
    process.join()
    return found

def by_executor(context):
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return sum(pool.map(times, [1, 2]))

def by_joblib():
    from joblib import Parallel, delayed
    return sum(Parallel(n_jobs=2)(delayed(times)(i) for i in range(4)))

def by_cross_validation():
    from sklearn.datasets import load_iris
    from sklearn.model_selection import cross_val_score
    from sklearn.naive_bayes import GaussianNB
    return float(cross_val_score(GaussianNB(), *load_iris(return_X_y=True), cv=3, n_jobs=2).mean())

def by_loader(context):
    from torch.utils.data import DataLoader
    loader = DataLoader(Numbers(), batch_size=2, num_workers=1, multiprocessing_context=context)
    return float(sum(batch.sum() for batch in loader))

HOW = {"pool": by_pool, "process": by_process, "executor": by_executor, "loader": by_loader}
OWN = {"joblib": by_joblib, "cross validation": by_cross_validation}  # have a start method of their own
STARTS = ["fork", "spawn", "forkserver"] if sys.platform == "linux" else ["spawn", "forkserver"]
USES = [f"{how} {start}" for how in HOW for start in STARTS] + list(OWN)

def train(config, fidelity, context):
    how, _, start = config["use"].partition(" ")
    if config["use"] in OWN:
        return float(OWN[config["use"]]())
    return float(HOW[how](multiprocessing.get_context(start)))

task = mfbo.Task("starts", ConfigurationSpace({"use": USES}), train)

if __name__ == "__main__":
    kind, workers = sys.argv[1], int(sys.argv[2])
    if kind == "alone":
        found = {use: train({"use": use}, None, None) for use in USES}
    else:
        result = mfbo.tune("starts.py:task" if kind == "file" else task, max_trials=len(USES), optimizer="grid",
                           out=f"{kind}-{workers}", settings=mfbo.Settings(workers=workers), progress=False)
        found = {r.trial.config["use"]: r.outcome.loss or r.outcome.error for r in result.ledger.results}
    print("\\nFOUND" + json.dumps(found))
"""


@cache
def found(home: Path, kind: str, workers: int) -> dict[str, object]:
    """What each way of starting processes comes to, by way and start method."""
    command = [sys.executable, "starts.py", kind, str(workers)]
    ran = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=SECONDS, check=False)
    _, marked, text = ran.stdout.rpartition("FOUND")
    if not marked:
        raise RuntimeError(f"{kind}, workers={workers}: {ran.stderr[-2000:]}")
    told: dict[str, object] = json.loads(text)
    return told


def write(home: Path) -> None:
    """The script that starts processes, in a folder of its own."""
    home.mkdir(exist_ok=True)
    (home / "starts.py").write_text(CODE, encoding="utf-8")


def started(number: int, home: Path) -> str | None:
    """What was wrong with one of `WAYS`, if anything was; `home` is a folder for the script."""
    write(home)
    return compared(home, *WAYS[number % len(WAYS)])


def compared(home: Path, kind: str, workers: int) -> str | None:
    """What of the script in `home` comes to something else in trials than alone; None where nothing does."""
    alone = found(home, "alone", 0)
    try:
        there = found(home, kind, workers)
    except subprocess.TimeoutExpired:
        return f"hang: {kind}, workers={workers}"
    except RuntimeError as error:
        return f"traceback: {error}"
    wrong = {how: there.get(how) for how, value in alone.items() if there.get(how) != value}
    return f"misread: {kind}, workers={workers}: {wrong!r:.1500}" if wrong else None
