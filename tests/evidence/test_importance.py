"""Importance of hyperparameters, on functions whose variance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer, OrdinalHyperparameter
from made_runs import FULL, RUNGS, made_run

from mfbo.evidence.importance import MIN_TRIALS, importances
from mfbo.ledger.fingerprint import space_dict


def run_of(space, loss, n, rungs=(FULL,)):
    """Losses of n configurations drawn at random, at each rung."""
    configs = [{name: _plain(value) for name, value in config.items()} for config in space.sample_configuration(n)]
    results = [(float(loss(config, rung)), rung, 1, config) for rung in rungs for config in configs]
    return made_run(*results, space=space_dict(space))


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def named(found):
    return {row.name: row for row in found.rows}


@pytest.mark.slow
def test_ishigamis_function_has_the_indices_that_are_known_in_closed_form():
    # Ishigami & Homma 1990, a = 7, b = 0.1; indices as in Sobol & Levitan 1999
    space = ConfigurationSpace(seed=0)
    space.add([Float(name, (-math.pi, math.pi)) for name in "xyz"])

    def loss(config, rung):
        return math.sin(config["x"]) * (1 + 0.1 * config["z"] ** 4) + 7 * math.sin(config["y"]) ** 2

    found = importances([run_of(space, loss, 1000)])
    rows = named(found)
    for name, alone, total in (("x", 0.314, 0.558), ("y", 0.442, 0.442), ("z", 0.0, 0.244)):
        assert rows[name].alone == pytest.approx(alone, abs=0.1)
        assert rows[name].total == pytest.approx(total, abs=0.1)
    assert [row.name for row in found.rows] == ["x", "y", "z"]
    assert found.r_squared > 0.8


def mixed_space():
    space = ConfigurationSpace(seed=0)
    kind, size = Categorical("kind", ["a", "b"]), Integer("size", (1, 1000), log=True)
    depth, idle = OrdinalHyperparameter("depth", [1, 2, 3]), Float("idle", (0, 1))
    only = Float("only", (0, 1))
    space.add(kind, size, depth, idle, only, EqualsCondition(only, kind, "b"))
    return space


@pytest.mark.slow
def test_an_inactive_hyperparameter_counts_only_where_it_is_active():
    def loss(config, rung):
        return config.get("only", 0.5)

    rows = named(importances([run_of(mixed_space(), loss, 300)]))
    assert rows["only"].total > 0.9
    assert rows["only"].alone == pytest.approx(0.5, abs=0.1)  # the rest is an interaction with the condition
    assert rows["kind"].total == pytest.approx(0.5, abs=0.1)
    assert all(rows[name].total < 0.1 for name in ("idle", "size", "depth"))


@pytest.mark.slow
def test_a_logarithmic_one_counts_on_its_logarithm_and_low_rungs_help():
    def loss(config, rung):
        return math.log(config["size"]) + 30 / rung.epochs

    rows = named(importances([run_of(mixed_space(), loss, 60, RUNGS)]))
    assert rows["size"].alone > 0.85


@pytest.mark.slow
def test_a_few_diverged_trials_do_not_decide_alone():
    def loss(config, rung):
        return 1e9 if config["depth"] == 3 and config["idle"] > 0.95 else math.log(config["size"])

    assert importances([run_of(mixed_space(), loss, 300)]).rows[0].name == "size"


@pytest.mark.slow
def test_it_is_the_same_every_time_and_noise_explains_nothing():
    rng = np.random.default_rng(1)
    run = run_of(mixed_space(), lambda config, rung: rng.normal(), 100)
    first, second = importances([run]), importances([run])
    assert first == second
    assert first.r_squared < 0.2


def test_nothing_is_said_of_few_trials_of_one_loss_of_no_run_and_of_a_damaged_space():
    def loss(config, rung):
        return config["idle"]

    space = mixed_space()
    assert importances([]) is None
    assert importances([run_of(space, loss, MIN_TRIALS - 1)]) is None
    assert importances([run_of(space, lambda config, rung: 1.0, 50)]) is None
    damaged = run_of(space, loss, 50).results
    assert importances([made_run(*[(r.outcome.loss, FULL, 1, r.trial.config) for r in damaged])]) is None


def test_configurations_that_do_not_fit_the_space_are_passed_over():
    space = mixed_space()
    good = [
        (config["idle"], FULL, 1, {n: _plain(v) for n, v in config.items()})
        for config in space.sample_configuration(30)
    ]
    bad = [(0.5, FULL, 1, {"other": 1}), (0.5, FULL, 1, {**good[0][3], "size": 10**9})]
    found = importances([made_run(*good, *bad, space=space_dict(space))])
    assert found.trials == 30
