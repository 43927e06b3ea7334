"""A run that was killed, stopped or is extended: nothing is lost, repeated or charged twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import quadratic, quadratic_space
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import records_of, rewrite

import mfbo
from mfbo.errors import BadCost, RunChanged, RunLocked, RunNotFound, UnknownName
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.writer import Ledger


def cut(source: Path, target: Path, size: int) -> None:
    """The run as a kill at that byte would have left it."""
    target.mkdir()
    (target / FILE).write_bytes((source / FILE).read_bytes()[:size])


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "workers"), [("smac", 1), ("hyperband", 1), ("hyperband", 4), ("random", 3)])
def test_a_run_cut_anywhere_ends_as_if_it_had_not_been(task, tmp_path, monkeypatch, optimizer, workers):
    monkeypatch.setattr("mfbo.optimizers.smac_stock.parts.CHALLENGERS", 100)  # the same search over fewer points
    how = mfbo.Settings(workers=workers)
    whole = mfbo.tune(task, "12x", optimizer=optimizer, seed=5, out=tmp_path / "whole", settings=how)
    content = (tmp_path / "whole" / FILE).read_bytes()
    header = content.index(b"\n") + 1
    for number, size in enumerate(random.Random(0).sample(range(header, len(content)), 3)):
        cut(tmp_path / "whole", tmp_path / str(number), size)
        resumed = mfbo.resume(tmp_path / str(number), task=task)
        assert resumed.ledger.asks == whole.ledger.asks
        assert resumed.ledger.results == whole.ledger.results
        assert resumed.cost == whole.cost


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(its task, its result) of a run that nothing interrupted."""
    task = mfbo.Task("q", quadratic_space(), quadratic, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=2.7)
    return task, mfbo.tune(task, "4x", optimizer="hyperband", out=tmp_path_factory.mktemp("runs") / "whole")


@pytest.mark.slow
@given(size=st.floats(0, 1), second=st.floats(0, 1))
@settings(max_examples=20)
def test_two_kills_are_no_worse_than_one(whole, tmp_path_factory, size, second):
    task, result = whole
    folder = tmp_path_factory.mktemp("runs")
    content = (result.run / FILE).read_bytes()
    header = content.index(b"\n") + 1
    cut(result.run, folder / "a", header + int(size * (len(content) - header)))
    mfbo.resume(folder / "a", task=task)
    length = len((folder / "a" / FILE).read_bytes())
    cut(folder / "a", folder / "b", header + int(second * (length - header)))
    assert mfbo.resume(folder / "b", task=task).ledger.results == result.ledger.results


def test_a_finished_run_is_extended(task, tmp_path):
    short = mfbo.tune(task, "5x", optimizer="random", out=tmp_path)
    longer = mfbo.resume(tmp_path, max_cost="9x", task=task)
    assert longer.ledger.results[: len(short.ledger.results)] == short.ledger.results
    assert (longer.trials, longer.cost, longer.max_cost) == (9, pytest.approx(9), 9)
    assert longer.ledger.asks == mfbo.tune(task, "9x", optimizer="random").ledger.asks


def test_nothing_happens_where_the_limit_is_reached_already(task, tmp_path):
    short = mfbo.tune(task, "5x", optimizer="random", out=tmp_path)
    again = mfbo.resume(tmp_path, task=task)
    assert (again.ledger.results, again.cost, again.status) == (short.ledger.results, short.cost, "budget")


def test_a_partial_result_is_completed_and_only_the_rest_is_charged(tmp_path):
    def train(config, fidelity, context):  # the dearer the later: the second trial costs more than was foreseen
        price = 1 + calls.setdefault(config["x"], len(calls))
        for epoch in range(context.start_epoch + 1, fidelity.epochs + 1):
            context.report(1 / epoch, cost=price * (epoch - context.start_epoch))
        return mfbo.Measurement(0.1, cost=float(price * (fidelity.epochs - context.start_epoch)))

    calls = {}
    task = mfbo.Task("dear", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 10)), stateless=True)
    mfbo.tune(task, "25s", optimizer="random", out=tmp_path)
    before = read(tmp_path)
    last = before.results[-1].outcome
    assert (last.status, last.rung.epochs, before.spent) == ("stopped", 7, 25)
    after = mfbo.resume(tmp_path, max_cost="31s", task=task)
    assert [r.outcome.start_epoch for r in after.ledger.results] == [0, 0, 7]
    assert (after.trials, after.cost) == (2, 31)


def test_the_unit_of_the_budget_stays(task, tmp_path):
    mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    with pytest.raises(BadCost, match="same unit"):
        mfbo.resume(tmp_path, max_cost="2h", task=task)


def test_no_run_and_a_run_of_an_unknown_task_are_refused(task, tmp_path):
    with pytest.raises(RunNotFound):
        mfbo.resume(tmp_path)
    mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    with pytest.raises(UnknownName):
        mfbo.resume(tmp_path)


def test_a_run_that_is_being_written_to_is_refused(task, tmp_path):
    mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    with Ledger.reopen(tmp_path), pytest.raises(RunLocked):
        mfbo.resume(tmp_path, task=task)


def test_a_changed_space_is_refused_and_what_changed_is_named(task, tmp_path):
    mfbo.tune(task, "2x", optimizer="random", out=tmp_path)
    before = (tmp_path / FILE).read_bytes()
    from ConfigSpace import ConfigurationSpace, Float

    other = task.on(ConfigurationSpace({"x": Float("x", (-5.0, 6.0)), "new": [1, 2]}))
    with pytest.raises(RunChanged, match=r"n is gone.*new is new.*x: upper was 5.0, is 6.0") as caught:
        mfbo.resume(tmp_path, max_cost="4x", task=other)
    assert "\n" not in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_changed_task_file_is_refused_unless_the_change_is_accepted(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(TASK_FILE)
    name = f"{file}:task"
    mfbo.tune(name, "2x", optimizer="random", out=tmp_path / "run", settings=mfbo.Settings(workers=0))
    file.write_text(TASK_FILE + "# a word more\n")
    with pytest.raises(RunChanged, match=r"the file .*mine\.py"):
        mfbo.resume(tmp_path / "run", max_cost="3x")
    assert mfbo.resume(tmp_path / "run", max_cost="3x", accept_changes=True).trials == 3


def test_an_edited_ledger_is_noticed(task, tmp_path):
    mfbo.tune(task, "3x", optimizer="random", out=tmp_path)
    records = records_of(tmp_path)
    records[1]["config"]["x"] = 0.0
    rewrite(tmp_path, records)
    with pytest.raises(RunChanged, match="asks otherwise than it did at trial 0"):
        mfbo.resume(tmp_path, max_cost="4x", task=task)


def test_a_run_in_a_space_of_a_file_goes_on_without_the_file(task, tmp_path):
    file = tmp_path / "space.yaml"
    task.space.to_yaml(file)
    how = mfbo.Settings(space=str(file))
    mfbo.tune(task, "2x", optimizer="grid", out=tmp_path / "run", settings=how)
    file.unlink()
    assert mfbo.resume(tmp_path / "run", max_cost="3x", task=task).trials == 3


TASK_FILE = """
import time
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    for epoch in range(context.start_epoch, fidelity.epochs):
        time.sleep(0.01)
        context.report(config["x"] ** 2)
    return config["x"] ** 2

task = mfbo.Task("mine", ConfigurationSpace({"x": (-5.0, 5.0)}), train, mfbo.Fidelity(epochs=(1, 9)))
"""


def started(tmp_path, *arguments):
    command = [sys.executable, "-m", "mfbo", "tune", *arguments, "--out", str(tmp_path / "run"), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_results(folder: Path, number: int) -> None:
    """Until the ledger holds so many results."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        if (folder / FILE).exists() and (folder / FILE).read_text().count('"record":"result"') >= number:
            return
        time.sleep(0.02)
    raise AssertionError("the run does not get on")


@pytest.mark.slow
def test_a_killed_run_on_the_real_clock_loses_no_finished_trial(tmp_path):
    (tmp_path / "mine.py").write_text(TASK_FILE)
    process = started(tmp_path, f"{tmp_path}/mine.py:task", "--max-cost", "60s", "--optimizer", "asha")
    wait_for_results(tmp_path / "run", 3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = read(tmp_path / "run")
    after = mfbo.resume(tmp_path / "run", max_cost=before.spent + 0.5)
    assert after.ledger.results[: len(before.results)] == before.results
    ended = [r.trial.id for r in after.ledger.results if r.outcome.status != "stopped"]
    assert len(ended) == len(set(ended))
    assert set(before.asks) <= set(after.ledger.asks)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, "1"), (signal.SIGTERM, "0")])
def test_ctrl_c_stops_in_order_and_says_how_to_go_on(tmp_path, number, workers):
    (tmp_path / "mine.py").write_text(TASK_FILE)
    command = [f"{tmp_path}/mine.py:task", "--max-cost", "600s", "--optimizer", "random", "--workers", workers]
    process = started(tmp_path, *command)
    wait_for_results(tmp_path / "run", 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "interrupted"
    assert f"mfbo resume {tmp_path / 'run'}" in err
    assert read(tmp_path / "run").ended == "interrupted"
    spent = read(tmp_path / "run").spent
    assert mfbo.resume(tmp_path / "run", max_cost=spent + 0.3).status == "budget"
