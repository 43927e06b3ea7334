"""What a run has used, what its next trial will use, and what it can still pay for."""

from __future__ import annotations

import math

import pytest
from conftest import quadratic, quadratic_space
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.cost.meter import Meter
from mfbo.ledger.run import Header, Limits, Result, Run
from mfbo.search import Search
from mfbo.trial import Outcome, Report, Rung, Trial

FIDELITY = mfbo.Fidelity(epochs=(1, 27))
RUNGS = FIDELITY.ladder()
LOW, _, HIGH, FULL = RUNGS


def task(full_cost=None, fidelity=FIDELITY):
    return mfbo.Task("q", quadratic_space(), quadratic, fidelity, full_cost=full_cost)


def outcome(rung=FULL, status="ok", cost=2.7, start=0, reports=(), loss=0.5):
    return Outcome(status, loss, rung, cost, reports=tuple(reports), start_epoch=start)


def taken(meter, *outcomes):
    """Let `meter` take these one after the other, charged at its own prices."""
    total = 0.0
    for number, one in enumerate(outcomes):
        total += meter.price(one, 0.0)
        meter.take(Result(Trial(number, {}, one.rung), one, 0.0, total, total))
    return meter


def test_seconds_charge_the_trial_and_the_thinking():
    meter = Meter(task(), Limits.of("10s"))
    assert meter.unit == "s"
    assert meter.price(Outcome("ok", 0.5, FULL, 2.0, 0.5), 0.25) == 2.75


def test_full_evaluations_of_a_surrogate_are_its_seconds_over_those_of_a_full_one():
    assert Meter(task(full_cost=5.4), Limits.of("10x")).price(outcome(cost=2.7), 9.0) == 0.5


def test_full_evaluations_of_a_real_task_are_work():
    meter = Meter(task(), Limits.of("10x"))
    assert meter.price(outcome(FULL, start=9), 9.0) == pytest.approx(18 / 27)
    assert meter.price(outcome(LOW), 0.0) == pytest.approx(1 / 27)


@pytest.mark.parametrize(
    ("reports", "start", "epochs"),
    [
        ([], 0, 1),
        ([Report(5, 0.5, 1.0)], 0, 5),
        ([Report(12, 0.5, 1.0)], 9, 3),
        ([], 9, 1),
        ([Report(99, 0.5, 1)], 0, 27),
    ],
)
@pytest.mark.parametrize("status", ["failed", "timeout", "lost"])
def test_a_trial_without_a_result_did_what_it_reported_and_at_least_an_epoch(status, reports, start, epochs):
    found = outcome(FULL, status, start=start, reports=reports, loss=None)
    assert Meter(task(), Limits.of("10x")).work_of(found) == pytest.approx(epochs / 27)


def test_a_trial_that_was_stopped_did_what_it_reached():
    meter = Meter(task(), Limits.of("10x"))
    assert meter.work_of(outcome(Rung(5, 1.0, 5 / 27), "stopped")) == pytest.approx(5 / 27)
    assert meter.work_of(outcome(FULL, "stopped", loss=None)) == pytest.approx(1 / 27)


def test_nothing_is_predicted_on_a_clock_before_anything_is_known():
    assert Meter(task(), Limits.of("10s")).predict(FULL, 0) == 0


def test_a_prediction_follows_what_trials_have_cost():
    meter = taken(Meter(task(), Limits.of("1h")), outcome(LOW, cost=2.0), outcome(HIGH, cost=18.0))
    assert meter.predict(FULL, 0) == pytest.approx(54)
    assert meter.predict(FULL, 9) == pytest.approx(36)
    assert meter.predict(LOW, 9) == 0


def test_failures_say_nothing_about_cost():
    meter = taken(Meter(task(), Limits.of("1h")), outcome(FULL, "failed", cost=600, loss=None), outcome(LOW, cost=2.0))
    assert meter.predict(LOW, 0) == pytest.approx(2)


def test_a_known_cost_is_predicted_from_the_start():
    assert Meter(task(full_cost=5.4), Limits.of("1h")).predict(HIGH, 0) == pytest.approx(1.8)
    assert Meter(task(full_cost=5.4), Limits.of("10x")).predict(HIGH, 0) == pytest.approx(1 / 3)


def test_the_highest_rung_that_the_rest_pays_for_is_chosen():
    meter = Meter(task(), Limits.of("1x"))
    assert meter.fit(FULL, 0, RUNGS) == FULL
    meter.take(Result(Trial(0, {}, LOW), outcome(LOW), 0.0, 0.5, 1.0))
    assert meter.fit(FULL, 0, RUNGS) == HIGH
    assert meter.fit(FULL, 20, RUNGS) == FULL
    assert meter.fit(FULL, 0, []) is None
    meter.take(Result(Trial(1, {}, LOW), outcome(LOW), 0.0, 0.99, 1.0))
    assert meter.fit(FULL, 0, RUNGS) is None


def test_a_lower_rung_is_never_one_that_the_checkpoint_has_passed():
    meter = Meter(task(), Limits.of("1x"))
    meter.take(Result(Trial(0, {}, LOW), outcome(LOW), 0.0, 0.5, 1.0))
    assert meter.fit(FULL, 9, RUNGS) is None


def test_what_is_in_flight_is_put_aside_until_it_is_back():
    meter = Meter(task(), Limits.of("1x"))
    meter.reserve(0, FULL, 0)
    assert meter.fit(LOW, 0, RUNGS) is None
    meter.take(Result(Trial(0, {}, FULL), outcome(FULL, "stopped", loss=None), 0.0, 1 / 27, 1.0))
    assert meter.fit(LOW, 0, RUNGS) == LOW


asked = st.lists(st.tuples(st.sampled_from(RUNGS), st.booleans()), max_size=40)


@pytest.mark.slow
@given(asked, st.floats(0.04, 5))
def test_what_is_started_is_always_paid_for(asks, amount):
    meter, flying, spent = Meter(task(), Limits.of(f"{amount}x")), [], 0.0
    for number, (rung, wait) in enumerate(asks):
        if (chosen := meter.fit(rung, 0, RUNGS)) is not None and meter.over(0.0, 0.0) is None:
            meter.reserve(number, chosen, 0)
            flying.append(Trial(number, {}, chosen))
        while flying and (wait or number == len(asks) - 1):
            trial = flying.pop(0)
            spent += meter.price(outcome(trial.rung), 0.0)
            meter.take(Result(trial, outcome(trial.rung), 0.0, spent, spent))
    assert spent <= amount * (1 + 1e-6)


def test_each_limit_ends_the_run_under_its_own_name():
    meter = Meter(task(), Limits.of("10s", 3, "20s"))
    assert meter.over(0.0, 0.0) is None
    assert meter.over(0.0, 10.0) == "budget"
    assert meter.over(20.0, 0.0) == "wall"
    meter.reserve(7, LOW, 0)
    taken(meter, outcome(LOW, cost=1), outcome(LOW, "stopped", cost=1), outcome(LOW, "failed", cost=1, loss=None))
    assert meter.over(0.0, 0.0) == "trials"
    meter.take(Result(Trial(7, {}, LOW), outcome(LOW, "stopped"), 0.0, 4.0, 4.0))
    assert meter.over(0.0, 0.0) is None
    meter.take(Result(Trial(8, {}, LOW), outcome(LOW), 0.0, 10.0, 10.0))
    assert meter.over(0.0, 0.0) == "budget"


def test_without_a_limit_of_cost_seconds_are_counted_and_never_used_up():
    meter = Meter(task(), Limits.of(None, 3, None))
    meter.take(Result(Trial(0, {}, FULL), outcome(cost=1e9), 0.0, 1e9, 1e9))
    assert (meter.unit, meter.seconds_left(5.0), meter.wall_left(5.0)) == ("s", math.inf, math.inf)
    assert (meter.over(1e9, 0.0), meter.fit(FULL, 0, RUNGS)) == (None, FULL)


def test_the_seconds_that_are_left():
    assert Meter(task(), Limits.of("10s")).seconds_left(4.0) == 6
    assert Meter(task(full_cost=2.0), Limits.of("10x")).seconds_left(4.0) == 20
    assert Meter(task(), Limits.of("10x")).seconds_left(4.0) == math.inf
    assert Meter(task(), Limits.of(max_wall="10s")).wall_left(4.0) == 6


def test_a_run_that_is_read_back_has_used_what_it_had_used():
    limits = Limits.of("100s", 5)
    run = Run(Header("t", Search("random"), limits, {}, tuple(RUNGS), {}, ""), limits)
    first, meter = Meter(task(), limits), Meter(task(), limits)
    for number, cost in enumerate((3.0, 5.0)):
        result = Result(Trial(number, {}, LOW), outcome(LOW, cost=cost), 0.5, run.spent + cost + 0.5, 0.0)
        run.add_result(result)
        first.take(result)
    run.add_end("interrupted", 1.0, 1.0)
    meter.read(run)
    assert meter.predict(FULL, 0) == first.predict(FULL, 0) == pytest.approx(4 * 27)
    assert (meter.seconds_left(0.0), first.seconds_left(0.0)) == (90, 91)


def test_the_grace_of_a_trial_that_does_not_report_keeps_within_the_promise():
    for amount in (1, 60, 100, 3600, 86400):
        grace = Meter(task(), Limits.of(f"{amount}s")).grace
        assert 0 < grace <= max(1, 0.01 * amount)
