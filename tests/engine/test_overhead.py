"""What a run does between trials is charged, and what is no trial's and nobody's is not."""

from __future__ import annotations

import threading
import time

import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.engine import overhead
from mfbo.engine.overhead import Overhead
from mfbo.ledger.observer import Observer

SPACE = ConfigurationSpace({"x": (0.0, 1.0)})


class Clock:
    """One that is set by hand; `still` is what the process was stopped for."""

    def __init__(self):
        self.now = self.still = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()

    class Still:
        def __init__(self, threads):
            pass

        def before(self):
            made.still = 0.0

        def after(self, slept):
            return made.still

    monkeypatch.setattr(overhead, "time", made)
    monkeypatch.setattr(overhead, "StandStill", Still)
    return made


def test_seconds_count_within_a_block_until_they_are_charged(clock):
    found = Overhead(counts=True)
    clock.now = 5.0
    assert found.seconds == 0
    with found.counting():
        clock.now = 7.0
        assert found.seconds == 2
        with found.aside():
            clock.now = 70.0
        assert found.charged() == 2
        clock.now = 73.0
    clock.now = 80.0
    assert found.charged() == 3
    assert found.charged() == 0


def test_time_in_which_the_run_was_stopped_is_no_overhead(clock):
    found = Overhead(counts=True)
    with found.counting():
        clock.now, clock.still = 10.0, 9.0
    assert found.seconds == 1


def test_a_run_on_a_virtual_clock_has_none(clock):
    found = Overhead(counts=False)
    with found.counting():
        clock.now = 10.0
    assert found.charged() == 0


class Slow(Observer):
    """Takes its time over each result."""

    SECONDS = 0.05

    def on_result(self, result, best):
        time.sleep(self.SECONDS)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_what_the_display_takes_is_charged(workers):
    settings = mfbo.Settings(workers=workers)
    task = mfbo.Task("own", SPACE, lambda *given: 0.5)
    result = mfbo.tune(task, max_trials=5, optimizer="random", settings=settings, observer=Slow())
    assert result.cost >= 5 * Slow.SECONDS
    assert all(one.outcome.cost < result.cost for one in result.ledger.results)
    assert result.ledger.spent == pytest.approx(result.ledger.seconds)


def test_a_trial_is_charged_until_its_worker_is_free_again():
    def train(config, rung, context):
        thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
        thread.start()  # whether it computes is looked at for a moment, when the trial is over
        began.append(time.perf_counter())
        return 0.5

    began: list[float] = []
    task = mfbo.Task("own", SPACE, train)
    result = mfbo.tune(task, max_trials=2, optimizer="random", settings=mfbo.Settings(workers=1))
    assert all(one.outcome.cost >= 0.05 for one in result.ledger.results)
