"""The state of a run that a display shows: what is in flight, what has come back, how fast it goes."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from mfbo.budget import Budget
from mfbo.display.tally import Tally
from mfbo.display.text import amount, budget
from mfbo.evidence.curves import incumbent

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial

LAST = 8
"""How many of the last results are kept."""
ENOUGH = 3
"""From how many results on a rate can be told."""


class Meter(NamedTuple):
    """How much of one limit is used.

    Attributes:
        name: ``cost``, ``trials`` or ``wall``.
        used: so far, in its unit.
        most: the limit; infinite where there is none.
        unit: ``s``, ``x`` or nothing.
        money: the same in money, in words; empty where there is no price.
    """

    name: str
    used: float
    most: float
    unit: str
    money: str = ""

    @property
    def words(self) -> str:
        """``3.2x of 20x``."""
        used, most = (amount(value, self.unit) if self.unit else f"{value:.0f}" for value in (self.used, self.most))
        return (f"{used} of {most}" if self.limited else used) + (f" ({self.money})" if self.money else "")

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self.most < math.inf

    @property
    def share(self) -> float:
        """The part that is used, 0 to 1."""
        return min(1.0, self.used / self.most)


class Watch:
    """Follows one run from `Observer.began` on; every update is cheap, whatever the number of results.

    Attributes:
        run: what is watched.
        tally: counts over all its results.
        best: the incumbent.
        flights: trials in flight by id, with the time they started.
        last: the newest results, oldest first.
    """

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self.tally = Tally.of(run)
        self.best: Result | None = incumbent(run)
        self.flights: dict[int, tuple[Trial, float]] = {}
        self.last: deque[Result] = deque(run.results[-LAST:], maxlen=LAST)
        self._clock = clock
        self._limits = run.limits
        self._budget = budget(run.limits)
        self._max_wall = Budget.parse(run.limits.max_wall).amount if run.limits.max_wall else math.inf
        self._heard = self._began = clock()
        self._came = 0
        self._ended: float | None = None
        self._at_first = self.meters()

    def asked(self, trial: Trial) -> None:
        """`trial` starts."""
        self.flights[trial.id] = (trial, self._clock())

    def told(self, result: Result, best: Result | None) -> None:
        """A result came in; `best` is the incumbent now."""
        self.flights.pop(result.trial.id, None)
        self.tally.add(result)
        self.last.append(result)
        self.best = best
        self._heard = self._clock()
        self._came += 1

    def ended(self) -> None:
        """Nothing is in flight any more, and the clock stands still."""
        self.flights.clear()
        self._ended = self._heard = self._clock()

    @property
    def now(self) -> float:
        """Seconds on the display's own clock."""
        return self._clock() if self._ended is None else self._ended

    @property
    def unit(self) -> str:
        """Unit of the budget: ``s`` or ``x``."""
        return self._budget.unit if self._budget else "s"

    def meters(self) -> list[Meter]:
        """Cost, and whatever else is limited; on a real clock, with what the trials in flight have used so far."""
        now, real = self.now, self.run.header.full_cost is None and not self.tally.virtual
        limits, unit = self._limits, self.unit
        spent, most = self.run.spent, self._budget.amount if self._budget else math.inf
        if real and unit == "s":
            flying = sum(now - since for _, since in self.flights.values())
            spent = max(spent, min(most, spent + flying))
        meters = [Meter("cost", spent, most, unit, self._money(spent, most))]
        if limits.max_trials:
            meters.append(Meter("trials", self.tally.finished, limits.max_trials, ""))
        if limits.max_wall:
            meters.append(Meter("wall", self.run.wall + (now - self._heard if real else 0.0), self._max_wall, "s"))
        return meters

    def _money(self, spent: float, most: float) -> str:
        price = self.tally.price
        if price is None:
            return ""
        return price.share(spent, most) if self.unit == "s" else price.of(self.run.seconds)

    @property
    def share(self) -> float:
        """The part used of the limit that will be reached first, 0 to 1."""
        return max(meter.share for meter in self.meters())

    @property
    def time_left(self) -> float | None:
        """Seconds by the clock until the first limit, at the rate so far; None while that is a wild guess."""
        elapsed = self.now - self._began
        if self._ended is not None or elapsed < 2 or self._came < ENOUGH:
            return None
        left = [
            (meter.most - meter.used) * elapsed / (meter.used - first.used)
            for meter, first in zip(self.meters(), self._at_first, strict=True)
            if meter.limited and meter.used - first.used > 0.01 * meter.most
        ]
        return min(left, default=None)
