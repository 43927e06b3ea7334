"""What trials of the fault matrix do: a task file, which comes to harm for configurations from `FAULTY` on.

Option ``fault`` names the kind, ``log`` the file in which a trial writes down when it begins and that it is finished.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.trial import Config, Rung

FAULTY = 0.5  # from this value on
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
    """Three seconds of SIGSTOP, which is more than a trial may take."""
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
    "exit code 0": Fault(lambda context: os._exit(0), "exited", True),
    "exit(0) of a library": Fault(lambda context: ctypes.CDLL(None).exit(0), "exited", True),
    "exec": Fault(becomes, "exited killed timeout", True),
    "prints": Fault(prints, "ok"),
    "chdir": Fault(wanders, "ok"),
    "leaves children": Fault(leaves_children, "ok"),
    "daemon": Fault(daemonises, "ok"),
    "40 processes": Fault(bombs, "ok"),
    "a thread": Fault(leaves_a_thread, "ok"),
    "SIGSTOP": Fault(is_stopped, "ok", True),
    "starts processes": Fault(starts_processes, "ok timeout"),
    "closes 1 and 2": Fault(closes, "ok"),
    "closes all": Fault(closes_all, "exited", True),
    "limits, signals": Fault(lowers_limits, "ok", True),
    "hang": Fault(spins, "timeout"),
    "hang, holds the GIL": Fault(holds_the_gil, "timeout", True),
    "ignores stops": Fault(ignores_stops, "timeout", True),
    "reports for ever": Fault(reports_for_ever, "timeout"),
    "memory above limit": Fault(hoards, "memory", True),
    "full disk": Fault(fills_the_disk, "pause"),
    "import fails": Fault(arms, "killed", True),
    "import is killed": Fault(arms, "killed", True),
    "import exits": Fault(arms, "killed", True),
}  # fmt: skip
AT_IMPORT = {  # what an armed import does
    "import fails": lambda: _raises(ImportError, "it is gone")(mfbo.Context()),
    "import is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "import exits": lambda: os._exit(0),
}


def train(config: Config, fidelity: Rung, context: mfbo.Context) -> object:
    """Come to harm, or be finished."""
    x, log = float(config["x"]), Path(context.options["log"])
    with log.open("a") as file:
        file.write(f"began {x!r} {time.monotonic()!r}\n")
    kind = context.options["fault"]
    if x >= FAULTY and kind in FAULTS:
        return FAULTS[kind].do(context)
    if kind not in FAULTS:  # something is done to the run itself, which is to take its time
        time.sleep(0.2)
    context.report(x)
    with log.open("a") as file:
        file.write(f"finished {x!r}\n")
    return x


if ARMED.exists():
    AT_IMPORT[ARMED.with_name("kind").read_text()]()
if ARMED.with_name("kind").exists():  # so that no worker can be forked, and each has to import this file
    threading.Thread(target=time.sleep, args=(10**6,), daemon=True).start()
task = mfbo.Task("faulty", ConfigurationSpace({"x": (0.0, 1.0)}), train)  # type: ignore[arg-type]
