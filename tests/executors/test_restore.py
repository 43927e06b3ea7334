"""What a trial changes in its process is put back, so that neither the run nor the next trial meets it."""

from __future__ import annotations

import builtins
import faulthandler
import gc
import inspect
import os
import signal
import socket
import sys
import time
import warnings

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.executors.restore import Surroundings
from mfbo.ledger.journal import read

SPACE = ConfigurationSpace({"x": (0.0, 1.0)})


def leaves_no_depth():
    limit = len(inspect.stack(0)) + 8
    while sys.getrecursionlimit() != limit:
        try:
            sys.setrecursionlimit(limit)
        except RecursionError:  # calls in C count too, of which the stack says nothing
            limit += 1


def stops_the_clocks():
    for name in ("time", "monotonic", "perf_counter", "sleep"):
        setattr(time, name, lambda *given: 0.0)


def clears():
    os.environ.clear()
    sys.path.clear()
    sys.meta_path.clear()


def hides_modules():
    for name in ("json", "pickle"):
        sys.modules[name] = None


def breaks_builtins():
    for name in ("open", "print", "len", "isinstance", "any", "list"):
        setattr(builtins, name, None)


def sets_handlers():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def hushes():
    sys.stdout = sys.stderr = None
    sys.excepthook = lambda *given: None


def sets_timers():
    for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 300)
    faulthandler.dump_traceback_later(300, exit=True)


CHANGES = {
    "depth": (leaves_no_depth, sys.getrecursionlimit),
    "clocks": (stops_the_clocks, lambda: (time.time, time.monotonic, time.perf_counter, time.sleep)),
    "environment": (clears, lambda: (dict(os.environ), list(sys.path), list(sys.meta_path))),
    "modules": (hides_modules, lambda: (sys.modules["json"], sys.modules["pickle"])),
    "builtins": (breaks_builtins, lambda: (open, print, len, isinstance, any, list)),
    "handlers": (sets_handlers, lambda: [signal.getsignal(n) for n in sorted(signal.valid_signals())]),
    "streams": (hushes, lambda: (sys.stdout, sys.stderr, sys.excepthook)),
    "numpy": (lambda: np.seterr(all="raise"), np.geterr),
    "directory": (lambda: os.chdir("/"), os.getcwd),
    "profile": (lambda: sys.setprofile(lambda *given: None), sys.getprofile),
    "collector": (gc.disable, gc.isenabled),
    "timeouts": (lambda: socket.setdefaulttimeout(1e-9), socket.getdefaulttimeout),
    "warnings": (lambda: warnings.simplefilter("error"), lambda: [one[0] for one in warnings.filters]),
    "timers": (sets_timers, lambda: [signal.getitimer(timer) for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)]),
    "switches": (lambda: sys.setswitchinterval(60), sys.getswitchinterval),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_what_was_changed_is_as_before(kind):
    change, read = CHANGES[kind]
    before, surroundings = read(), Surroundings()
    try:
        change()
    finally:
        surroundings.restore()
    assert read() == before


def test_what_a_library_adds_stays(monkeypatch):
    monkeypatch.delenv("MFBO_NEW", raising=False)
    surroundings = Surroundings()
    os.environ["MFBO_NEW"] = "yes"
    sys.path.append("/nowhere")
    sys.modules["mfbo_new"] = sys
    surroundings.restore()
    assert (os.environ.pop("MFBO_NEW"), sys.path.pop(), sys.modules.pop("mfbo_new")) == ("yes", "/nowhere", sys)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", CHANGES)
def test_neither_the_run_nor_the_next_trial_meets_it(kind, workers, tmp_path):
    change, _ = CHANGES[kind]

    def train(config, rung, context):
        with (tmp_path / "seen").open("a") as file:
            print("a trial", file=file)
        change()
        return 0.5

    settings = mfbo.Settings(workers=workers)
    result = mfbo.tune(mfbo.Task("own", SPACE, train), max_trials=3, optimizer="random", settings=settings)
    assert [one.outcome.status for one in result.ledger.results] == ["ok"] * 3
    assert (tmp_path / "seen").read_text() == "a trial\n" * 3


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("comes_back", ["returns", "raises", "exits"])
def test_a_child_that_a_trial_forks_does_not_go_on_as_the_run(workers, comes_back, tmp_path):
    def train(config, rung, context):
        if os.fork() == 0 and comes_back != "returns":
            raise SystemExit(0) if comes_back == "exits" else RuntimeError("in the child")
        return 0.5

    settings, out = mfbo.Settings(workers=workers), tmp_path / "run"
    task = mfbo.Task("own", SPACE, train)
    result = mfbo.tune(task, max_trials=3, optimizer="random", settings=settings, out=out)
    assert [one.outcome.status for one in result.ledger.results] == ["ok"] * 3
    assert len(read(out).results) == 3
