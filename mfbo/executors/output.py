"""Where a trial's output goes: to a file of its own, never to the run's standard output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
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
    before = {number: os.dup(number) for number in descriptors}
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


class Log(io.TextIOBase):
    """Takes the place of `sys.stdout` in a trial that runs in the process of the run; its file is made when needed."""

    def __init__(self, folder: Path | None, trial: int) -> None:
        self._folder, self._trial = folder, trial
        self._target: int | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Into the log."""
        if self._target is None:
            self._target = _opened(self._folder, self._trial)
        os.write(self._target, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._target is not None:
            os.close(self._target)
            self._target = None
        super().close()


@contextmanager
def hushed(folder: Path | None, trial: int, *, whole: bool) -> Iterator[None]:
    """Send what a trial prints in this very process into its log.

    Args:
        folder: as for `into`.
        trial: its number.
        whole: also what libraries and other processes write to standard output, past Python.
    """
    log = Log(folder, trial)
    try:
        with ExitStack() as stack:
            if whole:
                stack.enter_context(into(folder, trial, descriptors=(1,)))
            stack.enter_context(redirect_stdout(log))
            stack.enter_context(redirect_stderr(log))
            yield
    finally:
        log.close()


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
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    return next((line for line in reversed(lines) if line), "")
