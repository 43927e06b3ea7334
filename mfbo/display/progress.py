"""The state of a run that a display shows: running trials, results, and the time left."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from mfbo.display.counts import RunCounts
from mfbo.display.text import amount, budget
from mfbo.evidence.curves import incumbent

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial

LAST_RESULTS = 60  # that are kept to be shown, as many as a tall terminal has room for
MIN_RESULTS_FOR_RATE = 3  # before the time left is estimated


class Meter(NamedTuple):
    """How much of one limit is used.

    Attributes:
        name: ``cost``, ``trials`` or ``wall``.
        used: so far, in its unit.
        limit: infinite where there is none.
        unit: ``s``, ``x`` or nothing.
        money: the same in money, in words; empty where there is no price.
    """

    name: str
    used: float
    limit: float
    unit: str
    money: str = ""

    @property
    def words(self) -> str:
        """``3.2x of 20x``."""
        used, limit = (amount(value, self.unit) if self.unit else f"{value:.0f}" for value in (self.used, self.limit))
        return (f"{used} of {limit}" if self.limited else used) + (f" ({self.money})" if self.money else "")

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self.limit < math.inf

    @property
    def share(self) -> float:
        """The part that is used, 0 to 1."""
        return min(1.0, self.used / self.limit)


class Progress:
    """Follows one run from `Observer.on_start` on; every update is cheap, whatever the number of results.

    Attributes:
        run: that is followed.
        counts: counts over all its results.
        best: the incumbent.
        running: trials by id, with the time they started.
        printed: by the id of a running trial, what it has printed last.
        last: the newest results, oldest first.
    """

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self.counts = RunCounts.of(run)
        self.best: Result | None = incumbent(run)
        self.running: dict[int, tuple[Trial, float]] = {}
        self.printed: dict[int, str] = {}
        self.last: deque[Result] = deque(run.results[-LAST_RESULTS:], maxlen=LAST_RESULTS)
        self._clock = clock
        self._limits = run.limits
        self._budget = budget(run.limits)
        self._max_wall = run.limits.max_wall.amount if run.limits.max_wall else math.inf
        self._last_event = self._began = clock()
        self._new_results = 0
        self._ended: float | None = None
        self._at_first = self.meters()

    def asked(self, trial: Trial) -> None:
        """`trial` starts."""
        self.running[trial.id] = (trial, self._clock())

    def told(self, result: Result, best: Result | None) -> None:
        """A result came in; `best` is the incumbent now."""
        self.running.pop(result.trial.id, None)
        self.printed.pop(result.trial.id, None)
        self.counts.add(result)
        self.last.append(result)
        self.best = best
        self._last_event = self._clock()
        self._new_results += 1

    def ended(self) -> None:
        """No trial is running any more, and the clock stands still."""
        self.running.clear()
        self._ended = self._last_event = self._clock()

    @property
    def overtaken(self) -> float | None:
        """The best of a lower level than the best trial's, where it is better than that, in its own sign; else None."""
        if self.best is None or self.best.outcome.loss is None:
            return None
        rung, loss = self.best.outcome.rung, self.best.outcome.loss
        below = [row.best for at, row in self.counts.rungs.items() if at.work < rung.work and row.best is not None]
        better = min((other for other in below if other < loss), default=None)
        return None if better is None else self.counts.goal.value(better)

    @property
    def now(self) -> float:
        """Seconds on the display's own clock."""
        return self._clock() if self._ended is None else self._ended

    @property
    def unit(self) -> str:
        """Unit of the budget: ``s`` or ``x``."""
        return self._budget.unit if self._budget else "s"

    def meters(self) -> list[Meter]:
        """Cost, and whatever else is limited; on a real clock, including what the running trials have used so far."""
        now, real = self.now, self.run.header.full_cost is None and not self.counts.virtual
        limits, unit = self._limits, self.unit
        spent, limit = self.run.spent, self._budget.amount if self._budget else math.inf
        if real and unit == "s":
            running = sum(now - since for _, since in self.running.values())
            spent = max(spent, min(limit, spent + running))
        meters = [Meter("cost", spent, limit, unit, self._money(spent, limit))]
        if limits.max_trials:
            meters.append(Meter("trials", self.counts.finished, limits.max_trials, ""))
        if limits.max_wall:
            meters.append(Meter("wall", self.run.wall + (now - self._last_event if real else 0.0), self._max_wall, "s"))
        return meters

    def _money(self, spent: float, limit: float) -> str:
        price = self.counts.price
        if price is None:
            return ""
        return price.share(spent, limit) if self.unit == "s" else price.of(self.run.seconds)

    @property
    def share(self) -> float:
        """The part used of the limit that will be reached first, 0 to 1."""
        return max(meter.share for meter in self.meters())

    @property
    def time_left(self) -> float | None:
        """Wall-clock seconds until the first limit at the rate so far; None while that cannot be estimated."""
        elapsed = self.now - self._began
        if self._ended is not None or elapsed < 2 or self._new_results < MIN_RESULTS_FOR_RATE:
            return None
        left = [
            (meter.limit - meter.used) * elapsed / (meter.used - first.used)
            for meter, first in zip(self.meters(), self._at_first, strict=True)
            if meter.limited and meter.used - first.used > 0.01 * meter.limit
        ]
        return min(left, default=None)
