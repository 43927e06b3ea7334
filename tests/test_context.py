"""What a train function is given, and what it may do with it."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfbo.checkpoint import Checkpoints
from mfbo.context import Clock, Context
from mfbo.errors import TrialStopped
from mfbo.trial import Report


def test_epochs_are_counted_from_where_the_configuration_was_left():
    context = Context(start_epoch=3)
    for loss in (0.5, 0.4):
        context.report(loss)
    context.report(0.3, epoch=9)
    context.report(0.2)
    assert [report.epoch for report in context.reports] == [4, 5, 9, 10]
    assert [report.loss for report in context.reports] == [0.5, 0.4, 0.3, 0.2]


def test_reports_on_the_real_clock_carry_the_time_so_far():
    context = Context()
    began = time.perf_counter()
    for _ in range(3):
        context.report(0.5)
    costs = [report.cost for report in context.reports]
    assert costs == sorted(costs)
    assert 0 <= costs[0] <= costs[-1] <= context.elapsed
    assert costs[-1] - costs[0] <= time.perf_counter() - began
    assert not context.virtual


def test_a_predicted_cost_makes_the_clock_a_virtual_one():
    context = Context()
    context.report(0.5, cost=7)
    assert context.reports == [Report(1, 0.5, 7.0)]
    assert context.virtual


def test_what_is_kept_are_plain_numbers():
    context = Context()
    context.report(np.float32(0.5), epoch=np.int64(2), cost=np.float64(3))
    assert [type(value) for value in context.reports[0]] == [int, float, float]


@pytest.mark.parametrize("number", [-1, math.nan, math.inf, 10**400])
def test_a_number_of_epochs_that_no_ledger_can_keep_is_refused_where_it_is_told(number):
    context = Context()
    for tell in (
        lambda: context.report(0.5, epoch=number), lambda: context.poll(number), lambda: context.poll(evaluated=number),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="finite and not below 0"):
            tell()
    assert not context.reports
    assert context.pace is None


def test_epochs_that_the_checkpoint_has_behind_it_tell_nothing_of_how_fast_the_trial_is():
    context = Context(start_epoch=5)
    for epoch in (1, 2, 3):
        context.report(0.5, epoch=epoch)
    assert context.pace is None


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_loss_that_is_no_number_ends_the_trial_as_diverged(loss):
    context = Context()
    context.report(0.5)
    with pytest.raises(TrialStopped):
        context.report(loss)
    assert context.stop_reason == "diverged"
    assert len(context.reports) == 1


@given(
    epoch=st.none() | st.integers(-3, 3),
    cost=st.none() | st.floats() | st.sampled_from([-1.0, math.nan, math.inf, -0.0]),
)
def test_no_report_has_an_epoch_or_a_cost_below_zero_or_without_end(epoch, cost):
    context = Context()
    if (epoch is not None and epoch < 0) or (cost is not None and not 0 <= cost < math.inf):
        with pytest.raises(ValueError, match="finite and not below 0"):
            context.report(0.5, epoch=epoch, cost=cost)
        assert (context.reports, context.virtual) == ([], False)
    else:
        context.report(0.5, epoch=epoch, cost=cost)
        assert context.reports[0].epoch == (1 if epoch is None else epoch)


@pytest.mark.parametrize("epoch", ["1", None.__class__, [1]])
def test_an_epoch_is_a_number(epoch):
    with pytest.raises(TypeError):
        Context().report(0.5, epoch=epoch)


def test_a_trial_whose_time_is_up_ends_at_its_next_report_which_is_kept():
    asked = []
    context = Context(stop=lambda seconds: asked.append(seconds) or ("time" if len(asked) == 2 else None))
    context.report(0.5)
    with pytest.raises(TrialStopped, match="time"):
        context.report(0.4)
    assert [report.loss for report in context.reports] == [0.5, 0.4]
    assert context.stop_reason == "time"
    assert 0 <= asked[0] <= asked[1]


def test_a_trial_whose_time_is_up_ends_inside_an_epoch_too():
    with pytest.raises(TrialStopped):
        Context(stop=lambda seconds: "interrupted").poll()
    Context(stop=lambda seconds: None).poll()
    Context().poll()


def test_a_stop_is_no_error_that_a_train_function_would_catch():
    assert not issubclass(TrialStopped, Exception)


def test_reports_are_passed_on_before_the_trial_ends():
    heard = []
    context = Context(on_report=heard.append, stop=lambda seconds: "time")
    with pytest.raises(TrialStopped):
        context.report(0.5, cost=1.0)
    assert heard == context.reports == [Report(1, 0.5, 1.0)]


def test_what_is_saved_is_found_by_the_next_rung_and_by_no_lower_one(tmp_path):
    def context(epochs, key="key"):
        return Context(key=key, epochs=epochs, checkpoints=Checkpoints(tmp_path))

    first = context(3)
    assert (first.start_epoch, first.checkpoint, first.keeps_checkpoints) == (0, None, True)
    with first.save(3) as folder:
        (folder / "weights").write_text("3")
    higher = context(9)
    assert higher.start_epoch == 3
    assert (higher.checkpoint / "weights").read_text() == "3"
    for other in (context(3), context(9, "other")):
        assert (other.start_epoch, other.checkpoint) == (0, None)


def test_without_checkpoints_saving_is_refused_and_said_beforehand():
    context = Context(start_epoch=5)
    assert (context.keeps_checkpoints, context.checkpoint, context.start_epoch) == (False, None, 5)
    with pytest.raises(RuntimeError, match="keeps_checkpoints"), context.save(1):
        pass


def test_time_spent_evaluating_is_counted_once():
    clock = iter(range(100))
    context = Context(clock=lambda: float(next(clock)))
    with context.evaluating(), context.evaluating():  # from 1 to 4, and inside from 2 to 3
        pass
    assert context.evaluation == 3
    with pytest.raises(TrialStopped), context.evaluating():  # 5 to 6
        raise TrialStopped
    assert context.evaluation == 4


def test_the_options_of_a_run_are_not_those_of_its_trials():
    options = {"model": "small"}
    context = Context(options=options)
    context.options["model"] = "large"
    assert options == {"model": "small"}


def test_a_single_step_of_many_tells_nothing_of_their_pace():
    clock = Clock()
    clock.trained(0.0, 3.0)
    clock.trained(0.01, 10.0)
    assert clock.pace(0.0) is None, "the first one waits for libraries"
    clock.trained(0.02, 10.1)
    assert clock.pace(0.0).training == pytest.approx(0.2), "each step as long as the second"


def test_a_single_epoch_tells_what_an_epoch_takes():
    clock = Clock()
    clock.trained(0.0, 3.0)
    clock.trained(1.0, 10.0)
    assert clock.pace(0.0).training == pytest.approx(7.0)
