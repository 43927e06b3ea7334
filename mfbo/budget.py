"""Costs: reading and writing them, and an account that is never overdrawn.

>>> Budget.parse("1h30m"), str(Budget.parse("90m"))
(Budget(amount=5400.0, unit='s'), '1h30m')
>>> Budget.parse("20x")
Budget(amount=20.0, unit='x')
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from mfbo.errors import BadCost

SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile("".join(f"(?:{_PART}{unit})?" for unit in SECONDS))
_FULL = re.compile(f"{_PART}x")
ALLOWED = "give a duration such as 45s, 90m, 1h30m, 2h, 1d, or full evaluations such as 20x"


@dataclass(frozen=True)
class Budget:
    """An amount of cost.

    Attributes:
        amount: positive and finite.
        unit: ``s`` seconds, or ``x`` full evaluations.
    """

    amount: float
    unit: Literal["s", "x"]

    @staticmethod
    def parse(text: str, what: str = "cost") -> Budget:
        """Read `text`; `what` names it in the message.

        Raises:
            BadCost: not a cost, zero, negative or not finite.
        """
        word = text.strip().lower()
        if match := _FULL.fullmatch(word):
            budget = Budget(float(match[1]), "x")
        elif word and (match := _DURATION.fullmatch(word)):
            parts = zip(match.groups(), SECONDS.values(), strict=True)
            budget = Budget(sum(float(n) * seconds for n, seconds in parts if n), "s")
        else:
            raise BadCost(f"{what} {text!r} is not a cost; {ALLOWED}")
        if not 0 < budget.amount < math.inf:
            raise BadCost(f"{what} {text!r} buys nothing: it must be more than zero; {ALLOWED}")
        return budget

    def __str__(self) -> str:
        """What `parse` reads back as the same amount."""
        if self.unit == "x":
            return f"{_plain(self.amount)}x"
        return duration(self.amount)


def duration(seconds: float) -> str:
    """Exact and readable: ``5400`` is ``1h30m``; `Budget.parse` inverts it."""
    if not 1 <= seconds <= 2**53 or seconds != int(seconds):  # above, days and seconds no longer add up exactly
        return f"{_plain(seconds)}s"
    words, rest = "", int(seconds)
    for unit, size in SECONDS.items():
        count, rest = divmod(rest, size)
        words += f"{count}{unit}" if count else ""
    return words


def _plain(number: float) -> str:
    """All of its digits, and no exponent."""
    return format(Decimal(repr(float(number))), "f").removesuffix(".0")


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
