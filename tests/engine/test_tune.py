"""One run: its limits, its result, and what it refuses."""

from __future__ import annotations

import math
import time
from typing import ClassVar

import pytest
from conftest import quadratic, quadratic_space
from hypothesis import given, settings
from hypothesis import strategies as st

import mfbo
from mfbo.errors import BadCost, BadValue, NoTrialSucceeded, RunExists, UnknownName
from mfbo.ledger.journal import FILE, read
from mfbo.optimizers.registry import OPTIMIZERS
from mfbo.trial import Trial

HERE = mfbo.Settings(workers=0)
CHEAP = ["hyperband", "random", "grid"]


def clocked(epoch_seconds=0.01):
    """A task on the real clock."""

    def train(config, fidelity, context):
        for _ in range(context.start_epoch, fidelity.epochs):
            time.sleep(epoch_seconds)
            context.poll()
            context.report(config["x"] ** 2)
        return config["x"] ** 2

    return mfbo.Task("clocked", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 9)))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_finishes_within_the_cost(task, optimizer):
    result = mfbo.tune(task, "6x", optimizer=optimizer, seed=1)
    assert result.cost <= 6 * 1.01
    assert result.status in ("budget", "exhausted")
    assert result.best.loss == min(
        r.outcome.loss for r in result.ledger.results if r.outcome.rung.work == result.best.fidelity.work
    )
    assert result.trials == len([r for r in result.ledger.results if r.outcome.status != "stopped"])


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "hyperband", "random", "grid"])
def test_the_same_seed_gives_the_same_run(task, optimizer):
    first, second = (mfbo.tune(task, "6x", optimizer=optimizer, seed=3) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    assert first.ledger.asks == second.ledger.asks
    assert mfbo.tune(task, "6x", optimizer=optimizer, seed=4).ledger.asks != first.ledger.asks


@pytest.mark.slow
@given(cost=st.floats(0.05, 12), optimizer=st.sampled_from(["hyperband", "random"]), workers=st.integers(1, 5))
@settings(max_examples=40)
def test_no_run_is_charged_more_than_its_limit(cost, optimizer, workers):
    task = mfbo.Task("q", quadratic_space(), quadratic, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=2.7)
    try:
        result = mfbo.tune(task, f"{cost}x", optimizer=optimizer, settings=mfbo.Settings(workers=workers))
    except BadCost:
        assert cost < (1 if optimizer == "random" else 1.1 / 27)
        return
    assert result.cost <= cost * (1 + 1e-9)
    charged = sum(r.outcome.cost for r in result.ledger.results) / 2.7
    assert math.isclose(charged, result.cost, abs_tol=1e-9)


def test_seconds_of_a_surrogate_are_virtual_ones(task):
    result = mfbo.tune(task, "27s", optimizer="random")
    assert (result.unit, result.trials) == ("s", 10)
    assert result.cost == pytest.approx(27)


def test_on_a_real_clock_no_trial_begins_beyond_the_limit_and_no_more_is_charged_than_has_passed():
    began = time.perf_counter()
    result = mfbo.tune(clocked(), 0.5, optimizer="random", settings=HERE)
    assert result.cost <= time.perf_counter() - began
    assert all(r.spent < 0.5 for r in result.ledger.results[:-1])
    assert result.status == "budget"


def test_full_evaluations_of_a_real_task_are_counted_by_work():
    result = mfbo.tune(clocked(0), "3x", optimizer="random", settings=HERE)
    assert (result.cost, result.trials, result.unit) == (pytest.approx(3), 3, "x")


@pytest.mark.slow
def test_a_trial_is_stopped_at_its_report_and_kept_as_a_partial_result():
    result = mfbo.tune(clocked(0.2), 0.9, optimizer="random", settings=HERE)
    last = result.ledger.results[-1].outcome
    assert last.status == "stopped"
    assert 0 < last.rung.epochs < 9
    assert last.loss is not None
    assert result.best is not None
    assert [trial.id for trial in result.ledger.open] == [0]


@pytest.mark.parametrize("limit", [1, 5])
def test_max_trials_counts_finished_trials(task, limit):
    result = mfbo.tune(task, max_trials=limit, optimizer="random", settings=mfbo.Settings(workers=3))
    assert (result.trials, result.status) == (limit, "trials")


def test_max_wall_limits_the_clock_and_not_the_cost(task):
    alone = mfbo.tune(task, max_wall="27s", optimizer="random")
    four = mfbo.tune(task, max_wall="27s", optimizer="random", settings=mfbo.Settings(workers=4))
    assert (alone.trials, four.trials, four.status) == (10, 40, "wall")
    assert four.ledger.wall == pytest.approx(27)


def test_real_time_never_counts_on_a_virtual_clock():
    def train(config, fidelity, context):
        return mfbo.Measurement(config["x"] ** 2, cost=1e-6)

    task = mfbo.Task("swift", quadratic_space(), train, full_cost=1e-6)
    result = mfbo.tune(task, max_wall="0.00001s", optimizer="random")
    assert (result.trials, result.status, result.ledger.wall) == (10, "wall", pytest.approx(1e-5))


def test_a_grid_that_is_used_up_ends_the_run():
    space = mfbo.Task("g", quadratic_space(), quadratic).space
    task = mfbo.Task("g", space, quadratic, grid={"x": [0.0], "n": [10], "kind": ["a", "b"]})
    result = mfbo.tune(task, "9x", optimizer="grid", settings=HERE)
    assert (result.status, result.trials) == ("exhausted", 2)


def failing(error):
    def train(config, fidelity, context):
        if config["x"] > 0:
            return error() if callable(error) else error
        return config["x"] ** 2

    return mfbo.Task("failing", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 9)))


@pytest.mark.parametrize("returned", [float("nan"), "a string", None, lambda: 1 / 0, lambda: exit(3)])
@pytest.mark.parametrize("optimizer", ["smac", "hyperband"])
def test_a_failed_trial_is_data_and_the_run_goes_on(returned, optimizer):
    result = mfbo.tune(failing(returned), "6x", optimizer=optimizer, seed=2, settings=HERE)
    bad = [r.outcome for r in result.ledger.results if r.outcome.failed]
    assert bad
    assert all(outcome.error and outcome.loss is None for outcome in bad)
    assert result.best.config["x"] <= 0


def test_a_run_of_nothing_but_failures_stops_soon():
    def train(config, fidelity, context):
        raise RuntimeError("no such luck")

    with pytest.raises(NoTrialSucceeded, match="no such luck") as caught:
        mfbo.tune(mfbo.Task("bad", quadratic_space(), train), "100x", optimizer="random", settings=HERE)
    result = caught.value.result
    assert (result.status, result.trials, result.best) == ("failed", 5, None)
    assert "no such luck" in result.ledger.results[0].outcome.error


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"max_cost": "0"}, BadCost),
        ({"max_cost": "-1h"}, BadCost),
        ({"max_cost": "2 hours please"}, BadCost),
        ({"max_cost": "0.001x"}, BadCost),
        ({"max_cost": 0}, BadCost),
        ({"max_cost": float("nan")}, BadCost),
        ({"max_cost": None}, BadCost),
        ({"max_cost": "2x", "optimizer": "smacc"}, UnknownName),
        ({"max_cost": "2x", "fidelity": "epoch"}, UnknownName),
        ({"max_cost": "2x", "fidelity": "data"}, BadValue),
        ({"max_cost": "2x", "seed": -1}, BadValue),
        ({"max_cost": "2x", "max_trials": 0}, BadValue),
        ({"max_cost": "2x", "max_wall": "3x"}, BadCost),
        ({"max_cost": "2x", "settings": mfbo.Settings(workers=-1)}, BadValue),
        ({"max_cost": "2x", "settings": mfbo.Settings(max_trial_time="2x")}, BadCost),
        ({"max_cost": "2x", "settings": mfbo.Settings(max_trial_memory=0)}, BadValue),
        ({"max_cost": "2x", "settings": mfbo.Settings(device="gpu")}, UnknownName),
        ({"max_cost": "2x", "settings": mfbo.Settings(space="wider")}, UnknownName),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_and_nothing_is_written(task, tmp_path, wrong, error):
    with pytest.raises(error) as caught:
        mfbo.tune(task, out=tmp_path / "run", **wrong)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_cost_that_ends_before_the_first_report_is_told_of_and_can_be_gone_on_with(tmp_path):
    class Notes(mfbo.Observer):
        texts: ClassVar = []

        def on_note(self, text):
            self.texts.append(text)

    notes, task = Notes(), clocked(0.2)
    result = mfbo.tune(task, 0.01, optimizer="random", out=tmp_path / "run", settings=HERE, observer=notes)
    assert (result.best, result.trials, result.status) == (None, 0, "budget")
    assert any("gave no report" in text for text in notes.texts)
    assert mfbo.resume(tmp_path / "run", max_trials=1, max_cost="60s", task=task).best is not None


def test_a_folder_that_holds_a_run_is_not_touched(task, tmp_path):
    mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(RunExists):
        mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_the_ledger_on_disk_tells_the_same_as_the_result(task, tmp_path):
    result = mfbo.tune(task, "4x", optimizer="hyperband", out=tmp_path)
    run = read(tmp_path)
    assert run.results == result.ledger.results
    assert run.asks == result.ledger.asks
    assert run.ended == result.status == "budget"
    assert run.spent == result.cost


def test_a_promoted_configuration_goes_on_from_its_checkpoint_and_pays_the_difference():
    seen = []

    def train(config, fidelity, context):
        seen.append((context.start_epoch, fidelity.epochs))
        if context.start_epoch:
            assert (context.checkpoint / "epochs").read_text() == str(context.start_epoch)
        for _ in range(context.start_epoch, fidelity.epochs):
            context.report(config["x"] ** 2)
        with context.save(fidelity.epochs) as folder:
            (folder / "epochs").write_text(str(fidelity.epochs))
        return config["x"] ** 2

    task = mfbo.Task("stateful", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 27)))
    result = mfbo.tune(task, "6x", optimizer="hyperband", settings=HERE)
    assert any(start for start, _ in seen)
    assert result.cost == pytest.approx(sum(epochs - start for start, epochs in seen) / 27)
    scratch = mfbo.tune(
        task_without_save(), "6x", optimizer="hyperband", settings=mfbo.Settings(workers=0, from_scratch=True)
    )
    assert all(r.outcome.start_epoch == 0 for r in scratch.ledger.results)


def task_without_save():
    def train(config, fidelity, context):
        assert not context.keeps_checkpoints
        return config["x"] ** 2

    return mfbo.Task("stateless", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 27)))


def test_asks_are_numbered_and_stay_on_the_ladder(task):
    run = mfbo.tune(task, "6x", optimizer="hyperband").ledger
    assert list(run.asks) == list(range(len(run.asks)))
    assert all(isinstance(trial, Trial) and trial.rung in run.header.rungs for trial in run.asks.values())


@pytest.mark.parametrize("optimizer", CHEAP)
def test_more_workers_find_no_less_work_on_a_virtual_clock(task, optimizer):
    alone = mfbo.tune(task, "20x", optimizer=optimizer)
    eight = mfbo.tune(task, "20x", optimizer=optimizer, settings=mfbo.Settings(workers=8))
    assert eight.cost > 0.8 * alone.cost
    assert eight.ledger.wall < alone.ledger.wall


def test_the_rest_of_a_budget_is_not_spent_on_thinking(monkeypatch):
    from mfbo.optimizers.full_fidelity import FullFidelity

    def slow(self, ask=FullFidelity.ask):
        asked.append(1)
        time.sleep(0.2)
        return ask(self)

    asked = []
    monkeypatch.setattr(FullFidelity, "ask", slow)
    result = mfbo.tune(clocked(0.001), 0.9, optimizer="random", settings=HERE)
    assert result.status == "budget"
    assert result.ledger.seconds <= 0.9 + 0.1
    assert len(asked) == len(result.ledger.asks)


def test_what_is_in_flight_pays_for_no_new_trials_once_one_is_stopped():
    """Three of four workers are taken by trials that cost far more than was foretold; the fourth must end with them."""
    calls = []

    def train(config, fidelity, context):
        calls.append(config)
        seconds = 1e4 if len(calls) in (20, 21, 22) else fidelity.epochs
        context.report(config["x"] ** 2, cost=seconds)
        return mfbo.Measurement(config["x"] ** 2, cost=seconds)

    uneven = mfbo.Task("uneven", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=27)
    result = mfbo.tune(uneven, "20x", optimizer="asha", settings=mfbo.Settings(workers=4))
    assert (result.status, result.cost) == ("budget", pytest.approx(20))
    assert len(result.ledger.asks) == len({result.trial.id for result in result.ledger.results})
    assert [result.outcome.status for result in result.ledger.results].count("stopped") <= 4


@pytest.mark.parametrize(("optimizer", "lows"), [("asha", 4), ("smac", 4), ("hyperband", 4)])
def test_where_a_promotion_no_longer_fits_another_configuration_is_tried(optimizer, lows, tmp_path):
    low = {"min_fidelity": 0.3}  # rungs at a third and in full: three of the first leave too little for a promotion
    result = mfbo.tune("branin", "1.5x", optimizer=optimizer, out=tmp_path / "run", **low)
    assert [r.outcome.rung.work for r in result.ledger.results] == pytest.approx([1 / 3] * lows)
    assert result.status == "budget"
    more = mfbo.resume(tmp_path / "run", max_cost="3x")
    assert max(r.outcome.rung.work for r in more.ledger.results) == 1.0  # what did not fit comes first


def test_what_could_not_become_the_incumbent_is_not_tried_to_use_a_budget_up():
    result = mfbo.tune("branin", "2.3x", optimizer="asha", min_fidelity=0.3)
    assert result.best.fidelity.work == 1.0
    assert result.cost == pytest.approx(2.0)
