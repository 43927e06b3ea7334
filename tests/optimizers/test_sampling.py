"""Configurations drawn at random and from grids."""

from __future__ import annotations

from itertools import islice, product

import numpy as np
import pytest
from ConfigSpace import (
    Beta,
    Categorical,
    Configuration,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    Integer,
    Normal,
    OrdinalHyperparameter,
)
from conftest import quadratic
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import spaces

import mfbo
from mfbo.errors import BadSpace
from mfbo.optimizers.registry import make
from mfbo.optimizers.sampling import grid_axes, grid_configs, random_configs
from mfbo.search import Search
from mfbo.trial import config_key


def finite():
    """A space of 7 configurations: 3 × 2, less a forbidden one, and two for a choice of its own."""
    space = ConfigurationSpace(seed=0)
    kind, size = Categorical("kind", ["a", "b", "c"]), Integer("size", (1, 2), default=1)
    only = Categorical("only", [True, False])
    space.add(kind, size, only)
    space.add(EqualsCondition(only, kind, "c"))
    space.add(ForbiddenAndConjunction(ForbiddenEqualsClause(kind, "a"), ForbiddenEqualsClause(size, 2)))
    return space


EVERYTHING = [{"kind": "a", "size": 1}, {"kind": "b", "size": 1}, {"kind": "b", "size": 2}] + [
    {"kind": "c", "size": size, "only": only} for size in (1, 2) for only in (True, False)
]


def inside(space, config):
    """Whether it is legal: no forbidden part, every active hyperparameter and no other; plain values."""
    Configuration(space, values=config)  # raises if not
    return all(type(value) in (bool, int, float, str, type(None)) for value in config.values())


SOURCES = {"random": random_configs, "grid": lambda space, seed: grid_configs(space, {}, seed)}


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_configurations_lie_inside_the_space_and_are_all_different(source, space, seed):
    before = space.random.get_state()[1].tolist()
    found = list(islice(SOURCES[source](space, seed), 50))
    assert found
    assert all(inside(space, config) for config in found)
    assert len({config_key(config) for config in found}) == len(found)
    assert space.random.get_state()[1].tolist() == before
    assert list(islice(SOURCES[source](space, seed), 50)) == found


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("seed", range(3))
def test_a_finite_space_is_used_up_and_ends(source, seed):
    found = list(SOURCES[source](finite(), seed))
    assert len(found) == len(EVERYTHING)
    assert all(config in EVERYTHING for config in found)


def test_random_configurations_are_uniform_on_their_scales():
    space = ConfigurationSpace({"lr": Float("lr", (1e-4, 1.0), log=True), "x": (0.0, 4.0)})
    found = list(islice(random_configs(space, 0), 4000))
    for name, position in (("lr", lambda lr: 1 + np.log10(lr) / 4), ("x", lambda x: x / 4)):
        quarters = np.histogram([position(config[name]) for config in found], bins=4, range=(0, 1))[0]
        assert abs(quarters - 1000).max() < 120


@given(space=spaces(most=2))
@settings(max_examples=15)
def test_another_seed_visits_the_same_grid_in_another_order(space):
    one, other = (list(grid_configs(space, {}, seed)) for seed in (1, 2))
    assert sorted(map(config_key, one)) == sorted(map(config_key, other))
    assert len(one) <= 6 or one != other


def test_the_grid_is_the_product_of_its_axes():
    space = ConfigurationSpace({"a": (0.0, 1.0), "b": ["x", "y"], "c": (1, 3)})
    axes = grid_axes(space, {})
    assert axes == {"a": [0.0, 0.25, 0.5, 0.75, 1.0], "b": ["x", "y"], "c": [1, 2, 3]}
    found = {tuple(config[name] for name in axes) for config in grid_configs(space, {}, 0)}
    assert found == set(product(*axes.values()))


@pytest.mark.parametrize(
    ("hyperparameter", "values"),
    [
        (Float("h", (1e-4, 1.0), log=True), [1e-4, 1e-3, 1e-2, 1e-1, 1.0]),
        (Integer("h", (1, 10_000), log=True), [1, 10, 100, 1000, 10_000]),
        (Integer("h", (1, 2)), [1, 2]),
        (Float("h", (0.0, 8.0), distribution=Normal(4, 1)), [0, 2, 4, 6, 8]),
        (Float("h", (0.0, 1.0), distribution=Beta(2, 3)), [0, 0.25, 0.5, 0.75, 1]),
        (OrdinalHyperparameter("h", ["low", "mid", "high"]), ["low", "mid", "high"]),
        (Categorical("h", [None, True, "x"]), [None, True, "x"]),
    ],
)
def test_numbers_are_spread_over_their_range_and_lists_are_taken_whole(hyperparameter, values):
    space = ConfigurationSpace(seed=0)
    space.add(hyperparameter, Float("other", (0.0, 1.0)))
    found = grid_axes(space, {})["h"]
    assert found == (pytest.approx(values) if isinstance(values[0], int | float) else values)


@given(space=spaces())
@settings(max_examples=40)
def test_every_value_of_a_grid_is_legal(space):
    assert all(space[name].legal_value(value) for name, values in grid_axes(space, {}).items() for value in values)


def test_the_values_of_a_task_take_the_place_of_spread_ones():
    space = ConfigurationSpace({"epochs": (1, 30), "lr": (0.0, 1.0)})
    found = list(grid_configs(space, {"epochs": [10, 20, 30], "lr": [0.1]}, 0))
    assert sorted(config["epochs"] for config in found) == [10, 20, 30]
    assert {config["lr"] for config in found} == {0.1}


@pytest.mark.parametrize(
    ("given_values", "words"),
    [({"lr": [2.0]}, "grid value 2.0 of 'lr' is outside"), ({"lr": ["a"]}, "outside"), ({"l": [1]}, "names 'l'.*: lr")],
)
def test_a_grid_outside_the_space_is_refused(given_values, words):
    with pytest.raises(BadSpace, match=words) as caught:
        next(grid_configs(ConfigurationSpace({"lr": (0.0, 1.0)}), given_values, 0))
    assert "\n" not in str(caught.value)


def test_a_grid_without_end_begins_at_once():
    space = ConfigurationSpace({f"x{number}": (0.0, 1.0) for number in range(60)})
    found = list(islice(grid_configs(space, {}, 0), 20))
    assert len({config_key(config) for config in found}) == 20
    assert found != list(islice(grid_configs(space, {}, 1), 20))


def test_of_a_grid_that_is_too_large_so_many_points_are_visited(monkeypatch):
    monkeypatch.setattr("mfbo.optimizers.sampling.MAX_GRID_POINTS", 30)
    space = ConfigurationSpace({"a": (0.0, 1.0), "b": (0.0, 1.0), "c": (0.0, 1.0)})
    found = list(grid_configs(space, {}, 0))
    assert len({config_key(config) for config in found}) == len(found) == 30


@pytest.mark.parametrize("optimizer", ["smac", "hyperband", "random", "grid"])
@pytest.mark.parametrize(
    ("space", "words"),
    [
        (ConfigurationSpace(), "nothing to tune"),
        (ConfigurationSpace({"layers": Categorical("layers", [(100,), (50, 50)])}), r"choice \(100,\) of 'layers'"),
    ],
)
def test_a_space_that_cannot_be_tuned_is_refused_by_every_optimizer(optimizer, space, words):
    task = mfbo.Task("t", space, quadratic)
    with pytest.raises(BadSpace, match=words):
        make(Search(optimizer), task, task.fidelity.ladder())
