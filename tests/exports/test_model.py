"""The model of a run of any kind of task: kept, or said why there is none."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner
from conftest import quadratic_space

import mfbo
from mfbo.cli import main
from mfbo.errors import RunError
from mfbo.evidence.curves import incumbent
from mfbo.exports.model import export
from mfbo.ledger.journal import read

HERE = mfbo.Settings(workers=0)
FIDELITY = mfbo.Fidelity(epochs=(1, 9))


def loss_of(config, epochs):
    return config["x"] ** 2 + 1 / epochs


def saving(config, rung, context):
    with context.save(rung.epochs) as folder:
        (folder / "state.txt").write_text(repr(loss_of(config, rung.epochs)))
    return loss_of(config, rung.epochs)


def keeping(config, rung, context):
    assert context.start_epoch == 0, "nothing continues from a model alone"
    with context.keep_model() as folder:
        (folder / "weights.txt").write_text(repr(loss_of(config, rung.epochs)))
    return loss_of(config, rung.epochs)


def nothing(config, rung, context):
    return loss_of(config, rung.epochs)


TASK = mfbo.Task("bowl", quadratic_space(), saving, FIDELITY)


@pytest.mark.parametrize(("train", "name"), [(saving, "state.txt"), (keeping, "weights.txt")])
def test_what_the_train_function_saved_for_the_best_trial_is_its_model(tmp_path, train, name):
    result = mfbo.tune(replace(TASK, train=train), "4x", optimizer="asha", out=tmp_path / "run", settings=HERE)
    kept = tmp_path / "run" / "best" / "model"
    assert [path.name for path in kept.iterdir()] == [name]
    assert float((kept / name).read_text()) == result.best.loss
    assert export(tmp_path / "run", tmp_path / "own").joinpath("model", name).is_file()


def test_a_task_that_writes_no_model_is_told_how_it_could(tmp_path):
    mfbo.tune(replace(TASK, train=nothing), "4x", optimizer="asha", out=tmp_path / "run", settings=HERE)
    assert not (tmp_path / "run" / "best").exists()
    with pytest.raises(RunError, match=r"have it write one into the folder of context\.save"):
        export(tmp_path / "run", tmp_path / "own")


@pytest.mark.parametrize("writes", [True, False])
def test_what_a_command_left_in_its_checkpoint_folder_is_its_model(tmp_path, monkeypatch, writes):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(
        "import sys, pathlib\n"
        "x, folder = float(sys.argv[1]), sys.argv[2]\n"
        "folder == '-' or pathlib.Path(folder, 'weights.txt').write_text(str(x))\n"
        "print('loss:', x)\n"
    )
    (tmp_path / "space.yaml").write_text("x: [0.1, 1.0]\n")
    text = f"{sys.executable} train.py {{x}} {'{checkpoint}' if writes else '-'}"
    words = ["tune", text, "--space", "space.yaml", "--max-trials", "3", "--optimizer", "random"]
    done = CliRunner().invoke(main, [*words, "--workers", "0", "--out", "run"])
    assert done.exit_code == 0, done.output
    if writes:
        kept = float((tmp_path / "run" / "best" / "model" / "weights.txt").read_text())
        assert kept == incumbent(read(tmp_path / "run")).trial.config["x"]
        assert "its model: run/best" in done.output
    else:
        assert "no model is kept: its command writes none; put {checkpoint} into it" in done.output


def test_a_run_of_simulated_trials_says_nothing_of_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["tune", "branin", "--max-trials", "3", "--optimizer", "random"])
    assert done.exit_code == 0
    assert "model" not in done.output
