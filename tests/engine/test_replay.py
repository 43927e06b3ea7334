"""The ledger alone reproduces a run's asks: same seed, any number of workers, any clock."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner
from conftest import quadratic_space
from ledgers import records_of, rewrite

import mfbo
from mfbo.cli import main
from mfbo.engine.replay import rebuild, replay
from mfbo.errors import BadLedger
from mfbo.ledger.journal import read
from mfbo.optimizers.registry import OPTIMIZERS
from mfbo.search import Search
from mfbo.tasks.registry import BUILTIN

MODELS = {"smac", "smac-stock", "tpe"}  # they take longer to ask


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "task"),
    [(name, task) for task in ("branin-joint", "hartmann3", "mixed") for name in sorted(set(OPTIMIZERS) - MODELS)]
    + [(name, task) for task in ("counting-ones", "mixed") for name in sorted(MODELS)],
)
def test_every_optimizer_asks_the_same_again_from_what_the_ledger_keeps(tmp_path, task, optimizer):
    how = mfbo.Settings(workers=3)
    mfbo.tune(task, max_trials=33, optimizer=optimizer, seed=7, out=tmp_path, settings=how)
    run = read(tmp_path)
    found = replay(run)
    assert (found.mismatch, found.matched, found.asks) == (None, len(run.asks), len(run.asks))
    assert found.asks >= 25  # points of the smallest grid


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_the_space_that_a_ledger_keeps_draws_the_same(name):
    from mfbo.ledger import fingerprint
    from mfbo.optimizers.sampling import random_configs
    from mfbo.space import kept_space
    from mfbo.tasks.registry import load

    space = load(name).space
    kept = kept_space(json.loads(json.dumps(fingerprint.space_dict(space))))
    for ours, theirs, _ in zip(random_configs(space, 3), random_configs(kept, 3), range(20), strict=False):
        assert ours == theirs


@pytest.mark.slow
def test_a_run_of_several_workers_on_the_real_clock_is_replayed(tmp_path):
    def train(config, fidelity, context):
        for _ in range(context.start_epoch, fidelity.epochs):
            time.sleep(0.001 + abs(config["x"]) / 500)
            context.report(config["x"] ** 2)
        if config["n"] > 60:
            raise RuntimeError("no such luck")
        return config["x"] ** 2

    task = mfbo.Task("real", quadratic_space(), train, mfbo.Fidelity(epochs=(1, 9)))
    result = mfbo.tune(
        task, max_trials=40, optimizer="hyperband", out=tmp_path, settings=mfbo.Settings(workers=3, from_scratch=True)
    )
    order = [r.trial.id for r in result.ledger.results]
    assert order != sorted(order)  # else it says nothing about several workers
    assert {r.outcome.status for r in result.ledger.results} == {"ok", "failed"}
    assert replay(read(tmp_path)).mismatch is None


def edited(folder, at, change):
    records = records_of(folder)
    change([record for record in records if record["record"] == "ask"][at])
    rewrite(folder, records)


def test_the_first_ask_that_was_edited_is_named_even_where_resume_would_take_it(tmp_path):
    mfbo.tune("branin", max_trials=25, optimizer="smac", seed=1, out=tmp_path)
    edited(tmp_path, 7, lambda ask: ask["config"].update(x1=0.25))
    found = CliRunner().invoke(main, ["replay", str(tmp_path)])
    assert found.exit_code == 1
    assert found.stdout.startswith("7 of 25 asks match\n")
    assert "asks otherwise than it did at trial 7" in found.stdout


def test_the_command_says_how_many_asks_match(tmp_path):
    mfbo.tune("branin", max_trials=9, optimizer="hyperband", out=tmp_path)
    found = CliRunner().invoke(main, ["replay", str(tmp_path)])
    assert (found.exit_code, found.stdout) == (0, "9 of 9 asks match\n")
    missing = CliRunner().invoke(main, ["replay", str(tmp_path / "nothing")])
    assert missing.exit_code == 2


@pytest.mark.slow
def test_a_rebuilt_optimizer_goes_on_as_the_one_that_never_stopped(tmp_path):
    from mfbo.optimizers.registry import make
    from mfbo.tasks.registry import load

    task = load("hartmann3")
    mfbo.tune(task, max_trials=35, optimizer="smac", seed=2, out=tmp_path / "half")
    whole = mfbo.tune(task, max_trials=50, optimizer="smac", seed=2).ledger
    half = read(tmp_path / "half")
    optimizer = make(Search("smac", 2), task, half.header.rungs)
    rebuild(optimizer, half)
    for kind, index in whole.events[len(half.events) :]:
        if kind == "ask":
            assert optimizer.ask() == whole.asks[index]
        else:
            optimizer.tell(whole.results[index].trial, whole.results[index].outcome)


@pytest.mark.parametrize(
    "prior", [{"x1": 2.0**63, "x2": 1.0}, {"x1": 1.0, "x2": "word"}, {"x1": 1.0}, {"x3": 1.0}, {"x1": [], "x2": 0.0}]
)
def test_a_prior_from_outside_the_space_is_a_damaged_ledger(tmp_path, prior):
    mfbo.tune("branin", max_trials=3, optimizer="asha", prior="default", out=tmp_path, progress=False)
    records = records_of(tmp_path)
    records[0]["run"]["search"]["prior"] = prior
    rewrite(tmp_path, records)
    with pytest.raises(BadLedger):
        replay(read(tmp_path))
    with pytest.raises(mfbo.MfboError):
        mfbo.resume(tmp_path, max_trials=5, progress=False)
