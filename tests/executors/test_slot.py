"""One place for a trial: what it leaves alone, and what it charges."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, closing
from multiprocessing import current_process

import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.executors import patience
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.slot import Slot
from mfbo.executors.worker import packed
from mfbo.trial import Rung, Trial

TRIAL = Trial(0, {"x": 0.5}, Rung())
LONG = 60  # seconds, after which a test gives up


@pytest.fixture
def slot_of():
    """A slot for a training function; each is closed at the end, also of a test that fails: its keeper is a process."""
    with ExitStack() as slots:

        def make(train, **more):
            task = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), train)
            return slots.enter_context(closing(Slot(packed(task), task.fidelity, TrialSetup(), **more)))

        yield make


def ended(slot):
    """Its outcome, once there is one."""
    limit = time.monotonic() + LONG
    while (outcome := slot.poll()) is None:
        assert time.monotonic() < limit
        time.sleep(0.005)
    return outcome


def test_a_slot_that_is_closed_while_its_process_starts_ends_nothing_but_that(slot_of):
    slot = slot_of(lambda config, rung, context: 0.5)
    slot.submit(TRIAL, 0)
    slot.close()  # no process is known yet: none of ours may be taken for it
    assert os.getpid() == current_process().pid


@pytest.mark.slow
def test_slots_that_start_at_once_leave_the_main_module_as_it_was(slot_of):
    main = sys.modules["__main__"]
    slots = [slot_of(lambda config, rung, context: 0.5) for _ in range(3)]
    for slot in slots:
        slot.ready(LONG)
    assert sys.modules["__main__"] is main
    for slot in slots:
        slot.submit(TRIAL, 0)
    assert [ended(slot).status for slot in slots] == ["ok"] * 3


def test_a_daemon_may_have_slots_too(monkeypatch, slot_of):
    monkeypatch.setitem(current_process()._config, "daemon", True)  # as a Dask worker below its nanny
    slot = slot_of(lambda config, rung, context: 0.5)
    slot.submit(TRIAL, 0)
    assert ended(slot).status == "ok"
    assert current_process().daemon


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["stop", "timeout"])
def test_a_trial_that_is_ended_by_force_pays_until_then_and_keeps_its_curve(tmp_path, reason, slot_of):
    def train(config, rung, context):
        context.report(0.25)
        (tmp_path / "reported").touch()  # a stop that came before would end it in order
        time.sleep(600)

    slot = slot_of(train, max_seconds=0.2 if reason == "timeout" else None)
    began = time.monotonic()
    slot.submit(TRIAL, 0)
    if reason == "stop":
        while not (tmp_path / "reported").exists():
            time.sleep(0.005)
        slot.stop("time", 0.1)
    outcome = ended(slot)
    assert outcome.status == ("stopped" if reason == "stop" else "timeout")
    assert [report.loss for report in outcome.reports] == [0.25]
    assert 0.1 <= outcome.cost <= time.monotonic() - began
    slot.submit(Trial(1, {"x": 0.5}, Rung()), 0)  # another process has taken its place
    slot.stop("time", 0)
    assert ended(slot).status == "stopped"


def test_a_process_that_was_stopped_before_it_began_is_charged_no_more_than_it_was_waited_for(slot_of):
    slot = slot_of(lambda config, rung, context: time.sleep(600))
    began = time.monotonic()
    slot.submit(TRIAL, 0)
    slot.stop("time", -1)
    outcome = ended(slot)
    assert (outcome.status, outcome.loss, outcome.reports) == ("stopped", None, ())
    assert outcome.cost <= time.monotonic() - began


def test_the_trials_in_flight_share_what_they_may_use_beyond_a_limit():
    assert sum(patience(1.0, 8) for _ in range(8)) < 1
    assert patience(1.0, 1) < 1
    assert patience(10**6, 1) == 10
