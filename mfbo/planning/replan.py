"""Planning again during a run: when trials cost more than twice what was planned, or less than half of it.

What is left then buys other trials than was said; and a highest rung that it does not pay for, and that nothing was
asked for yet, is left out, as a plan beforehand would have left it out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mfbo.ledger.plan import Step, percent
from mfbo.optimizers.registry import spec_of
from mfbo.planning.growth import left, pays
from mfbo.planning.simulation import bought

if TYPE_CHECKING:
    from mfbo.cost.meter import Meter
    from mfbo.ledger.run import Run
    from mfbo.trial import Rung

OFF = 2.0  # times what was planned, or that part of it
MIN_RESULTS = 3  # trials that ended, before costs are compared; after each plan twice as many, as costs vary anyway
MIN_RUNGS = 2  # of a ladder that shrinks


class Replanning:
    """Compares what the trials of a run cost with what was planned.

    Args:
        run: the running one; charged in seconds of a real clock.
        meter: of the run.
    """

    def __init__(self, run: Run, meter: Meter) -> None:
        self._run, self._meter = run, meter
        self._planned: dict[Rung, float] = {step.rung: step.cost for step in run.planned}
        self._said = () if run.header.plan is None or run.planned == run.header.plan.steps else run.planned
        self._since = 0  # results that there were at the last plan
        self._least = MIN_RESULTS

    def factor(self) -> float | None:
        """How many times what was planned trials have cost since then; None where that is about right, or unknown."""
        results = self._run.results[self._since :]
        ended = [result for result in results if result.outcome.status == "ok" and result.trial.rung in self._planned]
        planned = sum(self._planned[result.trial.rung] for result in ended)
        if len(ended) < self._least or planned <= 0 or left(self._run, self._meter) == math.inf:
            return None
        found = sum(result.outcome.cost + result.overhead for result in ended) / planned
        return None if 1 / OFF <= found <= OFF else found

    def plan(self) -> tuple[Step, ...]:
        """What the whole budget buys by what trials cost now, those so far included; from now on that is planned."""
        steps = self._bought(list(self._run.header.rungs))
        self._planned = {step.rung: step.cost for step in steps}
        self._since = len(self._run.results)
        self._least *= 2
        return steps

    def words(self, factor: float) -> str:
        """Say what the new plan is: the first, then those that buy twice or half of what the last one said did.

        Args:
            factor: how many times what was planned trials have cost.
        """
        steps, before = self._run.planned, self._said
        if before and not _differ(before, steps):
            return ""
        self._said = steps
        levels = ", ".join(f"{step.trials} at {percent(step.rung.work)}" for step in steps if step.trials)
        now = f"now planned, in all: {levels or 'one trial'}"
        many = f"{factor:.2g} times" if factor > 1 else f"{percent(factor)} of"
        return now if before else f"trials cost {many} what was planned; {now}"

    def lowered(self) -> list[Rung] | None:
        """The ladder without rungs on top that the budget does not pay for a search with; None where it stays."""
        rungs, eta = list(self._run.header.rungs), self._run.header.search.eta
        asked = {trial.rung for trial in self._run.asks.values()}
        while len(rungs) > MIN_RUNGS and rungs[-1] not in asked and not pays(rungs, self._meter, self._total, eta):
            rungs.pop()
        return None if len(rungs) == len(self._run.header.rungs) else rungs

    @property
    def _total(self) -> float:
        """Seconds that trials have cost and may still cost."""
        spent = sum(result.outcome.cost + result.overhead for result in self._run.results)
        return left(self._run, self._meter) + spent

    def _bought(self, rungs: list[Rung]) -> tuple[Step, ...]:
        search = self._run.header.search
        overhead = spec_of(search.optimizer).overhead
        return bought(
            search.optimizer,
            rungs,
            lambda rung, start: self._meter.predict(rung, start) + overhead,
            self._total,
            search.eta,
        )


def _differ(one: tuple[Step, ...], other: tuple[Step, ...]) -> bool:
    """Whether one plan has twice as many trials as the other, or more."""
    few, many = sorted(sum(step.trials for step in steps) for steps in (one, other))
    return many >= OFF * few
