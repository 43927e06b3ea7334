from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import mfbo
from mfbo.engine.validate import validate
from mfbo.errors import BadTask, BadValue, RunError
from mfbo.exports.model import export
from mfbo.ledger.journal import read
from mfbo.settings import Settings
from mfbo.tasks import digits


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    mfbo.tune("digits", None, optimizer="random", max_trials=1, out=folder, settings=Settings(workers=0))
    return folder


def predicted(folder, x, tmp_path):
    """What the folder's own script says, in a process that cannot import mfbo."""
    np.savetxt(tmp_path / "x.csv", x, delimiter=",")
    script = [sys.executable, "-I", str(folder / "predict.py"), str(tmp_path / "x.csv")]
    lines = subprocess.run(script, check=True, capture_output=True, text=True, cwd="/").stdout.splitlines()
    return [int(line.split("\t")[0]) for line in lines]


@pytest.mark.slow
def test_the_best_model_is_written_with_a_script_that_predicts_what_was_measured(run, tmp_path):
    heard = []
    found = validate(run, 2, on_score=heard.append)
    assert list(found.scores) == heard
    assert [score.seed for score in found.scores] == [0, 1]
    assert found.rung.work == 1
    assert np.sum(found.confusion) == 2 * 359
    first = found.scores[0]
    assert first.metrics["accuracy"] == pytest.approx(np.trace(first.confusion) / 359)
    assert found.mean("accuracy") == pytest.approx(np.mean([score.metrics["accuracy"] for score in found.scores]))
    assert found.folder == run / "best"
    kept = {"README.md", "config.json", "config.yaml", "model", "predict.py"}
    assert {path.name for path in found.folder.iterdir()} == kept
    assert {path.name for path in (found.folder / "model").iterdir()} == {"mlp.npz"}
    _, _, test = digits.split(0)
    right = np.mean(predicted(found.folder, test.x * 16, tmp_path) == test.y)
    assert right == pytest.approx(first.metrics["accuracy"])
    described = json.loads((found.folder / "config.json").read_text())
    assert described["hyperparameters"] == found.config
    assert "| accuracy |" in (found.folder / "README.md").read_text()
    assert json.loads(json.dumps(found.to_dict()))["mean"]["accuracy"] == found.mean("accuracy")
    assert not list(run.glob("mfbo-validate-*"))


@pytest.mark.slow
def test_validation_can_be_repeated_and_replaces_its_folder(run):
    first = validate(run, 1)
    assert validate(run, 1).scores[0].metrics == first.scores[0].metrics
    assert (run / "best" / "README.md").is_file()


def test_export_gives_the_model_that_was_measured_without_training(run, tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "new_model", None)
    folder = export(run, tmp_path / "out")
    _, validation, _ = digits.split(0)
    right = np.mean(predicted(folder, validation.x * 16, tmp_path) == validation.y)
    assert 1 - right == pytest.approx(read(run).results[0].outcome.loss)


def test_export_leaves_what_is_there_alone(run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadValue, match="is not empty"):
        export(run, tmp_path)
    with pytest.raises(BadValue, match="is not empty"):
        validate(run, 1, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_run_ends_with_its_best_model_in_a_folder_that_follows_the_incumbent(tmp_path, monkeypatch):
    how = mfbo.Settings(workers=0)
    mfbo.tune("digits", max_trials=2, optimizer="random", seed=1, out=tmp_path / "run", settings=how)
    best, place = mfbo.resume(tmp_path / "run", max_trials=2).best, tmp_path / "run" / "best"
    described = json.loads((place / "config.json").read_text())
    assert (described["hyperparameters"], described["measured_on"]) == (best.config, "the validation part")
    assert (place / "predict.py").is_file()
    validate(tmp_path / "run", 1)
    before = (place / "config.json").read_bytes()
    mfbo.resume(tmp_path / "run", max_trials=2)
    assert (place / "config.json").read_bytes() == before, "a final validation of the same configuration stays"
    monkeypatch.setattr("mfbo.tasks.digits.error_of", lambda model, images: 0.0)
    better = mfbo.resume(tmp_path / "run", max_trials=3).best
    assert better.config != best.config
    assert json.loads((place / "config.json").read_text())["hyperparameters"] == better.config
    assert [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")] == []


def test_a_run_without_checkpoints_has_no_model_to_export(tmp_path):
    settings = Settings(workers=0, from_scratch=True)
    mfbo.tune("digits", None, optimizer="random", max_trials=1, out=tmp_path / "run", settings=settings)
    with pytest.raises(RunError, match=r"keeps no model of trial 0: checkpoints were off"):
        export(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_task_without_final_validation_says_so(task):
    found = mfbo.tune(task, "1x", optimizer="random")
    with pytest.raises(BadTask, match="no final validation"):
        validate(found.ledger, task=task)


@pytest.mark.parametrize("seeds", [0, -1, 1.5, True])
def test_seeds_are_counted_from_one(run, seeds):
    with pytest.raises(BadValue, match="seeds"):
        validate(run, seeds)


def test_a_training_that_fails_ends_the_validation_in_one_line(run, monkeypatch):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr(digits, "new_model", fails)
    with pytest.raises(RunError, match=r"seed 0 failed: ZeroDivisionError: no luck$"):
        validate(run, 1)
    assert not list(run.glob("mfbo-validate-*"))
