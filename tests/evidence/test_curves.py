"""Curves of runs and statistics over them, against cases worked by hand and against scipy."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import FULL, RUNGS, at, made_run
from scipy import stats

from mfbo.evidence import curves, statistics
from mfbo.evidence.curves import Curve, Incumbent, anytime, improvements, incumbent
from mfbo.ledger.run import Limits

LOW, MIDDLE = RUNGS[1], RUNGS[2]
losses = st.floats(-1e3, 1e3)
costs = st.floats(0, 100)
results = st.lists(
    st.tuples(
        losses, st.sampled_from(RUNGS) | st.integers(1, 27).map(at), costs, st.sampled_from(["ok", "stopped", "failed"])
    ),
    max_size=30,
)


def curve(steps, end):
    at_costs, values = zip(*steps, strict=True)
    return Curve(np.array(at_costs, float), np.array(values, float), np.ones(len(steps)), end)


def reached(work):
    return max((rung.work for rung in RUNGS if rung.work <= work + 1e-9), default=work)


# the incumbent


def test_a_higher_rung_wins_over_any_loss_and_a_lower_loss_at_the_same_rung():
    run = made_run((0.5, LOW, 1), (0.4, LOW, 1), (0.45, LOW, 1), (0.9, FULL, 1), (0.1, LOW, 1), (0.8, FULL, 1))
    assert [result.outcome.loss for result in improvements(run)] == [0.5, 0.4, 0.9, 0.8]
    assert incumbent(run) is run.results[5]


def test_of_equal_losses_the_earlier_stays():
    run = made_run((0.5, FULL, 1), (0.5, FULL, 1))
    assert improvements(run) == [run.results[0]]


def test_a_partial_result_counts_for_the_rung_that_it_reached():
    better = made_run((0.5, MIDDLE, 1), (0.4, at(13), 1, "stopped"), (0.45, MIDDLE, 1))
    assert incumbent(better) is better.results[1]
    worse = made_run((0.5, MIDDLE, 1), (0.6, at(13), 1, "stopped"))
    assert incumbent(worse) is worse.results[0]
    higher = made_run((0.5, LOW, 1), (0.6, at(13), 1, "stopped"))
    assert incumbent(higher) is higher.results[1]


def test_below_the_lowest_rung_more_work_wins():
    run = made_run((0.2, at(3), 1, "stopped"), (0.5, at(13), 1, "stopped"), (0.1, at(12), 1), rungs=(FULL,))
    assert incumbent(run) is run.results[1]


@pytest.mark.parametrize("loss", [None, math.nan, math.inf, -math.inf])
def test_what_has_no_loss_is_no_incumbent(loss):
    found = Incumbent(RUNGS)
    run = made_run((0.5, LOW, 1), (0.1, FULL, 1, "failed"))
    trial = made_run((None, FULL, 1, "stopped")).results[0]
    object.__setattr__(trial.outcome, "loss", loss)
    assert [found.add(result) for result in (trial, *run.results)] == [False, True, False]
    assert incumbent(made_run()) is None


@pytest.mark.slow
@given(results)
def test_an_incumbents_loss_at_one_rung_never_rises_nor_does_its_rung_fall(made):
    found = [(reached(r.outcome.rung.work), r.outcome.loss) for r in improvements(made_run(*made))]
    for (rung, loss), (next_rung, next_loss) in pairwise(found):
        assert next_rung > rung or (next_rung == rung and next_loss < loss)


@given(results)
def test_the_incumbent_is_the_best_at_the_highest_rung_that_has_a_result(made):
    run = made_run(*made)
    known = [r for r in run.results if r.outcome.status != "failed"]
    best = min(known, key=lambda r: (-reached(r.outcome.rung.work), r.outcome.loss), default=None)
    assert incumbent(run) is best


A, B, C = ({"x": name} for name in (100, 101, 102))


def test_a_lower_rung_takes_over_where_it_would_be_better_even_if_its_loss_rose_as_far_as_any_has():
    known = [(0.5, LOW, 1, A), (0.6, FULL, 3, A)]  # rose by 0.1
    better = made_run(*known, (0.45, LOW, 1, B))
    assert incumbent(better) is better.results[2]
    not_clear = made_run(*known, (0.55, LOW, 1, B))
    assert incumbent(not_clear) is not_clear.results[1]
    nothing_known = made_run((0.6, FULL, 3, A), (0.1, LOW, 1, B))
    assert incumbent(nothing_known) is nothing_known.results[0]
    other_rung = made_run(*known, (0.1, MIDDLE, 1, B))  # nobody was seen there and at the top
    assert incumbent(other_rung) is other_rung.results[1]


def test_it_gives_way_where_it_fails_is_seen_to_be_worse_or_the_rung_turns_out_to_mislead():
    taken = [(0.5, LOW, 1, A), (0.6, FULL, 3, A), (0.3, LOW, 1, B)]
    assert incumbent(made_run(*taken)).trial.config == B
    for after in ((None, FULL, 1, "failed", B), (0.9, FULL, 3, B), (0.35, FULL, 3, C)):
        run = made_run(*taken, after)
        assert incumbent(run).trial.config == (C if C in after else A)
    misled = made_run(*taken, (0.1, LOW, 1, C), (0.8, FULL, 3, C))  # C rose by 0.7
    assert incumbent(misled).trial.config == A


def test_where_the_incumbent_falls_back_its_curve_has_the_cost_of_that_moment():
    run = made_run((0.5, LOW, 1, A), (0.6, FULL, 3, A), (0.3, LOW, 1, B), (0.9, FULL, 3, B))
    assert [best.trial.config for best in improvements(run)] == [A, A, B, A]
    assert [best.spent for best in improvements(run)] == [1, 4, 5, 8]
    assert anytime(run).at([1, 4, 5, 8]).tolist() == [0.5, 0.6, 0.3, 0.6]
    assert curves.iterations_to_best(run) == 4


# the anytime curve


def test_the_curve_steps_where_the_cost_of_a_better_result_was_charged():
    run = made_run((0.5, FULL, 2), (0.7, FULL, 3), (0.3, FULL, 5), ended=None)
    found = anytime(run)
    assert found.at([1.99, 2, 9.99, 10, 10.01]).tolist()[1:4] == [0.5, 0.5, 0.3]
    assert np.isnan(found.at([1.99, 10.01])).all()  # nothing is known before the first result and after the end
    assert found.at(4.0) == 0.5
    assert found.at([[2.0], [10.0]]).shape == (2, 1)


def test_the_observed_loss_rises_where_a_higher_rung_takes_over():
    run = made_run((0.2, LOW, 1), (0.6, MIDDLE, 1), (0.5, FULL, 1))
    found = anytime(run)
    assert found.losses.tolist() == [0.2, 0.6, 0.5]
    assert found.works.tolist() == [LOW.work, MIDDLE.work, 1.0]
    assert found.full_from == 3
    assert anytime(made_run((0.2, LOW, 1))).full_from == math.inf


def test_where_it_is_known_the_curve_shows_what_the_incumbent_is_worth_at_full_fidelity():
    run = made_run((0.2, LOW, 1, {"x": 4}), (0.6, FULL, 1, {"x": 3}))
    assert anytime(run, lambda config: 10 * config["x"]).losses.tolist() == [40, 30]


def test_a_budget_that_is_spent_holds_the_incumbent_up_to_its_limit_and_no_other_end_does():
    made = [(0.5, FULL, 2)]
    ends = {ended: anytime(made_run(*made, ended=ended)).end for ended in ("budget", "exhausted", "interrupted", None)}
    assert ends == {"budget": 100, "exhausted": 100, "interrupted": 2, None: 2}
    assert anytime(made_run(*made, limits=Limits.of(max_trials=1), ended="exhausted")).end == 2
    assert anytime(made_run((0.5, FULL, 100.7))).end == 100.7  # past the limit by less than a second


def test_results_that_cost_nothing_leave_one_step():
    found = anytime(made_run((0.5, FULL, 1), (0.4, FULL, 0), (0.3, FULL, 0), (0.2, FULL, 1)))
    assert (found.costs.tolist(), found.losses.tolist()) == ([1, 2], [0.3, 0.2])


def test_a_run_without_a_result_has_no_curve():
    found = anytime(made_run((None, FULL, 1, "failed")))
    assert len(found.costs) == 0
    assert found.full_from == math.inf
    assert np.isnan(found.at([0.5, 1])).all()


@given(results, st.lists(costs, max_size=5))
def test_the_curve_is_the_loss_of_the_incumbent_at_each_cost(made, asked):
    run = made_run(*made, ended=None)
    found = anytime(run)
    for cost in [*asked, *(result.spent for result in run.results)]:
        until = [result for result in run.results if result.spent <= cost]
        best = incumbent(made_run(*((r.outcome.loss, r.outcome.rung, 1, r.outcome.status) for r in until)))
        expected = best.outcome.loss if best and cost <= run.spent else math.nan
        np.testing.assert_equal(found.at(cost), expected)


def test_a_common_grid_begins_where_all_have_a_value_and_ends_with_the_first():
    one, other = curve([(1, 9), (4, 5)], 10), curve([(2, 8), (3, 7), (12, 1)], 20)
    grid = curves.common_costs([one, other])
    assert grid.tolist() == [2, 3, 4, 10]
    assert curves.on([one, other], grid).tolist() == [[9, 9, 5, 5], [8, 7, 7, 7]]
    assert len(curves.common_costs([one, curve([(11, 1)], 20)])) == 0
    assert len(curves.common_costs([])) == 0


def test_cost_to_quality_is_that_at_which_it_is_reached_for_good():
    found = curve([(1, 9), (4, 5), (6, 7), (8, 6)], 10)
    assert [curves.cost_to_quality(found, quality) for quality in (9, 8, 6.5, 6, 5)] == [1, 4, 8, 8, math.inf]
    assert curves.cost_for_good(np.array([]), np.array([], dtype=bool)) == math.inf


def test_regret_is_normalised_to_the_reference():
    assert curves.normalised_regret([2, 3, 6, 10], 2, 6).tolist() == [0, 0.25, 1, 2]
    with pytest.raises(ValueError, match="above the optimum"):
        curves.normalised_regret([1.0], 2, 2)


def test_the_area_is_a_mean_over_the_logarithm_of_cost():
    found = curve([(1, 8), (10, 2)], 1000)
    assert curves.area(found, 1, 100) == pytest.approx((8 + 2) / 2)
    assert curves.area(found, 1, 1000) == pytest.approx((8 + 2 * 2) / 3)
    assert curves.area(found, 20, 30) == pytest.approx(2)
    assert math.isnan(curves.area(found, 0.5, 10))
    assert math.isnan(curves.area(found, 1, 1001))
    with pytest.raises(ValueError, match="above 0"):
        curves.area(found, 10, 10)


def test_iterations_to_the_best_end_where_the_incumbent_comes_within_the_tolerance_and_stays():
    run = made_run((5, FULL, 1), (2.01, FULL, 1), (3, FULL, 1), (2, FULL, 1), (2.5, FULL, 1))
    assert curves.iterations_to_best(run) == 2
    assert curves.iterations_to_best(run, tolerance=0.004) == 4
    assert curves.iterations_to_best(run, tolerance=2) == 1
    lucky = made_run((2, LOW, 1), (4, FULL, 1), (3, FULL, 1, "stopped"), (None, FULL, 1, "failed"), (2, FULL, 1))
    assert curves.iterations_to_best(lucky) == 4  # of five results one was partial
    assert curves.iterations_to_best(lucky, worth=lambda config: 1.0) == 1
    assert curves.iterations_to_best(made_run((None, FULL, 1, "failed"))) is None


# statistics


def test_mean_and_standard_error_are_those_of_scipy_and_are_missing_where_a_seed_is():
    values = np.array([[1.0, 2.0, math.nan], [3.0, 2.5, 1.0], [8.0, 0.0, 1.0]])
    band = statistics.mean_sem(values)
    assert band.centre[:2] == pytest.approx([4, 1.5])
    np.testing.assert_allclose(band.high - band.centre, stats.sem(values, axis=0))
    np.testing.assert_allclose(band.centre - band.low, stats.sem(values, axis=0))
    assert math.isnan(band.centre[2])
    alone = statistics.mean_sem([[1.0, 2.0]])
    assert alone.centre.tolist() == [1, 2]
    assert np.isnan(alone.low).all()


def test_median_and_quartiles_by_hand():
    band = statistics.median_iqr([[1.0, math.nan], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0], [50.0, 1.0]])
    assert (band.low[0], band.centre[0], band.high[0]) == (2, 3, 4)
    assert math.isnan(band.centre[1])
    np.testing.assert_allclose(band.high[0] - band.low[0], stats.iqr([1, 2, 3, 4, 50]))


def test_speed_up_is_the_ratio_of_the_costs_at_which_both_means_have_the_baselines_final_loss():
    baseline = [curve([(1, 9), (8, 4)], 10), curve([(1, 9), (8, 4)], 10)]
    faster = [curve([(1, 5), (2, 4)], 10), curve([(1, 5), (2, 4)], 10)]
    found = statistics.speed_up(faster, baseline, resamples=50)
    assert (found.factor, found.low, found.high) == (4, 4, 4)
    never = statistics.speed_up([curve([(1, 5)], 10)] * 2, baseline, resamples=50)
    assert (never.factor, never.low, never.high) == (0, 0, 0)


def test_the_interval_of_a_speed_up_is_that_of_all_its_resamples():
    baseline = [curve([(1, 4)], 16)] * 2
    ours = [curve([(1, 9), (2, 4)], 16), curve([(1, 9), (8, 4)], 16)]
    # the mean is at 4 when the slower is; a quarter of the resamples hold the faster one alone
    found = statistics.speed_up(ours, baseline, confidence=0.9, seed=1)
    assert (found.factor, found.low, found.high) == (1 / 8, 1 / 8, 1 / 2)
    assert statistics.speed_up(ours, baseline, confidence=0.4, seed=1).high == 1 / 8
    paired = statistics.speed_up(ours, ours, paired=True)
    assert (paired.factor, paired.low, paired.high) == (1, 1, 1)


@pytest.mark.parametrize("wrong", [[], [([1, 2], 3)], [([1, 2], 1.5), ([5, 2], 6)]])
def test_a_speed_up_needs_two_curves_that_overlap(wrong):
    two = [curve([(1, 9)], 10)] * 2
    few = [curve([tuple(step)], end) for step, end in wrong]
    for pair in ((few, two), (two, few)):
        with pytest.raises(ValueError, match="overlap"):
            statistics.speed_up(*pair)


def test_average_ranks_share_ties_and_put_last_what_has_no_result():
    first = [[1, 1], [2, 1], [3, math.nan]]
    second = [[5, 1], [4, math.nan], [4, math.nan]]
    ranks = statistics.average_ranks(np.array([first, second], dtype=float))
    np.testing.assert_allclose(ranks, [[(1 + 3) / 2, (1.5 + 1) / 2], [(2 + 1.5) / 2, 2], [(3 + 1.5) / 2, 2.75]])


@given(st.lists(st.lists(losses, min_size=3, max_size=3), min_size=1, max_size=6))
def test_ranks_always_add_up(values):
    ranks = statistics.average_ranks(np.array(values)[:, :, None])
    assert ranks.sum() == pytest.approx(6)
    assert ((ranks >= 1) & (ranks <= 3)).all()


def test_wilcoxon_by_hand():
    # six of six pairs the same way: 2 of the 64 ways to sign them are as extreme
    assert statistics.wilcoxon([1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0]) == pytest.approx(2 / 64)
    # ranks 1 and 2 against the rest: W = 3, and 5 subsets of {1..6} have a sum of 3 or less
    assert statistics.wilcoxon([-1, -2, 3, 4, 5, 6], [0] * 6) == pytest.approx(2 * 5 / 64)
    assert statistics.wilcoxon([1, 2], [1, 2]) == 1


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert statistics.holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_value_and_bonferroni_and_keeps_the_order(raw):
    values, adjusted = np.array(raw), statistics.holm(raw)
    assert (adjusted >= values).all()
    assert (adjusted <= np.minimum(1, len(raw) * values)).all()
    assert (np.diff(adjusted[np.argsort(values)]) >= 0).all()


def test_pairs_of_optimizers_are_compared_by_wilcoxon_with_holm():
    generator = np.random.default_rng(0)
    values = generator.normal([0, 0.2, 2], size=(12, 3))
    found = statistics.pairwise_wilcoxon(values)
    raw = [stats.wilcoxon(values[:, i], values[:, j]).pvalue for i, j in ((0, 1), (0, 2), (1, 2))]
    adjusted = statistics.holm(raw)
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(found[np.triu_indices(3, 1)], adjusted)
    assert np.diag(found).tolist() == [1, 1, 1]
    assert statistics.pairwise_wilcoxon([[1.0]]).tolist() == [[1]]
