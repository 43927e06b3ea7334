"""When a run is to stop before its limits: once what is left is not expected to gain enough, as in ``gain<0.1%``.

>>> StopRule.parse("gain < 0.1% / h")
StopRule(text='gain<0.1%/h', bound=0.001, relative=True, per='h')

The gain is that of the best result at full fidelity, in the metric of the run; see `mfbo.evidence.gain`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from mfbo.errors import BadValue

HOURS = {"min": 1 / 60, "h": 1.0, "d": 24.0}
"""What the gain may be asked of, beside an amount of money."""
_BOUND = r"(?P<noise>noise)|(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)\s*(?P<percent>%?)"
_TEXT = re.compile(rf"\s*gain\s*<\s*(?:{_BOUND})\s*(?:/\s*(?P<per>min|h|d|[A-Za-z]{{3}}|[$€£¥]))?\s*")


@dataclass(frozen=True)
class StopRule:
    """A rule to stop by.

    Attributes:
        text: as it was given, without blanks.
        bound: least gain that is worth going on; None for the noise of the validation.
        relative: whether it is a fraction of the best value so far, not an amount of the metric.
        per: for what: ``min``, ``h``, ``d``, or a currency for one of it; empty for all that is left.
    """

    text: str
    bound: float | None
    relative: bool = False
    per: str = ""

    @staticmethod
    def parse(text: str) -> StopRule:
        """A rule as people write it.

        Raises:
            BadValue: it has another form, or a bound that no gain can be below.
        """
        found = _TEXT.fullmatch(text) if isinstance(text, str) else None
        bound = float(found["number"]) if found and found["number"] else None
        if found is None or (bound is not None and not 0 < bound < math.inf):
            raise BadValue(
                f"stop when {text!r}: give gain<NUMBER above 0, such as 'gain<0.1%' of the best value, 'gain<0.002' in "
                "its own unit or 'gain<noise'; with /h behind it for another hour, or /USD for money"
            )
        relative = bool(found["percent"])
        return StopRule(
            "".join(text.split()), bound / 100 if bound and relative else bound, relative, found["per"] or ""
        )

    @property
    def money(self) -> str:
        """The currency that the gain is asked of one of; empty where it is asked of none."""
        return "" if self.per in HOURS else self.per
