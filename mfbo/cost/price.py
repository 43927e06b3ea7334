"""Money: what an hour of cost is paid with, and what a sum buys of it.

>>> price = Price.parse("0.90 EUR/h")
>>> price.of(1800), str(price), price.buys("4.50EUR")
('0.45 EUR', '0.9EUR/h', 18000.0)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mfbo.budget import SECONDS, Budget, duration
from mfbo.errors import BadCost, BadValue

if TYPE_CHECKING:
    from mfbo.ledger.run import Run
    from mfbo.settings import Settings

SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_SUM = r"(?P<sign>[$€£¥])?\s*(?P<amount>\d+(?:\.\d+)?)\s*(?P<name>[A-Za-z]{3}|[$€£¥])?"
_MONEY = re.compile(_SUM)
_PRICE = re.compile(rf"{_SUM}\s*/\s*(?P<unit>h|hour|d|day|m|min|minute|s|second)")
PRICE_FORMS = "give an amount an hour such as 0.90/h, 0.90USD/h or $0.90/h"


@dataclass(frozen=True)
class Price:
    """What an hour of cost is paid with.

    Attributes:
        hour: amount, above 0 and finite.
        currency: three letters, or empty where none was given.
    """

    hour: float
    currency: str = ""

    @staticmethod
    def parse(text: str) -> Price:
        """Read `text`.

        Raises:
            BadValue: not a price, or zero.
        """
        match = _PRICE.fullmatch(text.strip())
        hour = float(match["amount"]) * SECONDS["h"] / SECONDS[match["unit"][0]] if match else 0.0
        if match is None or not 0 < hour < math.inf:
            raise BadValue(f"price {text!r} is not a price; {PRICE_FORMS}")
        return Price(hour, _currency(match, text))

    def __str__(self) -> str:
        """What `parse` reads back."""
        return f"{format(self.hour, '.12f').rstrip('0').rstrip('.')}{self.currency}/h"

    def amount(self, seconds: float) -> float:
        """`seconds` of cost in its currency."""
        return seconds * self.hour / 3600

    def of(self, seconds: float) -> str:
        """`seconds` of cost as money, in words: ``0.45 EUR``."""
        return self._named(_rounded(self.amount(seconds)))

    def share(self, used: float, most: float) -> str:
        """Of two amounts of seconds, in words: ``0.45 of 2.00 EUR``; one that is infinite is left out."""
        if not math.isfinite(most):
            return self.of(used)
        return self._named(" of ".join(_rounded(self.amount(seconds)) for seconds in (used, most)))

    def buys(self, money: str) -> float:
        """Seconds of cost for `money`.

        Raises:
            BadCost: no amount of money, or one in another currency.
        """
        match = _MONEY.fullmatch(money.strip())
        amount = float(match["amount"]) if match else 0.0
        if match is None or not 0 < amount < math.inf:
            raise BadCost(f"max cost {money!r} is not an amount of money; give one such as 5{self.currency or 'USD'}")
        currency = _currency(match, money)
        if currency and self.currency and currency != self.currency:
            raise BadCost(f"max cost {money!r}: the price is in {self.currency}; give the cost in {self.currency} too")
        return amount / self.hour * 3600

    def _named(self, words: str) -> str:
        return f"{words} {self.currency}" if self.currency else f"price {words}"


def is_money(cost: object) -> bool:
    """Whether a cost is an amount of money: a number with a currency before or behind it."""
    match = _MONEY.fullmatch(cost.strip()) if isinstance(cost, str) else None
    return bool(match and (match["sign"] or match["name"]))


def in_time(max_cost: str | float | None, settings: Settings) -> tuple[str | float | None, Settings]:
    """A limit in money as one in seconds, and settings whose price has its currency; anything else as it is.

    Raises:
        BadCost: money, and no price; or one that buys nothing.
        BadValue: a price that is none.
    """
    price = Price.parse(settings.price) if settings.price is not None else None
    if is_money(max_cost):
        assert isinstance(max_cost, str)
        if price is None:
            raise BadCost(f"max cost {max_cost!r} is money, which needs a price; add one such as --price 0.90/h")
        seconds = price.buys(max_cost)
        match = _MONEY.fullmatch(max_cost.strip())
        assert match
        price = replace(price, currency=price.currency or _currency(match, max_cost))
        max_cost = str(Budget.parse(duration(float(f"{seconds:.6g}")), "max cost"))
    return max_cost, settings if price is None else replace(settings, price=str(price))


def beside(price: Price | None, seconds: float, form: str = " ({})") -> str:
    """The money behind `seconds` of cost: `` (0.45 USD)``, or in another form; nothing without a price."""
    return "" if price is None else form.format(price.of(seconds))


def facts(price: Price | None, seconds: float) -> dict[str, Any]:
    """For ``--json``: the price of an hour, and `seconds` of cost in its currency; both null without one."""
    return {"price": price and str(price), "money": price and price.amount(seconds)}


def of_run(run: Run) -> Price | None:
    """The price that a ledger keeps; None where there is none."""
    return kept(run.header.settings.price)


def of_runs(runs: Iterable[Run]) -> Price | None:
    """The price that all of these have; None without one, or with several."""
    found = {of_run(run) for run in runs}
    return found.pop() if len(found) == 1 else None


def kept(price: str | None) -> Price | None:
    """The price that settings have; None where there is none, or it is damaged."""
    try:
        return Price.parse(price) if price else None
    except BadValue:
        return None


def _currency(match: re.Match[str], text: str) -> str:
    sign, name = match["sign"], match["name"]
    if sign and name:
        raise BadValue(f"{text!r} names a currency twice; {PRICE_FORMS}")
    found = sign or name or ""
    return SIGNS.get(found, found.upper())


def _rounded(amount: float) -> str:
    """Two decimals, or two digits where that would be nothing."""
    if 0 < amount < 0.0001:
        return "<0.0001"
    return f"{amount:.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.2g}"
