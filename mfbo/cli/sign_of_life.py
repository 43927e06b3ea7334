"""A sign of life: no command is silent for more than two seconds, whatever it is doing.

On a terminal it is one line that is updated in place and erased before anything else is written; in a pipe it is a line
that grows by a dot, and a new one only every `LINE` seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from mfbo.ledger.observer import Observer

if TYPE_CHECKING:
    from mfbo.ledger.run import Run

FIRST_AFTER = 0.2  # seconds to the first sign, where a command has written nothing; Python has taken as long by then
SILENCE = 1.8  # seconds without output, to the next sign
LINE = 30.0  # seconds, in a pipe, from one line to the next
REDRAW = 0.2  # seconds between updates of the line on a terminal
ERASE, NEW_LINE = "\r\x1b[2K", "\n"


class _Stream:
    """Passes everything on to a stream, and tells before it writes."""

    def __init__(self, stream: TextIO, before_write: Callable[[], None]) -> None:
        self._stream, self._before_write = stream, before_write

    def write(self, text: str) -> int:
        """Write, as the stream does."""
        self._before_write()
        return self._stream.write(text)

    def __getattribute__(self, name: str) -> Any:
        if name in ("write", "_stream", "_before_write"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_stream"), name)


class SignOfLife(Observer):
    """While it is entered, writes to standard error what a command is doing whenever it has been silent.

    As an observer it is told by a run what that does before its first trial.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._what, self._at_most = "loading", 0.0
        self._began = self._last = clock()
        self._gap, self._drawn = FIRST_AFTER, False
        self._line, self._line_began = "", 0.0  # what the line in a pipe is about, and since when
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SignOfLife:
        self._streams = sys.stdout, sys.stderr
        self._terminal = sys.stderr.isatty()
        sys.stdout, sys.stderr = (_Stream(stream, self._wrote) for stream in self._streams)
        self._thread = threading.Thread(target=self._watch, name="sign of life", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        with self._lock:
            self._erase()
            sys.stdout, sys.stderr = self._streams

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """From now on the command does this; the next sign says so."""
        with self._lock:
            self._what, self._at_most, self._began = what, at_most or 0.0, self._clock()
            self._gap = min(self._gap, SILENCE)

    def on_start(self, run: Run) -> None:
        """What came before the first trial is over."""
        self.on_stage("running trials")

    def _wrote(self) -> None:
        """The command is about to write something itself."""
        with self._lock:
            self._erase()
            self._last, self._gap = self._clock(), SILENCE

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            with self._lock:
                if not self._end.is_set() and self._clock() >= self._last + self._gap:
                    self._sign()

    def _sign(self) -> None:
        now = self._clock()
        words = f"{self._what}: {now - self._began:.0f}s"
        if self._at_most:
            words += f", at most {self._at_most:.0f}s of them training"
        if self._terminal:
            self._write(f"{ERASE}{words}")
        elif self._line == self._what and now < self._line_began + LINE:
            self._write(".")
        else:
            self._write(f"{NEW_LINE if self._drawn else ''}{words} ")
            self._line, self._line_began = self._what, now
        self._drawn, self._last, self._gap = True, now, REDRAW if self._terminal else SILENCE

    def _erase(self) -> None:
        if self._drawn:
            self._drawn, self._line = False, ""
            self._write(ERASE if self._terminal else NEW_LINE)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody may be there to read it
            self._streams[1].write(text)
            self._streams[1].flush()
