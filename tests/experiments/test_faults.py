"""Each kind of the fault matrix, in a smaller version than `experiments/faults.md` has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import fault_kinds
import fault_watch
import faults
import pytest
from fault_kinds import AT_IMPORT, FAULTS, FAULTY, MARK
from fault_watch import MORE_RUN_KINDS, RUN_KINDS

import mfbo
from mfbo.errors import RunPaused
from mfbo.tasks.registry import load

pytestmark = pytest.mark.slow
EXPERIMENTS = Path(fault_kinds.__file__).parent
GENTLE = [kind for kind, fault in FAULTS.items() if not fault.deadly]
LONG = 900  # seconds, after which a test gives up
HERE = """
import json, os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from fault_kinds import FAULTS
from mfbo.engine.tune import tune
from mfbo.errors import RunPaused
import mfbo
from mfbo.tasks.registry import load
task, found = load(sys.argv[1]), {}
for kind in sys.argv[3:]:
    options = {"fault": kind, "log": sys.argv[2] + "/log"}
    settings = mfbo.Settings(workers=0, max_trial_time=FAULTS[kind].trial_time, options=options)
    try:
        results = tune(task, max_trials=5, seed=5, optimizer="random", settings=settings, out=None).ledger.results
        found[kind] = [[one.trial.config["x"], one.outcome.status] for one in results]
    except RunPaused as paused:
        found[kind] = str(paused)
    print("still there")
with open(sys.argv[2] + "/found", "w") as file:
    json.dump(found, file)
sys.stdout.flush()
os._exit(0)  # threads that trials have left keep Python from ending, and this is the command line's part
"""


def assert_in_order(kind, results):
    """A faulty trial has the status that its fault has, and every other one is none the worse."""
    faulty = {status for x, status in results if x >= FAULTY}
    assert faulty
    assert faulty - {"lost"} <= set(FAULTS[kind].status.split())
    assert {status for x, status in results if x < FAULTY} <= {"ok", "lost"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A temporary folder for all that a test starts, with a short name: paths of sockets have a limit."""
    monkeypatch.setenv(MARK, mark := f"{os.getpid()}{tmp_path.name}")
    with tempfile.TemporaryDirectory(prefix="f-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield mark


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind not in AT_IMPORT])
def test_a_run_with_a_worker_survives_what_its_trials_do(kind, place, tmp_path):
    task = load(f"{EXPERIMENTS / 'fault_kinds.py'}:task")
    options = {"fault": kind, "log": str(tmp_path / "log")}
    settings = mfbo.Settings(workers=1, max_trial_time=FAULTS[kind].trial_time, max_trial_memory=0.5, options=options)
    if FAULTS[kind].status == "pause":
        with pytest.raises(RunPaused):
            mfbo.tune(task, max_trials=5, seed=5, optimizer="random", settings=settings, out=tmp_path / "run")
        return
    result = mfbo.tune(task, max_trials=5, seed=5, optimizer="random", settings=settings, out=tmp_path / "run")
    assert_in_order(kind, [(one.trial.config["x"], one.outcome.status) for one in result.ledger.results])
    assert not [name for name in fault_watch.left(place) if name not in ("log", "run") and "pytest" not in name]


def test_a_run_in_this_process_survives_what_its_trials_do(place, tmp_path):
    task = f"{EXPERIMENTS / 'fault_kinds.py'}:task"
    kinds = [kind for kind in GENTLE if kind != "deletes folders"]  # which are those of a run with a folder
    done = subprocess.run(
        [sys.executable, "-c", HERE, task, str(tmp_path), *kinds],
        input="", capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "still there\n" * len(kinds)
    for kind, results in json.loads((tmp_path / "found").read_text()).items():
        if FAULTS[kind].status == "pause":
            assert "disk is full" in results
        else:
            assert_in_order(kind, results)


@pytest.mark.parametrize("kind", [*AT_IMPORT, *RUN_KINDS, *MORE_RUN_KINDS])
def test_a_run_survives_what_is_done_to_it_and_leaves_nothing(kind, place):
    found = fault_watch.cell(kind, "local", "--max-cost", "--workers", "1")
    assert found.survived, found.why
    assert not found.lost
    assert not [name for name in fault_watch.left(place) if "pytest" not in name]


def test_every_kind_is_tried_somewhere():
    for kind in [*FAULTS, *RUN_KINDS, *MORE_RUN_KINDS]:
        assert any(faults.applies(kind, where) for where in faults.PLACES)


def test_a_matrix_of_faults_would_show_a_run_that_did_not_survive(monkeypatch):
    monkeypatch.setitem(FAULTS, "exception", replace(FAULTS["exception"], status="ok"))
    assert not fault_watch.cell("exception", "inline", "--max-cost", "--workers", "0").survived
