"""Trials in this process: one at a time on a real clock, any number of simulated workers on a virtual one."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.executors.evaluate import Setting, cut, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.executors import Allowance
    from mfbo.task import Task
    from mfbo.trial import Outcome, Trial


@dataclass
class _Flight:
    """A trial in flight; `outcome` is known at once on a virtual clock."""

    trial: Trial
    start_epoch: int
    began: float
    outcome: Outcome | None = None

    @property
    def ends(self) -> float:
        return self.began + (self.outcome.cost if self.outcome else 0.0)


class InlineExecutor:
    """Runs trials where `wait` is called.

    A trial whose measurement carries a cost takes that long on the executor's virtual clock; where several are in
    flight, they end in the order in which simulated workers would have ended them.

    Args:
        task: what to run.
        setting: of the run.
        slots: simulated workers; a task on a real clock needs 1.
        interrupted: whether the user asked to stop.
        wall: what the run's clock showed when it was left; 0 for a new run.
        virtual: whether that clock is a virtual one.
    """

    def __init__(
        self,
        task: Task,
        setting: Setting,
        *,
        slots: int = 1,
        interrupted: Callable[[], bool] = lambda: False,
        wall: float = 0.0,
        virtual: bool = False,
    ) -> None:
        self.slots = slots
        self._task = task
        self._setting = setting
        self._interrupted = interrupted
        self._flights: list[_Flight] = []
        self._began = time.perf_counter() - wall
        self._clock: float | None = wall if virtual else None

    @property
    def busy(self) -> int:
        """Trials in flight."""
        return len(self._flights)

    @property
    def now(self) -> float:
        """Seconds on the run's clock, virtual once a trial had a virtual cost."""
        return time.perf_counter() - self._began if self._clock is None else self._clock

    def submit(self, trial: Trial, start_epoch: int, began: float | None = None) -> None:
        """Take `trial`; it runs at the next `wait`."""
        if began is None or self._clock is None:
            began = self._clock or 0.0
        self._flights.append(_Flight(trial, start_epoch, began))

    def wait(self, allowance: Allowance) -> tuple[Trial, Outcome]:
        """Run what was submitted; the trial that ends first."""
        for flight in self._flights:
            if flight.outcome is None:
                flight.outcome = self._run(flight, min(allowance.cost, allowance.wall))
                if flight.outcome.virtual and self._clock is None:
                    self._clock = 0.0
        if self._clock is None:
            flight = self._flights.pop(0)
            assert flight.outcome is not None
            return flight.trial, flight.outcome
        return self._next(allowance)

    @property
    def paused(self) -> float:
        """Nothing is known of that."""
        return 0.0

    def abandon(self) -> list[tuple[Trial, Outcome]]:
        """Nothing runs while this is called."""
        return []

    def close(self) -> None:
        """Nothing to end."""

    def _run(self, flight: _Flight, seconds: float) -> Outcome:
        def stop(elapsed: float) -> str | None:
            if self._interrupted():
                return "interrupted"
            return "time" if elapsed >= seconds and self._clock is None else None

        return evaluate(self._task, flight.trial, self._setting, stop, flight.start_epoch)

    def _next(self, allowance: Allowance) -> tuple[Trial, Outcome]:
        """The earliest end; or, if money or time is gone before it, one of those in flight, cut there."""
        clock = self._clock or 0.0
        first = min(self._flights, key=lambda flight: flight.ends)
        elapsed = sum(clock - flight.began for flight in self._flights)
        gone = clock + min((allowance.cost - elapsed) / len(self._flights), allowance.wall)
        self._flights.remove(first)
        assert first.outcome is not None
        self._clock = max(clock, min(first.ends, gone))
        if first.ends <= gone or math.isclose(first.ends, gone):
            return first.trial, first.outcome
        return first.trial, cut(self._task, first.outcome, max(0.0, self._clock - first.began))
