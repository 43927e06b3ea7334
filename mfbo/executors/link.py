"""The run's end of a keeper: starts it, sends and hears, and knows when it is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from mfbo.executors.forking import LOG, Start
from mfbo.executors.system import is_stopped

MARK = "MFBO_WORKER"  # variable by which the processes of a worker are known
CLOSING = 10.0  # seconds for a keeper to end its processes
CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from mfbo.executors import keeper; keeper.main(int(sys.argv[2]))"
)


def await_any(links: Sequence[Link], timeout: float) -> None:
    """Wait until one of the keepers says something or is gone, or for so many seconds."""
    try:
        wait([link._link for link in links], timeout)
    except (OSError, ValueError):  # one was closed by another thread just now
        time.sleep(0.001)


class Link:
    """A keeper of its own for one worker.

    Args:
        start: what the worker lives in.
        environment: variables of its process.
        directory: for it to work in; None for that of this process.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, start: Start, environment: Mapping[str, str], directory: Path | None) -> None:
        ours, theirs = socket.socketpair()
        paths = [path or str(Path.cwd()) for path in sys.path]
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        self._mark = start.folder.name
        with (start.folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, *flags, "-c", CODE, json.dumps(paths), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **environment, MARK: self._mark},
                cwd=directory if directory is not None and directory.is_dir() else None,
            )
        theirs.close()
        self._link: Connection[Any, Any] = Connection(ours.detach())
        self.send(start)

    def send(self, message: object) -> None:
        """To the keeper; one that is gone does not hear it."""
        with suppress(OSError):
            self._link.send(message)

    @property
    def stopped(self) -> bool:
        """Whether the keeper stands still, as a trial can bring about, and does nothing that it is told."""
        return is_stopped(self._process.pid)

    def messages(self, timeout: float = 0.0) -> list[tuple[Any, ...]]:
        """What the keeper has said; waits up to `timeout` seconds for the first.

        Raises:
            EOFError: it is gone.
        """
        found: list[tuple[Any, ...]] = []
        try:
            while self._link.poll(0.0 if found else timeout):
                found.append(self._link.recv())
        except (EOFError, OSError) as error:
            if not found:
                raise EOFError from error
        return found

    def close(self, *, force: bool = False) -> None:
        """End the keeper, and with it all that it keeps.

        Args:
            force: do not wait for it; what it kept is looked for by its mark.
        """
        with suppress(OSError):
            self._link.close()
        if force:
            self._process.kill()
        try:
            self._process.wait(CLOSING)
        except subprocess.TimeoutExpired:
            force = True
            self._process.kill()
            self._process.wait()
        if force:
            _kill_marked(self._mark)


def _kill_marked(mark: str) -> None:
    """Kill what a keeper has left behind that was itself killed: its processes have its mark in their environment."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                process.send_signal(signal.SIGKILL)
