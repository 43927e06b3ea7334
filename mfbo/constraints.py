"""Constraints: what a result must keep to so that its configuration can be recommended, such as ``latency<=5ms``.

Each is in the metric's own sign, that which is tuned too: ``accuracy>=90%`` where accuracy is maximised.

A result that breaks one is infeasible: it is kept and shown, but never the incumbent, and the optimizer is told that it
is worse than every feasible one, the more so the further it is off (Deb 2000, doi:10.1016/S0045-7825(99)00389-8).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

from mfbo.errors import BadValue, UnknownName
from mfbo.goal import LOSS, Goal
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
        goal: of the run, whose metric is kept as a loss.
    """

    text: str
    metric: str
    sign: str
    bound: float
    goal: Goal = field(default_factory=Goal, repr=False)

    @staticmethod
    def parse(text: str) -> Constraint:
        """A constraint as people write it.

        >>> Constraint.parse("latency<=5ms")
        Constraint(text='latency<=5ms', metric='latency', sign='<=', bound=0.005)

        Raises:
            BadValue: it has another form, or a unit that there is not.
        """
        found = _TEXT.fullmatch(text.replace("≤", "<=").replace("≥", ">=")) if isinstance(text, str) else None
        try:
            number = float(found[3]) if found else None
        except ValueError:
            number = None
        if found is None or number is None or not math.isfinite(number):
            raise BadValue(
                f"constraint {text!r}: give METRIC<=NUMBER, such as 'size<=1e6', 'latency<=5ms' or 'recall>=90%'"
            )
        if found[4] not in UNITS:
            raise UnknownName(f"unit in the constraint {text!r}:", found[4], [unit for unit in UNITS if unit])
        return Constraint("".join(found[0].split()), found[1], found[2], number * UNITS[found[4]])

    def of(self, goal: Goal) -> Constraint:
        """The same in a run that is after `goal`."""
        return replace(self, goal=goal)

    def value(self, outcome: Outcome) -> float | None:
        """What a result has of the metric, in the user's own sign; None where it has no such metric."""
        if self.metric == self.goal.name:
            return None if outcome.loss is None else self.goal.value(outcome.loss)
        if self.metric == LOSS and self.goal.maximize:  # the task reports one beside what is maximised, or none
            return outcome.metrics.get(LOSS)
        return value(outcome, self.metric)

    def violation(self, outcome: Outcome) -> float | None:
        """How far a result is off, relative to the bound, 0 where it keeps to it; None where it has no such metric."""
        found = self.value(outcome)
        if found is None:
            return None
        over = found - self.bound if self.sign in ("<=", "<") else self.bound - found
        if over < 0 or (over == 0 and self.sign in ("<=", ">=")):
            return 0.0
        return min(MAX_VIOLATION, max(over, 1e-12) / max(abs(self.bound), 1e-12))


def checked(texts: Sequence[str] | str) -> tuple[str, ...]:
    """The constraints of a run, as text.

    Raises:
        BadValue: one that cannot be read, or two that nothing keeps to.
    """
    if not isinstance(texts, str | Sequence) or isinstance(texts, bytes):
        raise BadValue(f"constraint {texts!r}: give METRIC<=NUMBER as text, such as 'size<=1e6', or a list of these")
    found = [Constraint.parse(text) for text in ([texts] if isinstance(texts, str) else texts)]
    for one, other in combinations(found, 2):
        if _contradict(one, other) or _contradict(other, one):
            raise BadValue(f"constraints {one.text!r} and {other.text!r}: nothing keeps to both; loosen one of them")
    return tuple(one.text for one in found)


def _contradict(high: Constraint, low: Constraint) -> bool:
    """Whether what `high` bounds from above is bounded from below by no less."""
    both = high.metric == low.metric and high.sign[0] == "<" and low.sign[0] == ">"
    return both and (high.bound < low.bound or (high.bound == low.bound and high.sign + low.sign != "<=>="))


def violation(outcome: Outcome, constraints: Iterable[Constraint]) -> float | None:
    """The sum over all constraints; None where one cannot be judged, as where the trial was stopped or failed."""
    found = [constraint.violation(outcome) for constraint in constraints]
    return None if None in found else sum(one for one in found if one is not None)


def feasible_range(losses: Sequence[float | None], violations: Sequence[float]) -> tuple[float, float]:
    """(lowest, highest) loss of the feasible results; of all where there is none."""
    known = [(loss, off) for loss, off in zip(losses, violations, strict=True) if loss is not None]
    kept = [loss for loss, off in known if off == 0] or [loss for loss, _ in known] or [0.0]
    return min(kept), max(kept)


def penalised(losses: Sequence[float | None], violations: Sequence[float]) -> list[float | None]:
    """Losses in which every infeasible one is above all feasible ones, the more so the further it is off."""
    low, high = feasible_range(losses, violations)
    spread = high - low if high - low > 1e-9 * abs(high) else abs(high) or 1.0
    pairs = zip(losses, violations, strict=True)
    return [loss if loss is None or not off else high + spread * (0.1 + off) for loss, off in pairs]


def feasible(outcome: Outcome, constraints: Sequence[Constraint]) -> bool:
    """Whether a result is known to keep to all."""
    return not constraints or violation(outcome, constraints) == 0


def missing(outcome: Outcome, constraints: Iterable[Constraint]) -> str:
    """What to say where a trial lacks a metric; empty where it has all."""
    lacking = next((one for one in constraints if one.violation(outcome) is None), None)
    if lacking is None:
        return ""
    own = [lacking.goal.name] + [name for name in BUILT_IN if name != LOSS and value(outcome, name) is not None]
    known = dict.fromkeys([*own, *outcome.metrics])
    return f"constraint {lacking.text!r}: the task reports no {lacking.metric!r}; choose from: {', '.join(known)}"
