"""What a run has used of its limits, and what its next trial will use of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mfbo.budget import Budget
from mfbo.cost.account import Account
from mfbo.cost.model import CostModel
from mfbo.trial import Config, Outcome, Rung

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.ledger.run import Limits, Result, Run
    from mfbo.task import Task


class Meter:
    """Charges outcomes and predicts costs in the unit of the budget, seconds or full evaluations.

    A full evaluation is `Task.full_cost` seconds of a surrogate; a task without one is charged the work that a trial
    did, as a fraction of a full evaluation. Seconds of a real clock are predicted by a `CostModel`.

    Args:
        task: its fidelity and full cost.
        limits: in force.
    """

    def __init__(self, task: Task, limits: Limits) -> None:
        budget = limits.max_cost or Budget(math.inf, "s")
        self._task = task
        self._max_wall = limits.max_wall.amount if limits.max_wall else math.inf
        self._max_trials = limits.max_trials or math.inf
        self._account = Account(budget)
        self._reserved: dict[int, float] = {}
        self._finished = 0
        self._charged = self._worked = 0.0
        self._model = None if task.simulated or budget.unit == "x" else CostModel(task)

    @property
    def unit(self) -> str:
        """``s`` or ``x``."""
        return self._account.budget.unit

    @property
    def knows(self) -> bool:
        """Whether there is anything to predict from."""
        return self._model is not None and self._model.known

    @property
    def grace(self) -> float:
        """Seconds that all trials in flight may go on for, together, once the limit is reached; so it still holds."""
        amount = self._account.budget.amount if self.unit == "s" else math.inf
        least = min(amount, self._max_wall)
        return max(0.7, 0.007 * least) if least < math.inf else 10.0

    def take(self, result: Result) -> None:
        """Record a result, in a running one or in one that is read back."""
        self._reserved.pop(result.trial.id, None)
        self._finished += result.outcome.final
        work = self.work_of(result.outcome)
        if work > 0 and result.outcome.status in ("ok", "stopped"):
            self._worked += work
            self._charged += self.price(result.outcome, 0.0)
            if self._model is not None:
                self._model.add(result.trial.config, result.outcome)
        self._account.spent = result.spent

    def read(self, run: Run) -> None:
        """Record all that `run` has used, and of what was measured before it began."""
        if self._model is not None and run.header.plan is not None:
            self._model.probed(run.header.plan.probes, [run.header.rungs[0], self._task.fidelity.full])
        for result in run.results:
            self.take(result)
        self._account.spent = run.spent

    def price(self, outcome: Outcome, overhead: float) -> float:
        """What `outcome` and `overhead` seconds of the optimizer cost, in the unit."""
        if self.unit == "s":
            return outcome.cost + overhead
        if self._task.full_cost:
            return outcome.cost / self._task.full_cost
        return self.work_of(outcome)

    def work_of(self, outcome: Outcome) -> float:
        """Work of a trial, as a fraction of a full evaluation; without a result, what it reported, or an epoch."""
        epochs = outcome.rung.epochs - outcome.start_epoch
        if outcome.failed or outcome.status == "lost":
            last = int(outcome.reports[-1].epoch) - outcome.start_epoch if outcome.reports else 0
            epochs = min(epochs, max(last, 1))
        elif outcome.loss is None:
            epochs = min(epochs, 1)
        return self._task.fidelity.work_at(outcome.rung, max(0, epochs))

    def predict(self, rung: Rung, start_epoch: int, config: Config | None = None) -> float:
        """What going from `start_epoch` to the end of `rung` will cost, in the unit; 0 where nothing is known yet."""
        if self._model is not None and self._model.known:
            return self._model.seconds(rung, start_epoch, config)
        work = self._task.fidelity.work_at(rung, max(0, rung.epochs - start_epoch))
        if self.unit == "x" and not self._task.full_cost:
            return work
        if self._worked:
            return work * self._charged / self._worked
        full = self._task.full_cost or 0.0
        return work * (1.0 if self.unit == "x" and full else full)

    def fit(self, rung: Rung, start_epoch: int, rungs: Sequence[Rung], config: Config | None = None) -> Rung | None:
        """`rung`, or the highest lower one of `rungs` that the rest can pay for; None if it pays for none."""
        lower = [other for other in rungs if other.work < rung.work and other.epochs > start_epoch]
        reserved = sum(self._reserved.values())
        for choice in (rung, *reversed(lower)):
            if self._account.affords(reserved + self.predict(choice, start_epoch, config)):
                return choice
        return None

    def reserve(self, trial: int, rung: Rung, start_epoch: int, config: Config | None = None) -> None:
        """Put aside what trial number `trial` will cost."""
        self._reserved[trial] = self.predict(rung, start_epoch, config)

    def over(self, wall: float, overhead: float) -> str | None:
        """Which limit is used up, if one is: ``budget``, ``trials`` or ``wall``.

        Args:
            wall: seconds that the run's clock shows.
            overhead: seconds of the optimizer not charged yet.
        """
        if self.seconds_left(overhead) <= 0 or self._account.empty:
            return "budget"
        if self._finished + len(self._reserved) >= self._max_trials:
            return "trials"
        return "wall" if wall >= self._max_wall else None

    def seconds_left(self, overhead: float) -> float:
        """Seconds that trials may still cost; infinite where the budget is not in time."""
        if self.unit == "s":
            return self._account.left - overhead
        return self._account.left * self._task.full_cost if self._task.full_cost else math.inf

    def wall_left(self, wall: float) -> float:
        """Seconds that the run's clock may still go on."""
        return self._max_wall - wall
