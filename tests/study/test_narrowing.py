"""Narrowing: what matters is cut down to where it was promising, what does not is left, and the file says why."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from ConfigSpace import Categorical, Configuration, ConfigurationSpace, EqualsCondition, Float, Integer
from ConfigSpace import OrdinalHyperparameter as Ordinal

import mfbo
from mfbo.cli import main
from mfbo.errors import RunError
from mfbo.ledger.journal import read
from mfbo.space import read_space
from mfbo.study.narrowing import KEPT_SHARE, _choices, narrow, split


def space():
    found = ConfigurationSpace()
    kind = Categorical("kind", ["good", "fair", "awful"])
    extra = Float("extra", (0.0, 1.0))
    found.add(
        Float("rate", (1e-5, 1.0), log=True),
        Float("useless", (0.0, 1.0)),
        Integer("units", (1, 1000), log=True),
        Ordinal("size", [1, 2, 4, 8, 16]),
        kind,
        extra,
        EqualsCondition(extra, kind, "good"),
    )
    return found


def train(config, fidelity, context):
    """Best at a rate of 0.01, with many units, a size of 4 or more; `awful` fails, `useless` does nothing."""
    if config["kind"] == "awful":
        raise RuntimeError("awful")
    loss = (math.log10(config["rate"]) + 2) ** 2 + (math.log10(config["units"]) - 2) ** 2
    loss += (0.5 if config["size"] < 4 else 0.0) + (config["kind"] == "fair") * 0.2
    return mfbo.Measurement(loss + 0.05 / fidelity.epochs, cost=fidelity.epochs / 9)


TASK = mfbo.Task("made", space(), train, mfbo.Fidelity(epochs=(1, 9)), stateless=True, full_cost=1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    mfbo.tune(TASK, "60x", optimizer="asha", seed=1, out=folder)
    return read(folder)


def test_what_matters_is_narrowed_around_the_best_and_what_does_not_is_left(run):
    bounds = {bound.name: bound for bound in narrow(run).bounds}
    assert set(bounds) == set(space())
    entries = {entry["name"]: entry for entry in narrow(run).space["hyperparameters"]}
    assert 1e-5 < entries["rate"]["lower"] < 0.01 < entries["rate"]["upper"] < 1
    assert 1 < entries["units"]["lower"] < 100 < entries["units"]["upper"]
    assert entries["rate"]["lower"] <= entries["rate"]["default_value"] <= entries["rate"]["upper"]
    assert not bounds["useless"].narrowed
    assert "alike" in bounds["useless"].why
    assert "awful" not in entries["kind"]["choices"]
    assert bounds["rate"].pvalue < 0.05
    assert 0.8 < bounds["rate"].sure < 1
    assert "promising values from" in bounds["rate"].why


@pytest.mark.slow
def test_among_many_hyperparameters_without_influence_hardly_any_is_narrowed():
    """At 5% each, uncorrected, one of twelve would be in almost every second run."""
    wide = ConfigurationSpace()
    wide.add(*(Float(f"x{number}", (0.0, 1.0)) for number in range(12)))
    drawn = mfbo.Task("noise", wide, noise, mfbo.Fidelity(), stateless=True, full_cost=1.0)
    runs = [mfbo.tune(drawn, "60x", optimizer="random", seed=seed).ledger for seed in range(12)]
    assert sum(any(bound.narrowed for bound in narrow(run).bounds) for run in runs) <= 2
    words = [bound.why for run in runs for bound in narrow(run).bounds]
    assert any("among 12 hyperparameters it may be chance" in why for why in words)


def noise(config, fidelity, context):
    return mfbo.Measurement(float(np.random.default_rng(int(config["x0"] * 1e9)).random()), cost=1.0)


def test_most_of_the_promising_lie_inside(run):
    found = narrow(run)
    smaller = ConfigurationSpace.from_serialized_dict(dict(found.space))
    good, others = split(run)
    inside = [all(smaller[name].legal_value(value) for name, value in config.items()) for config in good]
    assert np.mean(inside) > 0.7
    assert len(good) == found.promising >= KEPT_SHARE * len({*map(str, good), *map(str, others)}) - 1
    assert found.tried == len(good) + len(others)


def test_promising_are_the_best_of_each_rung_and_failures_never_are(run):
    good, _ = split(run)
    assert all(config["kind"] != "awful" for config in good)
    keys = {str(config) for config in good}
    for rung in run.header.rungs:
        there = [r for r in run.results if r.outcome.rung == rung and r.outcome.loss is not None]
        if there:
            assert str(min(there, key=lambda r: r.outcome.loss).trial.config) in keys


def test_the_file_is_a_space_that_a_run_takes_and_says_why(run, tmp_path):
    path = tmp_path / "narrowed.yaml"
    path.write_text(narrow(run).to_yaml())
    found = read_space(path)
    assert found["rate"].lower > 1e-5
    result = mfbo.tune(TASK, "5x", optimizer="hyperband", settings=mfbo.Settings(space=str(path)))
    for trial in result.ledger.asks.values():
        Configuration(found, values=trial.config).check_valid_configuration()
        assert trial.config["kind"] != "awful"
    assert "# rate: [1e-05, 1] -> [" in path.read_text()


def test_a_choice_that_a_condition_needs_is_left():
    def worse(config, fidelity, context):
        return mfbo.Measurement(float(config["kind"] == "good") + config["useless"] / 100, cost=1.0)

    task = mfbo.Task("made", space(), worse, stateless=True, full_cost=1.0)
    (bound,) = [b for b in narrow(mfbo.tune(task, max_trials=80, optimizer="random").ledger).bounds if b.name == "kind"]
    assert not bound.narrowed
    assert "condition" in bound.why


def test_a_whole_number_of_which_one_value_is_best_keeps_two():
    def highest(config, fidelity, context):
        return mfbo.Measurement(float(config["n"] != 3) + config["useless"] / 100, cost=1.0)

    space = ConfigurationSpace({"n": (1, 3), "useless": (0.0, 1.0)})
    task = mfbo.Task("made", space, highest, stateless=True, full_cost=1.0)
    found = narrow(mfbo.tune(task, max_trials=120, optimizer="random").ledger)
    (bound,) = [bound for bound in found.bounds if bound.name == "n"]
    assert bound.after == "[2, 3]"


def test_a_choice_is_dropped_as_surely_as_the_next_promising_one_may_be_it(run):
    (bound,) = [bound for bound in narrow(run).bounds if bound.name == "kind"]
    assert bound.after == "{good, fair}"
    promising = len(split(run)[0])
    assert bound.sure == pytest.approx(1 - 1 / (promising + 1))


def test_of_several_choices_each_must_be_missing_by_more_than_chance():
    entry = {"name": "k", "type": "categorical", "choices": ["a", "b", "d"], "default_value": "a", "weights": None}
    here, there = ["a"] * 15, ["a"] * 20 + ["b"] * 60 + ["d"] * 28
    changed, bound = _choices(entry, here, there, 10)  # d alone has p = 0.047
    assert changed["choices"] == ["a", "d"]
    assert bound.pvalue < 1e-3
    changed, _ = _choices(entry, here, there, 1)
    assert changed["choices"] == ["a"]


def test_a_choice_is_dropped_for_its_failures_but_not_for_failures_that_any_has():
    entry = {"name": "k", "type": "categorical", "choices": ["a", "b"], "default_value": "a", "weights": None}
    here, there = ["a"] * 20, ["a"] * 80 + ["b"] * 5  # no b is promising by chance in one of three such runs
    assert not _choices(entry, here, there, 1)[1].narrowed
    changed, bound = _choices(entry, here, there, 1, ["b"] * 5)
    assert changed["choices"] == ["a"]
    assert "5 of 5 with it failed" in bound.why
    assert not _choices(entry, here, there, 1, ["a"] * 60 + ["b"] * 5)[1].narrowed


def test_nothing_is_cut_off_where_nothing_matters():
    def same(config, fidelity, context):
        return mfbo.Measurement(zlib.crc32(str(config).encode()) / 2**32, cost=1.0)

    task = mfbo.Task("made", space(), same, stateless=True, full_cost=1.0)
    cut = 0
    for seed in range(6):
        run = mfbo.tune(task, max_trials=60, optimizer="random", seed=seed).ledger
        cut += sum(bound.narrowed for bound in narrow(run).bounds)
    assert cut <= 8  # of 36; the tests err in one of twenty


def test_too_few_results_are_refused_in_one_line(tmp_path):
    mfbo.tune(TASK, max_trials=5, optimizer="random", out=tmp_path / "run")
    with pytest.raises(RunError, match="are needed to narrow its space"):
        narrow(read(tmp_path / "run"))


def test_the_command_says_where_nothing_is_narrowed_and_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def same(config, fidelity, context):
        return mfbo.Measurement(zlib.crc32(str(config).encode()) / 2**32, cost=1.0)

    task = mfbo.Task("made", space(), same, stateless=True, full_cost=1.0)
    for seed in range(6):
        run = mfbo.tune(task, max_trials=60, optimizer="random", seed=seed, out=f"run{seed}").ledger
        if not any(bound.narrowed for bound in narrow(run).bounds):
            break
    said = CliRunner().invoke(main, ["narrow", f"run{seed}", "-o", "same.yaml"], catch_exceptions=False).stdout
    text = " ".join(said.split())
    assert "nothing is narrowed, for the reasons below: the space in the file is that of the run" in text
    assert "left as it is" in text


def test_the_command_writes_the_file_and_prints_the_reasons(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, ["narrow", str(run.folder), "-o", "smaller.yaml"], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert "rate" in said.stdout
    assert "alike" in said.stdout
    assert yaml.safe_load((tmp_path / "smaller.yaml").read_text())["hyperparameters"]
    again = CliRunner().invoke(main, ["narrow", str(run.folder), "-o", "smaller.yaml"], catch_exceptions=False)
    assert again.exit_code == 2
    assert "exists" in again.stderr
