"""One configuration trained once, and the line that trains the best of a run again."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml
from click.testing import CliRunner

import mfbo
from mfbo.cli import main
from mfbo.engine.train import train
from mfbo.errors import BadTask, BadValue, RunError, UnknownName
from mfbo.exports.card import again, card
from mfbo.ledger.fingerprint import space_dict
from mfbo.space import read_config

QUICK = {"hidden_units": 16, "batch_size": 64}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    how = mfbo.Settings(workers=0)
    mfbo.tune("digits", max_trials=6, optimizer="asha", seed=4, out=folder, settings=how, prior={"layers": 2})
    return folder


def typed(*words):
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_printed_line_trains_the_best_configuration_again(run):
    line = typed("best", str(run), "--format", "command").strip()
    words = shlex.split(line)
    assert words[:5] == ["mfbo", "train", "digits", "--seed", "4"]
    place = words.index("--")
    said = json.loads(typed(*words[1:place], "--epochs", "3", "--json", *words[place:]))
    assert said["config"] == yaml.safe_load(typed("best", str(run)))
    assert said["seed"] == 4
    assert said["rung"] == "all data, 3 epochs"
    assert 0 < said["loss"] < 1


def test_the_same_seed_trains_the_same_and_reports_are_heard():
    heard = []
    first, second = (
        train("digits", QUICK, seed=2, epochs=2, on_report=lambda report, goal, rung: heard.append(report))
        for _ in range(2)
    )
    assert (first.loss, first.metrics) == (second.loss, second.metrics)
    assert [report.epoch for report in heard] == [1, 2, 1, 2]
    assert train("digits", QUICK, seed=3, epochs=2).loss != first.loss


def test_a_file_and_words_that_change_it(tmp_path):
    (tmp_path / "c.yaml").write_text("hidden_units: 16\nbatch_size: 64\n")
    said = json.loads(
        typed("train", "digits", str(tmp_path / "c.yaml"), "--epochs", "1", "--json", "--", "--batch_size=32")
    )
    assert (said["config"]["hidden_units"], said["config"]["batch_size"]) == (16, 32)


def test_the_model_goes_into_a_folder_that_says_how_to_train_it_again(tmp_path, monkeypatch):
    train("digits", QUICK, seed=1, epochs=2, final=True, out=tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "README.md", "config.json", "config.yaml", "model", "predict.py",
    }  # fmt: skip
    (line,) = [line for line in (tmp_path / "model" / "README.md").read_text().splitlines() if "mfbo train" in line]
    monkeypatch.chdir(tmp_path / "model")
    said = json.loads(typed(*shlex.split(line)[1:], "--json"))
    kept = json.loads((tmp_path / "model" / "config.json").read_text())
    assert said["loss"] == kept["metrics"]["loss"]
    assert kept["measured_on"] == "the test split"
    with pytest.raises(BadValue, match="is not empty"):
        train("digits", QUICK, epochs=1, out=tmp_path / "model")


def test_the_line_in_a_folder_knows_a_space_out_of_a_file(tmp_path, monkeypatch):
    narrowed = space_dict(mfbo.tasks.registry.load("digits").space)
    units = next(entry for entry in narrowed["hyperparameters"] if entry["name"] == "hidden_units")
    units |= {"lower": 8, "upper": 12, "default_value": 9}
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(narrowed))
    train("digits", {}, epochs=1, settings=mfbo.Settings(space=str(mine)), out=tmp_path / "model")
    mine.unlink()
    monkeypatch.chdir(tmp_path / "model")
    (line,) = [line for line in (tmp_path / "model" / "README.md").read_text().splitlines() if "mfbo train" in line]
    assert "--space space.yaml" in line
    said = json.loads(typed(*shlex.split(line)[1:], "--json"))
    assert said["config"]["hidden_units"] == 9
    assert said["loss"] == json.loads((tmp_path / "model" / "config.json").read_text())["metrics"]["loss"]
    assert str(tmp_path) not in (tmp_path / "model" / "config.json").read_text()


def test_what_a_run_exports_has_the_configuration_as_a_file(run, tmp_path):
    typed("best", str(run), "--export", str(tmp_path / "model"))
    assert read_config(tmp_path / "model" / "config.yaml") == yaml.safe_load(typed("best", str(run)))
    assert "    mfbo train digits config.yaml --seed 4" in (tmp_path / "model" / "README.md").read_text()


def test_a_card_for_others_names_no_path_of_this_machine():
    described = {
        "task": "imdb",
        "hyperparameters": {"lr": 0.1},
        "trained": {"epochs": 3, "data": 0.5, "work": 0.2, "seed": 0},
        "options": {"data_dir": "/home/me", "model": "small"},
        "space": "/home/me/narrowed.yaml",
        "versions": {},
        "measured_on": "the validation part",
        "metrics": {"loss": 0.1},
    }
    assert again(described) == (
        "mfbo train imdb config.yaml --seed 0 --epochs 3 --data 0.5 --space space.yaml --option model=small"
    )
    here = again(described, "")
    assert "--option data_dir=/home/me" in here
    assert here.endswith("-- --lr=0.1")
    assert "/home/me" not in card(described, script=False)


def test_what_was_trained_is_told_though_the_task_keeps_no_model(tmp_path):
    assert train("branin", {}, out=tmp_path / "model").folder is None
    (tmp_path / "config.yaml").write_text("x1: 3.1\nx2: 2.3\n")
    typed = ["train", "branin", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "model")]
    said = CliRunner().invoke(main, typed)
    assert said.exit_code == 2
    assert said.stdout.startswith("loss 0.4")
    assert "keeps no model" in said.stderr
    assert json.loads(CliRunner().invoke(main, [*typed, "--json"]).stdout)["folder"] is None
    assert not (tmp_path / "model").exists()


def failing(config, fidelity, context):
    raise ValueError("no luck")


def test_mistakes_and_failures_are_one_line(tmp_path):
    space = mfbo.tasks.registry.load("branin").space
    with pytest.raises(RunError, match="failed: ValueError: no luck"):
        train(mfbo.Task("mine", space, failing), {})
    with pytest.raises(BadTask, match="has no final validation"):
        train("branin", {}, final=True)
    with pytest.raises(BadValue, match="epochs 0"):
        train("branin", {}, epochs=0)
    with pytest.raises(BadValue, match=r"data 1\.5"):
        train("branin", {}, data=1.5)
    with pytest.raises(UnknownName, match="unknown hyperparameter 'lr'"):
        train("digits", {"lr": 1})
