"""Do cheap trials predict full ones? Rank correlation between a rung and the highest, corrected for promotion.

Only promoted configurations are seen at both of two rungs, and they are alike at the lower one: that is why they were
promoted. Their own rank correlation is near 0 even where cheap trials predict well (range restriction; Thorndike 1949).
So the correlation is estimated for all configurations that were seen at the lower rung:

- Ranks at a rung are those of a Gaussian copula, so no loss needs to be normal, and no scale matters.
- Promotion looks at losses of the lower rung alone. Given those, what is missing is missing at random, and ranks of the
  promoted ones at the higher rung depend on the correlation alone.
- The estimate is the correlation under which the ranks that were observed would lie in the middle of those simulated;
  the bounds are those under which they would be just within the outer 2.5% (an inverted test, so that few
  configurations give a wide interval).
- From rung to rung it is a chain: what a rung says of the highest goes through those between. Where that does not
  hold, cheap trials predict better than is said here.

`tests/evidence/test_rung_correlation.py` measures it on simulated successive halving of a known correlation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from mfbo.evidence.curves import Floats
    from mfbo.ledger.run import Run
    from mfbo.trial import Rung

MIN_CONFIGURATIONS = 5  # seen at both rungs: below that every correlation is possible
MAX_CONFIGURATIONS = 400  # of a pair of rungs; more make the interval no narrower that a reader could see
WIDEST_INTERVAL = 1.0  # half of what is possible: a wider one says nothing
CONFIDENCE = 0.95
CORRELATIONS = np.linspace(-0.995, 0.995, 41)  # of the copula, that are tried
SIMULATIONS = 250  # of the ranks, for each correlation that is tried
Key: TypeAlias = tuple[int, str]  # number of the run, configuration


@dataclass(frozen=True)
class RungCorrelation:
    """How well losses at one rung predict the order of losses at the highest.

    Attributes:
        low, high: the rungs.
        n: configurations that were seen at both of two neighbouring rungs; the fewest, from `low` up to `high`.
        rho: Spearman's rank correlation over all configurations tried at `low`, those that were not promoted included;
            NaN where it cannot be told.
        lower, upper: bounds of its 95% interval; NaN as for `rho`.
    """

    low: Rung
    high: Rung
    n: int
    rho: float
    lower: float
    upper: float

    @property
    def known(self) -> bool:
        """Whether it can be told."""
        return not math.isnan(self.rho)


def rung_correlations(*runs: Run, seed: int = 0) -> list[RungCorrelation]:
    """Of each rung with the highest, low to high; empty where results are of one rung.

    Only complete trials count, those of several runs of one task together; a configuration that two runs have tried
    counts as two, as they trained it with different seeds. A rung below the highest with fewer than
    `MIN_CONFIGURATIONS` is passed over: it would break the chain.
    """
    rng = np.random.default_rng(seed)
    losses = _losses(runs)
    rungs = sorted(losses, key=lambda rung: rung.work)
    rungs = [rung for rung in rungs if rung == rungs[-1] or len(losses[rung]) >= MIN_CONFIGURATIONS]
    scores = [_normal_scores(losses[rungs[0]])] if rungs else []
    steps: list[tuple[int, Floats]] = []  # configurations in common, and draws of the copula's correlation
    for low, high in pairwise(rungs):
        pairs = [key for key in losses[high] if key in losses[low]]
        before = np.array([scores[-1][key] for key in pairs])
        after = np.array([losses[high][key] for key in pairs])
        draws = _correlation_draws(before, after, rng)
        steps.append((len(pairs), draws))
        scores.append(_scores_after(losses[high], scores[-1], float(np.median(draws))))
    found = []
    for place, low in enumerate(rungs[:-1]):
        n = min(count for count, _ in steps[place:])
        copula = np.prod([draws for _, draws in steps[place:]], axis=0)
        found.append(_summary(low, rungs[-1], n, 6 / math.pi * np.arcsin(copula / 2)))
    return found


def _losses(runs: tuple[Run, ...]) -> dict[Rung, dict[Key, float]]:
    found: dict[Rung, dict[Key, float]] = defaultdict(dict)
    for number, run in enumerate(runs):
        for result in run.results:
            if result.outcome.status == "ok" and result.outcome.loss is not None:
                found[result.outcome.rung][number, result.trial.key] = result.outcome.loss
    return found


def _summary(low: Rung, high: Rung, n: int, draws: Floats) -> RungCorrelation:
    """`draws`: of Spearman's correlation."""
    tails = (1 - CONFIDENCE) / 2
    lower, middle, upper = (float(value) for value in np.quantile(draws, [tails, 0.5, 1 - tails]))
    if n < MIN_CONFIGURATIONS or upper - lower > WIDEST_INTERVAL:
        return RungCorrelation(low, high, n, math.nan, math.nan, math.nan)
    return RungCorrelation(low, high, n, middle, lower, upper)


def _normal_scores(losses: dict[Key, float]) -> dict[Key, float]:
    """Standard normal quantiles of the ranks (van der Waerden)."""
    ranks = stats.rankdata(list(losses.values()))
    return dict(zip(losses, stats.norm.ppf(ranks / (len(losses) + 1)), strict=True))


def _scores_after(losses: dict[Key, float], before: dict[Key, float], correlation: float) -> dict[Key, float]:
    """Scores of a rung on the scale of all configurations, of which better ones than the average were promoted to it.

    A promoted configuration's score is normal around `correlation` times the one before; one that began here is an
    average one. The ranks at this rung are matched with the quantiles of that mixture.
    """
    means = np.array([correlation * before[key] if key in before else 0.0 for key in losses])
    deviations = np.array([math.sqrt(1 - correlation**2) if key in before else 1.0 for key in losses])
    grid = np.linspace(-5, 5, 1001)
    cumulative = stats.norm.cdf((grid[:, None] - means) / deviations).mean(axis=1)
    ranks = stats.rankdata(list(losses.values())) / (len(losses) + 1)
    return dict(zip(losses, np.interp(ranks, cumulative, grid), strict=True))


def _correlation_draws(before: Floats, after: Floats, rng: np.random.Generator, n_draws: int = 2000) -> Floats:
    """Draws from the confidence distribution of the copula's correlation; anything from -1 to 1 where nothing is known.

    Args:
        before: (n,), scores at the lower rung.
        after: (n,), losses at the higher.
        rng: of simulation and draws.
        n_draws: how many.
    """
    if len(after) < 3 or len(set(after)) < 2 or len(set(before)) < 2:
        return rng.uniform(-1, 1, n_draws)
    if len(after) > MAX_CONFIGURATIONS:
        chosen = rng.choice(len(after), MAX_CONFIGURATIONS, replace=False)
        before, after = before[chosen], after[chosen]
    weights = before - before.mean()
    observed = float(weights @ stats.rankdata(after))
    noise = rng.standard_normal((SIMULATIONS, len(after)))
    below = []  # of the simulations lie below what was observed, for each correlation that is tried
    for correlation in CORRELATIONS:
        simulated = correlation * before + math.sqrt(1 - correlation**2) * noise
        statistic = (simulated.argsort(axis=1).argsort(axis=1) + 1) @ weights
        near = 1e-9 * np.abs(statistic).max()
        below.append(np.mean(statistic < observed - near) + np.mean(np.abs(statistic - observed) <= near) / 2)
    # the larger the correlation, the fewer lie below: one less that share is its confidence distribution
    distribution = np.maximum.accumulate(1 - np.array(below))
    edges = np.concatenate([[-1.0], CORRELATIONS, [1.0]])
    heights = np.concatenate([[0.0], distribution, [1.0]])
    return np.asarray(np.interp(rng.uniform(size=n_draws), heights, edges))
