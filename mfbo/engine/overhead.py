"""What the run itself takes between trials: asking the optimizer, telling it, writing the ledger, the display."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mfbo.executors.system import StandStill


class Overhead:
    """Counts seconds by the clock while the run does what is no trial's; not those in which its process was stopped.

    Attributes:
        counts: whether it does; a run on a virtual clock has no overhead.
    """

    def __init__(self, *, counts: bool) -> None:
        self.counts = counts
        self._seconds = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """So many since it was charged last."""
        if not self.counts:
            return 0.0
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)

    def charged(self) -> float:
        """As `seconds`, which begin anew."""
        seconds, self._seconds = self.seconds, 0.0
        if self._since is not None:
            self._since = time.monotonic()
        return seconds

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While the block runs."""
        if not self.counts:
            yield
            return
        still = StandStill("*")
        still.before()
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._pause()
            self._seconds = max(0.0, self._seconds - still.after(0.0))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within such a block: what is charged otherwise."""
        counted = self._since is not None
        self._pause()
        try:
            yield
        finally:
            if counted:
                self._since = time.monotonic()

    def _pause(self) -> None:
        if self._since is not None:
            self._seconds += time.monotonic() - self._since
            self._since = None
