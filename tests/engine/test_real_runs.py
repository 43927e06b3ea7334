"""The three real tasks through the command line, from tuning to a model that works, with as little work as there is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from made_data import png, write_images, write_split, write_texts, write_transformer

from mfbo.cli import main
from mfbo.data import parquet
from mfbo.ledger.journal import read
from mfbo.tasks.registry import load

pytestmark = [pytest.mark.needs("torch", "transformers"), pytest.mark.slow]
FOLDERS = {"cifar10": "cifar10", "agnews": "ag_news", "imdb": "imdb"}
EPOCHS = 3  # of a full evaluation, here


def mfbo(*words):
    """Run the command in this process; what it printed on standard output."""
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module", params=list(FOLDERS))
def ran(request, tmp_path_factory):
    """A run of each task, what rows it read and how it divided them, and its validation."""
    name = request.param
    root = tmp_path_factory.mktemp(name)
    task = import_module(f"mfbo.tasks.{name}")
    if name == "cifar10":
        write_images(root / "data", 2)
    else:
        write_texts(root / "data", FOLDERS[name], 25)
    model = ("--model", write_transformer(root / "model")) if name == "agnews" else ()
    seen = SimpleNamespace(name=name, root=root, run=root / "run", files=[], parts=[])

    def reading(function):
        def spy(path, layout):
            seen.files.append(path.stem)
            return function(path, layout)

        return spy

    def dividing(*given):
        seen.parts.append((given[1], *task_parts(*given)))
        return seen.parts[-1][1:]

    task_parts = task.parts
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MFBO_CACHE", str(root / "cache"))
        patch.setenv("MFBO_DATA", str(root / "data"))
        patch.setattr(task, "EPOCHS", EPOCHS)
        patch.setattr(task, "parts", dividing)
        for function in ("inputs", "labels"):
            patch.setattr(parquet, function, reading(getattr(parquet, function)))
        hyperband = ("--optimizer", "hyperband", "--fidelity", "epochs", "--workers", 0, "--device", "cpu")
        said = mfbo("tune", name, "--max-cost", "1.7x", "--seed", 1, *hyperband, *model, "--out", seen.run, "--json")
        seen.said, seen.tuning = json.loads(said), list(seen.files)
        seen.exported = Path(mfbo("best", seen.run, "--export", root / "exported").strip())
        seen.validated = json.loads(mfbo("validate", seen.run, "--seeds", 1, "--json"))
        yield seen


@pytest.mark.slow
def test_a_run_ends_with_a_best_configuration_within_its_cost(ran):
    assert ran.said["status"] == "budget"
    assert ran.said["cost"] <= 1.7
    assert ran.said["best"]["fidelity"] == f"all data, {EPOCHS} epochs"
    assert set(ran.said["best"]["metrics"]) >= {"accuracy", "macro_f1", "cross_entropy"}
    assert ran.said["best"]["loss"] == pytest.approx(1 - ran.said["best"]["metrics"]["accuracy"])


@pytest.mark.slow
def test_the_ledger_charges_a_promoted_trial_the_difference_only(ran):
    results = read(ran.run).results
    rungs = [(result.outcome.start_epoch, result.outcome.rung.epochs) for result in results]
    assert rungs == [(0, 1), (0, 1), (0, 1), (1, EPOCHS)]
    charges = np.diff([0.0, *(result.spent for result in results)])
    assert charges == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3])
    samples = [result.outcome.metrics["samples"] for result in results]
    assert samples[0] * 2 <= samples[-1] < samples[0] * EPOCHS
    assert min((r for r in results[:3]), key=lambda r: r.outcome.loss).trial.key == results[-1].trial.key


def test_the_validation_part_is_fixed_and_no_trial_learns_from_it(ran):
    _, _, judge, training = ran.parts[0]
    assert len(ran.parts) == 4
    for _, learn, again, _ in ran.parts:
        assert np.array_equal(judge, again)
        assert not np.isin(learn, judge).any()
        assert np.isin(learn, training).all()


def test_the_test_split_is_read_by_the_validation_alone(ran):
    assert set(ran.tuning) == {"train"}
    assert "test" in ran.files


def test_of_checkpoints_that_of_the_incumbent_is_kept(ran):
    best = read(ran.run).results[-1].trial.key
    kept = [path.relative_to(ran.run / "checkpoints").as_posix() for path in (ran.run / "checkpoints").glob("*/*")]
    assert kept == [f"{best}/epoch-{EPOCHS:05d}"], "what was not promoted can never be"


def test_nothing_in_a_run_folder_would_be_executed_but_its_script(ran):
    kinds = {path.suffix for path in ran.run.rglob("*") if path.is_file()}
    assert kinds <= {".safetensors", ".json", ".jsonl", ".yaml", ".md", ".py", ".txt", ".lock"}
    assert [path.name for path in ran.run.rglob("*.py")] == ["predict.py"]


def predicted(folder, ran):
    """The classes that the folder's own script names for the test split, in a process that cannot import mfbo."""
    rows = pq.read_table(ran.root / "data" / FOLDERS[ran.name] / "test.parquet").to_pydict()
    given = rows.get("text")
    if given is None:
        from PIL import Image

        given = [str(ran.root / f"{i}.png") for i in range(len(rows["img"]))]
        for path, image in zip(given, rows["img"], strict=True):
            Image.open(io.BytesIO(image["bytes"])).save(path)
    command = [sys.executable, "-I", "predict.py", *given]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    column = 1 if ran.name == "cifar10" else 0
    return [line.split("\t")[column] for line in said.stdout.splitlines()], rows["label"]


@pytest.mark.slow
def test_the_validated_model_works_alone_as_it_was_measured(ran):
    folder = Path(ran.validated["folder"])
    assert folder == ran.run / "best"
    assert {"README.md", "config.json", "config.yaml", "model", "predict.py"} == {
        path.name for path in folder.iterdir()
    }
    found, truth = predicted(folder, ran)
    from mfbo.data.sources import DATASETS

    classes = DATASETS[FOLDERS[ran.name]].layout.classes
    right = [name == classes[y] for name, y in zip(found, truth, strict=True)]
    assert np.mean(right) == pytest.approx(ran.validated["mean"]["accuracy"])
    assert np.sum(ran.validated["confusion"]) == len(truth)
    assert np.trace(ran.validated["confusion"]) == sum(right)


def test_the_final_validation_learns_from_training_and_validation_part(ran):
    _, learn, judge, _ = ran.parts[-1]
    assert len(learn) * EPOCHS < ran.validated["mean"]["samples"] == (len(learn) + len(judge)) * EPOCHS


def test_the_exported_model_is_that_of_the_run(ran):
    described = json.loads((ran.exported / "config.json").read_text())
    assert described["metrics"]["loss"] == ran.said["best"]["loss"]
    assert described["measured_on"] == "the validation part"
    names = {path.relative_to(ran.exported).as_posix() for path in ran.exported.rglob("*") if path.is_file()}
    assert names >= {"predict.py", "README.md", "config.json", "model/model.json", "model/model.safetensors"}
    assert ("model/vocabulary.json" in names) == (ran.name == "imdb")
    assert ("model/tokenizer.json" in names) == (ran.name == "agnews")
    assert not any("state" in name for name in names)
    assert ("Options of the run: model=" in (ran.exported / "README.md").read_text()) == (ran.name == "agnews")


@pytest.mark.parametrize(
    ("name", "child", "parent", "values"),
    [
        ("cifar10", "learning_rate", "optimizer", {"adamw"}),
        ("cifar10", "sgd_learning_rate", "optimizer", {"sgd"}),
        ("cifar10", "momentum", "optimizer", {"sgd"}),
        ("cifar10", "crop_padding", "augmentation", {"crop_flip"}),
        ("agnews", "frozen_layers", "freeze", {"layers"}),
        ("imdb", "learning_rate", "optimizer", {"adam"}),
        ("imdb", "momentum", "optimizer", {"sgd"}),
        ("imdb", "layer_dropout", "layers", {2, 3}),
    ],
)
def test_in_a_wide_space_some_hyperparameters_exist_under_another_only(name, child, parent, values):
    space = load(name).with_space("wide").space
    drawn = space.sample_configuration(60)
    assert all((child in config) == (config[parent] in values) for config in drawn)
    assert {child in config for config in drawn} == {True, False}
    assert set(load(name).space) <= set(space), "wider: nothing of the default space is missing"


# --- single cases, with the quickest of the tasks


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MFBO_DATA", str(write_texts(tmp_path / "data", "imdb", 40)))
    return tmp_path


HERE = ("--workers", 0, "--device", "cpu", "--json")


def test_a_test_split_with_wrong_labels_is_not_noticed_before_the_validation(reviews, monkeypatch):
    monkeypatch.setattr("mfbo.tasks.imdb.EPOCHS", 1)
    write_split(reviews / "data", "imdb", "test", text=["a", "b"], label=[0, 7])
    mfbo("tune", "imdb", "--max-trials", 1, *HERE, "--out", reviews / "run")
    found = CliRunner().invoke(main, ["validate", str(reviews / "run"), "--seeds", "1"])
    assert found.exit_code == 2
    assert "row 1: label 7; allowed: 0 to 1" in found.stderr
    assert "\n" not in found.stderr.strip()
    kept = json.loads((reviews / "run" / "best" / "config.json").read_text())
    assert kept["measured_on"] == "the validation part"


@pytest.mark.slow
def test_from_scratch_no_trial_goes_on_and_nothing_is_kept(reviews):
    limits = ("--max-cost", "1.7x", "--optimizer", "hyperband", "--fidelity", "epochs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mfbo.tasks.imdb.EPOCHS", EPOCHS)
        mfbo("tune", "imdb", *limits, "--from-scratch", *HERE, "--out", reviews / "run")
    results = read(reviews / "run").results
    assert {result.outcome.start_epoch for result in results} == {0}
    assert not (reviews / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_checkpoints_take_no_more_than_max_disk(reviews):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mfbo.tasks.imdb.EPOCHS", 9)
        limits = ("--max-trials", 4, "--optimizer", "hyperband", "--fidelity", "epochs")
        mfbo("tune", "imdb", *limits, "--max-disk", 1e-6, *HERE, "--out", reviews / "run")
    results = read(reviews / "run").results
    best = min(results, key=lambda result: result.outcome.loss).trial.key
    assert [path.name for path in (reviews / "run" / "checkpoints").iterdir()] == [best], "the incumbent's alone"


@pytest.mark.slow
def test_a_trial_in_a_process_of_its_own_ends_in_order(reviews):
    limits = ("--max-trials", 1, "--optimizer", "asha", "--option", "samples=60")
    mfbo("tune", "imdb", *limits, "--workers", 1, "--device", "cpu", "--json", "--out", reviews / "run")
    (result,) = read(reviews / "run").results
    assert result.outcome.status == "ok", result.outcome.error
    assert len(list((reviews / "run" / "checkpoints").rglob("vocabulary.json"))) == 1


def test_a_budget_that_buys_nothing_is_told_with_what_makes_trials_cheaper(reviews):
    command = ["tune", "imdb", "--max-cost", "0.001s", "--workers", "0", "--device", "cpu", "--optimizer", "asha"]
    found = CliRunner().invoke(main, [*command, "--out", str(reviews / "run")])
    assert found.exit_code == 1
    assert "no report" in found.stderr
    assert "give more, or add --option samples=2000" in found.stderr
    assert found.stderr.strip().endswith("--max-cost MORE")
    for task in (import_module(f"mfbo.tasks.{name}") for name in FOLDERS):
        option, value = task.task().cheaper.split("=")
        assert task.Options.read({option: value}, task._OPTIONS).samples == int(value)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(reviews, monkeypatch, device):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    command = ["tune", "imdb", "--max-cost", "1m", "--device", device, "--out", str(reviews / "run")]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 2
    assert f"device '{device}': PyTorch" in found.stderr
    assert "give 'auto' or 'cpu'" in found.stderr
    assert "\n" not in found.stderr.strip()
    assert not (reviews / "run").exists()


@pytest.mark.parametrize(
    ("name", "columns", "says"),
    [
        ("cifar10", {"img": [png(48, 32)], "label": [0]}, "row 0: the image is 48x32 pixels; it must be 32x32"),
        ("cifar10", {"image": [png()], "label": [0]}, "no column 'img'"),
        ("agnews", {"text": ["a"], "label": [4]}, "row 0: label 4; allowed: 0 to 3"),
        ("imdb", {"text": ["a"]}, "no column 'label'"),
    ],
)
def test_bad_data_is_refused_before_anything_is_written(tmp_path, monkeypatch, name, columns, says):
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    for split in ("train", "test"):
        write_split(tmp_path / "data", FOLDERS[name], split, **columns)
    model = ["--model", str(write_transformer(tmp_path / "model"))] if name == "agnews" else []
    command = ["tune", name, "--max-cost", "1m", "--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(main, command + model)
    assert found.exit_code == 2
    assert says in found.stderr
    assert "\n" not in found.stderr.strip()
    assert not (tmp_path / "run").exists()
