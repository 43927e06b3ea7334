"""Where a trial's output goes: to a file of its own, never to the run's standard output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

MAX_LOG_BYTES = 10 * 2**20  # of a trial's output; what comes first goes first
TAIL_BYTES = 2000  # of a log, to find its last line in


def log_of(folder: Path, trial: int) -> Path:
    """The file with what trial number `trial` has printed."""
    return folder / f"{trial}.txt"


@contextmanager
def into(folder: Path | None, trial: int, *, descriptors: tuple[int, ...] = (1, 2)) -> Iterator[None]:
    """Send what this process and those that it starts print into the log of `trial`, while the block runs.

    Args:
        folder: of the logs; None to drop what is printed.
        trial: its number.
        descriptors: that are sent there: of standard output and standard error.
    """
    target = _opened(folder, trial)
    before = {number: os.dup(number) for number in (1, 2) if _is_open(number)}  # a trial may close either
    _flush()
    for number in descriptors:
        os.dup2(target, number)
    try:
        yield
    finally:
        _flush()
        for number, kept in before.items():
            os.dup2(kept, number)
            os.close(kept)
        os.close(target)
        _reopen()


def _reopen() -> None:
    """Standard output and standard error of Python, where a trial has closed them."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        closed = getattr(sys, f"__{name}__")
        if closed is None or not closed.closed:
            continue
        stream = os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
        for where in (f"__{name}__", name):
            if getattr(sys, where) is closed:
                setattr(sys, where, stream)


class Log(io.TextIOBase):
    """Takes the place of `sys.stdout` in a trial that runs in the process of the run; its file is made when needed.

    Args:
        folder: as for `into`.
        trial: its number.
        said: is told each line, as far as it is printed.
        outside: is given what `said` itself prints.
    """

    def __init__(
        self, folder: Path | None, trial: int, said: Callable[[str], None], outside: Callable[[str], object]
    ) -> None:
        self._folder, self._trial, self._outside = folder, trial, outside
        self._target: int | None = None
        self._said, self._line, self._last, self._saying = said, "", "", False

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Into the log."""
        if self._saying:
            self._outside(text)
            return len(text)
        os.write(self.fileno(), text.encode("utf-8", "backslashreplace"))
        self._say(text)
        return len(text)

    def fileno(self) -> int:
        """Of the log, for programs that a trial starts, and libraries that write past Python."""
        if self._target is None:
            self._target = _opened(self._folder, self._trial)
        return self._target

    def _say(self, text: str) -> None:
        """Tell the last line."""
        lines = _lines(self._line + text)
        self._line = lines[-1][-TAIL_BYTES:]
        last = _last_of(lines)
        if last and (last != self._last or text.strip()):
            self._saying, self._last = True, last
            try:
                self._said(last)
            finally:
                self._saying = False

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._target is not None:
            os.close(self._target)
            self._target = None
        super().close()


@contextmanager
def hushed(folder: Path | None, trial: int, *, whole: bool, said: Callable[[str], None]) -> Iterator[None]:
    """Send what a trial prints in this very process into its log.

    Args:
        folder: as for `into`.
        trial: its number.
        whole: also what libraries and other processes write to standard output, past Python.
        said: is told the last line of what it prints, as it prints it.
    """
    with ExitStack() as stack:
        log = stack.enter_context(closing(Log(folder, trial, said, stack.enter_context(_outside()))))
        if whole:
            stack.enter_context(into(folder, trial, descriptors=(1,)))
        stack.enter_context(redirect_stdout(log))
        stack.enter_context(redirect_stderr(log))
        yield


@contextmanager
def _outside() -> Iterator[Callable[[str], object]]:
    """Writes to standard output as it is now, also while its descriptor leads to a log."""
    stream = sys.stdout
    if type(stream) is not io.TextIOWrapper or stream.fileno() != 1:  # a display's, a notebook's, or a test's
        yield stream.write
        return
    kept = os.dup(1)
    try:
        yield lambda text: _write(kept, text.encode("utf-8", "backslashreplace"))
    finally:
        os.close(kept)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


@contextmanager
def apart() -> Iterator[Callable[[str], object]]:
    """Send to standard error what this process prints; only what is given to the function goes to standard output."""
    if sys.stdout is None or sys.stdout.closed:
        yield lambda text: None
        return
    with _outside() as write, on_stderr():
        yield write


@contextmanager
def on_stderr() -> Iterator[None]:
    """Send what is printed to standard output to standard error, of this process and of those that it starts."""
    _flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def _opened(folder: Path | None, trial: int) -> int:
    with suppress(OSError):  # a disk that is full will be met by what matters
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            if not folder.is_symlink():
                return os.open(log_of(folder, trial), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    return os.open(os.devnull, os.O_WRONLY)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, replaced or full
            stream.flush()


def last_line(folder: Path | None, trial: int) -> str:
    """What `trial` has printed last; keeps its log small. Empty where there is nothing."""
    if folder is None:
        return ""
    path = log_of(folder, trial)
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode("utf-8", "replace")
            if size > MAX_LOG_BYTES:
                os.ftruncate(file.fileno(), 0)
    except OSError:
        return ""
    return _last_of(_lines(text))


def _last_of(lines: list[str]) -> str:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _lines(text: str) -> list[str]:
    """Those of a terminal, on which a progress bar begins its line anew."""
    return text.replace("\r", "\n").split("\n")
