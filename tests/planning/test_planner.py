"""What a budget buys: the ladder that it can pay for, the trials at each rung, and a run that keeps to it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import msgspec
import pytest
from click.testing import CliRunner
from conftest import quadratic, quadratic_space
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledgers import records_of, rewrite
from made_runs import RUNGS as MADE
from made_runs import made_run

import mfbo
from mfbo.cli import main
from mfbo.cost.model import CostModel
from mfbo.display.counts import RunCounts
from mfbo.display.forecast import compared, headline, lines, to_dict
from mfbo.engine.replay import replay
from mfbo.errors import BadValue
from mfbo.goal import Goal
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.ledger.plan import Plan, Probe, Step
from mfbo.ledger.run import Limits
from mfbo.optimizers.registry import OPTIMIZERS, make
from mfbo.planning import growth, planner
from mfbo.planning.ladder import MIN_LOW_RESULTS, MIN_TOP_RESULTS, Bounds, choose, ladder
from mfbo.planning.probe import Bench, _Probing, probe
from mfbo.planning.simulation import bought
from mfbo.search import Search
from mfbo.trial import Outcome, Pace, Rung, config_key

FIDELITY = mfbo.Fidelity(epochs=(1, 30), data=(0.1, 1.0))
HERE = mfbo.Settings(workers=0)


def price(rung, start, fidelity=FIDELITY):
    """A full evaluation costs 1."""
    return fidelity.work(rung.epochs - start, rung.data)


SECOND = Pace(0.0, 1.0, 1.0, 0.0, 0.0)


def seconds(rung, start):
    """A second an epoch of all data."""
    return (rung.epochs - start) * rung.data


def clocked(epoch_seconds=0.002, **facts):
    """A task on the real clock."""

    def train(config, fidelity, context):
        for _ in range(context.start_epoch, fidelity.epochs):
            time.sleep(epoch_seconds * fidelity.data)
            context.report(config["x"] ** 2)
        return config["x"] ** 2

    return mfbo.Task("clocked", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 9), data=(0.1, 1.0)), **facts)


@pytest.mark.parametrize("path", ["joint", "epochs", "data"])
def test_without_bounds_the_ladder_is_the_usual_one(path):
    assert ladder(FIDELITY, Bounds(Search(path=path)), 1.0) == FIDELITY.ladder(path)


def test_a_large_budget_leaves_the_ladder_as_it_is():
    steps, note = choose(FIDELITY, Bounds(), price, 20.0)
    assert [step.rung for step in steps] == FIDELITY.ladder()
    assert note == ""


@pytest.mark.slow
@given(
    budget=st.floats(0.1, 30),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    path=st.sampled_from(["joint", "epochs", "data"]),
)
@example(0.125, "one-epoch", "joint")
@settings(max_examples=60)
def test_a_chosen_ladder_rises_within_its_bounds_and_the_budget_pays_for_it(budget, optimizer, path):
    bounds = Bounds(Search(optimizer, path=path, min_fidelity=0.01, max_fidelity=0.9), data=0.12)
    steps, note = choose(FIDELITY, bounds, price, budget)
    rungs = [step.rung for step in steps]
    assert all(low.work < high.work for low, high in pairwise(rungs))
    assert all(0.01 * (1 - 1e-9) <= rung.work <= 0.9 * (1 + 1e-9) and rung.data >= 0.12 - 1e-9 for rung in rungs)
    assert sum(step.cost * step.trials for step in steps) <= budget * (1 + 1e-9)
    guide, _ = choose(FIDELITY, replace(bounds, search=replace(bounds.search, optimizer="asha")), price, budget)
    assert rungs[-1] == guide[-1].rung
    assert note or (guide[0].trials >= MIN_LOW_RESULTS and guide[-1].trials >= MIN_TOP_RESULTS)


def test_no_rung_is_chosen_that_moves_no_model_but_where_a_user_asks_for_it():
    steps, _ = choose(FIDELITY, Bounds(Search("asha"), work=0.1), price, 6.0)
    assert [step.rung.work >= 0.1 for step in steps] == [True] * len(steps)
    least = replace(clocked(), least=lambda options: (0.1, 0.2))
    for low, expected in ((0.0, 0.2), (0.05, 0.05)):
        _, rungs = planner.plan(
            least, Search("asha", min_fidelity=low, max_fidelity=0.7), limits=Limits.of("1h"), settings=HERE
        )
        assert expected * 0.999 <= rungs[0].work < 3 * expected


@given(st.floats(0.3, 10))
@settings(max_examples=30)
def test_a_larger_budget_never_lowers_the_top(budget):
    less, more = (choose(FIDELITY, Bounds(Search("asha")), price, budget * factor)[0] for factor in (1, 1.5))
    assert less[-1].rung.work <= more[-1].rung.work + 1e-9


def test_probes_train_at_the_lowest_rung_that_the_run_may_have(monkeypatch):
    asked = []
    monkeypatch.setattr(planner, "probe", lambda *given, **facts: asked.append(facts["data"]) or planner.Probed())
    task = replace(clocked(), fidelity=FIDELITY, least=lambda options: (0.4, 0.1))
    planner.plan(task, Search("asha"), limits=Limits.of("1h"), settings=HERE)
    lowest = next(rung for rung in FIDELITY.ladder() if rung.data >= 0.4 and rung.work >= 0.1)
    assert asked == [(0.4, lowest.data)]


def test_a_plan_of_too_small_a_budget_names_the_option_that_is_not_yet_given():
    task = replace(clocked(), cheaper="samples=9")
    full, pace = task.fidelity.full, Pace(0.1, 9, 9.0, 9, 0.1)
    like = Plan((Step(full, 9.0, 1),), 3.0, "s", 9.0, 9, probes=(Probe({"x": 1.0}, full, pace),))
    for options, expected in (({}, "give more, or add --option samples=9"), ({"samples": "3"}, "give more")):
        settings = replace(HERE, options=options)
        limits = Limits.of("3s")
        found, _ = planner.plan(task, Search("asha"), limits=limits, settings=settings, like=like)
        assert found.note.endswith(f"and 2; {expected}")


@pytest.mark.parametrize("optimizer", ["smac", "asha", "random"])
@pytest.mark.parametrize(("startup", "flat"), [(0.1, False), (1e4, True)])
def test_levels_that_cost_as_much_as_the_full_one_are_told_and_not_used(optimizer, startup, flat):
    task = mfbo.Task("slow-start", quadratic_space(), quadratic, mfbo.Fidelity(trees=(1, 27)))
    full = task.fidelity.full
    pace = Pace(startup=startup, epochs=2.0, training=4.0, evaluations=2.0, evaluation=0.1)
    like = Plan((Step(full, 9.0, 1),), 3.0, "s", 9.0, 27, probes=(Probe({"x": 1.0}, Rung(2, 1.0, 2 / 27), pace),))
    limits, search = Limits.of("2000h"), Search(optimizer)
    plan, rungs = planner.plan(task, search, limits=limits, settings=HERE, like=like)
    assert ("about as much as one at all data, 27 trees" in plan.note) == (flat and optimizer != "random")
    assert (rungs == [full]) == (flat or optimizer == "random")


def test_a_budget_that_is_too_small_says_so():
    steps, note = choose(FIDELITY, Bounds(), price, 0.02)
    assert "too small" in note
    assert steps[-1].rung.work < 0.05


def finished(optimizer, rungs, budget, seed=0, eta=3):
    """How many trials of each rung an optimizer really runs for that budget, with made-up losses."""
    task = mfbo.Task("q", quadratic_space(), quadratic, FIDELITY)
    real, left, done, counts = make(Search(optimizer, seed, eta=eta), task, rungs), budget, {}, Counter()
    while (trial := real.ask()) is not None:
        start = done.get(trial.key, 0)
        start = start if start < trial.rung.epochs else 0
        left -= price(trial.rung, start)
        if left < 0:
            break
        done[trial.key] = trial.rung.epochs
        counts[trial.rung] += 1
        loss = (trial.config["x"] * 7919) % 1
        real.tell(trial, Outcome("ok", loss, trial.rung, 1.0, start_epoch=start))
    return [counts[rung] for rung in rungs]


@pytest.mark.parametrize("optimizer", ["asha", "hyperband", "random", "one-epoch"])
@pytest.mark.parametrize(("budget", "eta"), [(8, 3), (20, 3), (12, 2)])
def test_the_count_is_what_the_optimizer_runs(optimizer, budget, eta):
    rungs = planner.rungs(mfbo.Task("q", quadratic_space(), quadratic, FIDELITY), Search(optimizer, eta=eta))
    steps = bought(optimizer, rungs, price, budget, eta)
    for step, real in zip(steps, finished(optimizer, rungs, budget, eta=eta), strict=True):
        assert abs(step.trials - real) <= max(2, 0.15 * real)


def test_the_count_of_a_budget_that_buys_thousands_is_in_proportion():
    rungs = FIDELITY.ladder()
    few, many = (bought("asha", rungs, price, budget, 3) for budget in (1000, 2000))
    assert many[0].trials == pytest.approx(2 * few[0].trials, rel=0.01)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (Search(min_fidelity=0.5), "leaves one level, all data, 30 epochs, but at least two are needed"),
        (Search(eta=100, min_fidelity=0.02), "leaves one level"),
    ],
)
def test_bounds_that_leave_no_ladder_are_refused_with_the_reason(search, words):
    task = mfbo.Task("q", quadratic_space(), quadratic, FIDELITY)
    with pytest.raises(BadValue, match=words):
        planner.rungs(task, search)


def test_the_min_fidelity_that_a_refusal_names_is_accepted():
    task = mfbo.Task("q", quadratic_space(), quadratic, FIDELITY, least=lambda options: (0.2, 0.0))
    limits = Limits.of("9x")
    with pytest.raises(BadValue, match="too few samples per class") as refused:
        planner.plan(task, Search(min_fidelity=0.004), limits=limits, settings=HERE)
    least = float(str(refused.value).rpartition(" ")[2])
    assert planner.plan(task, Search(min_fidelity=least * 1.01), limits=limits, settings=HERE)[1]


def test_a_probe_tells_what_an_epoch_costs():
    found = probe(clocked(0.02), HERE, 0, seconds=2.0, data=(1.0, 1.0), goal=Goal())
    assert found.probes
    assert 0 < found.cost <= 3
    paces = [one.pace for one in found.probes]
    assert all(pace.training / pace.epochs >= 0.02 for pace in paces)


class Scripted:
    """An executor of one slot, whose trials are cut and come to these paces."""

    slots, now = 1, 0.0

    def __init__(self, *paces):
        self.asked, self.allowed, self._paces, self._flying = [], [], list(paces), []

    @property
    def busy(self):
        return len(self._flying)

    def submit(self, trial, start):
        self.asked.append(trial.rung.data)
        self._flying.append(trial)

    def wait(self, allowance):
        self.allowed.append(allowance.cost)
        pace = self._paces.pop(0) if self._paces else Pace(0.0, 0.1, 1.0, 0.0, 0.0)
        cost = pace.startup + pace.training + pace.evaluation
        trial = self._flying.pop()
        return trial, Outcome("stopped", 0.5, trial.rung, cost, pace=pace)


@pytest.mark.parametrize(
    ("first", "data"),
    [
        (Pace(1.0, 1.0, 8.0, 0.0, 0.0), [0.2, 0.2, 0.4]),  # cut in its evaluation: the second is to come to one
        (Pace(1.0, 0.6, 8.0, 0.0, 0.0), [0.2, 0.4, 0.4]),  # far from it
        (Pace(1.0, 1.0, 6.0, 1.0, 2.0), [0.2, 0.4, 0.4]),
    ],
)
def test_a_probe_that_is_cut_in_its_evaluation_is_followed_by_one_that_comes_to_it(first, data):
    executor = Scripted(first, Pace(0.5, 1.0, 6.0, 1.0, 2.0))
    _Probing(executor, clocked(), (0.2, 0.4), 24.0, lambda: False).run()
    assert executor.asked[:3] == data
    assert (executor.allowed[1] > 10) == (data[1] == 0.2)


@pytest.mark.parametrize("budget", [200.0, 500.0, 1000.0])
def test_a_search_leaves_what_training_the_best_once_takes(budget):
    task = replace(clocked(), fidelity=mfbo.Fidelity(epochs=(1, 900), data=(0.1, 1.0)))
    probes = (Probe({"x": 1.0}, Rung(1, 1.0), SECOND),)
    like = Plan((Step(task.fidelity.full, 900.0, 1),), 9.0, "s", 900.0, 900, probes=probes)
    plan, rungs = planner.plan(task, Search(), limits=Limits.of(f"{budget}s"), settings=HERE, like=like)
    searched = bought("asha", rungs, seconds, (1 - growth.LAST_SHARE) * budget, 3)
    assert searched[0].trials >= MIN_LOW_RESULTS
    assert searched[-1].trials >= MIN_TOP_RESULTS
    assert sum(step.trials * step.cost for step in plan.steps) > 0.8 * budget, "it is of the whole budget"


def test_a_probe_that_is_cut_within_an_epoch_costs_as_much_as_that_part_of_it():
    class Cut(Scripted):
        """The executor cuts each trial after a tenth of its only epoch, which took a second, and says what is left."""

        def wait(self, allowance):
            trial, outcome = super().wait(allowance)
            rung = replace(trial.rung, data=trial.rung.data / 10, work=trial.rung.work / 10)
            return trial, replace(outcome, rung=rung)

    task = clocked()
    found = _Probing(Cut(), task, (0.2, 0.2), 24.0, lambda: False).run()
    model = CostModel(task)
    model.probed(found.probes, [task.fidelity.at(1, 0.2), task.fidelity.full])
    assert model.seconds(task.fidelity.at(1, 0.2)) == pytest.approx(10.0, rel=0.01)


def test_a_probe_of_a_task_that_fails_says_so_and_the_run_has_all_rungs():
    def train(config, rung, context):
        raise RuntimeError("no such file")

    task = replace(clocked(), train=train)
    limits = Limits.of("1h")
    plan, rungs = planner.plan(task, Search("smac"), limits=limits, settings=HERE)
    assert "no such file" in plan.note
    assert (plan.steps, rungs) == ((), task.fidelity.ladder())


def silent(config, rung, context):
    time.sleep(3600)


@pytest.mark.slow
def test_what_a_probe_that_was_cut_before_its_first_report_took_is_no_forecast():
    task = replace(clocked(), train=silent)
    plan, rungs = planner.plan(task, Search(), limits=Limits.of("20s"), settings=mfbo.Settings(), note=pytest.fail)
    assert 0 < plan.spent < 20
    assert (plan.steps, plan.full) == ((), 0)
    assert "no report" in plan.note
    assert rungs == growth.cheapest_ladder(task.fidelity, Bounds(Search())), "so the run begins with what is cheapest"
    assert len(rungs) == 2


@pytest.mark.slow
def test_a_search_whose_ladder_cannot_grow_is_planned_from_a_guess_and_says_so():
    task = replace(clocked(), train=silent)
    plan, rungs = planner.plan(task, Search("random"), limits=Limits.of("20s"), settings=mfbo.Settings())
    assert plan.bound
    assert rungs == [step.rung for step in plan.steps]
    assert any("guess" in line for line in lines(plan))


def test_what_cannot_be_paid_for_lowers_the_top():
    task = clocked(0.05)
    limits = Limits.of("20s")
    plan, rungs = planner.plan(task, Search("asha"), limits=limits, settings=HERE)
    assert plan.full > 0.4
    assert 0 < plan.spent <= 1.5
    assert [step.rung for step in plan.steps] == rungs
    assert rungs[-1].work <= task.fidelity.full.work


def test_a_run_that_is_compared_takes_what_another_has_measured():
    limits = Limits.of("1h")
    first, rungs = planner.plan(clocked(), Search("asha"), limits=limits, settings=HERE)
    second, others = planner.plan(clocked(), Search("random", 1), limits=limits, settings=HERE, like=first)
    assert (second.probes, second.spent, second.wall) == (first.probes, first.spent, first.wall)
    assert others == rungs[-1:]


def test_budgets_in_full_evaluations_and_virtual_clocks_keep_their_ladder_without_a_probe(task):
    for limits in (Limits.of("2x"), Limits.of("10s")):
        plan, rungs = planner.plan(task, Search("smac"), limits=limits, settings=HERE)
        assert rungs == task.fidelity.ladder()
        assert (plan.spent, plan.probes) == (0.0, ())
        assert plan.steps


def test_a_small_budget_is_not_spent_on_a_probe():
    limits = Limits.of("10s")
    plan, rungs = planner.plan(clocked(), Search("smac"), limits=limits, settings=HERE)
    assert "too short for a test run" in plan.note
    assert rungs == growth.cheapest_ladder(clocked().fidelity, Bounds(Search()))
    _, others = planner.plan(clocked(), Search("hyperband"), limits=limits, settings=HERE)
    assert others == clocked().fidelity.ladder()


@pytest.mark.slow
def test_a_run_keeps_its_plan_charges_the_probe_and_can_be_replayed_and_resumed(tmp_path):
    task = clocked(0.001)
    result = mfbo.tune(task, "20s", max_trials=10, optimizer="asha", out=tmp_path / "run", settings=HERE)
    run = read(tmp_path / "run")
    plan = run.header.plan
    assert plan == result.ledger.header.plan
    assert plan.spent > 0
    total = sum(r.outcome.cost + r.overhead for r in run.results)
    assert run.results[-1].at == pytest.approx(plan.spent + total)
    assert result.cost == pytest.approx(run.spent)
    assert tuple(step.rung for step in plan.steps) == run.header.rungs
    assert replay(run).mismatch is None
    more = mfbo.resume(tmp_path / "run", max_trials=12, task=task)
    assert more.trials == 12
    assert more.cost > result.cost


def test_a_ledger_without_a_plan_still_reads(tmp_path, task):
    mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    records = records_of(tmp_path)
    del records[0]["run"]["plan"]
    rewrite(tmp_path, records)
    run = read(tmp_path)
    assert run.header.plan is None
    assert run.results


@pytest.mark.parametrize("optimizer", ["asha", "hyperband", "smac"])
def test_eta_is_kept_and_promotes_one_of_so_many(optimizer, task, tmp_path):
    result = mfbo.tune(task, "12x", optimizer=optimizer, eta=2, out=tmp_path, settings=HERE)
    header = result.ledger.header
    assert (header.search.eta, [rung.epochs for rung in header.rungs]) == (2, [3, 7, 14, 27])
    assert replay(read(tmp_path)).mismatch is None


def made_plan(**facts):
    steps = (Step(Rung(3, 0.2, 0.02), 30.0, 19), Step(Rung(6, 0.4, 0.08), 90.0, 6), Step(Rung(9, 0.7, 0.21), 300.0, 2))
    probes = (Probe({"x": 1.0}, Rung(2, 0.1, 0.01), Pace(0.1, 1.5, 2.0, 1.0, 0.5), 0.2),)
    given = {"twice": steps[1:], "spent": 12.0, "wall": 13.0, "probes": probes, **facts}
    return Plan(steps, 7200.0, "s", 46800.0, 30, **given)


def test_a_plan_survives_json():
    plan = made_plan(note="said", workers=2)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@pytest.mark.parametrize("change", [{"unit": "d"}, {"budget": -1}, {"steps": [{}]}, {"workers": 0}, {"probes": 3}])
def test_a_damaged_plan_is_no_plan(change):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(made_plan()), **change}, Plan)


def test_the_plan_in_words_and_numbers():
    words = headline(made_plan())
    assert words == "30 epochs on all data would take 13h here; 2h buys 19 configurations at 2%, 6 at 8% and 2 at 21%"
    said = lines(made_plan(workers=2), "0.9USD/h", datetime(2026, 1, 1, 12, 0))
    assert said[0] == words
    assert said[1].split() == ["level", "work", "each", "trials"]
    assert all(re.search(r" \([\d.]+ USD\) +\d+$", line) for line in said[2:5])
    assert to_dict(made_plan(), "0.9USD/h")["money"] == pytest.approx(1.8)
    assert said[-3] == "  at 0.9USD/h the budget is 1.80 USD, and a full evaluation 11.70 USD"
    assert "expected end: about 12:59; the test run took 12s (0.003 USD)" in said[-2]
    assert "4h (3.60 USD) would buy 6 configurations at 8% and 2 at 21%" in said[-1]


def test_the_forecast_stands_beside_what_happened():
    steps = (Step(MADE[0], 2.0, 9), Step(MADE[-1], 20.0, 2))
    plan = replace(made_plan(), steps=steps)
    run = made_run((0.5, MADE[0], 1.0), (0.4, MADE[0], 3.0), (0.3, MADE[1], 9.0), plan=plan)
    low, top = compared(run)
    assert (low.planned, low.trials, low.expected, low.cost) == (9, 2, 2.0, 2.0)
    assert (top.planned, top.trials, top.cost) == (2, 0, None)
    assert compared(made_run((0.5, MADE[0], 1.0))) == []


def test_a_log_holds_the_forecast_against_what_happened(tmp_path):
    run = made_run((0.5, MADE[0], 20), (0.4, MADE[0], 40), (0.3, MADE[1], 90), plan=plan_for(MADE[:3]), folder=tmp_path)
    counts = RunCounts.of(run)
    assert counts.plan_progress() == "level 1: 2 of 9 trials, level 2: 1 of 3"
    assert counts.forecast_check() == [
        "  level 1 (all data, 1 epoch): 2 of 9 trials, 30s each, 25s expected",
        "  level 2 (all data, 3 epochs): 1 of 3 trials, 1m30s each, 1m15s expected",
    ]


def plan_for(rungs):
    steps = tuple(Step(rung, 25.0 * rung.epochs, 9 // rung.epochs) for rung in rungs)
    return Plan(steps, 600.0, "s", 700.0, 27, probes=(Probe({"x": 1.0}, rungs[0], Pace(0.1, 1.0, 25.0, 1.0, 0.5)),))


@pytest.mark.slow
@pytest.mark.parametrize("most", [1.0, 0.5])
def test_a_lowered_ladder_stays_so_where_the_limit_rises_and_that_is_said(most, tmp_path):
    task, said, out = clocked(0.6), [], tmp_path / "run"
    mfbo.tune(task, "20s", max_trials=1, optimizer="asha", out=out, settings=HERE, max_fidelity=most)
    assert read(out).header.plan.lowered

    class Heard(Observer):
        def on_note(self, text):
            said.append(text)

    mfbo.resume(out, max_cost="40s", max_trials=1, task=task, observer=Heard())
    found = [text for text in said if "--warm-start" in text]
    assert len(found) == (most == 1)
    if found:
        assert f"stays at {100 * read(out).header.rungs[-1].work:.2g}% of a full evaluation" in found[0]
        assert f"mfbo tune {task.name} --warm-start {out}" in found[0]


def test_the_command_prints_the_plan_and_json():
    said = CliRunner().invoke(main, ["plan", "hartmann6", "--max-cost", "20x"], catch_exceptions=False)
    assert said.exit_code == 0
    assert "all data, 100 epochs" in said.output
    assert "40x would buy" in said.output
    as_json = CliRunner().invoke(main, ["plan", "hartmann6", "--max-cost", "20x", "--json"], catch_exceptions=False)
    assert json.loads(as_json.output)["steps"][-1]["rung"]["epochs"] == 100
    refused = CliRunner().invoke(main, ["plan", "hartmann6", "--max-cost", "20x", "--min-fidelity", "0.9"])
    assert refused.exit_code == 2


def test_a_measurement_is_announced_where_there_is_one():
    said = []
    for limit, expected in (
        ("20s", ["loading the task where it is trained", "measuring what a trial costs here"]),
        ("20x", []),
    ):
        said.clear()
        planner.plan(
            clocked(),
            Search(optimizer="asha"),
            limits=Limits.of(limit),
            settings=HERE,
            stage=lambda what, seconds: said.append(what),
        )
        assert said == expected


def test_what_a_run_will_ask_for_is_measured_and_its_training_is_left_for_it(tmp_path):
    trained = []

    def train(config, rung, context):
        trained.append(config)
        with context.save(rung.epochs) as folder:
            (folder / "state.txt").write_text("kept")
        for epoch in range(context.start_epoch, rung.epochs):
            context.report(0.5, epoch=epoch + 1)
        return 0.5

    task = replace(clocked(), train=train)
    first = [dict(config) for config in task.space.sample_configuration(2)]
    bench = Bench(tmp_path, configs=lambda: first)
    probe(task, HERE, 0, seconds=2.0, data=(1.0, 1.0), goal=Goal(), bench=bench)
    assert trained[:2] == first
    assert len(list(tmp_path.rglob("state.txt"))) == len({config_key(config) for config in trained})
