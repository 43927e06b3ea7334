"""Does a run survive whatever its trials do, and keep what is finished?

    python experiments/faults.py

Runs that survived, of those that were tried: each had 8 trials, one to four of them faulty, and went on to the last
with the right status for each fault. Only faults that leave a process alive are tried inline. Trials count as finished
once their train function is about to return, which it writes down by itself. About ten minutes.

| fault                 | inline   | local    | Dask     | finished trials lost |
|-----------------------|----------|----------|----------|----------------------|
| NaN loss              |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| infinite report       |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| exception             |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| returns a string      |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| returns None          |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| unpicklable result    |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| MemoryError           |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| sys.exit              |   3 of 3 |   3 of 3 |   3 of 3 |                    0 |
| segmentation fault    | -        |   3 of 3 |   3 of 3 |                    0 |
| SIGKILL               | -        |   3 of 3 |   3 of 3 |                    0 |
| hang, timeout         | -        |   3 of 3 |   3 of 3 |                    0 |
| memory above limit    | -        |   3 of 3 |   3 of 3 |                    0 |

2 cores of an Intel Xeon that did other work as well (load 6 to 13), 23.5 GiB, Linux; python 3.11.7, smac 2.4.1,
ConfigSpace 1.2.2, distributed 2026.8.0, pebble 5.2.3.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ConfigSpace import ConfigurationSpace
from loopback import Loopback
from table import Table, footer, judged

import mfbo
from mfbo.trial import Config, Rung

RUNS = 3  # a cell
TRIALS = 8  # a run, about a third of them faulty
FAULTY = 0.6  # from this value on


def raises(context: mfbo.Context) -> object:
    """An exception."""
    raise RuntimeError("no such luck")


def runs_out(context: mfbo.Context) -> object:
    """What Python raises when memory is gone."""
    raise MemoryError("all gone")


def leaves(context: mfbo.Context) -> object:
    """``sys.exit``."""
    sys.exit(3)


def segfaults(context: mfbo.Context) -> object:
    """A null pointer."""
    return ctypes.string_at(0)


def is_killed(context: mfbo.Context) -> object:
    """What the system's OOM killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def hangs(context: mfbo.Context) -> object:
    """Neither ends nor reports."""
    time.sleep(600)
    return None


def hoards(context: mfbo.Context) -> object:
    """Takes memory until it is stopped."""
    hoard = []
    while True:
        hoard.append(b"x" * 2**24)
        hoard[-1].count(b"y")


FAULTS: dict[str, tuple[Callable[[mfbo.Context], object], str, bool]] = {  # what, its status, whether it ends a process
    "NaN loss": (lambda context: float("nan"), "diverged", False),
    "infinite report": (lambda context: context.report(float("inf")), "diverged", False),
    "exception": (raises, "failed", False),
    "returns a string": (lambda context: "0.5", "invalid", False),
    "returns None": (lambda context: None, "invalid", False),
    "unpicklable result": (lambda context: lambda: 0.5, "invalid", False),
    "MemoryError": (runs_out, "memory", False),
    "sys.exit": (leaves, "exited", False),
    "segmentation fault": (segfaults, "crashed", True),
    "SIGKILL": (is_killed, "killed", True),
    "hang, timeout": (hangs, "timeout", True),
    "memory above limit": (hoards, "memory", True),
}


@dataclass
class Cell:
    """Runs with one kind of fault on one executor.

    Attributes:
        tried: runs.
        survived: those that went on to their last trial, with the right status for each fault.
        lost: trials that came to their end and are not in the ledger as such.
    """

    tried: int = 0
    survived: int = 0
    lost: int = 0


def faulty(fault: Callable[[mfbo.Context], object], log: Path) -> mfbo.Task:
    """A task that comes to harm for about every third configuration; the others write down that they are finished."""

    def train(config: Config, fidelity: Rung, context: mfbo.Context) -> object:
        x = float(config["x"])
        context.report(x)
        if x > FAULTY:
            return fault(context)
        with log.open("a") as file:
            file.write(f"{x!r}\n")
        return x

    return mfbo.Task("faulty", ConfigurationSpace({"x": (0.0, 1.0)}), train)  # type: ignore[arg-type]


def cell(kind: str, runs: int, **where: object) -> Cell:
    """Run it so many times; `where` are settings that choose the executor."""
    fault, status, _ = FAULTS[kind]
    how = mfbo.Settings(max_trial_time="1s" if status == "timeout" else None, max_trial_memory=0.4, **where)  # type: ignore[arg-type]
    found = Cell()
    for seed in range(runs):
        with tempfile.TemporaryDirectory(prefix="mfbo-faults-") as name:
            log = Path(name) / "finished"
            result = mfbo.tune(faulty(fault, log), max_trials=TRIALS, optimizer="random", seed=seed, settings=how)
            finished = {float(line) for line in log.read_text().splitlines()}
        entries = result.ledger.results
        kept = {float(entry.trial.config["x"]) for entry in entries if entry.outcome.status == "ok"}
        statuses = {entry.outcome.status for entry in entries if float(entry.trial.config["x"]) > FAULTY}
        found.tried += 1
        found.survived += result.status == "trials" and statuses == {status}
        found.lost += len(finished - kept)
    return found


def main() -> None:
    """Measure and print; exit code 1 if a run did not survive or a trial was lost."""
    table = Table("fault                ", "inline  ", "local   ", "Dask    ", "finished trials lost")
    good = True
    with Loopback() as cluster:
        cluster.add(2)
        for kind, (_, _, deadly) in FAULTS.items():
            cells = [None if deadly else cell(kind, RUNS, workers=0)]
            cells += [cell(kind, RUNS, workers=2), cell(kind, RUNS, scheduler=cluster.scheduler)]
            tried = [found for found in cells if found is not None]
            good &= all(found.survived == found.tried and not found.lost for found in tried)
            words = [f"{found.survived} of {found.tried}" if found else "-" for found in cells]
            table.row(kind, *words, sum(found.lost for found in tried))
    footer()
    judged(good)


if __name__ == "__main__":
    main()
