"""Trials in processes of their own: whatever happens to one, the run goes on and the limit holds."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.errors import BadTask

SPACE = ConfigurationSpace({"x": (0.0, 1.0)})


def raises(context):
    raise RuntimeError("no such luck")


def leaves(context):
    sys.exit(3)


def leaves_at_once(context):
    os._exit(4)


def segfaults(context):
    ctypes.string_at(0)


def is_killed(context):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(context):
    time.sleep(600)


def runs_out(context):
    raise MemoryError("all gone")


def hoards(context):
    hoard = []
    while True:
        hoard.append(b"x" * 2**24)
        hoard[-1].count(b"y")


def returns_a_lambda(context):
    return lambda: 0.5


def hides_a_lambda(context):
    return mfbo.Measurement(0.5, metrics={"accuracy": lambda: 0.5})


def is_nan(context):
    return float("nan")


def reports_nan(context):
    context.report(float("inf"))


FAULTS = {
    raises: ("failed", "no such luck"),
    leaves: ("exited", "SystemExit"),
    leaves_at_once: ("exited", "exit code 4"),
    segfaults: ("crashed", "SIGSEGV"),
    is_killed: ("killed", "SIGKILL"),
    hangs: ("timeout", "longer than 1s"),
    runs_out: ("memory", "all gone"),
    hoards: ("memory", "more than 0.40"),
    returns_a_lambda: ("invalid", "return a number"),
    hides_a_lambda: ("invalid", "float"),
    is_nan: ("diverged", "NaN"),
    reports_nan: ("diverged", "NaN"),
}


FATAL = [leaves_at_once, segfaults, is_killed, hoards]  # to the process; a time limit would be a race for these
GENTLE = [fault for fault in FAULTS if fault not in FATAL and fault is not hangs]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "limit"), [(GENTLE, "60s"), (FATAL, "60s"), ([hangs], "1s")], ids=["gentle", "fatal", "hangs"]
)
def test_a_fault_of_a_trial_is_data_and_the_run_goes_on(faults, limit):
    names = {fault.__name__: fault for fault in faults}

    def train(config, fidelity, context):
        context.report(config["x"])
        return names[config["fault"]](context) if config["fault"] in names else config["x"]

    space = ConfigurationSpace({"fault": [*names, "none", "no other"], "x": (0.25, 0.75)})
    task = mfbo.Task("faulty", space, train, mfbo.Fidelity(epochs=(1, 3)), grid={"x": [0.5]})
    how = mfbo.Settings(max_trial_time=limit, max_trial_memory=0.4)
    result = mfbo.tune(task, "100h", optimizer="grid", seed=56, settings=how)  # in an order that ends well
    outcomes = {r.trial.config["fault"]: r.outcome for r in result.ledger.results}
    assert len(outcomes) == result.trials == len(faults) + 2
    assert outcomes["none"].status == outcomes["no other"].status == "ok"
    assert result.ledger.results[-1].outcome.status == "ok"
    assert {name: outcomes[name].status for name in names} == {name: FAULTS[fault][0] for name, fault in names.items()}
    for name, fault in names.items():
        assert FAULTS[fault][1] in outcomes[name].error
        assert outcomes[name].loss is None
        assert outcomes[name].cost > 0
        assert outcomes[name].reports


def sleeper(seconds, every=None):
    """Trials of so many seconds, with a report every so many seconds, or none."""

    def train(config, fidelity, context):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(every or seconds)
            if every:
                context.report(config["x"])
        return config["x"]

    return mfbo.Task("sleeper", SPACE, train)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_limit_holds_for_trials_that_report(workers):
    began = time.monotonic()
    result = mfbo.tune(sleeper(600, 0.05), 1.5, optimizer="random", settings=mfbo.Settings(workers=workers))
    assert result.cost <= workers * (time.monotonic() - began)
    assert result.status == "budget"
    assert {r.outcome.status for r in result.ledger.results} == {"stopped"}
    assert len(result.ledger.results) == workers
    assert result.best is not None


@pytest.mark.slow
def test_a_trial_that_never_reports_is_ended_by_force(tmp_path):
    result = mfbo.tune(sleeper(60), 0.5, optimizer="random", out=tmp_path / "run")
    assert (result.best, result.trials) == (None, 0)
    assert [entry.outcome.status for entry in result.ledger.results] == ["stopped"]


@pytest.mark.slow
def test_workers_are_used_together_and_costs_add_up():
    result = mfbo.tune(sleeper(0.4, 0.1), max_trials=6, optimizer="random", settings=mfbo.Settings(workers=3))
    assert result.trials == 6
    events = [kind for kind, _ in result.ledger.events]
    assert events[:3] == ["ask"] * 3  # three are in flight before the first has ended
    results = result.ledger.results
    assert result.cost == pytest.approx(sum(r.outcome.cost + r.overhead for r in results), rel=0.05)


@pytest.mark.slow
def test_what_a_worker_prints_or_imports_does_not_reach_the_main_script(tmp_path):
    import subprocess

    script = tmp_path / "script.py"
    script.write_text(
        "import mfbo\nfrom ConfigSpace import ConfigurationSpace\nprint('main runs')\n"
        "def helper(x):\n    return x ** 2\n"
        "def train(config, fidelity, context):\n    return helper(config['x'])\n"
        "task = mfbo.Task('mine', ConfigurationSpace({'x': (-1.0, 1.0)}), train)\n"
        "print(mfbo.tune(task, max_trials=3, optimizer='random').trials)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["main runs", "3"]


def test_a_task_that_cannot_travel_is_refused_before_anything_is_written(tmp_path):
    lock = __import__("threading").Lock()

    def train(config, fidelity, context):
        with lock:
            return 0.5

    with pytest.raises(BadTask, match="cannot be sent to a worker process"):
        mfbo.tune(mfbo.Task("locked", SPACE, train), "2x", out=tmp_path / "run", optimizer="random")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_workers_end_when_the_run_is_killed(tmp_path):
    import subprocess

    import psutil

    (tmp_path / "mine.py").write_text(
        "import time, mfbo\nfrom ConfigSpace import ConfigurationSpace\n"
        "def train(config, fidelity, context):\n    time.sleep(600)\n    return 1.0\n"
        "task = mfbo.Task('mine', ConfigurationSpace({'x': (-1.0, 1.0)}), train)\n"
    )
    command = [sys.executable, "-m", "mfbo", "tune", f"{tmp_path}/mine.py:task", "--max-cost", "1h"]
    run = subprocess.Popen(
        [*command, "--optimizer", "random", "--out", str(tmp_path / "run")], stderr=subprocess.DEVNULL
    )
    process = psutil.Process(run.pid)
    limit = time.monotonic() + 120
    while '"ask"' not in ledger_of(tmp_path) and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(0.5)
    workers = process.children(recursive=True)
    assert workers
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive


def ledger_of(tmp_path):
    path = tmp_path / "run" / "ledger.jsonl"
    return path.read_text() if path.exists() else ""
