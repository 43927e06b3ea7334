"""What every optimizer keeps to, in every space: its range, its ladder, its word; and the brackets of Hyperband."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import groupby

import pytest
from ConfigSpace import Categorical, Configuration, ConfigurationSpace, EqualsCondition, Integer
from conftest import quadratic_space
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import spaces

import mfbo
from mfbo.errors import UnknownName
from mfbo.optimizers.registry import OPTIMIZERS, ladder_of, make
from mfbo.search import Search
from mfbo.trial import Outcome, config_key

NAMES = sorted(OPTIMIZERS)
FIDELITY = mfbo.Fidelity(epochs=(1, 9))


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Searches over fewer points: the same steps in a tenth of the time."""
    monkeypatch.setattr("mfbo.optimizers.smac_stock.parts.CHALLENGERS", 50)
    monkeypatch.setattr("mfbo.optimizers.smac_stock.parts.LOCAL_SEARCHES", 1)
    monkeypatch.setattr("mfbo.optimizers.tpe.MAX_REPEATS", 20)


def make_for(name, space, seed=0, fidelity=FIDELITY):
    task = mfbo.Task("t", space, lambda config, rung, context: 0.0, fidelity)
    return make(Search(name, seed), task, ladder_of(name, fidelity, None))


def loss_of(config):
    """Some loss that depends on every value, the same in every process."""
    return int(config_key(config), 16) / 16**16


class Driver:
    """Asks and tells as a run with so many workers would, which end in a random order; keeps all that happened."""

    def __init__(self, optimizer, workers=1, fails=0.0, seed=0):
        self.optimizer, self.workers, self.fails = optimizer, workers, fails
        self.random = random.Random(seed)
        self.flying, self.asks, self.events = [], [], []

    def run(self, tells):
        """Until so many trials more are told, or nothing is left to ask and nothing to wait for."""
        while tells and (self.fill() or self.flying):
            trial = self.flying.pop(self.random.randrange(len(self.flying)))
            failed = int(config_key(trial.config)[-3:], 16) / 16**3 < self.fails
            loss = None if failed else loss_of(trial.config) + 1 / trial.rung.epochs
            outcome = Outcome(
                "failed" if failed else "ok", loss, trial.rung, trial.rung.work, error="no luck" if failed else None
            )
            self.optimizer.tell(trial, outcome)
            self.events.append((trial, outcome))
            tells -= 1
        return self

    def fill(self):
        while len(self.flying) < self.workers and (trial := self.optimizer.ask()) is not None:
            self.flying.append(trial)
            self.asks.append(trial)
            self.events.append((trial, None))
        return bool(self.flying)

    def replay(self, optimizer):
        """Another optimizer to which all of it has happened; what it asked."""
        asked = []
        for trial, outcome in self.events:
            if outcome is None:
                asked.append(optimizer.ask())
            else:
                optimizer.tell(trial, outcome)
        return asked


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@given(space=spaces(most=4), seed=st.integers(0, 2**32 - 1), workers=st.integers(1, 4), fails=st.sampled_from([0, 0.3]))
@settings(max_examples=6)
def test_it_stays_inside_its_space_and_on_its_ladder_and_asks_nothing_twice(name, space, seed, workers, fails):
    rungs = ladder_of(name, FIDELITY, None)
    before = space.random.get_state()[1].tolist()
    asks = Driver(make_for(name, space, seed), workers, fails, seed).run(40).asks
    for trial in asks:
        Configuration(space, values=trial.config)  # raises where it is not legal
        assert all(type(value) in (bool, int, float, str, type(None)) for value in trial.config.values())
    assert [trial.id for trial in asks] == list(range(len(asks)))
    assert {trial.rung for trial in asks} <= set(rungs)
    assert Counter((trial.key, trial.rung.epochs) for trial in asks).most_common(1)[0][1] == 1
    assert space.random.get_state()[1].tolist() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 1000), workers=st.integers(1, 4), told=st.integers(0, 30), fails=st.sampled_from([0, 0.3]))
@settings(max_examples=5)
def test_replayed_it_asks_the_same_and_goes_on_the_same_whether_it_remembers_or_not(name, seed, workers, told, fails):
    space = quadratic_space()
    first = Driver(make_for(name, space, seed), workers, fails, seed).run(told)
    twins = [make_for(name, space, seed) for _ in range(2)]
    twins[0].remember(list({trial.key: trial.config for trial in first.asks}.values()))
    for twin in twins:
        assert first.replay(twin) == first.asks
    flying, state, asked = [*first.flying], first.random.getstate(), len(first.asks)
    first.run(12)
    for twin in twins:
        again = Driver(twin, workers, fails)
        again.flying, again.asks = [*flying], first.asks[:asked]
        again.random.setstate(state)
        assert again.run(12).asks == first.asks


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_asks_for_something_else(name):
    one, other = (Driver(make_for(name, quadratic_space(), seed)).run(10).asks for seed in (0, 1))
    assert [trial.config for trial in one] != [trial.config for trial in other]


def small():
    """A space of 8 configurations."""
    space = ConfigurationSpace(seed=0)
    kind, only = Categorical("kind", ["a", "b", "c"]), Categorical("only", [True, False])
    space.add(kind, Integer("size", (1, 2)), only)
    space.add(EqualsCondition(only, kind, "c"))
    return space


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_finite_space_is_used_up_and_ends(name, workers):
    driver = Driver(make_for(name, small()), workers).run(1000)
    assert (driver.flying, driver.optimizer.ask()) == ([], None)
    assert len({trial.key for trial in driver.asks}) >= (8 if name != "tpe" else 5)  # it suggests the good ones again
    full = [trial for trial in driver.asks if trial.rung == FIDELITY.full]
    assert full or name == "asha"  # whose rule promotes none of fewer than nine


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_when_everything_fails(name):
    driver = Driver(make_for(name, quadratic_space()), workers=2, fails=1.0).run(40)
    assert len({trial.key for trial in driver.asks}) == len(driver.asks) == 41


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if len(ladder_of(name, FIDELITY, None)) > 1])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_configuration_climbs_only_with_a_result_and_one_rung_after_the_other(name, workers):
    rungs = ladder_of(name, FIDELITY, None)
    driver, reached = Driver(make_for(name, quadratic_space(), seed=3), workers, fails=0.3).run(60), {}
    promotions = 0
    for trial, outcome in driver.events:
        level = rungs.index(trial.rung)
        if outcome is not None:
            reached[trial.key] = level if outcome.loss is not None else math.inf
        elif trial.key in reached:
            assert level == reached[trial.key] + 1
            promotions += 1
    assert promotions > 3


def test_an_unknown_optimizer_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'hyperband'"):
        make_for("hyperbrand", quadratic_space())


# the brackets of Hyperband

TABLES = {  # of each bracket the configurations at each rung, as BOHB and SMAC3: ceil(eta**s * (S + 1) / (s + 1)) first
    1: [[1]],
    2: [[3, 1], [2]],
    3: [[9, 3, 1], [5, 1], [3]],
    4: [[27, 9, 3, 1], [12, 4, 1], [6, 2], [4]],
}


@pytest.mark.parametrize("rungs", TABLES)
def test_brackets_have_the_sizes_of_the_papers(rungs):
    fidelity, seen, stages = mfbo.Fidelity(epochs=(1, 3 ** (rungs - 1))), set(), []
    number = sum(map(sum, TABLES[rungs]))
    for trial in Driver(make_for("hyperband", quadratic_space(), fidelity=fidelity)).run(number).asks:
        stages.append((fidelity.ladder().index(trial.rung), trial.key not in seen))
        seen.add(trial.key)
    assert [(level, new, len(list(some))) for (level, new), some in groupby(stages)] == [
        (level, level == start, size)
        for start, sizes in enumerate(TABLES[rungs])
        for level, size in enumerate(sizes, start)
    ]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_best_of_a_stage_go_on(workers):
    events = Driver(make_for("hyperband", quadratic_space()), workers).run(20).events
    told = [{}, {}, {}]
    for trial, outcome in events:
        if outcome is not None:
            told[FIDELITY.ladder().index(trial.rung)][trial.key] = outcome.loss
    first, second, third = told
    assert first.keys() & second.keys() == set(sorted(first, key=first.get)[:3])
    assert first.keys() & third.keys() == {min(first.keys() & second.keys(), key=second.get)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smac", "smac-stock"])
def test_the_surrogate_draws_where_losses_are_low(name):
    optimizer, drawn = make_for(name, quadratic_space()), {}
    for _ in range(70):
        trial = optimizer.ask()
        off = abs(trial.config["x"] - 1.7)  # the default is at 0
        optimizer.tell(trial, Outcome("ok", off**2, trial.rung, 1.0))
        drawn[trial.key] = off
    later = list(drawn.values())[10:]
    assert sum(off < 0.5 for off in later) > 0.2 * len(later)  # of random draws a tenth are
