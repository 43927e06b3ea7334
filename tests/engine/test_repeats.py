"""A failure that every trial will repeat ends a run after a few, with the user's line; one that may pass does not."""

from __future__ import annotations

import re

import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float
from loopback import Loopback

import mfbo
from mfbo.engine.repeats import ALIKE, Repeats, place_of
from mfbo.engine.tune import tune
from mfbo.ledger.run import Result
from mfbo.trial import Outcome, Rung, Trial

MINE = """
import mfbo
from ConfigSpace import ConfigurationSpace

def inner(config):
    {line}

def train(config, fidelity, context):
    return inner(config)

task = mfbo.Task("mine", ConfigurationSpace({{"lr": (0.1, 1.0), "kind": ["a", "b", "c"]}}), train)
"""
LINES = [
    ('return config["lrr"]', "KeyError: 'lrr'"),
    ("return config.lr", "AttributeError: 'dict' object has no attribute 'lr'"),
    ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
    ("return undefined", "NameError: name 'undefined' is not defined"),
    ("return len(3)", "TypeError: object of type 'int' has no len()"),
    ('return open("nothing.csv")', "FileNotFoundError: [Errno 2] No such file or directory: 'nothing.csv'"),
    ('import json; return json.loads(open, cls=None)["a"]', "TypeError: the JSON object must be str, bytes or byt"),
    ('raise mfbo.errors.BadData("two files are missing")', "BadData: two files are missing"),
]


@pytest.mark.parametrize(("line", "said"), LINES, ids=[said.partition(":")[0] for _, said in LINES])
def test_the_error_of_a_program_ends_the_run_after_a_few_and_names_the_line(tmp_path, monkeypatch, line, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE.format(line=line).replace("import mfbo", "import mfbo, mfbo.errors"))
    settings = mfbo.Settings(workers=0)
    result = tune("mine.py:task", max_trials=50, optimizer="random", seed=3, settings=settings)
    assert (result.status, result.trials) == ("failed", ALIKE)
    first = result.failure.splitlines()[0]
    assert first.startswith(f"no trial of {ALIKE} succeeded; the first error: {said}")
    if not said.startswith("BadData"):  # which is told without a traceback
        assert first.endswith(f"in 'mine.py' line 6: {line}")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["1", "3", "dask"])
def test_it_ends_a_run_in_several_processes_and_on_a_cluster_as_well(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE.format(line="return undefined"))

    def ended(at_once, **settings):
        result = tune("mine.py:task", max_trials=50, optimizer="random", settings=mfbo.Settings(**settings))
        assert result.status == "failed"
        assert ALIKE <= result.trials < ALIKE + at_once  # those that ran beside the last of them are waited for
        said = result.failure.splitlines()[0]
        assert re.search(r"NameError: name 'undefined' is not defined, in '.*mine.py' line 6: return undefined$", said)

    if where == "dask":
        with Loopback() as cluster:
            cluster.add(2)
            ended(2, scheduler=cluster.scheduler)
    else:
        ended(int(where), workers=int(where))


def run(train, trials=40):
    space = ConfigurationSpace()
    space.add(Float("lr", (0.0, 1.0)), Categorical("kind", ["a", "b"]))
    task = mfbo.Task("t", space, train)
    return tune(task, max_trials=trials, optimizer="random", settings=mfbo.Settings(workers=0))


@pytest.mark.parametrize(("kinds", "certain"), [("aaa", False), ("aaaa", False), ("aba", True), ("ab", False)])
def test_an_error_that_a_choice_may_explain_is_given_the_usual_patience(kinds, certain):
    space = ConfigurationSpace({"lr": (0.0, 1.0), "kind": ["a", "b"], "always": ["same"]})
    repeats = Repeats(space)
    for number, kind in enumerate(kinds):
        trial = Trial(number, {"lr": number / 10, "kind": kind, "always": "same"}, Rung())
        outcome = Outcome("failed", None, Rung(), 0.1, error=f"Traceback\n  at {number}\nKeyError: 'lrr'")
        repeats.add(Result(trial, outcome, overhead=0.0, spent=0.1, at=0.1))
    assert repeats.certain == certain


def test_an_error_of_values_is_given_the_usual_patience():
    def train(config, rung, context):
        raise ValueError(f"lr {config['lr']} is too large")

    assert run(train).trials == 5


def test_different_errors_are_given_the_usual_patience():
    tried = []

    def train(config, rung, context):
        tried.append(1)
        return {}[f"layer {'x' * len(tried)}"]

    assert run(train).trials == 5


def test_a_success_ends_the_counting():
    tried = []

    def train(config, rung, context):
        tried.append(1)
        return {1: 0.5}[1 if len(tried) == 1 else 2]

    assert run(train, 9).trials == 9


def test_the_place_is_the_innermost_line_that_is_the_users():
    text = (
        'Traceback (most recent call last):\n  File "/x/train.py", line 7, in train\n    fit(model)\n    ^^^^^\n'
        f'  File "{mfbo.__file__}", line 3, in fit\n    a\nKeyError: 1\n'
    )
    assert str(place_of(text)) == "'/x/train.py' line 7: fit(model)"
    assert place_of("exit code 3") is None
    without = (
        'Traceback (most recent call last):\n  File "<stdin>", line 7, in train\n  File "/x/a.py", line 1, in f\nE'
    )
    assert str(place_of(without)) == "'/x/a.py' line 1"
