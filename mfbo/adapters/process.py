"""A command in a process group of its own: its lines as they come, and its end at any moment."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO

from mfbo.errors import TrialFailed

POLL = 0.05  # seconds between looks at whether it must end
PATIENCE = 0.2  # seconds between asking it to end and killing it
LEFT = 1.0  # seconds that its output may stay open after its end, which a process that it has left behind would do
TAIL = 8  # lines of its output that are kept for an error
_running: set[Process] = set()
_starting = threading.Lock()


class Process:
    """Runs a command without a shell; on leaving the block, it and all that it has started are gone.

    Args:
        words: program and arguments.

    Raises:
        TrialFailed: the program cannot be started.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.errors: deque[str] = deque(maxlen=TAIL)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        try:
            with _starting:
                self._process = _started(words)
                _running.add(self)
        except OSError as error:
            raise TrialFailed(f"cannot run {words[0]!r}: {error.strerror}") from error
        for target in (self._read_lines, self._read_errors):
            threading.Thread(target=target, daemon=True).start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        _running.discard(self)

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
        """Its exit code, once it has ended; negative for a signal."""
        while (code := self._process.poll()) is None:
            poll()
            time.sleep(POLL)
        return code

    def kill(self) -> None:
        """End it and its whole group: in order where it can, by force where it does not."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        self._signal(signal.SIGKILL)  # what it has left behind, too
        self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the second of a group that is gone
            os.killpg(self._process.pid, number)

    def _read_lines(self) -> None:
        for line in _texts(self._process.stdout):
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        self.errors.extend(_texts(self._process.stderr))


def kill_all() -> None:
    """For the end of this process: all that are running are gone, and no other will start."""
    _starting.acquire()  # for good
    for process in tuple(_running):
        process.kill()


def _started(words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        list(words),  # as the user typed them
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},  # else a Python script's lines come when it ends
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches all of a terminal's group; the run decides
    )


def _texts(stream: IO[str] | None) -> Iterator[str]:
    """Its lines that are not empty; a carriage return, which progress bars use, ends a line as well."""
    assert stream is not None
    with suppress(ValueError, OSError), stream:
        for line in stream:
            if text := line.rstrip():
                yield text
