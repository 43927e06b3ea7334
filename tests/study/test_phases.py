"""The three phases: one budget, each from what the one before has found, and nothing done twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from ConfigSpace import Configuration
from made_runs import RUNGS, at, made_run

from mfbo.budget import Budget
from mfbo.cli import main
from mfbo.engine.result import result_of
from mfbo.engine.validate import Score
from mfbo.errors import BadCost, BadValue, RunError, RunExists, UnknownName
from mfbo.goal import Goal
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.run import Limits
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.space import read_space
from mfbo.study.final_phase import KEPT, Trainings, _line, promise
from mfbo.study.phases import _phases, study
from mfbo.study.phases_result import EXPLORE, NARROWED, OPTIMIZE, PHASES
from mfbo.study.spec import Study
from mfbo.tasks.registry import load

HERE = Settings(workers=0)
MIXED = Study(("mixed",), ("hyperband", "random"), 3, "30x", Search(seed=1))
BRANIN = Study(("branin",), ("random",), 3, "10x")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    return folder, study(MIXED, folder)


def test_all_phases_together_cost_no_more_than_was_named(made):
    folder, found = made
    assert sum(found.costs.values()) <= 30
    assert found.costs["exploration"] == pytest.approx(6, rel=0.1)
    assert found.costs["optimization"] == pytest.approx(18, rel=0.1)
    assert json.loads((folder / PHASES).read_text()) == json.loads(json.dumps(found.to_dict()))


def test_exploration_stays_below_full_fidelity_and_sets_the_ranges_of_the_optimization(made):
    folder, found = made
    explored = read(folder / EXPLORE)
    assert all(trial.rung.work <= 0.5 for trial in explored.asks.values())
    narrowed = read_space(folder / NARROWED)
    assert any(" -> " in line for line in found.narrowed)
    for optimizer in ("hyperband", "random"):
        run = read(folder / OPTIMIZE / optimizer)
        assert run.asks
        for trial in run.asks.values():
            Configuration(narrowed, values=trial.config).check_valid_configuration()


def test_what_is_finished_is_not_done_again(made):
    folder, found = made
    before = {path: path.read_bytes() for path in folder.rglob(FILE)}
    assert study(MIXED, folder) == found
    assert {path: path.read_bytes() for path in folder.rglob(FILE)} == before


def test_a_folder_that_holds_another_study_is_refused(made):
    folder, _ = made
    with pytest.raises(RunExists, match="holds another run: its seed is 1, not 5"):
        study(replace(MIXED, search=Search(seed=5)), folder)


def test_a_task_without_unseen_data_says_so(made):
    _, found = made
    assert {line.note for line in found.lines} == {"the task has no unseen data"}
    assert all(line.test == {} for line in found.lines)


@pytest.mark.slow
def test_the_best_of_each_optimizer_is_measured_on_unseen_data(tmp_path):
    found = study(Study(("digits",), ("random",), 1, "5x", settings=HERE), tmp_path)
    assert sum(found.costs.values()) <= 5
    assert found.costs["validation"] == 1
    for line in found.lines:
        assert line.test["accuracy"] == pytest.approx(1 - line.test["loss"])
        assert 0 < line.test["macro_f1"] <= 1
        assert line.iterations <= line.trials
    assert [line.partition(":")[0] for line in found.narrowed] == list(load("digits").space)


def test_an_interrupted_study_goes_on(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mfbo.engine.interrupt.Interrupt.__call__", lambda self: True)
        assert study(BRANIN, tmp_path).interrupted
    found = study(BRANIN, tmp_path)
    assert not found.interrupted
    assert found == study(BRANIN, tmp_path / "whole")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (lambda: {"optimizers": ()}, BadValue),
        (lambda: {"optimizers": ("rand",)}, UnknownName),
        (lambda: {"seeds": 0}, BadValue),
        (lambda: {"search": Search(eta=1)}, BadValue),
        (lambda: {"search": Search(prior="none.yaml")}, BadValue),
    ],
)
def test_what_cannot_be_run_is_refused_first(tmp_path, changed, error):
    with pytest.raises(error):
        study(replace(BRANIN, **changed()), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_ladder_is_for_all_phases_and_the_exploration_keeps_to_half_of_it(tmp_path):
    ladder = Search(seed=1, path="data", max_fidelity=0.6, min_fidelity=0.05, eta=2)
    wanted = replace(MIXED, optimizers=("hyperband",), search=ladder)
    study(wanted, tmp_path)
    for folder, top in ((EXPLORE, 0.3), (f"{OPTIMIZE}/hyperband", 0.6)):
        run = read(tmp_path / folder)
        assert run.header.search.eta == 2
        assert run.header.search.path == "data"
        works = [rung.work for rung in run.header.rungs]
        assert 0.05 <= works[0] <= works[-1] <= top
        assert top / 2 < works[-1]
    for name, changed in (
        ("min fidelity", {"min_fidelity": 0.04}),
        ("max fidelity", {"max_fidelity": 0.5}),
        ("fidelity", {"path": "epochs"}),
    ):
        with pytest.raises(RunExists, match=f"its {name} is "):
            study(replace(wanted, search=replace(ladder, **changed)), tmp_path)


@pytest.mark.parametrize("bounds", [{"min_fidelity": 0.3}, {"eta": 100}, {"max_fidelity": 0.05}])
def test_bounds_that_leave_nothing_to_explore_at_are_refused_first(tmp_path, bounds):
    with pytest.raises(BadValue, match=r"exploration needs two levels .*give a lower --min-fidelity"):
        study(replace(MIXED, optimizers=("random",), search=Search(**bounds)), tmp_path / "none")
    assert not (tmp_path / "none").exists()


# going on


def test_with_more_cost_the_optimizers_go_on_in_the_space_that_was_narrowed(tmp_path):
    for cost in ("20x", "40x"):
        found = study(Study(("branin",), ("smac", "random"), 1, cost, settings=HERE), tmp_path)
        assert found.total <= float(cost[:-1])
        if cost == "20x":
            narrowed = (tmp_path / NARROWED).read_text()
    assert (tmp_path / NARROWED).read_text() == narrowed
    assert read(tmp_path / EXPLORE).limits == Limits.of("4x")
    assert read(tmp_path / OPTIMIZE / "smac").spent > 6


def test_less_than_was_spent_and_other_optimizers_are_refused_before_anything_is_done(tmp_path):
    wanted = Study(("branin",), ("random", "asha"), 1, "20x", settings=HERE)
    study(wanted, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(BadCost, match=r"asha has cost 6x in .*, more than its share of 3x; give 20x, or"):
        study(replace(wanted, max_cost="10x"), tmp_path)
    with pytest.raises(BadCost, match=r"more than its share of 4x; give 30x"):
        study(replace(wanted, optimizers=("random", "asha", "grid")), tmp_path)
    with pytest.raises(RunExists, match="with asha too: name all of them"):
        study(replace(wanted, optimizers=("random",), max_cost="40x"), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("wanted", "needed"), [(BRANIN, "1.67x"), (replace(BRANIN, optimizers=("random", "grid")), "3.34x")]
)
def test_a_cost_of_which_a_share_buys_nothing_is_refused_before_anything_is_done(tmp_path, wanted, needed):
    with pytest.raises(BadCost, match=f"max cost '1x' is too little .*give {needed}$"):
        study(replace(wanted, max_cost="1x"), tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert not study(replace(wanted, max_cost=needed), tmp_path / "enough").interrupted


@pytest.mark.slow
def test_what_was_validated_is_not_trained_again_and_stays_paid_for(tmp_path):
    wanted = Study(("digits",), ("random",), 2, "5x", settings=HERE)
    heard = []
    found = study(wanted, tmp_path, on_score=lambda optimizer, score: heard.append((optimizer, score.seed)))
    (line,) = found.lines
    assert line.seeds == len(heard) == int(found.costs["validation"])
    assert heard[0] == ("random", 0)
    assert study(wanted, tmp_path, on_score=lambda *score: pytest.fail(f"{score} again")) == found
    fewer = study(replace(wanted, seeds=1), tmp_path, on_score=lambda *score: pytest.fail(f"{score} again"))
    assert fewer.lines[0].seeds == 1
    assert fewer.costs == found.costs
    assert fewer.lines[0].test["loss"] == Trainings(tmp_path).scores("random", line.config, Goal())[0].loss
    (tmp_path / KEPT).write_text("[{}]")
    with pytest.raises(RunError, match="is damaged"):
        study(wanted, tmp_path)


@pytest.mark.slow
def test_ctrl_c_in_the_validation_keeps_what_is_trained(tmp_path):
    wanted = Study(("digits",), ("random",), 2, "8x", settings=HERE)

    def stop(optimizer, score):
        raise KeyboardInterrupt

    assert study(wanted, tmp_path, on_score=stop).interrupted
    assert not (tmp_path / PHASES).exists()
    assert (tmp_path / OPTIMIZE / "random" / "best" / "config.json").exists()
    heard = []
    found = study(wanted, tmp_path, on_score=lambda optimizer, score: heard.append(score.seed))
    assert heard == [1]
    assert found.lines[0].seeds == 2
    assert found.costs["validation"] == 2


@pytest.mark.slow
def test_fewer_trainings_than_were_asked_for_are_said(tmp_path):
    found = study(Study(("digits",), ("random",), 9, "5x", settings=HERE), tmp_path)
    (line,) = found.lines
    assert 0 < line.seeds < 9
    assert line.note == f"{line.seeds} of 9 seeds: no cost was left for a full evaluation"


def test_a_training_that_is_stopped_costs_what_it_took(tmp_path):
    kept = Trainings(tmp_path)
    kept.keep("smac", {"x": 1}, Score(0, 0.5, {"accuracy": 0.5}, None, 2.0, 1.0), 3.0)
    kept.keep("smac", {"x": 1}, None, 4.0)
    kept.keep("smac", {"x": 2}, Score(0, 0.1, {}, ((1, 2), (3, 4)), 2.0, 1.0), 3.0)
    again = Trainings(tmp_path)
    assert (again.charged("s"), again.charged("x")) == (10, 2)
    assert [score.loss for score in again.scores("smac", {"x": 1}, Goal())] == [0.5]
    assert again.scores("random", {"x": 1}, Goal()) == []


@pytest.mark.slow
def test_a_prior_is_explored_first_and_goes_on_as_far_as_the_ranges_hold_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best, worst = {"x1": 0.11, "x2": 0.56, "x3": 0.85}, {"x1": 0.9, "x2": 0.05, "x3": 0.1}
    for name, prior in (("best", best), ("worst", worst)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(prior))
        found = study(Study(("hartmann3",), ("hyperband",), 1, "60x", Search(prior=f"{name}.yaml")), tmp_path / name)
        explored, run = read(tmp_path / name / EXPLORE), read(tmp_path / name / OPTIMIZE / "hyperband")
        assert explored.header.prior == pytest.approx(prior)
        assert next(iter(explored.asks.values())).config == pytest.approx(prior)
        kept = name == "best"
        assert (run.header.prior is not None) == kept
        said = [line for line in found.narrowed if line.startswith("the optimization begins without the prior")]
        assert len(said) == (0 if kept else 1)


def test_optimizers_without_unseen_data_stand_by_rung_and_loss_and_without_a_result_last(tmp_path):
    runs = {
        "none": made_run((None, RUNGS[-1], 5, "failed"), optimizer="none"),
        "low": made_run((0.1, RUNGS[1], 5), optimizer="low"),
        "full": made_run((0.4, RUNGS[-1], 5), optimizer="full"),
        "partial": made_run((0.9, at(13), 5, "stopped"), (None, RUNGS[2], 1, "failed"), optimizer="partial"),
        "rung": made_run((0.3, RUNGS[2], 5), optimizer="rung"),
    }
    found = sorted((result_of(run) for run in runs.values()), key=promise)
    assert [result.optimizer for result in found] == ["full", "rung", "partial", "low", "none"]
    lines = [_line(result, None, "") for result in found]
    explored = result_of(made_run((0.5, RUNGS[0], 1)))
    kept = _phases(BRANIN, Budget(100, "s"), [explored, *found], (), lines, 0.0)
    assert [line.optimizer for line in kept.lines] == ["full", "rung", "partial", "low", "none"]


def test_the_command_prints_the_three_phases(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = ["study", "branin", "--max-cost", "20x", "--optimizers", "random,asha", "-q"]
    said = CliRunner().invoke(main, typed, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    for words in ("exploration", "optimization", "validation", "on unseen data", "random", "asha"):
        assert words in said.stdout
    found = json.loads(CliRunner().invoke(main, [*typed, "--json"], catch_exceptions=False).stdout)
    assert [line["optimizer"] for line in found["lines"]]
    refused = CliRunner().invoke(main, ["study", "branin"], catch_exceptions=False)
    assert refused.exit_code == 2
    assert "--max-cost 4h" in refused.stderr
