"""The experiments on what mfbo promises, each in a smaller version than the table in its docstring."""

from __future__ import annotations

import fuzz
import kills
import overrun
import parallel
import pytest
import twin

import mfbo
from mfbo.cost.meter import Meter
from mfbo.engine.loop import Loop
from mfbo.ledger.run import Limits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("reports", [True, False])
def test_two_workers_together_pass_the_limit_by_less_than_is_promised(reports):
    grace = Meter(overrun.sleeper(True), Limits.of("1s")).grace
    assert overrun.overrun(1.0, 2, reports, seed=4) < (1.0 if reports else grace)


@pytest.mark.parametrize(
    ("optimizer", "task"), [("hyperband", "hartmann6"), ("random", "hartmann6-cost"), ("asha", "mixed")]
)
def test_no_simulated_worker_is_idle_while_there_is_something_to_ask(task, optimizer):
    for workers in (4, 64):
        found, _ = parallel.simulated(task, optimizer, workers, trials=150)
        assert found.filled == pytest.approx(1)
        assert found.ideal <= found.seconds * (1 + 1e-9)


def test_idle_workers_would_be_seen(monkeypatch):
    monkeypatch.setattr(Loop, "_fill", one_at_a_time(Loop._fill))
    found, _ = parallel.simulated("hartmann6", "random", 4, trials=20)
    assert found.filled == pytest.approx(0.25)


def one_at_a_time(fill):
    """A loop that gives the next trial away only when the last is back."""

    def lazy(loop):
        loop._executor.slots = 1
        reason = fill(loop)
        loop._executor.slots = 4
        return reason

    return lazy


def test_nothing_is_lost_or_repeated_by_a_kill_at_a_random_moment():
    damage = kills.tried(1, seed=3)
    assert damage.kills == 1
    assert damage.none, damage


def test_a_run_that_is_killed_also_in_mid_checkpoint_ends_as_its_undisturbed_twin(tmp_path):
    alone = mfbo.tune(twin.task, twin.COST, optimizer="asha", out=tmp_path / "alone")
    found = twin.killed(tmp_path / "killed", "asha", kills=2, in_checkpoint=1, seed=1)
    assert found.ledger.asks == alone.ledger.asks
    assert found.ledger.results == alone.ledger.results
    assert found.best == alone.best


@pytest.mark.parametrize("what", [kind for kind in fuzz.KINDS if kind not in fuzz.FEWER])  # those: test_starts.py
def test_no_input_ends_in_a_traceback_a_hang_or_damage(what):
    assert not fuzz.tried(what, 60, seed=1)
