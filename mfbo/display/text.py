"""Text for a display: numbers, amounts, and untrusted text made safe to print.

Names, values and errors come from ledgers that anybody may have written, and from train functions. All of it passes
through `clean` before it reaches a terminal, and goes to rich as `rich.text.Text`, which reads no markup.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from mfbo.budget import Budget, duration
from mfbo.files.printable import PATH, clean, clean_lines
from mfbo.trial import Rung

if TYPE_CHECKING:
    from mfbo.ledger.run import Limits

__all__ = [
    "PATH",
    "amount",
    "budget",
    "clean",
    "clean_lines",
    "headline",
    "number",
    "pairs",
    "resume_words",
    "rung_words",
    "seconds",
    "short_rung",
    "status_words",
]
_TRACEBACK = "Traceback (most recent call last):"


def number(value: object, digits: int = 4) -> str:
    """Four significant digits, an exponent only where it helps; anything but a float goes through `clean`.

    >>> number(0.123456), number(31415.9), number(2e-7), number(123456), number(186.3, 2)
    ('0.1235', '31416', '2e-07', '123456', '190')
    """
    if not isinstance(value, float):
        return clean(value, 40)
    short = f"{value:.{digits}g}"
    return f"{value if abs(value) >= 1e4 else float(short):.0f}" if 10**digits <= abs(value) < 1e7 else short


def seconds(value: float) -> str:
    """A duration, rounded for a reader.

    >>> seconds(1e-5), seconds(0.01234), seconds(12.345), seconds(3725.2), seconds(100_000)
    ('<1ms', '0.012s', '12.3s', '1h2m5s', '1d3h47m')
    """
    if not math.isfinite(value):
        return number(value)
    if value < 0.0005:
        return "<1ms" if value > 1e-9 else "0s"  # below that it is rounding error
    if value < 59.95:
        return duration(float(f"{value:.3g}" if value >= 1 else f"{value:.2g}"))
    if value > 1e12:  # 30,000 years: only a damaged ledger has that
        return f"{number(float(value))}s"
    grain = 1 if value < 36_000 else 60
    return duration(round(value / grain) * grain)


def amount(value: float, unit: str) -> str:
    """Cost in the unit of a budget: ``3.2x`` or ``1m20s``."""
    return f"{number(float(value))}x" if unit == "x" else seconds(value)


def budget(limits: Limits) -> Budget | None:
    """The cost limit, None where there is none."""
    return limits.max_cost


def pairs(values: Mapping[str, object]) -> str:
    """Names and values in one line: ``lr=0.00123, batch=32``."""
    return ", ".join(f"{clean(name, 40)}={number(value)}" for name, value in values.items())


def rung_words(rung: Rung) -> str:
    """The rung in words, cleaned."""
    return clean(rung)


def short_rung(rung: Rung) -> str:
    """The rung in fewer words: ``19% data, 6 epochs``."""
    return rung_words(rung).replace(" of the data", " data")


def headline(error: str | None) -> str:
    """An error in one line; for a traceback, the line that names the last exception."""
    before, found, text = (error or "").rpartition(_TRACEBACK)
    lines = [line for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith((" ", "\t"))] if found else []
    return clean((said or lines or [before])[0], 160) or "no reason given"


def status_words(status: str | None) -> str:
    """Why a run ended."""
    from mfbo.ledger.run import STATUS_WORDS  # not at the first line of a command

    return STATUS_WORDS.get(status or "", clean(status or "not finished", 40))


def resume_words(status: str | None, folder: Path | None) -> str:
    """The state of a run; for an unfinished one, also how to continue it."""
    if status not in (None, "interrupted"):
        return status_words(status)
    how = f": continue with `mfbo resume {quote(clean(folder, PATH))}`" if folder else ""
    return ("interrupted" if status else "not finished") + how


def overtaking(better: float | None) -> str:
    """Why the best trial has a worse result than one of a lower level; empty where it has not."""
    return "" if better is None else f", a higher level than that of {number(better)}"
