"""What the loop looks at beside its trials: limits that an executor does not hold, and code that somebody edits."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.executors.evaluate import DISK_ERRORS
from mfbo.tasks.registry import own_file, user_file
from mfbo.tasks.source_file import kept_text

if TYPE_CHECKING:
    from mfbo.executors import Allowance, Executor
    from mfbo.ledger.run import Run

MAX_DELAY = 30.0  # seconds beyond a limit in which an executor should have ended its trials
FOLDER_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)  # of a folder that became read-only, or worse
LOOK_INTERVAL = 1.0  # seconds between looks at the user's file


class Watchdog:
    """Says when trials go on although a limit was reached long ago, whatever the executor says of them."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self._since: float | None = None

    def submitted(self, trial: int) -> None:
        """Trial number `trial` is on its way."""
        self._began[trial] = time.monotonic()

    def ended(self, trial: int) -> None:
        """It is over."""
        self._began.pop(trial, None)
        self._since = None

    def bites(self, executor: Executor, allowance: Allowance) -> bool:
        """Whether the trials in flight must be given up; `allowance` is what they may still use."""
        now = time.monotonic()
        used = sum(now - began for began in self._began.values()) - executor.paused
        if used < allowance.cost and allowance.wall > 0:
            self._since = None
            return False
        self._since = self._since or now
        return now - self._since > MAX_DELAY


class Edits:
    """Notices that the user's own file is edited during the run.

    Args:
        source: name of the task.
    """

    def __init__(self, source: str) -> None:
        self._file = own_file(source)
        self._imported = user_file(source) is not None
        self._looked = time.monotonic()
        self._stamp = 0.0
        self._text = kept_text(self._file) if self._imported and self._file is not None else self._read()

    def notice(self) -> str | None:
        """What is to be said, once."""
        if self._file is None or time.monotonic() < self._looked + LOOK_INTERVAL:
            return None
        self._looked = time.monotonic()
        stamp, before = self._now(), self._stamp
        self._stamp = stamp
        if stamp == before or (text := self._read()) == self._text:
            return None
        self._text = text
        what = "the run continues with what it began with" if self._imported else "trials that start from now on run it"
        return f"{str(self._file)!r} was edited: {what}; for a run of its own, start a new one"

    def _now(self) -> float:
        try:
            return self._file.stat().st_mtime if self._file is not None else 0.0
        except OSError:
            return 0.0

    def _read(self) -> bytes:
        try:
            return self._file.read_bytes() if self._file is not None else b""
        except OSError:
            return b""


def full_disk(run: Run) -> str:
    """What to say where there is no room left on the disk."""
    return f"the disk is full: make room, then {_again(run)}"


def read_only(run: Run) -> str:
    """What to say where the run's folder cannot be written any more."""
    return f"cannot write to the folder of the run, {str(run.folder)!r}: make it writable, then {_again(run)}"


PAUSES = {"disk": full_disk, "folder": read_only}  # obstacles of a trial, or of the run, and what to say


def obstacle_of(error: OSError, run: Run) -> str:
    """Which obstacle an error of the run's own is; empty where it is another one."""
    if error.errno in DISK_ERRORS:
        return "disk"
    if run.folder is None:
        return ""
    if not isinstance(error.filename, str | bytes):  # the ledger, which is open, has no name
        return "folder" if error.errno in (errno.EROFS, errno.EIO) else ""
    within = Path(os.fsdecode(error.filename)).absolute().is_relative_to(run.folder.absolute())
    return "folder" if within and error.errno in FOLDER_ERRORS else ""


def no_worker(run: Run, error: str | None) -> str:
    """What to say where trials do not begin; `error` is that of the last one."""
    reason = (error or "no reason given").strip().splitlines()[-1]
    return f"several trials in a row could not begin: {reason}; mend that, then {_again(run)}"


def _again(run: Run) -> str:
    return "start it again" if run.folder is None else f"continue with: mfbo resume {run.folder}"
