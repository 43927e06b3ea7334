"""What more cost is expected to gain."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import FULL, HEADER

from mfbo.average import SPREAD
from mfbo.evidence import gain
from mfbo.ledger.plan import Plan, Step
from mfbo.ledger.run import GAIN, Limits, Result, Run
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.stop_rule import StopRule
from mfbo.trial import Outcome, Rung, Trial


def a_run(losses, limits=None, rung=FULL, metrics=None, price=None, search=None):
    """Results of one second each at `rung`, which is the highest level."""
    limits = limits or Limits.of("100s")
    header = replace(HEADER, limits=limits, rungs=(rung,), settings=Settings(price=price))
    run = Run(replace(header, search=search or header.search), limits)
    for number, loss in enumerate(losses):
        trial = Trial(number, {"x": number}, rung)
        run.add_ask(trial)
        outcome = Outcome("ok", loss, rung, 1.0, metrics=metrics or {})
        run.add_result(Result(trial, outcome, 0.0, number + 1.0, number + 1.0, number + 1.0))
    return run


def test_the_gain_of_draws_with_an_exponential_end_is_the_one_that_is_forecast():
    """The mean over many searches of what as many draws again gain, against that of the forecasts."""
    draws = -np.random.default_rng(0).exponential(size=(4000, 80))  # whose good end has no bound
    gained = draws[:, :40].min(axis=1) - draws.min(axis=1)
    forecasts = [gain.tail_scale(row) * math.log(2) for row in draws[:, :40].tolist()]
    assert np.mean(forecasts) == pytest.approx(np.mean(gained) * 5 / 4, rel=0.05)  # of 5 gaps it divides by 4


@pytest.mark.parametrize(("count", "twice"), [(6, 13), (9, 19), (1, 2)])
def test_the_chance_of_a_better_one_that_a_plan_tells_is_that_of_independent_draws(count, twice):
    steps, more = ((Step(FULL, 1.0, number),) for number in (count, twice))
    said = gain.ahead(Plan(steps, 10.0, "x", 1.0, 9, more))
    told = float(said.split("finds a better one is ")[1].split("%")[0]) / 100
    draws = np.random.default_rng(0).normal(size=(20_000, twice))
    assert told == pytest.approx(np.mean(draws.argmin(axis=1) >= count), abs=0.02)
    assert f"of which this budget buys {count}" in said


def test_what_twice_the_budget_buys_above_the_level_of_a_plan_counts_too():
    here, above = Step(replace(FULL, epochs=9, work=1 / 3), 1.0, 3), Step(FULL, 3.0, 4)
    assert "better one is 67% by" in gain.ahead(Plan((here,), 10.0, "x", 1.0, 27, (replace(here, trials=9), above)))
    assert "better one is 25% by" in gain.ahead(Plan((here,), 10.0, "x", 1.0, 27, (above,)))


def test_a_plan_without_a_result_at_its_highest_level_tells_nothing_of_a_gain():
    assert gain.ahead(Plan((Step(FULL, 1.0, 0),), 1.0, "x", 1.0, 9, (Step(FULL, 1.0, 2),))) == ""
    assert gain.ahead(Plan((), 0.0, "x", 0.0, 9)) == ""


def test_draws_with_a_bound_gain_less_than_is_forecast():
    draws = np.random.default_rng(0).uniform(size=(1000, 80))
    gained = draws[:, :40].min(axis=1) - draws.min(axis=1)
    forecasts = [gain.tail_scale(row) * math.log(2) for row in draws[:, :40].tolist()]
    assert np.mean(forecasts) > 2 * np.mean(gained)


@given(st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=40), st.floats(0, 1e3), st.floats(0, 1e3))
def test_more_cost_never_gains_less_and_never_less_than_nothing(losses, more, further):
    costs = [float(number + 1) for number in range(len(losses))]
    first, second = (gain.expected(costs, losses, costs[-1], value) for value in (more, more + further))
    assert 0 <= first <= second


@given(st.lists(st.floats(0.1, 10), min_size=8, max_size=30), st.floats(0.5, 2), st.floats(-5, 5))
def test_a_gain_has_the_unit_of_the_losses(losses, scale, shift):
    costs = [float(number + 1) for number in range(len(losses))]
    plain = gain.expected(costs, losses, costs[-1], 10.0)
    other = gain.expected(costs, [scale * loss + shift for loss in losses], costs[-1], 10.0)
    assert other == pytest.approx(scale * plain, abs=1e-9)


def test_nothing_is_told_of_few_results_or_of_lower_levels():
    few = a_run([1.0] * 7)
    assert gain.forecast(few) is None
    assert "so far 7" in gain.outlook(few)
    lower = a_run([1.0 / (n + 1) for n in range(20)])
    lower.header = replace(lower.header, rungs=(FULL, Rung(54, 1.0, 2.0)))
    assert gain.forecast(lower) is None


def test_what_still_improves_is_not_stopped_and_what_stands_still_is():
    rule = StopRule.parse("gain<1%")
    improving = a_run([10.0 - n for n in range(9)])
    flat = a_run([5.0, 4.0, 1.0, 1.001, 1.0005, 1.0002, 1.0001, 1.00001, 1.0003, 1.0])
    assert gain.stops(improving, rule) is None
    assert gain.stops(flat, rule) is not None
    flat.add_end(GAIN, 0.0, 0.0)
    assert gain.stops(flat, rule) is None  # who resumes it has decided to go on


def test_noise_is_known_of_folds_alone():
    losses = [1.0 + 0.01 * n for n in range(12)]
    folds = a_run(losses, rung=Rung(4, 1.0, 1.0, unit="folds"), metrics={SPREAD: 2.0})
    assert gain.forecast(folds).noise == 1.0  # 2 over the root of 4
    rule = StopRule.parse("gain<noise")
    assert gain.stops(folds, rule) is not None
    assert gain.unknown_noise(folds, rule) == ""
    plain = a_run(losses, metrics={SPREAD: 2.0})
    assert gain.forecast(plain).noise is None
    assert gain.stops(plain, rule) is None
    assert "folds or repeats" in gain.unknown_noise(plain, rule)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits.of("100s"), 80.0),
        (Limits.of(None, 30), 10.0),
        (Limits.of(None, None, "25s"), 5.0),
        (Limits.of("100s", 30, "1h"), 10.0),
        (Limits.of("10s"), 0.0),
    ],
)
def test_what_is_left_is_the_least_that_any_limit_leaves(limits, expected):
    assert gain.left_to_spend(a_run([1.0] * 20, limits)) == pytest.approx(expected)


def test_an_hour_or_a_currency_asks_of_that_much_and_of_no_more_than_is_left():
    run = a_run([1.0] * 20, Limits.of("10h"), price="0.9USD/h")
    assert gain.amount_asked(run, StopRule.parse("gain<1%/h")) == pytest.approx(3600)
    assert gain.amount_asked(run, StopRule.parse("gain<1%/USD")) == pytest.approx(4000)
    assert gain.amount_asked(run, StopRule.parse("gain<1%")) == pytest.approx(36000 - 20)
    short = a_run([1.0] * 20, Limits.of("100s"), price="0.9USD/h")
    assert gain.amount_asked(short, StopRule.parse("gain<1%/h")) == pytest.approx(80)


def test_the_outlook_has_cost_money_and_the_name_of_the_metric():
    search = Search("random", path="epochs", metric="accuracy", maximize=True)
    said = gain.outlook(a_run([-0.9 + 0.001 * n for n in range(12)], price="0.9USD/h", search=search))
    assert "1m28s (0.022 USD) more is expected to gain" in said
    assert "1h (0.90 USD) more is expected to gain" in said
    assert "of accuracy)" in said


def test_a_best_value_of_zero_has_no_percentage():
    run = a_run([0.0] * 12)
    assert gain.stops(run, StopRule.parse("gain<0.1")) is not None
    assert gain.stops(run, StopRule.parse("gain<1%")) is None
    assert "%" not in gain.outlook(run)


def test_no_rule_ends_a_run_that_its_limits_end():
    assert gain.stops(a_run([1.0] * 20, Limits.of("20s")), StopRule.parse("gain<50%")) is None
