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
from mfbo.errors import BadValue, RunExists, UnknownName
from mfbo.ledger import FILE, read
from mfbo.phases import _line, _phases, _promise, study
from mfbo.phases_result import EXPLORE, NARROWED, OPTIMIZE, PHASES
from mfbo.result import result_of
from mfbo.settings import Settings
from mfbo.study import Study
from mfbo.task import load, read_space

HERE = Settings(workers=0)
MIXED = Study(("mixed",), ("hyperband", "random"), 3, "30x")
BRANIN = Study(("branin",), ("random",), 3, "10x")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    return folder, study(MIXED, folder, seed=1)


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
    assert study(MIXED, folder, seed=1) == found
    assert {path: path.read_bytes() for path in folder.rglob(FILE)} == before


def test_a_folder_that_holds_another_study_is_refused(made):
    folder, _ = made
    with pytest.raises(RunExists, match="holds another run: its seed is 1, not 5"):
        study(MIXED, folder, seed=5)


def test_a_task_without_unseen_data_says_so(made):
    _, found = made
    assert {line.note for line in found.lines} == {"the task has no unseen data"}
    assert all(line.test == {} for line in found.lines)


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
        patch.setattr("mfbo.interrupt.Interrupt.__call__", lambda self: True)
        assert study(BRANIN, tmp_path).interrupted
    found = study(BRANIN, tmp_path)
    assert not found.interrupted
    assert found == study(BRANIN, tmp_path / "whole")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"optimizers": ()}, BadValue),
        ({"optimizers": ("rand",)}, UnknownName),
        ({"seeds": 0}, BadValue),
        ({"eta": 1}, BadValue),
        ({"prior": "none.yaml"}, BadValue),
    ],
)
def test_what_cannot_be_run_is_refused_first(tmp_path, changed, error):
    with pytest.raises(error):
        study(replace(BRANIN, **changed), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_ladder_is_for_all_phases_and_the_exploration_keeps_to_half_of_it(tmp_path):
    ladder = {"fidelity": "data", "max_fidelity": 0.6, "min_fidelity": 0.05, "eta": 2}
    study(replace(MIXED, **ladder, optimizers=("hyperband",)), tmp_path)
    for folder, top in ((EXPLORE, 0.3), (f"{OPTIMIZE}/hyperband", 0.6)):
        run = read(tmp_path / folder)
        assert run.header.eta == 2
        assert run.header.fidelity["path"] == "data"
        works = [rung.work for rung in run.header.rungs]
        assert 0.05 <= works[0] <= works[-1] <= top
        assert top / 2 < works[-1]
    for changed in ({"min_fidelity": 0.04}, {"max_fidelity": 0.5}, {"fidelity": "epochs"}):
        with pytest.raises(RunExists, match=f"its {next(iter(changed)).replace('_', ' ')} is "):
            study(replace(MIXED, **{**ladder, **changed}, optimizers=("hyperband",)), tmp_path)


def test_a_min_fidelity_that_leaves_nothing_to_explore_at_is_refused_first(tmp_path):
    with pytest.raises(BadValue, match=r"exploration goes up to half of the max fidelity: .*0\.5 leaves one rung"):
        study(replace(MIXED, min_fidelity=0.3), tmp_path / "none")
    with pytest.raises(BadValue, match=r"min fidelity 0\.8 and max fidelity 1 leaves one rung"):
        study(replace(MIXED, min_fidelity=0.8), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_prior_is_explored_first_and_goes_on_as_far_as_the_ranges_hold_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best, worst = {"x1": 0.11, "x2": 0.56, "x3": 0.85}, {"x1": 0.9, "x2": 0.05, "x3": 0.1}
    for name, prior in (("best", best), ("worst", worst)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(prior))
        found = study(Study(("hartmann3",), ("hyperband",), 1, "60x", prior=f"{name}.yaml"), tmp_path / name)
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
    found = sorted((result_of(run) for run in runs.values()), key=_promise)
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
