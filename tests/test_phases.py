"""The three phases: one budget, each from what the one before has found, and nothing done twice."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from ConfigSpace import Configuration

from mfbo.cli import main
from mfbo.errors import BadValue, RunExists, UnknownName
from mfbo.ledger import FILE, read
from mfbo.phases import EXPLORE, NARROWED, OPTIMIZE, PHASES, study
from mfbo.settings import Settings
from mfbo.task import load, read_space

HERE = Settings(workers=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    return folder, study("mixed", "30x", folder, optimizers=("hyperband", "random"), seed=1)


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
    assert study("mixed", "30x", folder, optimizers=("hyperband", "random"), seed=1) == found
    assert {path: path.read_bytes() for path in folder.rglob(FILE)} == before


def test_a_folder_that_holds_another_study_is_refused(made):
    folder, _ = made
    with pytest.raises(RunExists, match="holds another run: its seed is 1, not 5"):
        study("mixed", "30x", folder, optimizers=("hyperband", "random"), seed=5)


def test_a_task_without_unseen_data_says_so(made):
    _, found = made
    assert {line.note for line in found.lines} == {"the task has no unseen data"}
    assert all(line.test == {} for line in found.lines)


def test_the_best_of_each_optimizer_is_measured_on_unseen_data(tmp_path):
    found = study("digits", "5x", tmp_path, optimizers=("random",), seeds=1, settings=HERE)
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
        assert study("branin", "10x", tmp_path, optimizers=("random",)).interrupted
    found = study("branin", "10x", tmp_path, optimizers=("random",))
    assert not found.interrupted
    assert found == study("branin", "10x", tmp_path / "whole", optimizers=("random",))


@pytest.mark.parametrize(
    ("changed", "error"),
    [({"optimizers": ()}, BadValue), ({"optimizers": ("rand",)}, UnknownName), ({"seeds": 0}, BadValue)],
)
def test_what_cannot_be_run_is_refused_first(tmp_path, changed, error):
    with pytest.raises(error):
        study("branin", "10x", tmp_path / "none", **changed)
    assert not (tmp_path / "none").exists()


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
