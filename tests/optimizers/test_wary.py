"""Choices that only fail are left alone, by every optimizer, and a replay asks the same."""

from __future__ import annotations

from collections import Counter

import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float

import mfbo
from mfbo.engine.replay import replay
from mfbo.optimizers.wary import MIN_FAILURES


def of(bad):
    """A virtual task that fails with the choices `bad`."""

    def train(config, fidelity, context):
        if config["kind"] in bad:
            raise ValueError("never")
        return mfbo.Measurement(config["x"] ** 2, cost=1.0)

    space = ConfigurationSpace()
    space.add(Categorical("kind", ["a", "b", "c", "d"]), Float("x", (-1.0, 1.0)))
    return mfbo.Task("choosy", space, train, mfbo.Fidelity(epochs=(1, 9)), stateless=True, full_cost=1.0)


def kinds(run):
    return Counter(result.trial.config["kind"] for result in run.results)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["random", "hyperband", "asha", "smac"])
def test_values_that_only_fail_get_few_trials_and_a_replay_asks_the_same(optimizer, tmp_path):
    trials = 40 if optimizer == "smac" else 100
    task = of({"b", "c"})
    run = mfbo.tune(task, max_trials=trials, optimizer=optimizer, out=tmp_path).ledger
    assert len(run.results) == trials
    found = kinds(run)
    assert all(1 <= found[bad] <= MIN_FAILURES + 3 for bad in "bc")
    assert replay(run).mismatch is None
    more = mfbo.resume(tmp_path, task=task, max_trials=trials + 5)
    assert more.trials == trials + 5


def test_a_value_that_fails_now_and_then_is_not_left_alone():
    def train(config, fidelity, context):
        if config["kind"] == "b" and config["x"] > 0:
            raise ValueError("only there")
        return mfbo.Measurement(config["x"] ** 2, cost=1.0)

    space = ConfigurationSpace()
    space.add(Categorical("kind", ["a", "b"]), Float("x", (-1.0, 1.0)))
    task = mfbo.Task("uneven", space, train, stateless=True, full_cost=1.0)
    run = mfbo.tune(task, max_trials=100, optimizer="random").ledger
    assert kinds(run)["b"] > 30


def test_where_every_value_fails_the_run_ends_and_says_so():
    with pytest.raises(mfbo.MfboError, match="never"):
        mfbo.tune(of(set("abcd")), max_trials=50, optimizer="random")
