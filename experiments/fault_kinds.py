"""What trials of the fault matrix do: a task file, which comes to harm for configurations from `FAULTY` on.

Option ``fault`` names the kind, ``log`` the file in which a trial writes down when it begins and that it is finished.
"""

from __future__ import annotations

import builtins
import ctypes
import inspect
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from uuid import uuid4

import numpy as np
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.trial import Config, Rung

FAULTY = 0.5  # from this value on
TRIAL_TIME = "60s"  # that a trial may take, more than a busy machine needs
MARK = "MFBO_FAULTS"  # variable by which all processes of the matrix are known
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
ARMED = Path(__file__).parent / "armed"  # while there is such a file, an import of this one comes to harm
_kept: list[object] = []  # Python warns of a process that is forgotten while it runs


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        do: what the train function does, and returns.
        status: of such a trial.
        deadly: whether it ends its process, or can only be stopped from outside, so that it is not tried inline.
    """

    do: Callable[[mfbo.Context], object]
    status: str
    deadly: bool = False

    @property
    def trial_time(self) -> str:
        """What a trial may take: little where that is what is tried, more than a busy machine needs elsewhere."""
        return "2s" if "timeout" in self.status or self.do is is_stopped else TRIAL_TIME


def _raises(kind: type[BaseException], *given: object) -> Callable[[mfbo.Context], object]:
    def raising(context: mfbo.Context) -> object:
        raise kind(*given)

    return raising


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


def leaves_children(context: mfbo.Context) -> object:
    """Of its own group, of a session of their own, and a daemon without parent; and a temporary folder."""
    _kept.extend([subprocess.Popen(SLEEP), subprocess.Popen(SLEEP, start_new_session=True)])
    _kept.append(subprocess.Popen(["sh", "-c", "sleep 600 & "], start_new_session=True))
    tempfile.mkdtemp(prefix="mfbo-left-")
    return 0.9


def daemonises(context: mfbo.Context) -> object:
    """Twice."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, SLEEP)
        os._exit(0)
    return 0.9


def bombs(context: mfbo.Context) -> object:
    """Twenty processes that start one each."""
    script = f"import subprocess, sys, time; subprocess.Popen({SLEEP!r}); time.sleep(600)"
    _kept.extend(subprocess.Popen([sys.executable, "-S", "-c", script], start_new_session=True) for _ in range(20))
    return 0.9


def is_stopped(context: mfbo.Context) -> object:
    """Three seconds of SIGSTOP, which is more than a trial may take (`Fault.trial_time`)."""
    subprocess.Popen(["sh", "-c", f"sleep 3; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)
    return 0.9


def starts_processes(context: mfbo.Context) -> object:
    """A pool of processes by each start method, which import this file."""
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(os.path.basename, ["a/b"])
    return 0.9


def spins(context: mfbo.Context) -> object:
    """Neither ends nor reports."""
    while True:
        pass


def holds_the_gil(context: mfbo.Context) -> object:
    """In a library's call, in which no Python runs."""
    return ctypes.PyDLL(None).sleep(600)


def hoards(context: mfbo.Context) -> object:
    """Takes memory until it is stopped."""
    hoard = []
    while True:
        hoard.append(b"x" * 2**24)
        hoard[-1].count(b"y")


def ignores_stops(context: mfbo.Context) -> object:
    """Takes whatever it is told for an error of its own, and goes on."""
    while True:
        try:
            spins(context)
        except BaseException:
            continue


def reports_for_ever(context: mfbo.Context) -> object:
    """A million times."""
    while True:
        context.report(0.9, epoch=1)


def fills_the_disk(context: mfbo.Context) -> object:
    """As it looks to a program."""
    with Path("/dev/full").open("w") as file:
        file.write("x" * 10**6)
    return 0.9


def closes(context: mfbo.Context) -> object:
    """What it writes to."""
    os.close(1)
    os.close(2)
    return 0.9


def closes_all(context: mfbo.Context) -> object:
    """All that is open, as a daemon does."""
    os.closerange(3, 256)
    return 0.9


def lowers_limits(context: mfbo.Context) -> object:
    """Leaves the next trial eight files, and ignores all signals."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    return 0.9


def leaves_a_thread(context: mfbo.Context) -> object:
    """That computes for ever, and is waited for where Python ends."""
    threading.Thread(target=spins, args=(context,)).start()
    return 0.9


def becomes(context: mfbo.Context) -> object:
    """Another program, which takes long."""
    os.execv(sys.executable, SLEEP)
    return None


def arms(context: mfbo.Context) -> object:
    """From now on nobody can import this file; and ends its process, so that somebody has to."""
    ARMED.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def measures_much(context: mfbo.Context) -> object:
    """A hundred thousand metrics."""
    return mfbo.Measurement(0.5, {str(number): 0.5 for number in range(10**5)})


def forks_and_returns(context: mfbo.Context) -> object:
    """Twice: parent and child both come back from here."""
    os.fork()
    return 0.9


def covers(context: mfbo.Context) -> object:
    """Puts a file of its own in place of standard output and standard error."""
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    sys.stdout = sys.stderr = None
    return 0.9


def closes_streams(context: mfbo.Context) -> object:
    """Those of Python, which closes what lies below."""
    for stream in (sys.stdin, sys.stdout, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.close()
    return 0.9


def recurses(context: mfbo.Context) -> object:
    """Without an end."""
    return recurses(context)


def leaves_no_depth(context: mfbo.Context) -> object:
    """Hardly any calls more than now."""
    sys.setrecursionlimit(len(inspect.stack(0)) + 5)
    return 0.9


def stops_its_parent(context: mfbo.Context) -> object:
    """For ever."""
    os.kill(os.getppid(), signal.SIGSTOP)
    return 0.9


def stops_the_clocks(context: mfbo.Context) -> object:
    """As libraries for tests do, and does not undo it."""
    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, lambda: 0.0)
    time.sleep = lambda seconds: None
    return 0.9


def sets_handlers(context: mfbo.Context) -> object:
    """For all signals; and an alarm."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    return 0.9


def clears(context: mfbo.Context) -> object:
    """Its environment, where modules are looked for, and some of them."""
    os.environ.clear()
    sys.path.clear()
    sys.meta_path.clear()
    for name in ("json", "numpy", "pickle"):
        sys.modules[name] = None  # type: ignore[assignment]
    return 0.9


def breaks_builtins(context: mfbo.Context) -> object:
    """What every other line of Python uses."""
    for name in ("open", "print", "len", "isinstance"):
        setattr(builtins, name, None)
    return 0.9


def deletes(*names: str) -> Callable[[mfbo.Context], object]:
    """Folders of the run, and that for its temporary files."""

    def deleting(context: mfbo.Context) -> object:
        run = Path(context.options["log"]).with_name("run")
        for folder in [run / name for name in names] or [Path(tempfile.gettempdir())]:
            shutil.rmtree(folder, ignore_errors=True)
        return 0.9

    return deleting


def exits_later(context: mfbo.Context) -> object:
    """From a thread, which may do so in the midst of another trial."""
    threading.Timer(0.2, os._exit, (0,)).start()
    return 0.9


def digs(context: mfbo.Context) -> object:
    """More folders within one another than Python goes down in one go: in its temporary folder, and in a checkpoint."""
    for home in (Path(tempfile.mkdtemp()), None):
        with context.save(1) if home is None else nullcontext(home) as folder:
            os.chdir(folder)
            for _ in range(1100):
                os.mkdir("down")  # noqa: PTH102
                os.chdir("down")
    return 0.9


class Endless:
    """Never tells what it is."""

    def __str__(self) -> str:
        """For ever."""
        spins(mfbo.Context())
        return ""

    def __float__(self) -> float:
        """For ever."""
        return float(len(str(self)))


def leaves_threads(context: mfbo.Context) -> object:
    """Two hundred, that wait."""
    for _ in range(200):
        threading.Thread(target=time.sleep, args=(600,)).start()
    return 0.9


def shares_memory(context: mfbo.Context) -> object:
    """And does not give it back."""
    name = f"{os.environ.get(MARK, 'faults')[:12]}{uuid4().hex[:12]}"
    _kept.append(SharedMemory(name, create=True, size=10**6))
    return 0.9


def leaks_files(context: mfbo.Context) -> object:
    """As many as there may be."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        while True:
            _kept.append(open(os.devnull))  # noqa: PTH123, SIM115
    except OSError:
        return 0.9


def keeps_memory(context: mfbo.Context) -> object:
    """A third of what the next trial may have."""
    _kept.append(b"x" * 17 * 10**7)
    return 0.9


def sets_numpy(context: mfbo.Context) -> object:
    """To raise where a number is small."""
    np.seterr(all="raise")
    np.random.seed(0)
    return 0.9


FAULTS = {
    "NaN loss": Fault(lambda context: float("nan"), "diverged"),
    "infinite report": Fault(lambda context: context.report(float("inf")), "diverged"),
    "exception": Fault(_raises(RuntimeError, "no such luck"), "failed"),
    "returns a string": Fault(lambda context: "0.5", "invalid"),
    "returns None": Fault(lambda context: None, "invalid"),
    "unpicklable result": Fault(lambda context: lambda: 0.5, "invalid"),
    "NaN cost": Fault(lambda context: mfbo.Measurement(0.5, {}, float("nan")), "invalid"),
    "100,000 metrics": Fault(measures_much, "invalid"),
    "MemoryError": Fault(_raises(MemoryError, "all gone"), "memory"),
    "sys.exit": Fault(_raises(SystemExit, 3), "exited"),
    "KeyboardInterrupt": Fault(_raises(KeyboardInterrupt), "failed"),
    "GeneratorExit": Fault(_raises(GeneratorExit), "failed"),
    "error of 20 MB": Fault(_raises(ValueError, "x" * 20_000_000), "failed"),
    "segmentation fault": Fault(lambda context: ctypes.string_at(0), "crashed", True),
    "SIGKILL": Fault(lambda context: os.kill(os.getpid(), signal.SIGKILL), "killed", True),
    "kills its group": Fault(lambda context: os.killpg(0, signal.SIGKILL), "killed", True),
    "kills its parent": Fault(lambda context: os.kill(os.getppid(), signal.SIGKILL), "killed", True),
    "stops its parent": Fault(stops_its_parent, "killed", True),
    "exit code 0": Fault(lambda context: os._exit(0), "exited", True),
    "exit(0) of a library": Fault(lambda context: ctypes.CDLL(None).exit(0), "exited", True),
    "exec": Fault(becomes, "killed", True),
    "exits later": Fault(exits_later, "ok exited", True),
    "prints": Fault(prints, "ok"),
    "chdir": Fault(wanders, "ok"),
    "leaves children": Fault(leaves_children, "ok"),
    "daemon": Fault(daemonises, "ok"),
    "40 processes": Fault(bombs, "ok"),
    "a thread": Fault(leaves_a_thread, "ok"),
    "SIGSTOP": Fault(is_stopped, "ok", True),
    "starts processes": Fault(starts_processes, "ok"),
    "closes 1 and 2": Fault(closes, "ok"),
    "closes all": Fault(closes_all, "exited killed", True),
    "limits, signals": Fault(lowers_limits, "ok", True),
    "hang": Fault(spins, "timeout"),
    "hang, holds the GIL": Fault(holds_the_gil, "timeout", True),
    "ignores stops": Fault(ignores_stops, "timeout", True),
    "reports for ever": Fault(reports_for_ever, "timeout"),
    "memory above limit": Fault(hoards, "memory", True),
    "exit with a text": Fault(_raises(SystemExit, "it is over"), "exited"),
    "error without end": Fault(_raises(RuntimeError, Endless()), "failed timeout"),
    "loss without end": Fault(lambda context: Endless(), "timeout"),
    "array as loss": Fault(lambda context: np.ones(2), "invalid"),
    "complex loss": Fault(lambda context: 1j, "invalid"),
    "report of a text": Fault(lambda context: context.report("low"), "failed"),  # type: ignore[arg-type]
    "report of no epoch": Fault(lambda context: context.report(0.9, epoch=-(10**400)), "failed"),
    "report of 10^400 epochs": Fault(lambda context: context.report(0.9, epoch=10**400), "failed"),
    "reads stdin": Fault(lambda context: sys.stdin.readline(), "invalid timeout"),
    "recursion": Fault(recurses, "failed"),
    "recursion limit": Fault(leaves_no_depth, "ok failed"),
    "forks and returns": Fault(forks_and_returns, "ok"),
    "covers 0, 1, 2": Fault(covers, "ok"),
    "closes streams": Fault(closes_streams, "ok"),
    "stops the clocks": Fault(stops_the_clocks, "ok"),
    "signal handlers": Fault(sets_handlers, "ok"),
    "clears": Fault(clears, "ok"),
    "breaks builtins": Fault(breaks_builtins, "ok"),
    "numpy raises": Fault(sets_numpy, "ok"),
    "deletes TMPDIR": Fault(deletes(), "ok"),
    "deletes folders": Fault(deletes("logs", "checkpoints"), "ok"),
    "200 threads": Fault(leaves_threads, "ok"),
    "shared memory": Fault(shares_memory, "ok"),
    "leaks files": Fault(leaks_files, "ok", True),
    "keeps memory": Fault(keeps_memory, "ok", True),
    "1,100 levels of folders": Fault(digs, "failed"),
    "full disk": Fault(fills_the_disk, "pause"),
    "import fails": Fault(arms, "killed", True),
    "import is killed": Fault(arms, "killed", True),
    "import exits": Fault(arms, "killed", True),
    "import hangs": Fault(arms, "killed", True),
}  # fmt: skip
AT_IMPORT = {  # what an armed import does
    "import fails": lambda: _raises(ImportError, "it is gone")(mfbo.Context()),
    "import is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "import exits": lambda: os._exit(0),
    "import hangs": lambda: spins(mfbo.Context()),
}


def train(config: Config, fidelity: Rung, context: mfbo.Context) -> object:
    """Come to harm, or be finished."""
    x, log = float(config["x"]), Path(context.options["log"])
    with log.open("a") as file:
        file.write(f"began {x!r} {time.monotonic()!r}\n")
    kind = context.options["fault"]
    if x >= FAULTY and kind in FAULTS:
        return FAULTS[kind].do(context)
    with tempfile.TemporaryFile() as file, np.errstate():  # what a trial can count on
        file.write(json.dumps({"x": np.exp(-1e4 * x)}).encode())
    with context.save(1) as folder:
        (folder / "kept").touch()
    if kind not in FAULTS:  # something is done to the run itself, which is to take its time
        time.sleep(0.2)
    context.report(x)
    with log.open("a") as file:
        file.write(f"finished {x!r}\n")
    return x


if ARMED.exists():
    AT_IMPORT[ARMED.with_name("kind").read_text()]()  # type: ignore[no-untyped-call]
if ARMED.with_name("kind").exists():  # so that no worker can be forked, and each has to import this file
    threading.Thread(target=time.sleep, args=(10**6,), daemon=True).start()
task = mfbo.Task("faulty", ConfigurationSpace({"x": (0.0, 1.0)}), train)  # type: ignore[arg-type]
