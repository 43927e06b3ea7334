"""Which rungs of the ladder `smac` uses: from which on each predicts the next, and that cost clearly less than it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri

from mfbo.optimizers.points import Floats
from mfbo.optimizers.smac.encoder import CurveEncoder

MAX_COST_RATIO = 0.8
"""A rung that costs more than this part of the next, by the configurations seen at both, is left out: it tells less for
nearly as much. See "What each part is worth on all families" in experiments/suite.md."""

MIN_CORRELATION = 0.35
"""Least rank correlation with the next rung, corrected for promotion and one standard error up. Set on
hartmann3-terrible."""

MIN_PAIRS = 4  # configurations seen at a rung and the next, before a rung can be found not to correlate

JUDGE_AFTER = 20  # results, likewise


class RungChoice:
    """The rungs in use, by the results so far.

    Args:
        encoder: has them.
    """

    def __init__(self, encoder: CurveEncoder) -> None:
        self._encoder = encoder
        self._state: tuple[int, int, int] | None = None
        self._levels: list[int] = []

    def levels(self) -> list[int]:
        """Ascending; the highest is always among them."""
        encoder = self._encoder
        state = encoder.version, len(encoder), len(encoder.lack)
        if state != self._state:
            self._state, top = state, len(encoder.lack) - 1
            lowest = 0
            if len(encoder) >= JUDGE_AFTER:
                # what a rung says of the full one goes through those between: one that misleads cuts off all below it
                lowest = 1 + max((level for level in range(top) if not self._correlates(level)), default=-1)
            self._levels = [*(level for level in range(lowest, top) if self._is_cheap(level)), top]
        return self._levels

    def _is_cheap(self, level: int) -> bool:
        ratio = self._encoder.cost_ratio(level)
        return ratio is None or ratio <= MAX_COST_RATIO

    def _correlates(self, level: int) -> bool:
        low, high = self._encoder.losses_at(level), self._encoder.losses_at(level + 1)
        return len(low.keys() & high.keys()) < MIN_PAIRS or upper_correlation(low, high) >= MIN_CORRELATION


def upper_correlation(low: Mapping[int, float], high: Mapping[int, float]) -> float:
    """Rank correlation of losses at a rung and the next, as if all of the lower rung had been promoted.

    Only the best are seen at both, which hides how well their rung sorts the rest: the correlation of normal scores is
    corrected for the range that promotion cut off (Thorndike 1949, case 2), from one standard error above it
    (Fisher's transformation), so that few pairs do not condemn a rung.

    Args:
        low: losses by configuration, infinite for a failure.
        high: likewise; of some of these configurations, and perhaps of others.
    """
    both = [config for config in low if config in high]
    scores = dict(zip(low, _normal_scores(np.array(list(low.values()))), strict=True))
    below = np.array([scores[config] for config in both])
    above = _normal_scores(np.array([high[config] for config in both]))
    if min(below.std(), above.std()) < 1e-9:  # all equal: nothing is known
        return 1.0
    r = float(np.clip(np.corrcoef(below, above)[0, 1], -0.999, 0.999))
    r = math.tanh(math.atanh(r) + 1 / math.sqrt(max(1, len(both) - 3)))
    width = max(1.0, 1 / float(below.std()))  # of all of the rung, to that of the promoted
    return r * width / math.sqrt(1 - r**2 + (r * width) ** 2)


def _normal_scores(values: Floats) -> Floats:
    """Normal quantiles of the ranks, equal values at the middle of theirs."""
    ordered = np.sort(values)
    middle = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(ndtri(middle / (2 * len(values))))
