"""The ladder of a run that grows upward, and what a run says at its end."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from conftest import quadratic_space
from made_runs import made_header

import mfbo
from mfbo.budget import Budget
from mfbo.cost.meter import Meter
from mfbo.display.counts import done_of
from mfbo.engine.replay import replay
from mfbo.engine.tune import tune
from mfbo.errors import BadLedger
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.ledger.plan import Plan, Step
from mfbo.ledger.run import Limits, Result, Run
from mfbo.ledger.writer import Ledger
from mfbo.optimizers.registry import OPTIMIZERS, make
from mfbo.optimizers.spec import GrowsLadder
from mfbo.planning.growth import Growth, cheapest_ladder, closing, grows
from mfbo.planning.ladder import Bounds
from mfbo.planning.probe import CONFIGS
from mfbo.planning.replan import Replanning
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.trial import Outcome

HERE = Settings(workers=0)
FIDELITY = mfbo.Fidelity(epochs=(1, 27), data=(0.1, 1.0))


def train(config, rung, context):
    for epoch in range(context.start_epoch, rung.epochs):
        time.sleep(0.0005)
        context.report(config["x"] ** 2, epoch=epoch + 1)
    return config["x"] ** 2


TASK = mfbo.Task("clocked", quadratic_space(), train, FIDELITY)


class Notes(Observer):
    def __init__(self):
        self.notes = []

    def on_note(self, text):
        self.notes.append(text)


@pytest.mark.parametrize("low", [0.0, 0.05])
def test_the_cheapest_ladder_has_the_lowest_two_levels_that_tell_anything(low):
    rungs = cheapest_ladder(FIDELITY, Bounds(Search(), work=low))
    assert len(rungs) == 2
    assert low <= rungs[0].work < rungs[1].work
    assert rungs[0].work <= 1.2 * max(low, FIDELITY.lowest_work())


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "asha"])
def test_a_run_that_begins_low_grows_as_trials_prove_cheap_and_its_ledger_replays(tmp_path, optimizer):
    notes = Notes()
    result = mfbo.tune(TASK, "6s", optimizer=optimizer, max_trials=60, out=tmp_path, settings=HERE, observer=notes)
    run = read(tmp_path)
    assert run.header.grows
    assert run.ladder(0) == tuple(cheapest_ladder(FIDELITY, Bounds(Search())))
    assert len(run.header.rungs) > 2
    assert run.header.rungs[:2] == run.ladder(0)
    assert any("higher level" in note for note in notes.notes)
    assert result.best.fidelity.work > run.ladder(0)[-1].work
    found = replay(run)
    assert (found.matched, found.mismatch) == (len(run.asks), None)


def test_a_run_whose_ladder_has_grown_goes_on_from_there(tmp_path):
    mfbo.tune(TASK, "6s", optimizer="asha", max_trials=40, out=tmp_path, settings=HERE)
    before = read(tmp_path).header.rungs
    mfbo.resume(tmp_path, max_trials=50, task=TASK)
    run = read(tmp_path)
    assert run.header.rungs[: len(before)] == before
    assert replay(run).mismatch is None


def test_a_ladder_in_a_ledger_must_grow_out_of_the_one_before(tmp_path):
    mfbo.tune(TASK, "6s", optimizer="asha", max_trials=20, out=tmp_path, settings=HERE)
    with Ledger.reopen(tmp_path) as ledger:
        ledger.ladder(ledger.run.header.rungs)
    with pytest.raises(BadLedger, match="does not grow"):
        read(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "asha"])
def test_a_plan_is_made_again_where_trials_cost_more_than_twice_as_much_and_loses_a_top_that_is_out_of_reach(
    tmp_path, optimizer
):
    def slower(config, rung, context):
        """As in the test run, but after that, whose configurations are few, an epoch takes a hundred times as long."""
        ran.append(1)
        for epoch in range(context.start_epoch, rung.epochs):
            time.sleep(0.0005 if len(ran) <= CONFIGS else 0.05)
            context.report(config["x"] ** 2, epoch=epoch + 1)
        return config["x"] ** 2

    ran, notes = [], Notes()
    task = replace(TASK, train=slower)
    mfbo.tune(task, "21s", optimizer=optimizer, max_trials=12, out=tmp_path, settings=HERE, observer=notes)
    run = read(tmp_path)
    assert run.header.plan.steps[-1].rung == run.ladder(0)[-1]
    assert run.planned != run.header.plan.steps
    assert any("times what was planned; now planned, in all: " in note for note in notes.notes), notes.notes
    assert replay(run).mismatch is None


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "asha"])
def test_a_ladder_that_loses_a_rung_which_was_never_asked_for_replays_and_grows_again(tmp_path, optimizer):
    mfbo.tune(TASK, "6s", optimizer=optimizer, max_trials=2, out=tmp_path, settings=HERE)
    with Ledger.reopen(tmp_path) as ledger:
        low = ledger.run.header.rungs
        ledger.ladder(low[:1])
        assert read(tmp_path).header.rungs == low[:1]
    mfbo.resume(tmp_path, max_trials=30, task=TASK)
    run = read(tmp_path)
    assert replay(run).mismatch is None
    assert run.header.rungs[0] == low[0]
    assert len(run.header.rungs) > 1


def test_a_rung_that_was_asked_for_cannot_go(tmp_path):
    mfbo.tune(TASK, "6s", optimizer="asha", max_trials=30, out=tmp_path, settings=HERE)
    with Ledger.reopen(tmp_path) as ledger:
        ledger.ladder(ledger.run.header.rungs[:1])
    with pytest.raises(BadLedger, match="does not grow"):
        read(tmp_path)


def test_costs_that_are_about_right_leave_the_plan_as_it_is(tmp_path):
    result = mfbo.tune(TASK, "21s", optimizer="asha", max_trials=2, out=tmp_path, settings=HERE)
    run = result.ledger
    meter = Meter(TASK, run.limits)
    meter.read(run)
    assert Replanning(run, meter).factor() is None, "two trials tell nothing"


def test_what_is_compared_keeps_its_ladder(tmp_path):
    tune(TASK, "6s", optimizer="asha", max_trials=20, out=tmp_path, settings=HERE, grow=False)
    run = read(tmp_path)
    assert (run.header.grows, run.ladders) == (False, [])


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_grows_if_its_facts_say_so(name):
    rungs = FIDELITY.ladder()
    made = make(Search(name), TASK, OPTIMIZERS[name].rungs(rungs[:2], FIDELITY, 0.0))
    assert isinstance(made, GrowsLadder) == OPTIMIZERS[name].grows == grows(Search(name))


@pytest.mark.parametrize("name", [name for name, spec in OPTIMIZERS.items() if spec.grows])
def test_after_growing_the_best_are_promoted_to_the_new_rung(name):
    rungs = FIDELITY.ladder()
    optimizer = make(Search(name), TASK, rungs[:2])
    asked = []
    for number in range(60):
        if number == 30:
            optimizer.grow(rungs[:3])
        asked.append(trial := optimizer.ask())
        optimizer.tell(trial, Outcome("ok", trial.config["x"] ** 2, trial.rung, 1.0))
    assert not any(trial.rung == rungs[2] for trial in asked[:30])
    assert any(trial.rung == rungs[2] for trial in asked[30:])


@pytest.mark.parametrize("name", [name for name, spec in OPTIMIZERS.items() if spec.grows])
@pytest.mark.parametrize("trials", [1, 4])
def test_the_best_goes_to_the_top_next_however_few_have_ended_below_it(name, trials):
    rungs = FIDELITY.ladder()
    optimizer = make(Search(name), TASK, rungs[:2])
    asked = []
    for number in range(trials):
        asked.append(optimizer.ask())
        rung = asked[-1].rung
        good = Outcome("ok", asked[-1].config["x"] ** 2, rung, rung.work)
        optimizer.tell(asked[-1], Outcome("crashed", None, rung, rung.work) if number == 1 else good)
    reached = max((trial.rung for trial in asked), key=lambda rung: rung.work)
    ended = [trial for number, trial in enumerate(asked) if number != 1 and trial.rung == reached]
    best = min(ended, key=lambda trial: abs(trial.config["x"]))
    optimizer.grow(rungs[:3], best=True)
    found = optimizer.ask()
    assert (found.config, found.rung) == (best.config, rungs[2])
    optimizer.tell(found, Outcome("ok", 0.0, found.rung, found.rung.work))
    assert optimizer.ask().rung != rungs[2], "once"


@pytest.mark.parametrize("optimizer", ["smac", "asha"])
def test_what_is_left_of_a_small_budget_pays_for_one_long_training_of_the_best(tmp_path, optimizer):
    """On a made-up clock: short trials cost nearly as much as long ones, so that no search higher up is paid for."""
    fidelity = mfbo.Fidelity(epochs=(1, 81))

    def train(config, rung, context):
        for epoch in range(context.start_epoch, rung.epochs):
            context.report(1 + config["x"] ** 2 - epoch / 81, epoch=epoch + 1)
        return 1 + config["x"] ** 2 - rung.epochs / 81

    task = mfbo.Task("dear", quadratic_space(), train, fidelity)
    ladder = [fidelity.rung(work) for work in (1 / 81, 1 / 27)]
    mfbo.tune(task, "100s", optimizer=optimizer, max_trials=1, out=tmp_path, settings=HERE, max_fidelity=1 / 27)
    run = read(tmp_path)
    run.header = replace(run.header, rungs=tuple(ladder), search=replace(run.header.search, max_fidelity=1.0))
    run.results.clear()
    run.asks.clear()
    meter, at = Meter(task, run.limits), 0.0
    growth = Growth(task, run, meter)
    made = make(run.header.search, task, ladder)
    while (grown := growth.grown()) is None:
        trial = made.ask()
        run.asks[trial.id] = trial
        cost = 7 + 0.1 * trial.rung.epochs
        at += cost
        outcome = Outcome("ok", 1 + trial.config["x"] ** 2, trial.rung, cost)
        made.tell(trial, outcome)
        run.results.append(Result(trial, outcome, 0.0, at, at, at))
        meter.take(run.results[-1])
        assert at < 100, "the rest is spent on short trials"
    assert grown.rungs[:-1] == ladder
    assert at + 7 + 0.1 * grown.rungs[-1].epochs <= 100
    assert grown.rungs[-1].work > 3 * ladder[-1].work
    made.grow(grown.rungs, best=grown.best)
    best = min((r for r in run.results if r.trial.rung == ladder[-1]), key=lambda r: r.outcome.loss)
    found = made.ask()
    assert (found.rung, found.config) == (grown.rungs[-1], best.trial.config)
    assert growth.grown() is None, "once"


def test_the_end_says_what_was_not_reached_and_what_would_reach_it(tmp_path):
    slow = replace(TASK, train=lambda config, rung, context: time.sleep(0.01 * rung.epochs) or config["x"] ** 2)
    notes = Notes()
    mfbo.tune(slow, "5s", max_trials=3, optimizer="asha", out=tmp_path, settings=HERE, observer=notes)
    said = notes.notes[-1]
    assert "this bought 3 configurations" in said
    assert "would buy a search" in said
    assert f"{FIDELITY.full} was not reached" in said


def test_nothing_is_said_at_the_end_of_what_reached_it_all(tmp_path):
    mfbo.tune(TASK, "30s", max_trials=1, optimizer="random", max_fidelity=0.04, out=tmp_path, settings=HERE)
    run = read(tmp_path)
    meter = Meter(TASK, run.limits)
    meter.read(run)
    assert closing(TASK, run, meter) == ""


def test_a_budget_that_pays_for_no_search_higher_up_leaves_the_ladder(tmp_path):
    mfbo.tune(TASK, "6s", optimizer="asha", max_trials=2, out=tmp_path, settings=HERE)
    run = read(tmp_path)
    run.limits = replace(run.limits, max_cost=Budget.parse(f"{run.spent + 0.001:.3f}s"))
    meter = Meter(TASK, run.limits)
    meter.read(run)
    assert Growth(TASK, run, meter).grown() is None


@pytest.mark.slow
def test_a_first_trial_is_begun_whatever_the_forecast_and_what_it_reports_is_the_result(tmp_path):
    def slow(config, rung, context):
        for step in range(1, 1000):
            time.sleep(0.01)
            context.report(1 / step, epoch=step / 1000)
        raise AssertionError("it is stopped before")

    notes = Notes()
    result = mfbo.tune(replace(TASK, train=slow), "1s", out=tmp_path, settings=HERE, observer=notes)
    assert result.status == "budget"
    assert result.best is not None
    assert result.best.fidelity.epochs == 1
    assert 0 < result.best.fidelity.data < 0.1 * 0.5, "a part of an epoch is an epoch on so much less data"
    assert "this bought 1 configuration;" in notes.notes[-1]


def test_a_forecast_that_is_far_too_high_ends_no_run_with_most_of_its_budget_left(tmp_path, monkeypatch):
    predict = Meter.predict
    monkeypatch.setattr(Meter, "predict", lambda self, *where: 1000 * predict(self, *where))
    assert mfbo.tune(TASK, "3s", optimizer="asha", max_trials=12, out=tmp_path, settings=HERE).status == "trials"


@pytest.mark.slow
def test_a_run_whose_trials_cost_the_same_at_every_level_grows_to_full_fidelity(tmp_path):
    """What starts takes nearly all of the time, as with a command: cheap levels are no reason not to train in full."""

    def start(config, rung, context):
        time.sleep(0.02)
        for epoch in range(rung.epochs):
            context.report(config["x"] ** 2 + 1 / (epoch + 1), epoch=epoch + 1)
        return config["x"] ** 2 + 1 / rung.epochs

    task = mfbo.Task("start", quadratic_space(), start, mfbo.Fidelity(epochs=(1, 20)))
    found = mfbo.tune(task, 1.2, optimizer="random", settings=replace(HERE, from_scratch=True))
    result = mfbo.tune(task, 1.2, optimizer="smac", settings=replace(HERE, from_scratch=True))
    assert found.best.fidelity.epochs == result.best.fidelity.epochs == 20


def replanned(*steps):
    """A run whose plan was made again as `steps`, and what is then said of each of them."""
    rung = FIDELITY.rung(0.5)
    plans = [(Step(rung, 1.0, many),) for many in steps]
    run = Run(made_header(plan=Plan(plans[0], 600.0, "s", 2.0, 27)), Limits.of("10m"))
    replanning, said = Replanning(run, Meter(TASK, run.limits)), []
    for plan in plans[1:]:
        run.planned = plan
        said.append(replanning.words(2.5))
    return run, said


def test_a_new_plan_is_said_once_and_again_where_it_buys_twice_or_half_as_much():
    _, said = replanned(100, 40, 30, 21, 20, 15, 41)
    assert said[0] == "trials cost 2.5 times what was planned; now planned, in all: 40 at 50%"
    assert said[1:] == ["", "", "now planned, in all: 20 at 50%", "", "now planned, in all: 41 at 50%"]


def test_done_stands_beside_the_newest_plan_and_alone_where_that_allowed_for_fewer():
    run, _ = replanned(7, 12)
    assert done_of(10, run.planned[0], " of ") == "10 of 12"
    assert done_of(13, run.planned[0], "/") == "13"
    assert done_of(3, None, "/") == "3"
