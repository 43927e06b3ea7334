"""The display on a terminal: redrawn a few times a second, from counts that are updated with each result."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mfbo.display.forecast import lines
from mfbo.display.panel import Panel
from mfbo.display.progress import Progress
from mfbo.display.text import PATH, clean
from mfbo.ledger.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial

REFRESHES_PER_SECOND = 4


class LiveDisplay(Observer):
    """Shows the budget, the rungs, the incumbent and the last trials in place, during the run.

    Args:
        console: where to draw; standard error if not given, so that standard output stays clean.
        clock: seconds, for tests.
        refreshes: redraws a second; 0 to draw only at the end.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        refreshes: float = REFRESHES_PER_SECOND,
    ) -> None:
        self.console = console or Console(stderr=True)
        self._clock = clock
        self._refreshes = refreshes
        self._progress: Progress | None = None
        self._live: Live | None = None
        self._status: str | None = None
        self._lock = threading.RLock()  # the drawing thread reads what the run's thread writes

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """Print a line where it may take long."""
        if at_most:
            self.on_note(f"{what}, for at most {at_most:.0f}s")

    def on_plan(self, plan: Plan, price: str | None) -> None:
        """Print the plan above the display."""
        for line in lines(plan, price) if plan.unit == "s" else []:
            with suppress(OSError):
                self.console.print(Text(line))

    def on_start(self, run: Run) -> None:
        """Start to draw."""
        self._close()
        self._progress, self._status = Progress(run, self._clock), None
        self._live = Live(
            get_renderable=self.render,
            console=self.console,
            auto_refresh=self._refreshes > 0,
            refresh_per_second=self._refreshes or REFRESHES_PER_SECOND,
            redirect_stdout=sys.stdout.isatty(),  # what a train function prints goes above the display
        )
        self._live.start()

    def on_trial(self, trial: Trial) -> None:
        """One more trial is running."""
        with self._lock:
            if self._progress:
                self._progress.asked(trial)

    def on_output(self, trial: Trial, line: str) -> None:
        """A running trial has printed something."""
        with self._lock:
            if self._progress:
                self._progress.printed[trial.id] = line

    def on_result(self, result: Result, best: Result | None) -> None:
        """One more result."""
        with self._lock:
            if self._progress:
                self._progress.told(result, best)

    def on_note(self, text: str) -> None:
        """Print a line above the display."""
        with suppress(OSError):
            self.console.print(Text(clean(text, PATH)))

    def on_end(self, status: str) -> None:
        """Draw for the last time and leave it on the screen."""
        with self._lock:
            self._status = status
            if self._progress:
                self._progress.ended()
        self._close()

    def render(self) -> RenderableType:
        """What to draw now."""
        if self._progress is None:
            return Group()
        return Panel(self._progress, self._status, self._lock)

    def _close(self) -> None:
        live, self._live = self._live, None
        if live:
            with suppress(OSError):  # the terminal may be gone
                live.stop()
