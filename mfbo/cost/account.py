"""The law that a budget is never overdrawn."""

from __future__ import annotations

from mfbo.budget import Budget


class Account:
    """What a run may still spend, in the budget's own unit.

    The promise: a run's charges never pass its limit by more than 1% or one second, whichever is larger. The account
    keeps its side by refusing what it cannot pay for; stopping a trial in flight is the executor's.

    Attributes:
        budget: the limit.
        spent: charged so far; it may be more than the limit, for what has been used is charged.
    """

    def __init__(self, budget: Budget, spent: float = 0.0) -> None:
        self.budget = budget
        self.spent = spent

    @property
    def left(self) -> float:
        """What is left, never negative."""
        return max(0.0, self.budget.amount - self.spent)

    @property
    def empty(self) -> bool:
        """Whether nothing is left but the rounding in sums of many charges."""
        return self.left <= self._rounding

    def affords(self, amount: float) -> bool:
        """Whether `amount` is there; rounding in sums of many charges is forgiven."""
        return amount <= self.left + self._rounding

    @property
    def _rounding(self) -> float:
        return 1e-9 * min(self.budget.amount, 1e9)
