"""Statistics over runs: intervals, ranks, tests, speed-up. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mfbo.evidence.curves import LOSS_ROUNDING, Curve, Floats, common_costs, cost_for_good, on, reaches

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Band:
    """A centre with an interval around it, at each cost.

    Attributes:
        centre, low, high: (n_costs,).
    """

    centre: Floats
    low: Floats
    high: Floats


def mean_sem(losses: ArrayLike) -> Band:
    """The mean and one standard error of the mean to either side.

    Args:
        losses: (n_seeds, n_costs). Where a seed has no value (NaN) there is no mean either, and of one seed no error.
    """
    values = np.asarray(losses, dtype=float)
    centre, seeds = values.mean(axis=0), len(values)
    error = values.std(axis=0, ddof=1) / math.sqrt(seeds) if seeds > 1 else np.full(centre.shape, np.nan)
    return Band(centre, centre - error, centre + error)


def median_iqr(losses: ArrayLike) -> Band:
    """The median and the quartiles, interpolated linearly.

    Args:
        losses: (n_seeds, n_costs). Where a seed has no value (NaN) there is no median either.
    """
    low, centre, high = np.quantile(np.asarray(losses, dtype=float), [0.25, 0.5, 0.75], axis=0)
    return Band(centre, low, high)


@dataclass(frozen=True)
class SpeedUp:
    """How many times less an optimizer costs than a baseline, for what the baseline had at its end.

    Attributes:
        factor: 0 where the optimizer never got there within its own cost.
        low, high: bounds of the bootstrap interval, in the same way.
    """

    factor: float
    low: float
    high: float


def speed_up(
    curves: Sequence[Curve],
    baseline: Sequence[Curve],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    paired: bool = False,
    seed: int = 0,
) -> SpeedUp:
    """The cost at which the baseline's mean reached its final loss for good, over that at which the optimizer's did.

    The interval is a percentile bootstrap over seeds (Efron & Tibshirani 1993); each resample has its own final loss.
    Means are taken where every seed has a value.

    Args:
        curves: of the optimizer, one a seed; two or more.
        baseline: of the baseline, on the same task; two or more.
        confidence: of the interval.
        resamples: how many.
        paired: whether the i-th curves of both belong together, as those of one seed do; resampled in pairs then.
        seed: of the resampling.

    Raises:
        ValueError: fewer than two curves, or curves that nowhere overlap.
    """
    ours, theirs = _grid(curves), _grid(baseline)
    least = LOSS_ROUNDING * float(theirs[0][-1])  # for what was there at no cost

    def factor(i: Indices, j: Indices) -> float:
        mean = theirs[1][j].mean(axis=0)
        cost = cost_for_good(theirs[0], reaches(mean, mean[-1]))
        return max(cost, least) / max(cost_for_good(ours[0], reaches(ours[1][i].mean(axis=0), mean[-1])), least)

    i, j = np.arange(len(curves)), np.arange(len(baseline))
    found = stats.bootstrap(
        (i, j),
        factor,
        vectorized=False,
        paired=paired,
        method="percentile",
        confidence_level=confidence,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return SpeedUp(factor(i, j), float(found.low), float(found.high))


def _grid(curves: Sequence[Curve]) -> tuple[Floats, Floats]:
    """Costs where all `curves` have a value, and their losses there."""
    costs = common_costs(curves)
    if len(curves) < 2 or not len(costs):
        raise ValueError(f"{len(curves)} curves that overlap at {len(costs)} costs: an interval needs two that overlap")
    return costs, on(curves, costs)


def average_ranks(losses: ArrayLike) -> Floats:
    """The mean rank of each optimizer over tasks, 1 is best: (n_optimizers, n_costs).

    Equal losses share the mean of their ranks. An optimizer that has no result yet (NaN) ranks behind all that have.

    Args:
        losses: (n_tasks, n_optimizers, n_costs).
    """
    values = _rounded(np.asarray(losses, dtype=float))
    ranks = stats.rankdata(np.where(np.isnan(values), np.inf, values), axis=1)
    return np.asarray(ranks.mean(axis=0), dtype=float)


def _rounded(values: Floats) -> Floats:
    """To 12 significant digits: means of equal numbers differ in the last ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** np.clip(11 - np.floor(np.log10(np.abs(values))), -290, 290)
        rounded = np.round(values * scale) / scale
    return np.where(np.isfinite(rounded) & (values != 0), rounded, values)


def wilcoxon(first: ArrayLike, second: ArrayLike) -> float:
    """P-value of the two-sided Wilcoxon signed-rank test; 1 where no pair differs.

    Args:
        first: (n,), losses of one optimizer, a task or a seed each.
        second: (n,), those of another in the same order. Pairs that are equal are left out, as Wilcoxon (1945) does,
            and pairs of which one is not known (NaN).
    """
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    differences = one - other
    differences = differences[np.abs(differences) > LOSS_ROUNDING * np.maximum(np.abs(one), np.abs(other))]
    return float(stats.wilcoxon(differences).pvalue) if len(differences) else 1.0


def holm(pvalues: ArrayLike) -> Floats:
    """P-values adjusted for how many they are, by Holm (1979): (n,), in the order given."""
    values = np.asarray(pvalues, dtype=float)
    order = np.argsort(values)
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def pairwise_wilcoxon(losses: ArrayLike) -> Floats:
    """Holm-adjusted p-values between all pairs of optimizers: (n_optimizers, n_optimizers), symmetric, 1 inside.

    Args:
        losses: (n_blocks, n_optimizers); a block is a task or a seed in which all were run.
    """
    values = np.asarray(losses, dtype=float)
    matrix = np.ones((values.shape[1], values.shape[1]))
    pairs = list(combinations(range(values.shape[1]), 2))
    adjusted = holm([wilcoxon(values[:, i], values[:, j]) for i, j in pairs])
    for (i, j), pvalue in zip(pairs, adjusted, strict=True):
        matrix[i, j] = matrix[j, i] = pvalue
    return matrix
