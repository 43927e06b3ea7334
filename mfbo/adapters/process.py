"""A command in a process group of its own: its lines as they come, and its end at any moment."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import IO

from mfbo.errors import TrialFailed

POLL = 0.05  # seconds between looks at whether it must end
TERM_PATIENCE = 0.2  # seconds between asking it to end and killing it
LEFT = 1.0  # seconds that its output may stay open after its end, which a process that it has left behind would do
TAIL = 8  # lines of its output that are kept for an error
MAX_LINE = 2**16  # characters; a longer line is taken in parts, so that none fills the memory
MAX_WAITING = 200  # lines that are read ahead; a command that prints faster than they are looked at waits
LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1  # from linux/prctl.h
_library = ctypes.CDLL(None)


class Process:
    """Runs a command without a shell; on leaving the block, it and all that it has started are gone.

    Args:
        words: program and arguments.

    Raises:
        TrialFailed: the program cannot be started.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.errors: deque[str] = deque(maxlen=TAIL)
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._left = threading.Event()
        try:
            self._process = _started(words)
        except OSError as error:
            raise TrialFailed(f"cannot run {words[0]!r}: {error.strerror}") from error
        self._errors_reader = threading.Thread(target=self._read_errors, daemon=True)
        for reader in (threading.Thread(target=self._read_lines, daemon=True), self._errors_reader):
            reader.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        self._left.set()

    def lines(self, poll: Callable[[], None]) -> Iterator[str]:
        """Its standard output, line by line; `poll` is called all the time, and may raise to end it."""
        polled = ended = 0.0
        while True:
            if time.monotonic() > polled + POLL:
                poll()
                polled = time.monotonic()
            try:
                line = self._lines.get(timeout=POLL)
            except queue.Empty:
                ended = ended or (time.monotonic() if self._process.poll() is not None else 0.0)
                if ended and time.monotonic() > ended + LEFT:
                    return
                continue
            if line is None:
                return
            yield line

    def wait(self, poll: Callable[[], None]) -> int:
        """Its exit code, once it has ended and `errors` has what it said; negative for a signal."""
        while (code := self._process.poll()) is None:
            poll()
            time.sleep(POLL)
        self._errors_reader.join(LEFT)
        return code

    def kill(self) -> None:
        """End it and its whole group: in order where it can, by force where it does not."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(TERM_PATIENCE)
        self._signal(signal.SIGKILL)  # what it has left behind, too
        self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the second of a group that is gone
            os.killpg(self._process.pid, number)

    def _read_lines(self) -> None:
        for line in chain(_texts(self._process.stdout), (None,)):
            while not self._left.is_set():
                with suppress(queue.Full):
                    self._lines.put(line, timeout=POLL)
                    break

    def _read_errors(self) -> None:
        self.errors.extend(_texts(self._process.stderr))


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent, process number `parent`, ends; on Linux only."""
    if LINUX:
        _library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before
            os.kill(os.getpid(), signal.SIGKILL)


def _started(words: Sequence[str]) -> subprocess.Popen[str]:
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603
        list(words),  # as the user typed them
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},  # else a Python script's lines come when it ends
        encoding="utf-8",
        errors="replace",
        preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - it calls the system only
        start_new_session=True,  # Ctrl-C reaches all of a terminal's group; the run decides
    )


def _texts(stream: IO[str] | None) -> Iterator[str]:
    """Its lines that are not empty; a carriage return, which progress bars use, ends a line as well."""
    assert stream is not None
    with suppress(ValueError, OSError), stream:
        while line := stream.readline(MAX_LINE):
            if text := line.rstrip():
                yield text
