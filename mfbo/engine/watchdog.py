"""What the loop looks at beside its trials: limits that an executor does not hold, and code that somebody edits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mfbo.tasks.registry import own_file, user_file
from mfbo.tasks.source_file import kept_text

if TYPE_CHECKING:
    from mfbo.executors import Allowance, Executor
    from mfbo.ledger.run import Run

MAX_DELAY = 30.0  # seconds beyond a limit in which an executor should have ended its trials
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


def no_worker(run: Run, error: str | None) -> str:
    """What to say where trials do not begin; `error` is that of the last one."""
    reason = (error or "no reason given").strip().splitlines()[-1]
    return f"several trials in a row could not begin: {reason}; mend that, then {_again(run)}"


def _again(run: Run) -> str:
    return "start it again" if run.folder is None else f"continue with: mfbo resume {run.folder}"
