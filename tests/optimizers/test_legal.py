"""Spaces whose forbidden parts leave little: every optimizer finds what is legal, in a bounded number of steps."""

from __future__ import annotations

import random
from itertools import islice, pairwise

import numpy as np
import pytest
from ConfigSpace import (
    Categorical,
    Configuration,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenEqualsRelation,
    ForbiddenGreaterThanRelation,
    Integer,
)

import mfbo
from mfbo.errors import BadSpace
from mfbo.optimizers.legal import Legal, is_scarce
from mfbo.optimizers.points import Points
from mfbo.optimizers.sampling import check_space, grid_configs, random_configs, sample
from mfbo.trial import config_key


def rising(parts=7, top=10, kind=Integer):
    """Each part above the one before: of ten million, C(10, 7) = 120 are legal."""
    space = ConfigurationSpace()
    if kind is Integer:
        space.add(*(Integer(f"x{i}", (1, top), default=i + 1) for i in range(parts)))
    else:
        space.add(*(Float(f"x{i}", (0.0, 1.0), default=(i + 1) / (parts + 1)) for i in range(parts)))
    for one, next_one in pairwise(space.values()):
        space.add(ForbiddenGreaterThanRelation(one, next_one), ForbiddenEqualsRelation(one, next_one))
    return space


def pairs():
    """55 legal of 100: words of which the second comes no earlier than the first."""
    words = [f"w{i}" for i in range(10)]
    space = ConfigurationSpace()
    a, b = Categorical("a", words, default="w0"), Categorical("b", words, default="w9")
    space.add(a, b)
    for i in range(10):
        for j in range(i):
            space.add(ForbiddenAndConjunction(ForbiddenEqualsClause(a, words[i]), ForbiddenEqualsClause(b, words[j])))
    return space


def legal(space, configs):
    """How many different ones there are; all must be legal."""
    for config in configs:
        Configuration(space, values=config)
    return len({config_key(config) for config in configs})


@pytest.mark.parametrize("seed", [0, 1])
def test_all_of_the_few_legal_ones_are_drawn_once(seed):
    space = rising()
    assert is_scarce(space)
    found = list(random_configs(space, seed))
    assert len(found) == legal(space, found) == 120
    assert found == list(random_configs(space, seed))
    assert found != list(random_configs(space, seed + 1))


def test_a_grid_without_a_legal_point_is_made_finer():
    space = rising()
    found = list(grid_configs(space, {}, 0))
    assert len(found) == legal(space, found) >= 64


@pytest.mark.parametrize("source", [random_configs, lambda space, seed: grid_configs(space, {}, seed)])
def test_floats_that_chance_hardly_finds_are_built(source):
    space = rising(8, kind=Float)
    found = list(islice(source(space, 0), 30))
    assert len(found) == legal(space, found) == 30


def test_what_is_built_is_spread_over_what_is_legal():
    found = list(islice(random_configs(rising(8, kind=Float), 0), 60))
    places = np.array([[config[f"x{i}"] for i in range(8)] for config in found]).mean(axis=0)
    assert np.abs(places - np.arange(1, 9) / 9).max() < 0.2


def test_points_and_samples_are_legal_too():
    space = rising()
    rows = Points(space).draw(8, np.random.RandomState(0))
    assert len(rows) == 8
    assert legal(space, [Points(space).config(row) for row in rows]) > 1
    assert len(sample(space, 5)) == 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Integer, Float])
def test_a_draw_of_points_follows_from_its_random_numbers_alone(kind):
    space = rising(kind=kind)
    used, fresh = Points(space), Points(space)
    used.draw(30, np.random.RandomState(5))
    drawn = [points.draw(30, np.random.RandomState(1)) for points in (used, fresh)]
    assert np.array_equal(*drawn)
    assert len(drawn[0]) == 30
    assert len(np.unique(drawn[0], axis=0)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "smac-stock"])
def test_the_surrogate_chooses_where_few_are_legal(optimizer):
    def train(config, rung, context):
        return mfbo.Measurement(sum((value - i - 2) ** 2 for i, value in enumerate(config.values())), cost=1.0)

    def trials_to_best(name):
        task = mfbo.Task("t", rising(), train, mfbo.Fidelity(epochs=(1, 3)), full_cost=1.0)
        result = mfbo.tune(task, max_trials=90, optimizer=name, progress=False)
        return next((i for i, r in enumerate(result.ledger.results) if r.outcome.loss == 0.0), 90)

    assert trials_to_best(optimizer) <= 60  # at random, one in 120


@pytest.mark.slow
def test_work_for_one_draw_is_bounded_where_none_is_legal(monkeypatch):
    """All but the defaults are forbidden, which no search by values finds soon."""
    space = ConfigurationSpace()
    parts = [Integer(f"x{i}", (0, 999), default=0) for i in range(6)]
    space.add(*parts)
    for one, next_one in pairwise(parts):
        space.add(ForbiddenGreaterThanRelation(one, next_one), ForbiddenGreaterThanRelation(next_one, one))
    steps = []
    monkeypatch.setattr(Legal, "_candidates", counted(Legal._candidates, steps))
    rows = Points(space).draw(8, np.random.RandomState(0))
    assert len(rows)
    assert len(steps) < 50_000
    for row in rows:
        assert len(set(Points(space).config(row).values())) == 1


def counted(method, calls):
    def count(*arguments):
        calls.append(1)
        return method(*arguments)

    return count


@pytest.mark.parametrize("optimizer", ["random", "grid", "hyperband", "asha", "tpe", "smac-stock"])
def test_every_optimizer_finds_what_is_legal(optimizer):
    task = mfbo.Task(
        "t", rising(5, 8), lambda config, rung, context: float(sum(config.values())), mfbo.Fidelity(), full_cost=1.0
    )
    result = mfbo.tune(task, max_trials=40, optimizer=optimizer, settings=mfbo.Settings(workers=0))
    assert result.trials == 40
    assert {entry.outcome.status for entry in result.ledger.results} == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["tpe", "random", "grid", "hyperband"])
def test_nothing_is_left_only_once_all_were_tried(optimizer):
    task = mfbo.Task("t", pairs(), lambda config, rung, context: 1.0, mfbo.Fidelity(), full_cost=1.0)
    result = mfbo.tune(task, max_trials=60, optimizer=optimizer, settings=mfbo.Settings(workers=0))
    assert result.trials == 55


def test_a_space_without_a_legal_configuration_ends():
    space = ConfigurationSpace()
    a = Categorical("a", [0, 1])
    space.add(a)
    space.add(ForbiddenEqualsClause(a, 1))
    assert list(random_configs(space, 0)) == [{"a": 0}]


def test_inactive_parts_are_left_out_of_what_is_built():
    space = rising(4, 6)
    kind = Categorical("kind", ["a", "b"])
    extra = Integer("extra", (1, 3))
    space.add(kind, extra)
    space.add(EqualsCondition(extra, kind, "b"))
    found = Legal(space, random.Random(0)).every()
    assert found is not None
    assert legal(space, found) == len(found) == 15 * (1 + 3)


@pytest.mark.parametrize(
    "values", [np.arange(3), np.linspace(0, 1, 3), np.array(["a", "b"]), [np.True_, np.False_], [None, np.int64(5)]]
)
@pytest.mark.parametrize("optimizer", ["random", "grid", "tpe"])
def test_numpy_values_and_none_are_choices(values, optimizer, tmp_path):
    space = ConfigurationSpace()
    space.add(Categorical("a", list(values)), Integer("b", (np.int64(1), np.int64(4))))
    task = mfbo.Task("t", space, lambda config, rung, context: float(config["b"]), mfbo.Fidelity(), full_cost=1.0)
    result = mfbo.tune(task, max_trials=4, optimizer=optimizer, out=tmp_path / "r", settings=mfbo.Settings(workers=0))
    assert result.trials == 4
    assert {type(config["a"]) for config in (entry.trial.config for entry in result.ledger.results)} <= {
        bool, int, float, str, type(None)
    }  # fmt: skip


@pytest.mark.parametrize("low", [float("-inf"), -1e308])
def test_a_range_that_is_not_finite_is_refused(low):
    class Range(dict):
        pass

    hyperparameter = type("H", (), {"lower": low, "upper": 1e308})()
    with pytest.raises(BadSpace, match="'x': "):
        check_space(Range(x=hyperparameter))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (float("inf"), "'a': choice inf is not finite; give finite numbers"),
        (10**30, "is beyond 2\\*\\*53; quote it"),
        ("\udc80", "is no text"),
    ],
)
def test_a_choice_that_no_ledger_holds_is_refused(choice, said):
    space = ConfigurationSpace()
    space.add(Categorical("a", [choice, 1]))
    with pytest.raises(BadSpace, match=said):
        check_space(space)
