"""Trials in the process of the run: limits that hold there too, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.cli import main
from mfbo.errors import NoTrialSucceeded
from mfbo.executors import alarm, evaluate
from mfbo.executors.evaluate import ForcedStop, TrialSetup
from mfbo.executors.scratch import LOCK, Scratch, clear_up
from mfbo.trial import Rung, Trial

SPACE = ConfigurationSpace({"x": (0.0, 1.0)})
TRIAL = Trial(0, {"x": 0.5}, Rung())


def task_of(train):
    return mfbo.Task("own", SPACE, train)


def test_an_alarm_that_rings_again_while_a_stop_is_handled_stops_nothing_of_ours(monkeypatch):
    rung = []

    def ring_again(*given):
        rung.append(given)
        signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(evaluate.os, "chdir", ring_again)
    monkeypatch.setattr(
        evaluate, "outcome_of", lambda *given, kept=evaluate.outcome_of: (ring_again(), kept(*given))[1]
    )

    def train(config, fidelity, context):
        signal.raise_signal(signal.SIGALRM)

    with alarm.alarm(0.0, lambda: 1.0):
        outcome = evaluate.evaluate(task_of(train), TRIAL, TrialSetup())
        ring_again()
    assert len(rung) == 4  # in mid-restoration, in the next one, which is whole, and twice after it
    assert outcome.status == "stopped"
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_train_function_that_goes_on_after_its_stop_is_stopped_again():
    caught = []

    def train(config, fidelity, context):
        for _ in range(3):
            try:
                signal.raise_signal(signal.SIGALRM)
            except ForcedStop as stop:
                caught.append(stop)
        signal.raise_signal(signal.SIGALRM)
        return 0.5

    with alarm.alarm(0.0, lambda: 1.0):
        assert evaluate.evaluate(task_of(train), TRIAL, TrialSetup()).status == "stopped"
    assert len(caught) == 3


def test_an_alarm_that_comes_too_early_on_the_clock_of_the_trial_waits():
    def train(config, fidelity, context):
        signal.raise_signal(signal.SIGALRM)
        return 0.5

    with alarm.alarm(100.0, lambda: 1.0):
        assert evaluate.evaluate(task_of(train), TRIAL, TrialSetup()).status == "ok"
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 1.0


class Slow:
    """A loss that takes for ever to be told."""

    def __float__(self):
        signal.raise_signal(signal.SIGALRM)
        return 0.5


def test_what_is_returned_may_not_take_for_ever_either():
    with alarm.alarm(0.0, lambda: 1.0):
        assert evaluate.evaluate(task_of(lambda *given: Slow()), TRIAL, TrialSetup()).status == "stopped"


def test_another_user_of_the_alarm_keeps_it():
    def theirs(number, frame):
        """Not ours."""

    before = signal.signal(signal.SIGALRM, theirs)
    try:
        with alarm.alarm(0.0, lambda: 1.0):
            assert signal.getsignal(signal.SIGALRM) == theirs
    finally:
        signal.signal(signal.SIGALRM, before)


def spins(config, fidelity, context):
    """Neither ends nor reports."""
    while True:
        pass


def reports(config, fidelity, context):
    """Goes on for ever, and says so."""
    while True:
        context.report(0.5, epoch=1)


def catches(config, fidelity, context):
    """Takes a stop for one of its own errors, once."""
    try:
        spins(config, fidelity, context)
    except BaseException:
        return spins(config, fidelity, context)


@pytest.mark.slow
@pytest.mark.parametrize("train", [spins, reports, catches])
def test_a_trial_that_takes_longer_than_it_may_is_stopped_in_this_process_too(train):
    notes = []
    observer = mfbo.Observer()
    observer.on_note = notes.append
    settings = mfbo.Settings(workers=0, max_trial_time="0.2s")
    with pytest.raises(NoTrialSucceeded) as caught:
        mfbo.tune(task_of(train), max_trials=2, optimizer="random", settings=settings, observer=observer)
    outcomes = [result.outcome for result in caught.value.result.ledger.results]
    assert [outcome.status for outcome in outcomes] == ["timeout", "timeout"]
    assert all(outcome.error == "the trial took longer than 0.2s (--max-trial-time)" for outcome in outcomes)
    assert all(outcome.cost >= 0.15 for outcome in outcomes)
    assert len([note for note in notes if "--max-trial-time with --workers 0" in note]) == 1


def test_a_limit_of_memory_that_is_not_held_is_said_to_be_none():
    notes = []
    observer = mfbo.Observer()
    observer.on_note = notes.append
    settings = mfbo.Settings(workers=0, max_trial_memory=1.0)
    mfbo.tune(task_of(lambda *given: 0.5), max_trials=1, optimizer="random", settings=settings, observer=observer)
    assert [note for note in notes if "--max-trial-memory is not held with --workers 0" in note]


RUN = """
import os, sys, time
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    open(sys.argv[1], "w").close()
    time.sleep(600)

task = mfbo.Task("own", ConfigurationSpace({"x": (0.0, 1.0)}), train)
if __name__ == "__main__":
    mfbo.tune(task, max_trials=1, optimizer="random", settings=mfbo.Settings(workers=int(sys.argv[2])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_killed_run_has_left_is_cleared_up_by_the_next(tmp_path, workers):
    (tmp_path / "run.py").write_text(RUN)
    place, mark = tmp_path / "temporary", tmp_path / "mark"
    place.mkdir()
    with psutil.Popen(
        [sys.executable, "run.py", str(mark), str(workers)], cwd=tmp_path, env={**os.environ, "TMPDIR": str(place)}
    ) as run:
        while not mark.exists():
            assert run.poll() is None
            time.sleep(0.05)
        own = [run, *run.children(recursive=True)]
        for process in own:
            process.suspend()  # so that none clears up after another
        for process in own:
            process.kill()
    psutil.wait_procs(own)
    assert [path for path in place.iterdir() if path.name.startswith("mfbo-")]
    done = subprocess.run(
        [sys.executable, "-c", "import mfbo\nmfbo.tune('branin', '1x', optimizer='random')"],
        env={**os.environ, "TMPDIR": str(place)},
        check=True,
    )
    assert done.returncode == 0
    assert list(place.iterdir()) == []


def test_only_what_nobody_holds_is_cleared_up(tmp_path):
    held = Scratch("held", tmp_path)
    (tmp_path / "mfbo-other").mkdir()
    (tmp_path / "mfbo-other" / "file").touch()
    dead = Scratch("dead", tmp_path)
    (dead.path / "deep").mkdir()
    os.close(dead._handle)
    (tmp_path / "mfbo-linked").symlink_to(tmp_path / "mfbo-other")
    (tmp_path / "mfbo-bait").mkdir()
    (tmp_path / "mfbo-bait" / LOCK).symlink_to(tmp_path / "mfbo-other" / "file")
    clear_up(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mfbo-bait", held.path.name, "mfbo-linked", "mfbo-other"
    ]  # fmt: skip
    held.remove()
    assert not held.path.exists()


TASK = """
import os
import subprocess
import sys
import mfbo
from pathlib import Path
from ConfigSpace import ConfigurationSpace

_kept = []

def train(config, fidelity, context):
    print("printed")
    os.write(1, b"written")
    subprocess.run([sys.executable, "-c", "print('started')"])
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    _kept.append(child)
    Path("child").write_text(str(child.pid))
    os.chdir("/")
    return 0.5

task = mfbo.Task("own", ConfigurationSpace({"x": (0.0, 1.0)}), train, validate=train)
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train own.py:task --json", "validate run --seeds 1 --json"])
def test_a_single_training_has_no_part_in_the_output_and_leaves_nothing_behind(tmp_path, command):
    (tmp_path / "own.py").write_text(TASK)
    place = tmp_path / "temporary"
    place.mkdir()
    environment = {**os.environ, "TMPDIR": str(place)}

    def mfbo_command(words):
        full = [sys.executable, "-m", "mfbo", *words.split()]
        return subprocess.run(full, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True)

    if command.startswith("validate"):
        mfbo_command("tune own.py:task --max-trials 1 --workers 0 --optimizer random -o run")
    done = mfbo_command(command)
    assert json.loads(done.stdout)
    assert all(word in done.stderr for word in ("printed", "written", "started"))
    assert not psutil.pid_exists(int((tmp_path / "child").read_text()))
    assert list(place.iterdir()) == []


def test_a_printing_task_leaves_the_output_to_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(TASK)
    done = CliRunner().invoke(main, ["train", "own.py:task", "--json"])
    assert json.loads(done.stdout)["loss"] == 0.5
