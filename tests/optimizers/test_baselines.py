"""The strong baselines: asynchronous halving, one epoch first, Optuna's TPE."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter

import pytest
from ConfigSpace import Configuration, ConfigurationSpace
from conftest import quadratic_space
from hypothesis import given, settings
from hypothesis import strategies as st

from mfbo.errors import MissingExtra
from mfbo.fidelity import ETA, Fidelity
from mfbo.optimizers.asha import Asha
from mfbo.optimizers.one_epoch import OneEpoch
from mfbo.optimizers.registry import ladder_of, make
from mfbo.search import Search
from mfbo.task import Task
from mfbo.tasks.registry import load
from mfbo.trial import Outcome, config_key

FIDELITY = Fidelity(epochs=(1, 27))
RUNGS = FIDELITY.ladder()


def configs(most=10**6):
    return ({"x": x} for x in range(most))


def outcome(trial, loss):
    return Outcome("failed" if loss is None else "ok", loss, trial.rung, 1.0)


@given(losses=st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=30, max_size=120), workers=st.integers(1, 5))
@settings(max_examples=30)
def test_asha_promotes_only_from_the_best_third_and_nothing_twice(losses, workers):
    asha, flying, done = Asha(configs(), RUNGS), [], {}
    for loss in losses:
        while len(flying) < workers:
            trial = asha.ask()
            level = RUNGS.index(trial.rung)
            assert (trial.config["x"], level) not in done
            if level:
                below = [value for (_, at), value in done.items() if at == level - 1]
                own = done[trial.config["x"], level - 1]
                assert sum(value < own for value in below) < len(below) // ETA
                assert own < math.inf
            flying.append(trial)
        trial = flying.pop(random.Random(len(done)).randrange(len(flying)))
        done[trial.config["x"], RUNGS.index(trial.rung)] = math.inf if loss is None else loss
        asha.tell(trial, outcome(trial, loss))


@pytest.mark.parametrize("many", [2, 9])
def test_asha_never_waits_and_comes_to_know_a_used_up_space_in_full(many):
    asha, asked = Asha(configs(many), RUNGS), []
    while trial := asha.ask():
        asked.append(trial)
        asha.tell(trial, outcome(trial, trial.config["x"] / many))
    assert Counter(RUNGS.index(trial.rung) for trial in asked) == dict.fromkeys(range(len(RUNGS)), many)
    assert [trial.id for trial in asked] == list(range(many * len(RUNGS)))
    drawn = max(trial.id for trial in asked if trial.rung == RUNGS[0])
    before = Counter(RUNGS.index(trial.rung) for trial in asked[: drawn + 1])
    assert before == ({0: 2} if many == 2 else {0: 9, 1: 2})


def test_one_epoch_spends_half_of_its_cost_on_the_best_in_full():
    rungs = ladder_of("one-epoch", FIDELITY, None)
    assert [rung.epochs for rung in rungs] == [1, 27]
    optimizer, cost, first = OneEpoch(configs(), rungs), Counter(), {}
    for _ in range(400):
        trial = optimizer.ask()
        loss = random.Random(trial.config["x"]).random()
        if trial.rung == rungs[0]:
            first[trial.config["x"]] = loss
        else:
            assert first.pop(trial.config["x"]) == min([loss, *first.values()])
        cost[trial.rung.epochs] += trial.rung.epochs - (trial.rung != rungs[0])
        optimizer.tell(trial, outcome(trial, loss))
    assert cost[1] == pytest.approx(cost[27], rel=0.1)


def test_one_epoch_goes_on_where_all_have_failed_and_ends_where_the_space_does():
    optimizer = OneEpoch(configs(60), ladder_of("one-epoch", FIDELITY, None))
    for number in range(60):
        trial = optimizer.ask()
        assert trial.config["x"] == number
        optimizer.tell(trial, outcome(trial, None))
    assert optimizer.ask() is None


@pytest.mark.parametrize(
    ("fidelity", "path", "words"),
    [
        (Fidelity(epochs=(1, 27), data=(0.1, 1.0)), "joint", ["all data, 1 epoch", "all data, 27 epochs"]),
        (Fidelity(data=(0.1, 1.0)), None, ["11% of the data, 1 epoch", "all data, 1 epoch"]),
        (Fidelity(epochs=5), None, ["all data, 5 epochs"]),
    ],
)
def test_one_epoch_is_of_all_data_where_epochs_can_be_cut_down(fidelity, path, words):
    assert [str(rung) for rung in ladder_of("one-epoch", fidelity, path)] == words


@pytest.mark.parametrize("name", ["mixed", "counting-ones"])
def test_tpe_stays_inside_spaces_with_conditions_and_forbidden_parts_and_repeats_when_told_the_same(name):
    task = load(name)
    rungs = ladder_of("tpe", task.fidelity, None)
    asked = []
    for _ in range(2):
        optimizer, trials = make(Search("tpe", 3), task, rungs), []
        for _ in range(60):
            trial = optimizer.ask()
            Configuration(task.space, values=trial.config).check_valid_configuration()
            trials.append(trial)
            failed = trial.id % 7 == 6
            optimizer.tell(trial, outcome(trial, None if failed else task.true_loss(trial.config)))
        asked.append(trials)
    assert asked[0] == asked[1]
    assert len({(config_key(trial.config), trial.rung) for trial in asked[0]}) == 60
    assert {trial.rung for trial in asked[0]} == set(rungs)


def test_tpe_ends_where_the_space_is_used_up():
    task = Task("few", ConfigurationSpace({"kind": ["a", "b", "c"]}), lambda *_: 0.0, FIDELITY)
    optimizer, asked = make(Search("tpe"), task, RUNGS[-1:]), []
    while trial := optimizer.ask():
        asked.append(trial.config["kind"])
        optimizer.tell(trial, outcome(trial, 0.5))
    assert sorted(asked) == ["a", "b", "c"]


def test_tpe_without_optuna_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    task = Task("q", quadratic_space(), lambda *_: 0.0, FIDELITY)
    with pytest.raises(MissingExtra, match=r"mfbo-tune\[tpe\]"):
        make(Search("tpe"), task, RUNGS)
