"""Constraints: what a result must keep to so that its configuration can be recommended, such as ``latency<=5ms``.

A result that breaks one is infeasible: it is kept and shown, but never the incumbent, and the optimizer is told that it
is worse than every feasible one, the more so the further it is off (Deb 2000, doi:10.1016/S0045-7825(99)00389-8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.errors import BadValue, UnknownName
from mfbo.objectives import BUILT_IN, value

if TYPE_CHECKING:
    from mfbo.trial import Outcome

UNITS = {
    "": 1.0, "%": 0.01, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "k": 1e3, "M": 1e6, "G": 1e9,
    "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
}  # fmt: skip
"""What a unit multiplies by: times become seconds, sizes bytes, counts ones."""

MAX_VIOLATION = 10.0  # what is further off is no worse
_TEXT = re.compile(r"\s*([A-Za-z_][\w.@-]*)\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([A-Za-z%]*)\s*")


@dataclass(frozen=True)
class Constraint:
    """One constraint.

    Attributes:
        text: as it was given.
        metric: that the task reports, or one of `mfbo.objectives.BUILT_IN`.
        sign: ``<=``, ``<``, ``>=`` or ``>``.
        bound: in seconds, bytes or ones.
    """

    text: str
    metric: str
    sign: str
    bound: float

    @staticmethod
    def parse(text: str) -> Constraint:
        """A constraint as people write it.

        >>> Constraint.parse("latency<=5ms")
        Constraint(text='latency<=5ms', metric='latency', sign='<=', bound=0.005)

        Raises:
            BadValue: it has another form, or a unit that there is not.
        """
        found = _TEXT.fullmatch(text)
        try:
            number = float(found[3]) if found else None
        except ValueError:
            number = None
        if found is None or number is None:
            raise BadValue(
                f"constraint {text!r}: give METRIC<=NUMBER, such as 'size<=1e6', 'latency<=5ms' or 'recall>=90%'"
            )
        if found[4] not in UNITS:
            raise UnknownName(f"unit in the constraint {text!r}:", found[4], [unit for unit in UNITS if unit])
        return Constraint("".join(text.split()), found[1], found[2], number * UNITS[found[4]])

    def violation(self, outcome: Outcome) -> float | None:
        """How far a result is off, relative to the bound, 0 where it keeps to it; None where it has no such metric."""
        found = value(outcome, self.metric)
        if found is None:
            return None
        over = found - self.bound if self.sign in ("<=", "<") else self.bound - found
        if over < 0 or (over == 0 and self.sign in ("<=", ">=")):
            return 0.0
        return min(MAX_VIOLATION, max(over, 1e-12) / max(abs(self.bound), 1e-12))


def checked(texts: Sequence[str] | str) -> tuple[str, ...]:
    """The constraints of a run, as text.

    Raises:
        BadValue: one that cannot be read.
    """
    return tuple(Constraint.parse(text).text for text in ([texts] if isinstance(texts, str) else texts))


def violation(outcome: Outcome, constraints: Iterable[Constraint]) -> float | None:
    """The sum over all constraints; None where one cannot be judged, as where the trial was stopped or failed."""
    found = [constraint.violation(outcome) for constraint in constraints]
    return None if None in found else sum(one for one in found if one is not None)


def feasible(outcome: Outcome, constraints: Sequence[Constraint]) -> bool:
    """Whether a result is known to keep to all."""
    return not constraints or violation(outcome, constraints) == 0


def missing(outcome: Outcome, constraints: Iterable[Constraint]) -> str:
    """What to say where a trial lacks a metric; empty where it has all."""
    lacking = next((one for one in constraints if one.violation(outcome) is None), None)
    if lacking is None:
        return ""
    known = dict.fromkeys([*(name for name in BUILT_IN if value(outcome, name) is not None), *outcome.metrics])
    return f"constraint {lacking.text!r}: the task reports no {lacking.metric!r}; choose from: {', '.join(known)}"
