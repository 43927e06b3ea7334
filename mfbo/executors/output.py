"""Where a trial's output goes: to a file of its own, never to the run's standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def _opened(folder: Path | None, trial: int) -> int:
    with suppress(OSError):  # a disk that is full will be met by what matters
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            return os.open(log_of(folder, trial), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
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
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode("utf-8", "replace")
        if size > MAX_LOG_BYTES:
            os.truncate(path, 0)
    except OSError:
        return ""
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    return next((line for line in reversed(lines) if line), "")
