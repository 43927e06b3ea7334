"""A metric that is to be high: the best of it is found, and it is shown in its own sign and name wherever it is."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace
from hypothesis import given
from hypothesis import strategies as st
from ledgers import records_of, rewrite
from rich.console import Console

import mfbo
from mfbo.analysis.figures.compared import anytime_chart
from mfbo.analysis.report import write
from mfbo.cli import main
from mfbo.display import LineDisplay, summary
from mfbo.engine.replay import replay
from mfbo.engine.tell import tell
from mfbo.errors import BadDirection, BadValue, DamagedLedger, MfboError, RunChanged, RunError
from mfbo.evidence.comparison import compare
from mfbo.evidence.curves import incumbent
from mfbo.evidence.summary import summarize
from mfbo.exports import export_run
from mfbo.exports.table import rows
from mfbo.goal import Goal, agree, name_of, sounds_maximized, split
from mfbo.ledger.journal import read
from mfbo.optimizers.registry import OPTIMIZERS

SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
given = parser.parse_args()
for epoch in range(given.epochs):
    print(f"val_loss: {(given.x - 0.3) ** 2:.6f} val_acc: {0.9 - (given.x - 0.3) ** 2 - 0.1 / (epoch + 1):.6f}")
"""
COMMAND = "python script.py --x {x} --epochs {epochs:1-9}"
HIGH = Goal("val_acc", True)


def acc(config, fidelity, context):
    """Best at x = 0.3; an accuracy that is 0.9 there at the end."""
    for epoch in range(1, fidelity.epochs + 1):
        found = 0.9 - (config["x"] - 0.3) ** 2 - 0.1 / epoch
        context.report(found, epoch=epoch, cost=epoch / 9)
    return mfbo.Measurement(found, {"error": 1 - found}, cost=fidelity.epochs / 9)


def loss(config, fidelity, context):
    """The same, turned by hand."""
    for epoch in range(1, fidelity.epochs + 1):
        found = 0.9 - (config["x"] - 0.3) ** 2 - 0.1 / epoch
        context.report(0.0 - found, epoch=epoch, cost=epoch / 9)
    return mfbo.Measurement(0.0 - found, cost=fidelity.epochs / 9)


def task(train=acc, **more):
    space = ConfigurationSpace({"x": (0.0, 1.0)})
    return mfbo.Task("made", space, train, mfbo.Fidelity(epochs=(1, 9)), stateless=True, full_cost=1.0, **more)


def run_of(folder, cost="4x", **more):
    return mfbo.tune(task(metric="max:val_acc"), cost, out=folder, progress=False, **more)


MAXIMISED = """
    acc val_acc accuracy eval/f1_macro valid_accuracy_top1 valAcc ValAccuracy F1Score mAP mAP50 mIoU AUROC roc_auc r2 R²
    bleu map iou reward ep_rew_mean episode_return precision recall acc@1 hits@10 rougeL score val-score top1_acc
    MulticlassAccuracy sparse_categorical_accuracy explained_variance cohen_kappa ndcg@10
"""
MINIMISED = """
    loss val_loss map_loss accuracy_loss error top1_error accuracy_error recall_loss mse rmse nll perplexity brier_score
    fid_score neg_log_likelihood log_loss map_size score_time mapping landscape macro lr out objective
"""


@pytest.mark.parametrize("name", MAXIMISED.split())
def test_names_of_what_is_maximised(name):
    assert sounds_maximized(name)


@pytest.mark.parametrize("name", MINIMISED.split())
def test_names_of_what_is_not(name):
    assert not sounds_maximized(name)


def test_a_metric_and_its_direction_as_people_give_them():
    assert split("max:val_acc") == ("val_acc", True)
    assert split("min: val_acc ") == ("val_acc", False)
    assert split("eval:loss") == ("eval:loss", None)
    assert name_of(r"Epoch \d+ acc[:=] *(?P<loss>[0-9.]+)%?") == "acc"


@given(value=st.floats(allow_nan=False, allow_infinity=False), maximize=st.booleans())
def test_what_is_turned_is_turned_back(value, maximize):
    goal = Goal("m", maximize)
    assert goal.value(goal.loss(value)) == value
    assert math.copysign(1, goal.value(goal.loss(0.0))) == 1


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_asks_as_it_does_for_the_loss_turned_by_hand(optimizer):
    high = mfbo.tune(task(metric="max:val_acc"), "3x", optimizer=optimizer, seed=1, progress=False)
    low = mfbo.tune(task(loss), "3x", optimizer=optimizer, seed=1, progress=False)
    assert high.ledger.asks == low.ledger.asks
    assert [r.outcome.loss for r in high.ledger.results] == [r.outcome.loss for r in low.ledger.results]
    assert [r.outcome.reports for r in high.ledger.results] == [r.outcome.reports for r in low.ledger.results]
    assert high.best.value == max(-r.outcome.loss for r in high.ledger.results if r.outcome.rung.work == 1)
    assert high.best.value == pytest.approx(0.9 - (high.best.config["x"] - 0.3) ** 2 - 0.1 / 9)


@pytest.mark.slow
def test_a_command_finds_the_best_corner_and_not_the_worst(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text(SCRIPT)
    Path("space.yaml").write_text("x: [0, 1]\n")
    words = ["tune", COMMAND, "--space", "space.yaml", "--max-trials", "8", "--optimizer", "random", "--out", "run"]
    said = CliRunner().invoke(main, [*words, "--metric", "val_acc"])
    assert said.exit_code == 2
    assert "Give max:val_acc (the same as --maximize, or maximize=True in Python) or min:val_acc" in said.output
    assert not Path("run").exists()
    said = CliRunner().invoke(main, [*words, "--metric", "max:val_acc", "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)["best"]
    results = read(Path("run")).results
    best = max(0.9 - (r.trial.config["x"] - 0.3) ** 2 - 0.1 / 9 for r in results)
    assert found["metric"] == "val_acc"
    assert found["maximize"] is True
    assert found["value"] == pytest.approx(best, abs=1e-5)
    assert "loss" not in found
    other = CliRunner().invoke(main, [*words[:-1], "other", "--metric", "val_acc", "--maximize"])
    assert f"best val_acc {found['value']:.4g}" in other.output
    assert read(Path("other")).header.goal == read(Path("run")).header.goal == HIGH
    again = CliRunner().invoke(main, ["resume", "run", "--max-trials", "9"])
    assert "best val_acc 0." in again.stdout, again.output
    command = CliRunner().invoke(main, ["best", "run", "--format", "command"]).stdout
    assert "--metric max:val_acc" in command
    trained = CliRunner().invoke(main, ["train", *_words(command)[2:]])
    assert trained.stdout.startswith(f"val_acc {found['value']:.4g}"), trained.output


def _words(command):
    import shlex

    return shlex.split(command)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--metric", "min:val_acc", "--maximize"], "maximize and the metric 'min:val_acc' say the opposite"),
        (["--metric", "max:val_acc", "--minimize"], "minimize and the metric 'max:val_acc' say the opposite"),
        (["--maximize"], "no metric is named, so 'loss' would be maximized"),
        (["--metric", r"acc: (?P<loss>[0-9.]+)"], "metric 'acc': is higher or lower better"),
        (["--metric", "max:val_acc", "--objectives", "val_acc,f1"], "Give max:f1"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(words, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text(SCRIPT)
    Path("space.yaml").write_text("x: [0, 1]\n")
    said = CliRunner().invoke(main, ["tune", COMMAND, "--space", "space.yaml", "--max-trials", "2", *words])
    assert said.exit_code == 2
    assert text in said.output
    assert len([line for line in said.output.splitlines() if line.startswith("mfbo: ")]) == 1


@pytest.mark.slow
def test_what_train_returns_names_it_or_the_run_is_refused(tmp_path):
    def both(config, fidelity, context):
        return {"val_acc": 1 - config["x"], "val_loss": config["x"]}

    plain = mfbo.Task("plain", ConfigurationSpace({"x": (0.0, 1.0)}), both)
    asked = {"max_trials": 5, "optimizer": "random", "progress": False, "workers": 0}
    with pytest.raises(BadDirection, match=r"metric='max:val_acc'.*metric='min:val_acc'") as caught:
        mfbo.tune(plain, out=tmp_path / "run", **asked)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(BadDirection, match="metric='max:val_acc'"):
        mfbo.tune(plain, **{**asked, "workers": 1})
    high = mfbo.tune(plain, metric="max:val_acc", **asked)
    low = mfbo.tune(plain, metric="val_loss", **asked)
    assert high.best.config == low.best.config
    assert high.best.value == pytest.approx(1 - low.best.value)
    assert high.best.metrics == {"val_loss": pytest.approx(low.best.value)}
    with pytest.raises(BadDirection, match="no 'f1'"):
        mfbo.tune(plain, metric="max:f1", **asked)


def test_a_loss_beside_the_metric_of_the_run_is_not_taken_for_it():
    def train(config, fidelity, context):
        return mfbo.Measurement(config["x"], {"accuracy": 0.9 - config["x"]})

    made = mfbo.Task("made", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    with pytest.raises(BadDirection, match="this run is after max:accuracy"):
        mfbo.tune(made, metric="max:accuracy", max_trials=2, workers=0, progress=False)


@pytest.mark.parametrize(
    ("own", "asked", "text"),
    [
        ({"metric": "max:val_acc"}, {"maximize": False}, "'val_acc' is to be maximized|its val_acc is to be maximized"),
        ({"maximize": False}, {"maximize": True}, "its loss is to be minimized"),
        ({"metric": "max:val_acc"}, {"metric": "max:f1"}, "measures 'val_acc', not 'f1'"),
        ({"metric": "val_acc"}, {}, "is higher or lower better"),
    ],
)
def test_a_task_that_says_its_own_direction_has_it(own, asked, text):
    with pytest.raises(BadValue, match=text):
        mfbo.tune(task(**own), "1x", progress=False, **asked)


def test_a_task_and_a_run_say_it_alike():
    for own, asked, goal in (
        ({"metric": "max:val_acc"}, {}, HIGH),
        ({"metric": "val_acc", "maximize": True}, {"maximize": True}, HIGH),
        ({}, {"metric": "max:val_acc"}, HIGH),
        ({"maximize": True}, {}, Goal("score", True)),
        ({}, {}, Goal()),
        ({"metric": "val_loss"}, {}, Goal("val_loss")),
    ):
        assert mfbo.tune(task(**own), "1x", progress=False, **asked).goal == goal


def text_of(renderable):
    console = Console(file=io.StringIO(), width=200)
    console.print(renderable)
    return console.file.getvalue()


def test_every_display_has_its_name_and_sign(tmp_path, capsys):
    lines = io.StringIO()
    result = run_of(tmp_path / "run", observer=LineDisplay(lines))
    shown = f"{result.best.value:.4g}"
    assert 0.7 < result.best.value < 0.9
    assert f"best val_acc {shown}" in lines.getvalue()
    assert f"best val_acc={shown}" in repr(result)
    assert f"<th>best val_acc</th><td>{shown}" in result._repr_html_()
    page = text_of(summary(result.ledger))
    assert f"best val_acc {shown}" in page
    assert "val_acc, higher is better" in page
    listed = CliRunner().invoke(main, ["ls", str(tmp_path)]).stdout
    assert f"val_acc {shown}" in listed
    found = json.loads(CliRunner().invoke(main, ["ls", str(tmp_path), "--json"]).stdout)[0]
    assert (found["metric"], found["maximize"], found["value"]) == ("val_acc", True, result.best.value)
    for text in (lines.getvalue(), page, listed):
        assert f"-{shown}" not in text


def test_exports_have_it_too(tmp_path):
    result = run_of(tmp_path / "run")
    values = [None if r.outcome.loss is None else -r.outcome.loss for r in result.ledger.results]
    assert [row["val_acc"] for row in rows(result.ledger)] == values
    assert "loss" not in rows(result.ledger)[0]
    export_run(result.ledger, "csv", tmp_path / "run.csv")
    with (tmp_path / "run.csv").open() as file:
        assert [float(row["val_acc"]) for row in csv.DictReader(file)] == values


@pytest.mark.slow
def test_optuna_has_the_direction_and_the_name(tmp_path):
    optuna = pytest.importorskip("optuna")
    result = run_of(tmp_path / "run")
    export_run(result.ledger, "optuna", tmp_path / "study.db")
    (found,) = optuna.get_all_study_names(f"sqlite:///{tmp_path}/study.db")
    study = optuna.load_study(study_name=found, storage=f"sqlite:///{tmp_path}/study.db")
    assert study.direction.name == "MAXIMIZE"
    assert study.metric_names == ["val_acc"]
    assert study.best_value == pytest.approx(result.best.value)


def test_smac_has_the_cost_and_beside_it_the_metric(tmp_path):
    result = run_of(tmp_path / "run", "2x")
    export_run(result.ledger, "smac", tmp_path / "smac")
    (history,) = (tmp_path / "smac").rglob("runhistory.json")
    (scenario,) = (tmp_path / "smac").rglob("scenario.json")
    assert json.loads(scenario.read_text())["objectives"] == "-val_acc"
    found = [one["additional_info"]["val_acc"] for one in json.loads(history.read_text())["data"]]
    assert found == [-r.outcome.loss for r in result.ledger.results]


@pytest.mark.slow
def test_a_report_shows_it_and_draws_it_upwards(tmp_path):
    folders = [run_of(tmp_path / f"{name}{seed}", optimizer=name, seed=seed).run
               for name in ("smac", "random") for seed in (0, 1)]  # fmt: skip
    found = compare(folders)
    assert found.goal == HIGH
    chart = anytime_chart(found)
    for one in chart.panels[0].series:
        assert max(one.y) > 0.7
        assert all(low <= centre <= high for low, centre, high in zip(one.low, one.y, one.high, strict=True))
    assert chart.panels[0].y.label.startswith("val_acc of incumbent")
    assert "Higher and further left is better" in chart.caption
    standing = summarize(found).to_dict()["optimizers"][0]
    assert 0.7 < standing["low"] <= standing["median"] <= standing["high"] < 0.9
    assert standing["value"] > 0.7
    page = write(folders, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Best val_acc" in page
    assert '"measured":"val_acc","down":true' in page.replace(": ", ":").replace(", ", ",")
    assert "validation loss" not in page.lower()
    assert "--metric max:val_acc" in page


def test_a_value_from_elsewhere_is_told_in_its_own_sign(tmp_path):
    run_of(tmp_path / "run")
    known = tell(tmp_path / "run", {"x": 0.31}, 0.97)
    assert known.loss == -0.97
    assert "better than any" in text_of(summary(read(tmp_path / "run")))
    (tmp_path / "config.yaml").write_text("x: 0.3\n")
    words = ["tell", str(tmp_path / "run"), str(tmp_path / "config.yaml")]
    said = CliRunner().invoke(main, [*words, "--value", "0.98"])
    assert "added: val_acc 0.98" in said.output
    assert "give --value" in CliRunner().invoke(main, [*words, "--loss", "0.1"]).output
    assert "give one value" in CliRunner().invoke(main, words).output


def test_a_run_goes_on_replays_and_warms_up_in_its_direction_only(tmp_path):
    made = task(metric="max:val_acc")
    whole = mfbo.tune(made, "4x", out=tmp_path / "whole", progress=False)
    mfbo.tune(made, "2x", out=tmp_path / "run", progress=False)
    cut = mfbo.resume(tmp_path / "run", task=made, max_cost="4x", progress=False)
    assert cut.best.value == whole.best.value
    assert replay(read(tmp_path / "run")).mismatch is None
    for changed in ({"maximize": False}, {"metric": "max:f1"}):
        with pytest.raises(RunChanged, match=r"its direction|its metric"):
            mfbo.resume(tmp_path / "run", task=task(loss, **changed), max_cost="5x", progress=False)
    warm = mfbo.tune(made, "2x", warm_start=tmp_path / "run", progress=False)
    assert min(known.loss for known in warm.ledger.header.known) == -whole.best.value
    with pytest.raises(MfboError, match="warm start from a run of max:val_acc"):
        mfbo.tune(task(loss), "2x", warm_start=tmp_path / "run", progress=False)


def test_runs_of_different_directions_are_not_compared(tmp_path):
    made = task()
    mfbo.tune(made, "2x", metric="max:val_acc", out=tmp_path / "a", progress=False)
    mfbo.tune(made, "2x", out=tmp_path / "b", progress=False)
    with pytest.raises(RunError, match="different metrics cannot be compared: max:val_acc"):
        compare([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(RunError, match="different metrics"):
        write([tmp_path / "a", tmp_path / "b"], tmp_path / "report.html")


def test_the_optimum_of_a_maximised_metric_is_in_its_sign(tmp_path):
    result = mfbo.tune(task(metric="max:val_acc", optimum=0.9), "3x", progress=False)
    assert result.ledger.header.optimum == -0.9
    assert "below the optimum of 0.9" in text_of(summary(result.ledger))


@pytest.mark.slow
def test_a_ledger_that_contradicts_itself_is_damaged(tmp_path):
    run_of(tmp_path, "1x")
    records = records_of(tmp_path)
    for metric in ("min:val_acc", "max:", 7):
        changed = json.loads(json.dumps(records))
        changed[0]["run"]["search"]["metric"] = metric
        rewrite(tmp_path, changed)
        with pytest.raises(DamagedLedger):
            read(tmp_path)


def test_libraries_that_say_their_own_direction_agree_with_the_run_or_are_refused():
    for goal, name, maximize in (
        (Goal(), "eval_loss", None),
        (Goal(), "val_loss", False),
        (Goal("accuracy", True), "eval_accuracy", None),
        (Goal("score", True), "eval_accuracy", True),
        (Goal("eval_accuracy", False), "eval_accuracy", None),
    ):
        agree(goal, name, maximize)
    for goal, name, maximize in (
        (Goal(), "eval_accuracy", None),
        (Goal(), "eval_x", True),
        (Goal("score", True), "eval_loss", None),
        (Goal("accuracy", True), "eval_loss", None),
        (Goal("accuracy", True), "accuracy", False),
    ):
        with pytest.raises(BadDirection, match="name what is measured"):
            agree(goal, name, maximize)


def test_a_session_is_told_in_its_own_sign():
    space = ConfigurationSpace({"x": (0.0, 1.0)})
    with mfbo.Session(space, mfbo.Fidelity(epochs=(1, 9)), max_cost="3x", metric="max:val_acc") as session:
        values = {}
        while trial := session.ask():
            values[trial.id] = 0.9 - (trial.config["x"] - 0.3) ** 2 - 0.1 / trial.rung.epochs
            assert session.report(trial, values[trial.id], epoch=trial.rung.epochs)
            session.tell(trial, values[trial.id])
    result = session.result
    assert [-r.outcome.loss for r in result.ledger.results] == list(values.values())
    assert [-r.outcome.reports[-1].loss for r in result.ledger.results] == list(values.values())
    best = incumbent(result.ledger)
    assert result.best.value == values[best.trial.id]
    full = [values[r.trial.id] for r in result.ledger.results if r.outcome.rung.work == 1]
    assert result.best.value >= max(full, default=-math.inf)


TASK_FILE = """
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    found = 0.9 - (config["x"] - 0.3) ** 2 - 0.1 / fidelity.epochs
    return mfbo.Measurement(found, {"size": config["x"]}, cost=fidelity.epochs / 9)

space = ConfigurationSpace({"x": (0.0, 1.0)})
task = mfbo.Task("mine", space, train, mfbo.Fidelity(epochs=(1, 9)), stateless=True, full_cost=1.0,
                 metric="max:val_acc", validate=train)
"""


@pytest.mark.slow
def test_a_study_finds_the_highest_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TASK_FILE)
    words = ["study", "mine.py:task", "--max-cost", "24x", "--optimizers", "random,hyperband", "--seeds", "1", "-q"]
    said = CliRunner().invoke(main, [*words, "--out", "study"])
    assert said.exit_code == 0, said.output
    assert "test val_acc" in said.output
    found = json.loads(Path("study/phases.json").read_text())
    assert found["goal"] == {"name": "val_acc", "maximize": True}
    tested = [line["test"]["val_acc"] for line in found["lines"]]
    assert tested == sorted(tested, reverse=True)
    assert all(0.7 < line["value"] < 0.9 for line in found["lines"])
    page = write([tmp_path / "study"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "val_acc on unseen data" in page
    again = CliRunner().invoke(main, [*words, "--out", "study"])
    assert again.exit_code == 0, again.output


def test_a_validation_is_of_the_metric(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TASK_FILE)
    assert CliRunner().invoke(main, ["tune", "mine.py:task", "--max-cost", "3x", "--out", "run", "-q"]).exit_code == 0
    found = json.loads(CliRunner().invoke(main, ["validate", "run", "--seeds", "2", "--json"]).stdout)
    assert 0.7 < found["mean"]["val_acc"] < 0.9
    assert [one["value"] for one in found["scores"]] == [found["mean"]["val_acc"]] * 2
    assert "loss" not in found["mean"]
    assert "loss" not in found["scores"][0]


def test_a_comparison_by_the_command_line_and_its_folder_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TASK_FILE)
    words = ["compare", "mine.py:task", "--max-cost", "3x", "--optimizers", "random,asha", "--seeds", "2", "--out", "c"]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 0, said.output
    assert "best val_acc 0." in said.output
    assert "val_acc: higher is better" in said.stdout
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)["tasks"][0]
    assert (found["metric"], found["maximize"]) == ("val_acc", True)
    values = [row["value"] for row in found["optimizers"]]
    assert values == sorted(values, reverse=True)
    assert all(0.7 < value < 0.9 for value in values)
    refused = CliRunner().invoke(main, [*words[:-1], "other", "--minimize"])
    assert refused.exit_code == 2
    assert "is to be maximized; leave out minimize" in refused.output
