"""What keeps a worker: limits that hold against any code, nothing left behind, and the code that the run began with."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.errors import RunPaused
from mfbo.executors import system
from mfbo.executors.evaluate import MAX_ERROR_CHARACTERS, TrialSetup
from mfbo.executors.keeper import Child, Keeper
from mfbo.executors.slot import Slot
from mfbo.executors.worker import packed
from mfbo.fidelity import Fidelity
from mfbo.ledger.observer import Observer
from mfbo.tasks.registry import load
from mfbo.trial import Rung, Trial

LONG = 120  # seconds, after which a test gives up
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets orphans be found")


def slot_of(train, **more):
    task = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    slot = Slot(packed(task), Fidelity(), TrialSetup(), **more)
    slot.ready(LONG)
    return slot


def run(slot, number=0):
    """The outcome of a trial."""
    slot.submit(Trial(number, {"x": 0.5}, Rung()), 0)
    return until(slot.poll)


def until(condition):
    """What it comes to, once that is something."""
    limit = time.monotonic() + LONG
    while not (found := condition()):
        assert time.monotonic() < limit
        time.sleep(0.005)
    return found


@pytest.fixture
def pids(tmp_path):
    """A file for process numbers, and a function that reads them."""
    file = tmp_path / "pids"
    return file, lambda: [int(line) for line in file.read_text().split()] if file.exists() else []


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
@pytest.mark.parametrize("leave", [lambda: os._exit(0), lambda: ctypes.CDLL(None).exit(0)], ids=["Python", "C"])
def test_a_process_that_ends_well_in_mid_trial_is_a_failure_and_is_replaced(leave):
    slot = slot_of(lambda config, rung, context: leave())
    try:
        for number in range(3):
            outcome = run(slot, number)
            assert (outcome.status, outcome.obstacle) == ("exited", "")
            assert "exit code 0" in outcome.error
            assert outcome.cost > 0
    finally:
        slot.close()


def leaves_an_end(config, rung, context):
    """Trial 0 leaves a thread that waits for trial 1, and then ends the process."""
    if context.options["trial"] == "0":
        sys.end = threading.Event()
        threading.Thread(target=lambda: (sys.end.wait(), os._exit(0)), daemon=True).start()
    elif hasattr(sys, "end"):
        sys.end.set()
        time.sleep(LONG)
    return 0.5


@pytest.mark.slow
@LINUX
def test_a_trial_is_not_blamed_for_what_a_thread_of_another_one_does_and_can_run_again():
    slot = slot_of(leaves_an_end)
    try:
        for number, statuses in ((0, ["ok"]), (1, ["lost", "ok"])):
            slot.settle(TrialSetup(options={"trial": str(number)}), Fidelity())
            assert [run(slot, number).status for _ in statuses] == statuses
    finally:
        slot.close()


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, SystemExit, mfbo.TrialStopped, BaseException])
@pytest.mark.parametrize("workers", [0, 1])
def test_whatever_a_trial_raises_is_its_own_failure(error, workers):
    def train(config, rung, context):
        if config["raises"]:
            raise error("mine")
        return 0.5

    space = ConfigurationSpace({"raises": [True, False], "x": (0.0, 1.0)})
    task = mfbo.Task("raises", space, train)
    result = mfbo.tune(task, max_trials=8, optimizer="random", settings=mfbo.Settings(workers=workers))
    assert result.status == "trials"
    expected = "exited" if error is SystemExit else "failed"
    found = {r.trial.config["raises"]: r.outcome.status for r in result.ledger.results}
    assert found == {True: expected, False: "ok"}


def test_texts_of_errors_have_a_cap():
    def train(config, rung, context):
        raise ValueError("x" * 10**6)

    slot = slot_of(train)
    try:
        assert len(run(slot).error) < MAX_ERROR_CHARACTERS + 100
    finally:
        slot.close()


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("how", ["plain", "of a session of its own", "daemon"])
@pytest.mark.parametrize("end", ["well", "killed", "run over"])
def test_what_a_trial_has_started_ends_with_it(pids, how, end):
    file, read = pids
    script = f"import os, time; open({str(file)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    if how == "daemon":
        script = f"import os\nif os.fork() == 0:\n    os.setsid()\n    {script.replace('; ', chr(10) + '    ')}"

    def train(config, rung, context):
        subprocess.Popen([sys.executable, "-S", "-c", script], start_new_session=how != "plain")
        until(read)
        if end != "well":
            time.sleep(600)
        return 0.5

    slot = slot_of(train)
    slot.submit(Trial(0, {"x": 0.5}, Rung()), 0)
    (pid,) = until(read)
    if end == "killed":
        slot.stop("time", 0)
    if end != "run over":
        assert until(slot.poll).status == ("ok" if end == "well" else "stopped")
    else:
        slot.close()
    until(lambda: gone(pid))
    slot.close()


def test_what_a_process_leaves_that_ends_just_as_it_is_looked_at_is_ended_too(monkeypatch):
    parent = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    parent.wait()
    orphan = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    mine = [pid for pid in system.children() if pid != orphan.pid]
    looks = iter([[], [parent.pid], [], [orphan.pid], []])
    monkeypatch.setattr(system, "children", lambda parent=None: [] if parent else next(looks, []))
    system.kill_trees(spared=mine)
    assert orphan.wait(LONG) == -signal.SIGKILL


RUN = """
import os, sys, time
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.slot import Slot
from mfbo.executors.worker import packed
from mfbo.fidelity import Fidelity
from mfbo.tasks.registry import load
from mfbo.trial import Rung, Trial
slot = Slot(packed(load("mine.py:task")), Fidelity(), TrialSetup())
slot.submit(Trial(0, {"x": 0.5}, Rung()), 0)
while True:
    slot.poll()
    time.sleep(0.01)
"""
HOLDS = """
import ctypes, os, tempfile
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    folder = tempfile.mkdtemp()
    open("pids", "a").write(f"{os.getpid()} {os.getppid()}\\n{folder}\\n")
    ctypes.PyDLL(None).sleep(600)  # and holds the GIL

task = mfbo.Task("mine", ConfigurationSpace({"x": (0.0, 1.0)}), train)
"""


def holding(home):
    """A run of `HOLDS` whose trial has begun: (process, numbers of worker and keeper, the trial's temporary folder)."""
    (home / "run.py").write_text(RUN)
    (home / "mine.py").write_text(HOLDS)
    process = subprocess.Popen([sys.executable, "run.py"], cwd=home)
    pids = home / "pids"
    assert until(lambda: pids.exists() and pids.read_text().count("\n") == 2)
    numbers, folder = pids.read_text().splitlines()
    return process, [int(number) for number in numbers.split()], folder


@pytest.mark.slow
@LINUX
def test_what_was_stopped_goes_too_when_the_run_is_killed(tmp_path):
    process, (worker, keeper), folder = holding(tmp_path)
    for pid in (process.pid, keeper, worker):
        os.kill(pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    until(lambda: gone(keeper) and gone(worker) and not Path(folder).exists())


@LINUX
def test_a_template_that_was_stopped_is_not_waited_for():
    ours, theirs = socket.socketpair()
    sleeper = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    ours.settimeout(0.01)
    keeper = object.__new__(Keeper)
    keeper._control, keeper._template = ours, Child(sleeper.pid, None)
    try:
        sleeper.send_signal(signal.SIGSTOP)
        assert keeper._told_by_template(math.inf) == b""
    finally:
        sleeper.kill()
        sleeper.wait()
        ours.close()
        theirs.close()


@pytest.mark.slow
@pytest.mark.parametrize("keeper", ["kills it", "is replaced"])
def test_a_worker_that_is_stopped_while_the_run_is_not_is_ended_after_a_while(monkeypatch, tmp_path, keeper):
    file = tmp_path / "stopped"

    def train(config, rung, context):
        if not file.exists():
            file.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(0.1)
        return 0.5

    monkeypatch.setattr("mfbo.executors.slot.STILL_PATIENCE", 0.5)
    if keeper == "is replaced":
        monkeypatch.setattr("mfbo.executors.slot.KILL_PATIENCE", -1.0)
    slot = slot_of(train, max_seconds=LONG)
    try:
        began = time.monotonic()
        outcome = run(slot)
        assert outcome.status == "killed"
        assert "SIGSTOP" in outcome.error
        assert outcome.cost <= time.monotonic() - began - 0.5
        assert run(slot).status == "ok"  # and its clock goes
        assert run(slot).cost >= 0.1
    finally:
        slot.close()


def begins_a_message(config, rung, context):
    """On all that is open: two gigabytes are to follow, for which the keeper waits."""
    for descriptor in range(3, 64):
        with suppress(OSError):
            os.write(descriptor, b"\x7f\xff\xff\xff")
    time.sleep(LONG)


@pytest.mark.slow
@LINUX
def test_a_trial_ends_whose_keeper_waits_for_what_it_never_says(monkeypatch):
    monkeypatch.setattr("mfbo.executors.slot.KILL_PATIENCE", math.inf)
    slot = slot_of(begins_a_message, max_seconds=1)
    try:
        assert run(slot).status == "timeout"
    finally:
        slot.close()


@pytest.mark.slow
@LINUX
def test_a_worker_that_holds_the_gil_ends_with_a_run_that_is_killed_and_so_do_its_files(tmp_path):
    process, numbers, folder = holding(tmp_path)
    process.kill()
    process.wait()
    for pid in numbers:
        until(lambda pid=pid: gone(pid))
    until(lambda: not Path(folder).exists())


@pytest.mark.slow
@LINUX
def test_time_in_which_a_trial_was_stopped_is_not_charged_and_counts_for_no_limit(pids):
    file, read = pids

    def train(config, rung, context):
        file.write_text(str(os.getpid()))
        until(lambda: file.with_name("go").exists())
        return 0.5

    slot = slot_of(train)
    try:
        began = time.monotonic()
        slot.submit(Trial(0, {"x": 0.5}, Rung()), 0)
        (pid,) = until(read)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: slot.poll() or slot.paused > 1)
        still = slot.paused
        os.kill(pid, signal.SIGCONT)
        file.with_name("go").touch()
        outcome = until(slot.poll)
        assert outcome.status == "ok"
        assert outcome.cost <= time.monotonic() - began - still
    finally:
        slot.close()


MINE = """
import os
from pathlib import Path
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    if not Path("died").exists():
        Path("died").touch()
        os._exit(3)
    return VALUE

VALUE = 1.0
task = mfbo.Task("mine", ConfigurationSpace({"x": (0.0, 1.0)}), train)
"""


@pytest.mark.slow
@pytest.mark.parametrize("edit", ["VALUE = 2.0", "raise SystemExit"])
def test_a_replaced_worker_runs_the_code_of_the_run_and_an_edit_is_told(tmp_path, monkeypatch, edit):
    class Edits(Observer):
        def __init__(self):
            self.notes = []

        def on_note(self, text):
            self.notes.append(text)

        def on_start(self, run):
            (tmp_path / "mine.py").write_text(MINE.replace("VALUE = 1.0", edit))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mfbo.engine.watchdog.LOOK_INTERVAL", 0)
    (tmp_path / "mine.py").write_text(MINE)
    heard = Edits()
    result = mfbo.tune("mine.py:task", max_trials=4, optimizer="random", observer=heard)
    assert [r.outcome.loss for r in result.ledger.results] == [None, 1.0, 1.0, 1.0]
    assert result.status == "trials"
    assert sum("was edited" in note for note in heard.notes) == 1


@pytest.mark.slow
def test_a_run_whose_trials_cannot_begin_stops_and_says_why(tmp_path, monkeypatch):
    file = tmp_path / "mine.py"
    file.write_text("import os\nif 'DIES' in os.environ:\n    os._exit(3)\n" + MINE)
    monkeypatch.chdir(tmp_path)
    task = load("mine.py:task")
    monkeypatch.setenv("DIES", "yes")
    with pytest.raises(RunPaused, match=r"could not begin: .*exit code 3.*mfbo resume"):
        mfbo.tune(task, max_trials=50, optimizer="random", out=tmp_path / "run")
    monkeypatch.delenv("DIES")
    found = mfbo.resume(tmp_path / "run", task=task, max_trials=2)
    statuses = [r.outcome.status for r in found.ledger.results]
    assert statuses == ["lost"] * 3 + ["exited", "ok"]
    assert all(r.outcome.cost > 0 for r in found.ledger.results)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_pauses_the_run_and_is_no_failure_of_a_configuration(tmp_path, workers):
    def train(config, rung, context):
        if not (tmp_path / "room").exists():
            raise OSError(28, os.strerror(28))
        return 0.5

    task = mfbo.Task("full", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    how = mfbo.Settings(workers=workers)
    with pytest.raises(RunPaused, match="the disk is full: make room, then continue with: mfbo resume"):
        mfbo.tune(task, max_trials=3, optimizer="random", out=tmp_path / "run", settings=how)
    (tmp_path / "room").touch()
    result = mfbo.resume(tmp_path / "run", task=task)
    assert [r.outcome.status for r in result.ledger.results] == ["ok"] * 3


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_trial_prints_goes_into_its_log_and_a_changed_directory_changes_nothing(
    tmp_path, monkeypatch, capfd, workers
):
    def train(config, rung, context):
        print("by Python")
        os.write(1, b"by a library\n")
        os.chdir("/")
        with context.save(1) as folder:
            (folder / "kept").touch()
        return 0.5

    monkeypatch.chdir(tmp_path)
    task = mfbo.Task("prints", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    mfbo.tune(task, max_trials=2, optimizer="random", out="run", settings=mfbo.Settings(workers=workers))
    assert capfd.readouterr().out == ""
    for number in range(2):
        lines = (tmp_path / "run" / "logs" / f"{number}.txt").read_text().splitlines()
        assert sorted(lines) == ["by Python", "by a library"]
    assert list((tmp_path / "run" / "checkpoints").glob("*/epoch-*/kept"))


PARALLEL = """
import multiprocessing, sys
import mfbo
from ConfigSpace import ConfigurationSpace

def square(x):
    return x * x

def train(config, fidelity, context):
    with multiprocessing.get_context(config["how"]).Pool(1) as pool:
        return sum(pool.map(square, [1, 2]))

task = mfbo.Task("parallel", ConfigurationSpace({"how": ["fork", "spawn", "forkserver"]}), train)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_the_tasks_module_is_found_by_processes_that_a_trial_starts(tmp_path, workers):
    (tmp_path / "parallel.py").write_text(PARALLEL)
    how = mfbo.Settings(workers=workers)
    result = mfbo.tune(f"{tmp_path / 'parallel.py'}:task", max_trials=9, optimizer="grid", settings=how)
    assert {r.trial.config["how"]: r.outcome.loss for r in result.ledger.results} == dict.fromkeys(
        ["fork", "spawn", "forkserver"], 5.0
    )
