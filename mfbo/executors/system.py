"""Process trees: that none outlives its end, and what of its time a process stood still. Fullest on Linux."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from mfbo.adapters.process import LINUX

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # from linux/prctl.h
TRACKER = "resource_tracker"  # in the command line of what clears up shared memory once all others are gone
TRACKER_PATIENCE = 1.0  # seconds that it has for that
GONE_PATIENCE = 5.0  # seconds for processes to be gone after SIGKILL
LOOK_AT_THREADS = 0.05  # seconds in which a thread that computes is told from one that waits
MAX_LEFT_FILES, MAX_LEFT_THREADS = 64, 64  # that a trial may leave open, and waiting, in a process that goes on
BEAT = 0.2  # seconds between looks at whether this process stood still
STILL = 0.25  # seconds; a process that came back so much later than it should have, and could have, was stopped
STILL_ELSEWHERE = 3.0  # the same where the system does not tell how long a process waited for a core


def adopt_orphans(adopt: int = 1) -> bool:
    """Whether descendants of this process whose parents end become its children from now on; on Linux only."""
    return LINUX and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, adopt, 0, 0, 0) == 0


def wake_without_parent() -> None:
    """Have this process go on when its parent ends, should it have been stopped: it has to clear up. On Linux only."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGCONT), 0, 0, 0)


def is_stopped(pid: int) -> bool:
    """Whether a process stands still because of a signal, and does nothing that it is told."""
    with suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


def children(parent: int | None = None) -> list[int]:
    """Numbers of the processes whose parent is that one, by default this one; also ended ones that nobody waited for.

    None where there is no such process. On Linux no other process is looked at: there may be very many.
    """
    with suppress(OSError):
        texts = [(task / "children").read_text() for task in Path(f"/proc/{parent or 'self'}/task").iterdir()]
        return [int(pid) for text in texts for pid in text.split()]
    with suppress(psutil.Error):
        return [process.pid for process in psutil.Process(parent).children()]
    return []


def kill_trees(spared: Collection[int] = (), roots: Iterable[int] = ()) -> None:
    """Kill the children of this process, and all below them, until there are none but `spared`.

    What cleans up shared memory after the others gets a moment to do so. Those that ended are waited for.

    Args:
        spared: children that live on, with all below them.
        roots: further processes that are to go.
    """
    began = time.monotonic()
    more = list(roots)
    while time.monotonic() < began + GONE_PATIENCE:
        reap(spared)
        strays = _strays(spared)
        alive = [process for pid in {*strays, *more} for process in _tree(pid)]
        if not (alive or strays):  # a stray that has ended by now may have left us children of its own
            return
        trackers = [process for process in alive if _is_tracker(process)]
        late = time.monotonic() > began + TRACKER_PATIENCE or not trackers
        for process in alive:
            if late or process not in trackers:
                with suppress(psutil.Error):
                    process.kill()
        time.sleep(0.002)


def _strays(spared: Collection[int]) -> set[int]:
    """Children but for `spared`; looked at twice, since the system may skip one where another one ends meanwhile."""
    return set(children()).difference(spared) or set(children()).difference(spared)


def reap(spared: Collection[int] = ()) -> None:
    """Wait for the children of this process that have ended, so that none is kept as a zombie."""
    for pid in children():
        if pid not in spared:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _tree(pid: int) -> list[psutil.Process]:
    """The process and all below it that have not ended."""
    numbers = [pid]
    for number in numbers:
        numbers += [below for below in children(number) if below not in numbers]
    return [process for number in numbers if (process := _running(number)) is not None]


def _running(pid: int) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    return None


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return any(TRACKER in word for word in process.cmdline())
    except psutil.Error:
        return False


def short_of(waited: float) -> float:
    """Seconds to sleep until the next look, after so many of waiting: a tenth of them, 1 to 10 ms."""
    return min(max(0.1 * waited, 0.001), 0.01)


class StandStill:
    """Notices that this thread was stopped while it slept: by SIGSTOP or Ctrl-Z, not because the machine was busy.

    Args:
        threads: whose computing may have kept it from waking up: its own, or ``*`` for all of the process.
    """

    def __init__(self, threads: str = "") -> None:
        self._threads = threads
        self._began = self._waited = 0.0

    def before(self) -> None:
        """It is about to sleep."""
        self._began, self._waited = time.monotonic(), _waited(self._threads)

    def after(self, slept: float) -> float:
        """Seconds that it stood still; 0 where it did not.

        Args:
            slept: seconds that it meant to sleep at most.
        """
        extra = time.monotonic() - self._began - slept
        if extra < STILL:
            return 0.0
        extra -= _waited(self._threads) - self._waited
        return extra if extra > (STILL if LINUX else STILL_ELSEWHERE) else 0.0


class Heartbeat:
    """Counts how long this process stood still, from a thread of its own, while the main thread runs trials."""

    def __init__(self) -> None:
        self.paused = 0.0
        self._closed = threading.Event()
        threading.Thread(target=self._beat, name="mfbo-heartbeat", daemon=True).start()

    def clock(self) -> float:
        """Seconds on a clock that stands still while this process does; a trial that sets `time`'s does not stop it."""
        return perf_counter() - self.paused

    def close(self) -> None:
        """No more."""
        self._closed.set()

    def _beat(self) -> None:
        still = StandStill("*")
        while not self._closed.is_set():
            still.before()
            self._closed.wait(BEAT)
            self.paused += still.after(BEAT)


def _waited(threads: str = "") -> float:
    """Seconds that this thread, or all of this process, have computed or waited for a core."""
    files = Path("/proc/self/task").glob("*/schedstat") if threads else [Path("/proc/thread-self/schedstat")]
    total = 0
    for file in files:
        with suppress(OSError, ValueError):
            ran, waited, _ = file.read_text().split()
            total += int(ran) + int(waited)
    return total / 1e9


class Condition:
    """What a trial can change in its process beyond its surroundings, as it is now, before the trial."""

    def __init__(self) -> None:
        self._limits, self._state, self._files = _limits(), _state(), _open_files()

    def restored(self) -> bool:
        """Whether all is as it was, so that the process can run another trial; its alarm is put out."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        lowered = any(now < before for before, now in zip(self._limits, _limits(), strict=True))
        leaked = _open_files() > self._files + MAX_LEFT_FILES
        return not (lowered or leaked) and _state() == self._state


def _limits() -> list[float]:
    """What the process may use, the soft limits; none is infinite."""
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    found = [resource.getrlimit(getattr(resource, name))[0] for name in names]
    return [math.inf if limit == resource.RLIM_INFINITY else limit for limit in found]


def _state() -> tuple[object, ...]:
    """Which signals are ignored, its own files, its priority. A handler, as libraries leave some, does no harm."""
    numbers = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    return ignored, [_file_at(number) for number in (0, 1, 2)], os.nice(0)


def _open_files() -> int:
    with suppress(OSError):
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    return 0


def _file_at(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def left_threads(spared: Collection[int | None] = ()) -> list[threading.Thread]:
    """Threads of Python that a trial has left in this process.

    Args:
        spared: `threading.Thread.native_id` of those that were there before.
    """
    own = threading.get_native_id()
    return [thread for thread in threading.enumerate() if thread.native_id not in (own, *spared)]


def busy_threads(left: Collection[threading.Thread]) -> bool:
    """Whether one of those that a trial has left goes on computing; idle ones, as libraries keep some, do no harm."""
    if not left:
        return False
    if len(left) > MAX_LEFT_THREADS:
        return True
    if not LINUX:
        return any(not thread.daemon for thread in left)
    before = [_computed(thread.native_id) for thread in left]
    time.sleep(LOOK_AT_THREADS)
    after = [_computed(thread.native_id) for thread in left]
    return any(then - now > 0.1 * LOOK_AT_THREADS for now, then in zip(before, after, strict=True))


def _computed(thread: int | None) -> float:
    """Seconds that a thread of this process has computed, or waited for a core to do so."""
    try:
        ran, waited, _ = Path(f"/proc/self/task/{thread}/schedstat").read_text().split()
        return (int(ran) + int(waited)) / 1e9
    except (OSError, ValueError):
        return 0.0


def end_children(spared: Collection[int] = ()) -> None:
    """Kill what a trial has started from this process, but for what serves Python itself in all of them.

    Args:
        spared: children that were there before.
    """
    if not _strays(spared):
        return
    pool = getattr(sys.modules.get("joblib.externals.loky.reusable_executor"), "_executor", None)
    if pool is not None:
        with suppress(Exception):
            pool.shutdown(wait=True, kill_workers=True)
    for process in active_children():
        if process.pid not in spared:
            process.kill()
            process.join(GONE_PATIENCE)
    server: Any = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    if (pid := getattr(server, "_forkserver_pid", None)) is not None:
        with suppress(Exception):
            os.kill(pid, signal.SIGKILL)
            server._stop()  # so that it is started again where it is needed again
    own = [psutil.Process(pid) for pid in children() if psutil.pid_exists(pid)]
    trackers = [process.pid for process in own if _is_tracker(process)]
    kill_trees(spared=[*spared, *trackers])
