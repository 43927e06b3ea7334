"""Train functions that do what no train function should: the run goes on, and the next trial does not notice."""

from __future__ import annotations

import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.context import MAX_REPORTS
from mfbo.engine.tune import tune
from mfbo.errors import RunError
from mfbo.executors.mailbox import Mailbox
from mfbo.trial import Report

SPACE = ConfigurationSpace({"x": (0.0, 1.0)})
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of threads")
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
MARK = "MFBO_HOSTILE"  # variable by which the processes of a test are known
_kept: list[object] = []


def closes(numbers):
    """Closes files that are not its own."""
    return lambda folder: [os.close(number) for number in numbers]


def closes_all(folder):
    """As a daemon does."""
    os.closerange(3, 256)


def limits(folder):
    """Leaves the next trial 8 files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def handles(folder):
    """Ignores what it can."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o777)


def rings(folder):
    """An alarm that ends the process, later."""
    signal.setitimer(signal.ITIMER_REAL, 300)


def becomes(folder):
    """Another program."""
    os.execv(sys.executable, [sys.executable, "-S", "-c", "pass"])


def daemonises(folder):
    """Twice, and goes on for ever."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, SLEEP)
        os._exit(0)


def bombs(folder):
    """Twenty processes that start one each."""
    script = f"import subprocess, sys; subprocess.Popen({SLEEP!r}); import time; time.sleep(600)"
    _kept.extend(subprocess.Popen([sys.executable, "-S", "-c", script], start_new_session=True) for _ in range(20))


def spins(folder):
    """A thread that computes for ever, and would keep the process from ending."""

    def work():
        while True:
            pass

    threading.Thread(target=work).start()


def exits_late(folder):
    """Leaves functions for the end of the process, which never end."""
    import atexit

    atexit.register(time.sleep, 600)


HOSTILE = {
    "closes 1 and 2": (closes((1, 2)), "ok"),
    "closes 0": (closes((0,)), "ok"),
    "closes all": (closes_all, "exited killed"),
    "limits": (limits, "ok"),
    "handlers": (handles, "ok"),
    "alarm": (rings, "ok"),
    "exec": (becomes, "exited killed"),
    "daemon": (daemonises, "ok"),
    "fork bomb": (bombs, "ok"),
    "thread": (spins, "ok"),
    "atexit": (exits_late, "ok"),
}  # fmt: skip


def condition():
    """What the next trial must find as the first did."""
    mask = os.umask(0o022)
    os.umask(mask)
    files = [os.fstat(number).st_ino for number in (0, 1, 2)]
    handlers = [signal.getsignal(number) is signal.SIG_IGN for number in sorted(signal.valid_signals())]
    handlers.append(signal.getitimer(signal.ITIMER_REAL)[0] > 0)
    names = [thread.name for thread in threading.enumerate()]
    return [resource.getrlimit(resource.RLIMIT_NOFILE)[0], mask, len(files), handlers, names]


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_trial_does_to_its_process_stays_with_it(tmp_path, monkeypatch, kind):
    hostile, expected = HOSTILE[kind]
    (tmp_path / "state").mkdir()

    def train(config, fidelity, context):
        seen = tmp_path / "state" / f"{time.monotonic_ns()}"
        seen.write_text(repr(condition()))
        hostile(tmp_path)
        return config["x"]

    monkeypatch.setenv(MARK, str(tmp_path))
    settings = mfbo.Settings(workers=1, max_trial_time="60s")
    result = tune(mfbo.Task("own", SPACE, train), max_trials=4, optimizer="random", settings=settings)
    assert len(result.ledger.results) == 4
    assert {one.outcome.status for one in result.ledger.results} <= set(expected.split())
    states = {path.read_text() for path in (tmp_path / "state").iterdir()}
    assert len(states) == 1, states
    assert not [process for process in psutil.process_iter() if _is_marked(process, str(tmp_path))]


def _is_marked(process, mark):
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == mark
    except psutil.Error:
        return False


@pytest.mark.parametrize("workers", [0, 1])
def test_a_trial_that_deletes_the_run_ends_it_in_one_line(tmp_path, workers):
    run = tmp_path / "run"

    def train(config, fidelity, context):
        shutil.rmtree(run)
        return 0.5

    settings = mfbo.Settings(workers=workers)
    with pytest.raises(RunError, match="was deleted while the run went on") as caught:
        tune(mfbo.Task("own", SPACE, train), max_trials=3, optimizer="random", settings=settings, out=run)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_trial_that_writes_to_the_ledger_ends_the_run_and_what_was_before_is_kept(tmp_path, workers):
    run = tmp_path / "run"

    def train(config, fidelity, context):
        if len((run / "ledger.jsonl").read_bytes().splitlines()) > 5:
            with (run / "ledger.jsonl").open("a") as file:
                file.write("garbage\n")
        return 0.5

    task, settings = mfbo.Task("own", SPACE, train), mfbo.Settings(workers=workers)
    with pytest.raises(RunError, match=r"has written to the ledger.* mfbo resume .* --repair") as caught:
        tune(task, max_trials=9, optimizer="random", settings=settings, out=run)
    assert "\n" not in str(caught.value)
    kept = mfbo.Task("own", SPACE, lambda *given: 0.5)
    assert len(mfbo.resume(run, task=kept, repair_ledger=True).ledger.results) == 9


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_million_reports_are_thinned_and_the_last_ones_stay(workers):
    def train(config, fidelity, context):
        for epoch in range(1, 100_001):
            context.report(1 / epoch, epoch=epoch)
        return 0.5

    settings = mfbo.Settings(workers=workers)
    result = tune(mfbo.Task("own", SPACE, train), max_trials=1, optimizer="random", settings=settings)
    (found,) = result.ledger.results
    epochs = [report.epoch for report in found.outcome.reports]
    assert len(epochs) <= MAX_REPORTS
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == 100_000


def test_a_mailbox_of_many_reports_stays_small(tmp_path):
    box = Mailbox(tmp_path, "0")
    for epoch in range(50_000):
        box.report(Report(epoch, 0.5, 0.1))
    assert len(Mailbox(tmp_path, "0").reports()) < 5 * MAX_REPORTS


RETURNS = {
    "many metrics": lambda: mfbo.Measurement(0.5, {str(i): 0.5 for i in range(10**5)}),
    "a metric with a long name": lambda: mfbo.Measurement(0.5, {"x" * 10**6: 0.5}),
    "a cost that is no number": lambda: mfbo.Measurement(0.5, {}, math.nan),
    "a cost below 0": lambda: mfbo.Measurement(0.5, {}, -1.0),
    "an endless cost": lambda: mfbo.Measurement(0.5, {}, math.inf),
    "a huge number": lambda: 10**5000,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", RETURNS)
@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_no_measurement_is_invalid_and_said_in_short(kind, workers):
    def train(config, fidelity, context):
        return RETURNS[kind]() if config["x"] < 2 else None

    settings = mfbo.Settings(workers=workers)
    result = tune(mfbo.Task("own", SPACE, train), max_trials=1, optimizer="random", settings=settings)
    (found,) = result.ledger.results
    assert found.outcome.status == "invalid"
    assert len(found.outcome.error) < 1000
    assert result.cost < 60


SCRIPT = """
import threading, time
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    threading.Thread(target=time.sleep, args=(10**6,)).start()
    return config["x"]

task = mfbo.Task("own", ConfigurationSpace({"x": (0.0, 1.0)}), train, validate=train)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    ["tune own.py:task --max-trials 2 --optimizer random --workers 0 -o run", "train own.py:task", "validate run"],
)
def test_a_thread_that_never_ends_keeps_no_command_from_ending(tmp_path, command):
    (tmp_path / "own.py").write_text(SCRIPT)
    if command.startswith("validate"):
        words = ["tune", "own.py:task", "--max-trials", "1", "--optimizer", "random", "-o", "run"]
        subprocess.run([sys.executable, "-m", "mfbo", *words], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(  # noqa: PLW1510 - its code is looked at below
        [sys.executable, "-m", "mfbo", *command.split()], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "loss" in done.stdout
    assert Path(tmp_path).is_dir()
