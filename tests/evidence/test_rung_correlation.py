"""Rank correlation between rungs: right on simulated successive halving, where that of the promoted ones is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_runs import FULL, RUNGS, made_run
from scipy import stats

from mfbo.evidence.rung_correlation import MIN_CONFIGURATIONS, rung_correlations

LOW, MIDDLE = RUNGS[1], RUNGS[2]


def spearman(correlation):
    """Of a bivariate normal."""
    return 6 / math.pi * math.asin(correlation / 2)


def halved(correlations, n, seed, eta=3, rungs=(LOW, FULL)):
    """A run of n configurations, the best of which are promoted; losses of two neighbouring rungs correlate so much."""
    rng = np.random.default_rng(seed)
    scores, alive, results = rng.standard_normal(n), np.arange(n), []
    for place, rung in enumerate(rungs):
        if place:
            noise = rng.standard_normal(n)
            scores = correlations[place - 1] * scores + math.sqrt(1 - correlations[place - 1] ** 2) * noise
        losses = np.exp(scores) + 5 / rung.epochs  # neither normal nor on one scale
        results += [(float(losses[i]), rung, 1, {"x": int(i)}) for i in alive]
        alive = alive[np.argsort(losses[alive])[: len(alive) // eta]]
    return made_run(*results)


def naive(run):
    """What the promoted ones show by themselves."""
    by_rung = {}
    for result in run.results:
        by_rung.setdefault(result.outcome.rung, {})[result.trial.key] = result.outcome.loss
    low, high = by_rung[LOW], by_rung[FULL]
    return stats.spearmanr([low[key] for key in high], list(high.values())).statistic


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_it_is_the_correlation_that_was_simulated_though_only_the_best_third_was_promoted(correlation):
    runs = [halved([correlation], 150, seed) for seed in range(12)]
    found = [rung_correlations(run)[0] for run in runs]
    assert all(one.n == 50 for one in found)
    truth = spearman(correlation)
    assert np.mean([one.rho for one in found if one.known]) == pytest.approx(truth, abs=0.12)
    inside = [not one.known or one.lower - 1e-9 <= truth <= one.upper + 1e-9 for one in found]
    assert sum(inside) >= 10
    if correlation == 0.9:
        assert np.mean([naive(run) for run in runs]) < truth - 0.15


def test_two_promotions_one_after_the_other_are_corrected_too():
    runs = [halved([0.9, 0.9], 270, seed, rungs=(LOW, MIDDLE, FULL)) for seed in range(8)]
    found = [rung_correlations(run) for run in runs]
    assert [(one.low, one.high) for one in found[0]] == [(LOW, FULL), (MIDDLE, FULL)]
    lowest, middle = (np.mean([each[place].rho for each in found]) for place in (0, 1))
    assert lowest == pytest.approx(spearman(0.81), abs=0.12)
    assert middle == pytest.approx(spearman(0.9), abs=0.12)
    assert np.mean([naive(run) for run in runs]) < spearman(0.81) - 0.25


def test_a_cheap_rung_that_predicts_nothing_is_not_said_to_predict():
    found = [rung_correlations(halved([0.0], 60, seed))[0] for seed in range(20)]
    assert sum(one.known and one.lower > 0 for one in found) <= 2


def test_of_few_configurations_it_cannot_be_told_even_where_their_order_is_kept():
    low = [(x / 10, LOW, 1, {"x": x}) for x in range(30)]
    kept = [(x / 20, FULL, 1, {"x": x}) for x in range(MIN_CONFIGURATIONS - 1)]
    (found,) = rung_correlations(made_run(*low, *kept))
    assert (found.n, found.known) == (MIN_CONFIGURATIONS - 1, False)
    assert all(math.isnan(value) for value in (found.rho, found.lower, found.upper))


def test_without_promotion_it_is_spearmans_correlation_of_all():
    rng = np.random.default_rng(3)
    scores = rng.standard_normal((2, 120))
    scores[1] = 0.8 * scores[0] + 0.6 * scores[1]
    run = made_run(
        *[
            (float(v), rung, 1, {"x": i})
            for row, rung in zip(scores, (LOW, FULL), strict=True)
            for i, v in enumerate(row)
        ]
    )
    (found,) = rung_correlations(run)
    assert found.rho == pytest.approx(stats.spearmanr(*scores).statistic, abs=0.04)
    assert found.lower < found.rho < found.upper


def test_a_monotone_change_of_the_losses_changes_nothing():
    run = halved([0.8], 60, 1)
    cubed = made_run(*[(r.outcome.loss**3, r.outcome.rung, 1, r.trial.config) for r in run.results])
    assert rung_correlations(run) == rung_correlations(cubed)


def test_partial_trials_do_not_count_and_constant_losses_tell_nothing():
    low = [(x, LOW, 1, {"x": x}) for x in range(9)]
    partial = [(9 - x, FULL, 1, {"x": x}, "partial") for x in range(9)]
    assert rung_correlations(made_run(*low, *partial)) == []
    (found,) = rung_correlations(made_run(*low, *[(1.0, FULL, 1, {"x": x}) for x in range(9)]))
    assert not found.known


def test_runs_count_together_and_never_across():
    def run(seed, sign):
        low = [(0.1 * x, LOW, 1, {"x": x}) for x in range(20)]
        return made_run(*low, *[(seed + sign * 0.1 * x, FULL, 1, {"x": x}) for x in range(20)], seed=seed)

    (one,), (both,) = rung_correlations(run(0, 1)), rung_correlations(run(0, 1), run(0, -1))
    assert one.rho > 0.95
    assert both.n == 40
    assert both.rho == pytest.approx(0, abs=0.2)
