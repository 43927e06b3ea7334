"""How a worker comes to be: where that is safe, forked from a process that has imported the task, and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from mfbo.adapters.process import die_with_parent
from mfbo.executors.shared import Shared

LOG = "start.txt"  # in the worker's folder: what the task's import prints
NUMBER = struct.Struct("q")  # a process number on its way to the keeper
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # reach all processes of a terminal or a job; the run decides


@dataclass(frozen=True)
class Start:
    """What a worker lives in.

    Attributes:
        task: see `mfbo.executors.worker.packed`.
        folder: for its files; it goes with the keeper.
        argv: command line of the run, as trials see it.
        run: number of the run's process.
        options: of the task, to prepare it with; None not to prepare it.
        leftovers: folders that go if the run dies before it could delete them.
    """

    task: bytes
    folder: Path
    argv: tuple[str, ...]
    run: int
    options: Mapping[str, str] | None
    leftovers: tuple[Path, ...] = ()


def become(link: Connection[Any, Any], control: socket.socket | None, start: Start, shared: Shared) -> NoReturn:
    """In a new child of the keeper: import the task; then fork workers on demand, or be one.

    Args:
        link: to the keeper.
        control: over which it asks for workers; None where this is to be one.
        start: what the worker lives in.
        shared: memory in common with the keeper.
    """
    from mfbo.executors.worker import Worker, unpacked  # heavy

    keeper = os.getppid()
    die_with_parent(keeper)
    os.setpgid(0, 0)  # a trial that kills its process group, as scripts do, kills no more than itself
    _outlive_signals()
    sys.argv[:] = start.argv
    with (start.folder / LOG).open("ab") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    with suppress(BaseException):  # it will fail in the first trial as well, and be told
        unpacked(start.task, start.folder)
    if control is None or not _forkable():
        link.send(("alone",))
        Worker(link, start, shared).serve()
    link.send(("template",))
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            os._exit(0)
        born = _fork_for(keeper)
        if born == 0:
            control.close()
            link.close()
            os.set_inheritable(descriptors[0], False)  # no program that a trial becomes or starts holds it open
            Worker(Connection(descriptors[0]), start, shared).serve()
        os.close(descriptors[0])
        control.sendall(NUMBER.pack(born))


def _fork_for(keeper: int) -> int:
    """Fork a process whose parent is the keeper, which adopts orphans; its number, or 0 in that process."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which `_forkable` has looked at
        middle = os.fork()
        if middle == 0:
            born = os.fork()
            if born:
                os.write(write, NUMBER.pack(born))
                os._exit(0)
            os.setpgid(0, 0)
            _pass_signals()
            while os.getppid() != keeper:
                time.sleep(0.0005)
            die_with_parent(keeper)
            os.close(read)
            os.close(write)
            return 0
    os.close(write)
    os.waitpid(middle, 0)
    told = os.read(read, NUMBER.size)
    os.close(read)
    return int(NUMBER.unpack(told)[0])


def _forkable() -> bool:
    """Whether this process has no threads but those of OpenBLAS, which takes care of them at a fork."""
    if threading.active_count() > 1:
        return False
    lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    libraries = {line.rpartition(" ")[2] for line in lines if "openblas" in line}
    each = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    threads = int(each) if each.isdecimal() else os.cpu_count() or 1
    return len(os.listdir("/proc/self/task")) <= 1 + len(libraries) * (threads - 1)  # noqa: PTH208


def _outlive_signals() -> None:
    """Let signals to all processes of a job pass, in this process; its children meet them as usual."""
    _pass_signals()
    os.register_at_fork(after_in_child=_usual_signals)


def _pass_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, _pass)


def _pass(number: int, frame: object) -> None:
    """Nothing; unlike an ignored signal, this is not handed down to programs that are started."""


def _usual_signals() -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is _pass:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
