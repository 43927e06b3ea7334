"""Amounts of cost, read and written as people do.

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
from typing import Annotated, Literal

from msgspec import Meta

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

    amount: Annotated[float, Meta(gt=0)]
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
            raise BadCost(f"{what} {text!r} must be more than zero; {ALLOWED}")
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


def rounded_up(value: float, digits: int = 3) -> float:
    """The least number of so many digits that is no less, but for rounding: what to give where that much is needed."""
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(value))) if value > 0 else 1.0
    return math.ceil(value * scale * (1 - 1e-9)) / scale
