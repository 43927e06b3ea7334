"""Does a run survive whatever its trials do, keep what is finished, hold its limit, and leave nothing behind?

    python experiments/faults.py [KIND ...]

Runs that survived, of those that were tried: each had 8 trials, one to four of them faulty, and went on to the last
with the right status for each fault. Only faults that leave a process alive are tried inline. Trials count as finished
once their train function is about to return, which it writes down by itself. A watch beside each run shows by how many
seconds it took longer than was charged, from its first ask (for SIGSTOP that is the time in which trials were stopped).
Left are processes and temporary folders that are there 5 s after the last run of a kind. Half an hour.

"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.util import get_temp_dir
from pathlib import Path
from uuid import uuid4

import psutil
from ConfigSpace import ConfigurationSpace
from loopback import Loopback
from table import Table, footer, judged

import mfbo
from mfbo.ledger.observer import Observer
from mfbo.trial import Config, Rung, Trial

RUNS = 3  # a cell
TRIALS = 8  # a run, about a third of them faulty
MEMORY = 0.4  # GiB that a trial may hold
MARK = "MFBO_FAULTS"  # variable by which all processes of this experiment are known
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


def leaves_well(context: mfbo.Context) -> object:
    """``os._exit(0)``: nothing tells it from an end in order but that the trial is not over."""
    os._exit(0)


def library_leaves(context: mfbo.Context) -> object:
    """What a native library does that calls ``exit(0)``."""
    return ctypes.CDLL(None).exit(0)


def interrupts(context: mfbo.Context) -> object:
    """What Ctrl-C raises."""
    raise KeyboardInterrupt


def closes(context: mfbo.Context) -> object:
    """What is no `Exception`."""
    raise GeneratorExit


def says_much(context: mfbo.Context) -> object:
    """An error of 20 MB."""
    raise ValueError("x" * 20_000_000)


def prints(context: mfbo.Context) -> object:
    """On all ways to standard output, without an end of line."""
    print("x" * 10**6, end="")
    os.write(1, b"y" * 1000)
    return 0.9


def wanders(context: mfbo.Context) -> object:
    """Changes the working directory, and keeps something."""
    os.chdir("/")
    with context.save(1) as folder:
        (folder / "kept").touch()
    return 0.9


_children: list[subprocess.Popen[bytes]] = []  # kept, as Python warns of one that is forgotten while it runs


def leaves_children(context: mfbo.Context) -> object:
    """Three that go on: of its own group, of a session of their own, and a daemon without parent."""
    words = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    _children.append(subprocess.Popen(words))
    _children.append(subprocess.Popen(words, start_new_session=True))
    _children.append(subprocess.Popen(["sh", "-c", "sleep 600 & "], start_new_session=True))
    tempfile.mkdtemp(prefix="mfbo-left-")
    return 0.9


def is_stopped(context: mfbo.Context) -> object:
    """Three seconds of SIGSTOP, with a limit of one second for a trial."""
    subprocess.Popen(["sh", "-c", f"sleep 3; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)
    return 0.9


def starts_processes(context: mfbo.Context) -> object:
    """A pool of processes by each start method, which import this file or what the task has of it."""
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(os.path.basename, ["a/b"])
    return 0.9


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
    "exit code 0": (leaves_well, "exited", True),
    "exit(0) of a library": (library_leaves, "exited", True),
    "KeyboardInterrupt": (interrupts, "failed", False),
    "GeneratorExit": (closes, "failed", False),
    "error of 20 MB": (says_much, "failed", False),
    "prints": (prints, "ok", False),
    "chdir": (wanders, "ok", False),
    "leaves children": (leaves_children, "ok", False),
    "SIGSTOP": (is_stopped, "ok", True),
    "starts processes": (starts_processes, "ok", False),
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
        beyond: seconds by which a run took longer than was charged, at most.
    """

    tried: int = 0
    survived: int = 0
    lost: int = 0
    beyond: float = float("-inf")


class Watch(Observer):
    """Beside a run: how long it takes from its first ask to its end."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began: float | None = None

    def on_trial(self, trial: Trial) -> None:
        """From here, the first time."""
        self._began = self._began or time.monotonic()

    def on_end(self, status: str) -> None:
        """To here."""
        self.seconds = time.monotonic() - (self._began or time.monotonic())


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
    limit = "1s" if status == "timeout" or kind == "SIGSTOP" else None
    how = mfbo.Settings(max_trial_time=limit, max_trial_memory=MEMORY, **where)  # type: ignore[arg-type]
    found = Cell()
    for seed in range(runs):
        with tempfile.TemporaryDirectory(prefix="faults-") as name:
            log, watch = Path(name) / "finished", Watch()
            result = mfbo.tune(
                faulty(fault, log), max_trials=TRIALS, optimizer="random", seed=seed, settings=how, observer=watch
            )
            finished = {float(line) for line in log.read_text().splitlines()}
        entries = result.ledger.results
        kept = {float(entry.trial.config["x"]) for entry in entries if entry.outcome.status == "ok"}
        statuses = {entry.outcome.status for entry in entries if float(entry.trial.config["x"]) > FAULTY}
        found.tried += 1
        found.survived += result.status == "trials" and statuses == {status}
        found.lost += len(finished - kept)
        found.beyond = max(found.beyond, watch.seconds - result.cost)
    return found


def left(mark: str, before: set[str]) -> int:
    """Processes with `mark` in their environment that are nobody's any more, and new temporary folders."""
    processes = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            started_here = process.environ().get(MARK) == mark and process.pid != os.getpid()
            processes += started_here and not any("distributed" in word for word in process.cmdline())
    return processes + len(temporary() - before)


def temporary() -> set[str]:
    """Temporary folders of ours."""
    return {path.name for path in Path(tempfile.gettempdir()).glob("mfbo-*")}


def main() -> None:
    """Measure and print; exit code 1 if a run did not survive, a trial was lost or something was left."""
    os.environ[MARK] = mark = uuid4().hex
    get_temp_dir()  # of multiprocessing, which deletes it at the very end
    with tempfile.TemporaryDirectory() as folder:  # of our own: other runs on this machine have temporary folders, too
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        measure(mark)


def measure(mark: str) -> None:
    """As `main`; `mark` is in the environment of all processes."""
    kinds = sys.argv[1:] or list(FAULTS)
    table = Table(
        "fault                ", "inline  ", "local   ", "Dask    ", "finished trials lost", "s beyond charge", "left"
    )
    good = True
    with Loopback() as cluster:
        cluster.add(2)
        before = temporary()
        for kind in kinds:
            deadly = FAULTS[kind][2]
            cells = [None if deadly else cell(kind, RUNS, workers=0)]
            cells += [cell(kind, RUNS, workers=1), cell(kind, RUNS, scheduler=cluster.scheduler)]
            time.sleep(5)
            rest = left(mark, before)
            tried = [found for found in cells if found is not None]
            good &= not rest and all(found.survived == found.tried and not found.lost for found in tried)
            words = [f"{found.survived} of {found.tried}" if found else "-" for found in cells]
            lost = sum(found.lost for found in tried)
            table.row(kind, *words, lost, f"{max(found.beyond for found in tried):.2f}", rest)
    footer()
    judged(good)


if __name__ == "__main__":
    main()
