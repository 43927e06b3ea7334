"""Exports: what other tools read is what the ledger says; each is opened by the tool itself."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import urllib.request
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from click.testing import CliRunner

import mfbo
from mfbo.cli import main
from mfbo.errors import BadValue, UnknownName
from mfbo.evidence.curves import incumbent
from mfbo.exports import FORMATS, export_run, logger
from mfbo.exports.table import frame, rows
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer, Several
from mfbo.tasks.registry import load


def train(config, fidelity, context):
    """The task `mixed`, but an activation fails."""
    if config["activation"] == "logistic":
        raise RuntimeError("no such luck")
    return MIXED.train(config, fidelity, context)


ALONE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
MIXED = load("mixed")
TASK = mfbo.Task("made", MIXED.space, train, MIXED.fidelity, stateless=True, full_cost=1.0, true_loss=MIXED.true_loss)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    mfbo.tune(TASK, "2.5x", optimizer="asha", seed=1, out=folder)
    found = read(folder)
    assert any(result.outcome.failed for result in found.results)
    assert {result.outcome.rung for result in found.results} >= set(found.header.rungs)
    return found


def test_a_table_has_every_result_and_every_hyperparameter(run, tmp_path):
    path = export_run(run, "csv", tmp_path / "run.csv")
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(run.results)
    assert {f"config.{name}" for name in MIXED.space} <= set(found[0])
    for row, result in zip(found, run.results, strict=True):
        assert int(row["trial"]) == result.trial.id
        assert (float(row["loss"]) if row["loss"] else None) == result.outcome.loss
        assert float(row["spent"]) == result.spent
        assert row["config.momentum"] == str(result.trial.config.get("momentum", ""))


def test_a_frame_and_parquet_say_the_same(run, tmp_path):
    import pandas as pd

    found = pd.read_parquet(export_run(run, "parquet", tmp_path / "run.parquet"))
    assert found.shape == frame(run).shape == (len(run.results), len(rows(run)[0]))
    assert found["loss"].min() == min(r.outcome.loss for r in run.results if r.outcome.loss is not None)
    assert found["config.layers"].dtype.kind == "i"


def test_a_spreadsheet_is_given_no_formula(tmp_path):
    from ConfigSpace import ConfigurationSpace

    task = mfbo.Task("made", ConfigurationSpace({"kind": ["=cmd()", "+1"]}), lambda *_: 0.5)
    run = mfbo.tune(task, max_trials=2, optimizer="random", settings=mfbo.Settings(workers=0)).ledger
    text = export_run(run, "csv", tmp_path / "run.csv").read_text()
    assert "'=cmd()" in text
    assert ",=cmd()" not in text


@pytest.mark.slow
def test_optuna_and_its_dashboard_open_the_study(run, tmp_path):
    import optuna
    from optuna_dashboard import wsgi

    path = export_run(run, "optuna", tmp_path / "study.db")
    storage = f"sqlite:///{path}"
    (study,) = [optuna.load_study(study_name=None, storage=storage)]
    states = optuna.trial.TrialState
    keys = {result.trial.key for result in run.results}
    assert len(study.trials) == len(keys)
    assert study.best_value == min(
        r.outcome.loss for r in run.results if r.outcome.rung.work == 1 and r.outcome.loss is not None
    )
    assert {trial.state for trial in study.trials} == {states.COMPLETE, states.PRUNED, states.FAIL}
    failed = [trial for trial in study.trials if trial.state == states.FAIL]
    assert all("no such luck" in trial.user_attrs["error"] for trial in failed)

    class Silent(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    with make_server("127.0.0.1", 0, wsgi(optuna.storages.RDBStorage(storage)), handler_class=Silent) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/api/studies"
        with urllib.request.urlopen(address, timeout=60) as answer:
            said = json.load(answer)
        server.shutdown()
        thread.join()
    assert [entry["study_name"] for entry in said["study_summaries"]] == ["made asha seed 1"]


def test_smac_reads_its_folder_back(run, tmp_path):
    from pathlib import Path

    from smac import Scenario
    from smac.runhistory import RunHistory

    out = export_run(run, "smac", tmp_path / "smac")
    (folder,) = [path.parent for path in Path(out).rglob("runhistory.json")]
    assert sorted(path.name for path in folder.iterdir()) == ["configspace.json", "runhistory.json", "scenario.json"]
    scenario = Scenario.load(folder)
    history = RunHistory()
    history.load(folder / "runhistory.json", configspace=scenario.configspace)
    assert len(history) == len({(r.trial.key, r.outcome.rung) for r in run.results})
    full = [value.cost for key, value in history.items() if key.budget == 100 and value.status == 1]
    assert min(full) == min(
        r.outcome.loss for r in run.results if r.outcome.rung.work == 1 and r.outcome.loss is not None
    )


READ = """
import json, sys
from deepcave.runs.converters.smac3v2 import SMAC3v2Run
run = SMAC3v2Run.from_path(sys.argv[1])
objective = run.get_objective("loss")
config, loss = run.get_incumbent(objective, run.get_highest_budget())
trials = [trial.status.name for trial in run.history]
print(json.dumps({"trials": trials, "budgets": run.get_budgets(), "best": loss, "config": dict(config)}))
"""


@pytest.mark.slow
def test_deepcave_opens_the_folder_in_an_environment_of_its_own(run, tmp_path):
    """It pins older libraries than ours; of these, what its reader needs."""
    python = str(tmp_path / "environment" / "bin" / "python")
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(tmp_path / "environment")], check=True)
    install = ["uv", "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "--no-deps", "deepcave==1.4.1"], check=True)
    subprocess.run([*install, "ConfigSpace==1.2.0", "jsonlines", "pandas", "pyarrow==19.0.1", "pyyaml"], check=True)
    (folder,) = [path.parent for path in export_run(run, "smac", tmp_path / "smac").rglob("runhistory.json")]
    said = subprocess.run(
        [python, "-c", READ, str(folder)], cwd=tmp_path, check=True, capture_output=True, text=True, env=ALONE
    ).stdout
    found = json.loads(said.splitlines()[-1])
    best = incumbent(run)
    assert found["best"] == pytest.approx(best.outcome.loss)
    assert found["config"] == pytest.approx(best.trial.config)
    works = {round(100 * rung.work, 2) for rung in run.header.rungs}
    assert works <= {round(budget, 2) for budget in found["budgets"]}
    assert len(found["trials"]) == len({(r.trial.key, r.outcome.rung) for r in run.results})
    assert "CRASHED" in found["trials"]


@pytest.mark.slow
@pytest.mark.needs("tensorboard")
def test_tensorboard_reads_curves_and_final_values(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = export_run(run, "tensorboard", tmp_path / "events")
    whole = EventAccumulator(str(out))
    whole.Reload()
    assert whole.Scalars("incumbent/loss")[-1].value == pytest.approx(mfbo.resume(run.folder, task=TASK).best.loss)
    result = next(r for r in run.results if r.outcome.rung.work == 1)
    own = EventAccumulator(str(out / f"trial-{result.trial.id:05d}"))
    own.Reload()
    assert [(e.step, e.value) for e in own.Scalars("loss")] == [
        (report.epoch, pytest.approx(report.loss, rel=1e-5)) for report in result.outcome.reports
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
def test_mlflow_reads_an_experiment(run, tmp_path):
    from mlflow import MlflowClient

    out = export_run(run, "mlflow", tmp_path / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{out}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "made"]
    found = client.search_runs([experiment.experiment_id], max_results=5000)
    assert len(found) == len(run.results) + 1
    whole = next(each for each in found if "mlflow.parentRunId" not in each.data.tags)
    assert whole.data.metrics["incumbent_loss"] == mfbo.resume(run.folder, task=TASK).best.loss
    assert sum(each.info.status == "FAILED" for each in found) == sum(r.outcome.failed for r in run.results)


def test_a_run_is_logged_while_it_goes_on_and_a_logger_that_fails_does_not_end_it(tmp_path, capsys):
    class Broken(Observer):
        def on_result(self, result, best):
            raise OSError("no space left")

    from mfbo.exports.trackers import Careful

    watch = Several(logger("tensorboard", tmp_path / "events"), Careful(Broken(), "broken"))
    result = mfbo.tune(TASK, max_trials=3, optimizer="random", observer=watch)
    assert result.trials == 3
    assert len(list((tmp_path / "events").glob("trial-*"))) == 3
    assert capsys.readouterr().err.count("no space left") == 1


def test_the_command_exports_and_refuses_in_one_line(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli = CliRunner()
    assert cli.invoke(main, ["export", str(run.folder), "--to", "csv", "-o", "a/b.csv"]).stdout == "a/b.csv\n"
    for typed, said in (
        (["--to", "csv", "-o", "a/b.csv"], "exists"),
        (["--to", "xls", "-o", "c"], "unknown format 'xls'"),
        (["--to", "csv", "-o", "/proc/nothing/c"], "cannot write"),
    ):
        result = cli.invoke(main, ["export", str(run.folder), *typed], catch_exceptions=False)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert said in line
    result = cli.invoke(main, ["tune", "branin", "--max-cost", "1x", "--log", "wandb=x"], catch_exceptions=False)
    assert "unknown logger 'wandb'" in result.stderr


@pytest.mark.parametrize("form", ["csv", "optuna"])
def test_what_cannot_be_written_is_said_in_one_line_and_nothing_of_it_is_left(run, tmp_path, form, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # of what is imported here, which would be cut off as well
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))  # of a file, in bytes
    try:
        with pytest.raises(BadValue, match=r"^cannot write .*; name another place with -o$"):
            export_run(run, form, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []
    export_run(run, form, tmp_path / "out")


def test_an_unknown_format_and_a_place_that_is_taken_are_refused(run, tmp_path):
    with pytest.raises(UnknownName):
        export_run(run, "excel", tmp_path / "x")
    with pytest.raises(BadValue):
        export_run(run, next(iter(FORMATS)), tmp_path)
