"""How much too good the validation result of a chosen model may be: it is the best of many, measured on few samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from mfbo.ledger.run import Run

LEAST_POINTS = 0.5  # percentage points that are worth a word


def points_too_good(right: int, samples: int, configurations: int) -> float:
    """At most how many percentage points the best of some accuracies is above its own, on average.

    That is where all configurations are equally good, so that chance alone decides: the expected largest of so many
    normal variables (Blom 1958), in standard deviations of a share of so many samples.

    >>> round(points_too_good(51, 200, 10), 1)
    4.8
    """
    if configurations < 2 or not samples:
        return 0.0
    share = (right + 1) / (samples + 2)
    largest = NormalDist().inv_cdf((configurations - 0.375) / (configurations + 0.25))
    return 100 * math.sqrt(share * (1 - share) / samples) * largest


def caveat(run: Run, confusion: Sequence[Sequence[int]] | None) -> str:
    """What to say of the validation result of the incumbent; empty where that can be taken as it is.

    Args:
        run: that it is of.
        confusion: of its model on the validation part: samples by true and predicted class; None where none is known.
    """
    rows = [list(row) for row in confusion or ()]
    samples = sum(map(sum, rows))
    many = len({result.trial.key for result in run.results if result.outcome.loss is not None})
    points = points_too_good(sum(row[i] for i, row in enumerate(rows)), samples, many)
    if points < LEAST_POINTS:
        return ""
    return (
        f"the best was measured on {samples} validation samples, and is the best of {many} configurations: "
        f"its accuracy there is probably too good, by up to {points:.1f} points"
    )
