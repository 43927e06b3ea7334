"""What SMAC's parts must still be for ours to take their place: a test here that fails asks for a look at what changed.

Each of our parts has a test of the fault in what ships, so that it can go once the fault has, and one of its own.
"""

from __future__ import annotations

import builtins
import logging
import os
import subprocess
import sys
import threading
import warnings
from copy import deepcopy
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from ConfigSpace import Categorical, Configuration, ConfigurationSpace
from conftest import quadratic_space
from smac import Scenario
from smac.acquisition.maximizer.local_search import LocalSearch
from smac.facade.multi_fidelity_facade import MultiFidelityFacade
from smac.intensifier.hyperband_utils import determine_HB
from smac.runhistory import TrialValue
from smac.runhistory.encoder.log_scaled_encoder import RunHistoryLogScaledEncoder

from mfbo.optimizers.brackets import bracket_sizes
from mfbo.optimizers.draws import GROUP_SIZE, GroupedDraws
from mfbo.optimizers.sampling import plain
from mfbo.optimizers.smac_stock import parts
from mfbo.optimizers.smac_stock.optimizer import BracketOptimizer
from mfbo.optimizers.smac_stock.parts import (
    BoundedEncoder,
    BracketIntensifier,
    Facade,
    OrderedLocalSearch,
    QuickHistory,
    QuietSMBO,
    ordered_maximizer,
    quick_forest,
)
from mfbo.trial import Outcome, Rung

RUNGS = [Rung(1, 1.0, 1 / 9), Rung(3, 1.0, 1 / 3), Rung(9, 1.0, 1.0)]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """What ships writes into the folder that one is in."""
    monkeypatch.chdir(tmp_path)


def scenario(space=None, **more):
    return Scenario(space or quadratic_space(), deterministic=True, min_budget=1, max_budget=9, seed=3, **more)


def shipped(space=None, **more):
    """The facade as it ships, for ask and tell."""
    return MultiFidelityFacade(scenario(space), target_function=None, overwrite=True, logging_level=False, **more)


def ours(space=None, seed=3):
    return Facade(space or quadratic_space(), [1.0, 3.0, 9.0], 3, seed)


def filled(facade, number=30, loss=lambda config: config["x"] ** 2):
    """The facade with so many results of the lowest rung."""
    facade._scenario.configspace.seed(0)
    for config in facade._scenario.configspace.sample_configuration(number):
        facade._runhistory.add(config, cost=loss(config), seed=0, budget=1.0)
    return facade


def points(number=40):
    space = quadratic_space()
    space.seed(1)
    return np.array([config.get_array() for config in space.sample_configuration(number)])


# the forest


def test_the_forest_that_ships_reserves_memory_and_takes_all_cores():
    options = MultiFidelityFacade.get_model(scenario())._rf_opts
    assert options["max_leaf_nodes"] == 2**20
    assert options["n_jobs"] == -1


@pytest.mark.slow
def test_the_quick_forest_predicts_what_the_one_that_ships_predicts(monkeypatch):
    x, losses, asked = points(), np.log(1 + points()[:, :1] ** 2), points(200)
    theirs = MultiFidelityFacade.get_model(scenario()).train(x, losses).predict_marginalized(asked)
    monkeypatch.setattr(threading.Thread, "start", lambda thread: pytest.fail("a thread was started"))
    mine = quick_forest(scenario()).train(x, losses).predict_marginalized(asked)
    assert np.array_equal(mine, theirs)


# the encoder


def encoded(kind, losses):
    """What an encoder makes of these losses."""
    facade = Facade(quadratic_space(), [1.0], 3, 0)
    encoder = kind(facade._scenario)
    encoder.runhistory = facade._runhistory
    facade._scenario.configspace.seed(0)
    for config, loss in zip(facade._scenario.configspace.sample_configuration(len(losses)), losses, strict=True):
        facade._runhistory.add(config, cost=loss, seed=0, budget=1.0)
    return encoder.transform(budget_subset=[1.0])[1].flatten()


TIES = [1e7] * 10 + [2e7, 3e7]


def test_the_encoder_that_ships_makes_infinity_of_ties():
    assert np.isinf(encoded(RunHistoryLogScaledEncoder, TIES)).any()


@pytest.mark.parametrize(
    "losses",
    [TIES, [-1e7] * 9 + [1.0], [0.0] * 9, [1e300, 0.1, 0.2], [-1e300, 1e300, 0.0], [1e-300, 1e300, 1.0, -1e-200]],
)
def test_the_bounded_encoder_keeps_any_losses_finite_and_in_order(losses):
    logs = encoded(BoundedEncoder, losses)
    assert np.isfinite(logs).all()
    assert np.ptp(logs) <= 2 * parts.LOG_SPAN
    order = np.argsort(losses, kind="stable")
    assert (np.diff(logs[order]) >= 0).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_bounded_encoder_leaves_common_losses_as_they_come(scale):
    losses = scale * np.random.default_rng(0).lognormal(0, 2, 50)
    assert np.array_equal(encoded(BoundedEncoder, losses), encoded(RunHistoryLogScaledEncoder, losses))


# the local search


def starts(kind, salt, monkeypatch):
    """Start points of a search among 22 configurations, by number, where the model predicts the number of each.

    The first 20 are known and in disorder, the others come from another search, which also found number 0.
    """

    class Model:
        def predict_marginalized(self, array):
            return np.array([[numbers[tuple(row)]] for row in array]), None

    space = quadratic_space()
    space.seed(1)
    configs = space.sample_configuration(22)
    numbers = {tuple(config.get_array()): number for number, config in enumerate(configs)}
    monkeypatch.setattr(Configuration, "__hash__", lambda self: hash((salt, numbers[tuple(self.get_array())])))
    search = kind(space, SimpleNamespace(model=Model()), seed=0)
    others = [(0.0, configs[number]) for number in (21, 0, 20, 21)]
    found = search._get_init_points_from_previous_configs(configs[19::-1], 8, others)
    return tuple(numbers[tuple(config.get_array())] for config in found)


def test_the_local_search_that_ships_loses_the_order_of_its_start_points(monkeypatch):
    assert len({starts(LocalSearch, salt, monkeypatch) for salt in range(5)}) > 1


def test_ours_starts_from_the_best_first_whatever_hashes_are(monkeypatch):
    assert {starts(OrderedLocalSearch, salt, monkeypatch) for salt in range(5)} == {(*range(8), 21, 20)}


def test_a_search_without_neighbours_warns_as_it_ships_and_not_in_ours():
    space = ConfigurationSpace({"only": Categorical("only", ["one"])}, seed=0)

    def search(kind):
        found = kind(space, lambda configs: np.zeros((len(configs), 1)), seed=0)
        return found._search([space.get_default_configuration()])

    with pytest.warns(RuntimeWarning, match="Mean of empty slice|invalid value"):
        search(LocalSearch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert search(OrderedLocalSearch)[0][1] == space.get_default_configuration()


def test_the_maximizer_is_the_facades_with_our_search_and_fewer_points():
    theirs, mine = MultiFidelityFacade.get_acquisition_maximizer(scenario()), ordered_maximizer(scenario())
    assert type(theirs) is type(mine)
    assert type(theirs._local_search) is LocalSearch
    assert type(mine._local_search) is OrderedLocalSearch
    assert mine._challengers == parts.CHALLENGERS < theirs._challengers
    assert mine._local_search_iterations == parts.LOCAL_SEARCHES < theirs._local_search_iterations
    for part in (mine, mine._random_search, mine._local_search, MultiFidelityFacade.get_random_design(scenario())):
        assert isinstance(part._rng, np.random.RandomState)


ASKS = """
from ConfigSpace import Categorical, ConfigurationSpace, Float
from mfbo.optimizers.smac_stock.optimizer import BracketOptimizer
from mfbo.trial import Outcome, Rung

space = ConfigurationSpace({"x": (-5.0, 5.0), "kind": ["a", "b"]})
optimizer, asked = BracketOptimizer(space, [Rung(1, 1.0, 1 / 9), Rung(3), Rung(9)], 3), []
for _ in range(45):  # of which the last are the surrogate's
    asked.append(trial := optimizer.ask())
    optimizer.tell(trial, Outcome("ok", trial.config["x"] ** 2, trial.rung, 1.0))
"""


@pytest.mark.slow
def test_another_process_with_other_hashes_asks_the_same():
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    command = [sys.executable, "-c", ASKS + "print(asked)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    exec(ASKS, found := {})
    assert done.stdout.strip() == repr(found["asked"])
    assert len({trial.config["x"] for trial in found["asked"]}) > 25


# the selector


def test_the_best_point_is_the_one_that_ships_finds_row_by_row():
    facade = filled(ours())
    selector = facade._config_selector
    x, losses, observed = selector._collect_data()
    selector._model.train(x, losses)
    (theirs, their_loss), (mine, my_loss) = selector._get_x_best(observed), selector._best(observed)
    assert np.array_equal(theirs, mine)
    assert their_loss == my_loss


def test_the_surrogate_that_ships_sees_the_highest_rung_alone():
    facade = filled(ours())
    config = facade._scenario.configspace.sample_configuration()
    facade._runhistory.add(config, cost=0.5, seed=0, budget=9.0)
    assert len(facade._config_selector._collect_data()[1]) == 1


@pytest.mark.slow
def test_a_remembered_group_is_passed_over_without_being_computed(monkeypatch):
    drawn = list(islice(filled(ours())._config_selector, 32))
    second = filled(ours())
    second.draws.remember([plain(config) for config in drawn[:28]])
    draw = GroupedDraws._draw
    groups = []
    monkeypatch.setattr(GroupedDraws, "_draw", lambda self, group: groups.append(group) or draw(self, group))
    again = list(islice(second._config_selector, 32))
    assert again == drawn
    assert groups == [7]


def test_what_failed_is_worse_than_the_worst_and_never_infinite():
    facade = ours()
    losses = iter([3.0, None, -2.0, None])
    for _ in range(4):
        facade.add(facade.ask(), next(losses))
    facade._config_selector._punish_failures()
    costs = sorted(value.cost for value in facade._runhistory.values())
    assert costs[:2] == [-2, 3]
    assert costs[2] == costs[3] == pytest.approx(8)


def test_where_everything_failed_a_failure_is_still_a_finite_loss():
    facade = ours()
    for _ in range(3):
        facade.add(facade.ask(), None)
    facade._config_selector._punish_failures()
    assert {value.cost for value in facade._runhistory.values()} == {1.0}


# the brackets


def test_the_hyperband_that_ships_draws_a_bracket_before_its_first_result(monkeypatch):
    drawn = []
    selector = MultiFidelityFacade.get_config_selector(scenario())
    draws = type(selector).__iter__
    monkeypatch.setattr(type(selector), "__iter__", lambda self: (drawn.append(c) or c for c in draws(self)))
    shipped(config_selector=selector).ask()
    assert len(drawn) >= 9


def test_ours_draws_one_configuration_for_one_ask(monkeypatch):
    drawn = []
    add = GroupedDraws._add_new
    monkeypatch.setattr(GroupedDraws, "_add_new", lambda self, *more: drawn.append(more) or add(self, *more))
    facade = ours()
    for _ in range(4):
        facade.ask()
    assert len(drawn) == GROUP_SIZE == 4


@pytest.mark.parametrize("rungs", range(1, 10))
@pytest.mark.parametrize("eta", [2, 3, 4])
def test_brackets_are_as_large_as_those_that_ship(rungs, eta):
    found = determine_HB(min_budget=1.0 - 1e-9, max_budget=float(eta ** (rungs - 1)), eta=eta)
    theirs = [list(found["n_configs_in_stage"][start]) for start in range(rungs)]  # 729 / 3**6 is 0.9999... there
    assert bracket_sizes(rungs, eta) == [[max(1, size) for size in sizes] for sizes in theirs]


def test_the_facade_asks_for_the_trials_of_these_brackets():
    facade = ours()
    assert isinstance(facade._intensifier, BracketIntensifier)
    asked = []
    for loss in range(13):
        info = facade.ask()
        asked.append(info.budget)
        facade.add(info, float(loss))
    assert asked == [1.0] * 9 + [3.0] * 3 + [9.0]


# the loop and the facade


def test_what_ships_writes_files_and_ours_none(tmp_path):
    facade = ours()
    for loss in (0.5, None):
        facade.add(facade.ask(), loss)
    assert list(tmp_path.iterdir()) == []
    shipped()
    assert list(tmp_path.rglob("*.json"))


def test_what_ships_asks_at_the_terminal_where_another_run_was_and_ours_nothing(monkeypatch):
    questions = []
    monkeypatch.setattr(builtins, "input", lambda text="": questions.append(text) or "1")
    for seed in (3, 4):
        ours(seed=seed)
    assert questions == []
    for retries in (16, 17):
        selector = MultiFidelityFacade.get_config_selector(scenario())
        selector._max_new_config_tries = retries
        there = Scenario(quadratic_space(), min_budget=1, max_budget=9, seed=3, name="run", deterministic=True)
        MultiFidelityFacade(there, target_function=None, config_selector=selector, logging_level=False)
    assert len(questions) == 1


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_what_ships(loss):
    facade = shipped()
    for _ in range(2):
        facade.tell(facade.ask(), TrialValue(cost=loss), save=False)
    selector = facade._config_selector
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"NaN|infinity"):
        selector._model.train(*selector._collect_data()[:2])


LOSSES = {
    "equal": [1.0],
    "zero": [0.0],
    "negative": [-1e7, -1e7, -3.0],
    "huge": [1e308, 0.1, -1e308],
    "failed": [None],
    "now and then failed": [None, 0.1, 1e300, 0.2],
}


@pytest.mark.parametrize("losses", LOSSES.values(), ids=LOSSES)
def test_no_losses_end_a_run(losses, monkeypatch):
    monkeypatch.setattr(parts, "CHALLENGERS", 50)
    monkeypatch.setattr(parts, "LOCAL_SEARCHES", 1)
    optimizer, random = BracketOptimizer(quadratic_space(), RUNGS, 0), np.random.RandomState(0)
    for _ in range(40):
        trial = optimizer.ask()
        loss = losses[random.randint(len(losses))]
        optimizer.tell(trial, Outcome("ok" if loss is not None else "failed", loss, trial.rung, 1.0))


def test_smacs_own_incumbent_is_not_kept():
    assert ours()._optimizer._callbacks == []
    assert len(shipped()._optimizer._callbacks) == 1


def test_the_history_that_ships_goes_through_all_results_at_each_trial_and_ours_does_not():
    for facade, bounds in ((shipped(), [(0.5, 0.5)]), (ours(), [])):
        facade.tell(facade.ask(), TrialValue(cost=0.5), save=False)
        assert facade.runhistory.objective_bounds == bounds
        assert facade._intensifier.runhistory is facade.runhistory
        assert isinstance(facade.runhistory, QuickHistory) == (bounds == [])


def test_nothing_to_ask_is_none():
    facade = ours(ConfigurationSpace({"only": Categorical("only", ["one"])}))
    assert isinstance(facade._optimizer, QuietSMBO)
    info = facade.ask()
    assert facade.ask() is None
    facade.add(info, 0.5)
    assert facade.ask().budget == 3


def test_nothing_is_logged(caplog, capfd):
    with caplog.at_level(logging.WARNING):
        filled(ours()).ask()
    assert (caplog.records, capfd.readouterr()) == ([], ("", ""))


def test_the_space_that_is_given_is_not_used():
    space = quadratic_space()
    before = deepcopy(space.random.get_state())
    optimizer = BracketOptimizer(space, RUNGS, 0)
    optimizer.ask()
    assert all(np.array_equal(one, other) for one, other in zip(before, space.random.get_state(), strict=True))
