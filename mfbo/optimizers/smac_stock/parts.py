"""SMAC 2.4's parts, mended where the facade needs it; each has a contract test.

What ships, and why it is replaced:

- `SMBO` writes three files and may call ``input()``: `QuietSMBO` writes nothing and asks nobody.
- `Hyperband` draws a whole bracket before its first result, and stops for good where a space runs out:
  `BracketIntensifier` is the `Brackets` of `hyperband`, which draw one configuration at a time and end with those they
  got.
- `ConfigSelector` predicts the best point row by row, and its state cannot be rebuilt without fitting every surrogate
  again: `Selector` predicts at once, and draws in groups, each from random numbers of its own.
- Where few configurations are legal, its search would draw and reject without end: `Selector` takes the best by the
  acquisition function of those that `Points` builds, and of those near the ones that were tried.
- `LocalSearch` goes through a set of configurations, whose order depends on ``PYTHONHASHSEED``: `OrderedLocalSearch`.
- The forest reserves memory for 2**20 leaves a tree, and predicts on a pool of threads: `quick_forest`.
- The encoder makes minus infinity of the best loss where several share it and it is large, such as 1e7, and figures
  that the acquisition function overflows on where a loss is 1e300; either ends the run: `BoundedEncoder`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from smac import Scenario
from smac.acquisition.maximizer import LocalAndSortedRandomSearch
from smac.acquisition.maximizer.local_search import LocalSearch
from smac.facade.multi_fidelity_facade import MultiFidelityFacade
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.main.config_selector import ConfigSelector
from smac.main.smbo import SMBO
from smac.runhistory import RunHistory, TrialInfo, TrialValue
from smac.runhistory.encoder.log_scaled_encoder import RunHistoryLogScaledEncoder
from smac.runhistory.enumerations import StatusType

from mfbo.optimizers.brackets import Brackets
from mfbo.optimizers.draws import GROUP_SIZE, GroupedDraws
from mfbo.optimizers.legal import is_scarce
from mfbo.optimizers.points import Points
from mfbo.optimizers.sampling import beats, plain
from mfbo.trial import Config

if TYPE_CHECKING:
    from smac.model.random_forest.random_forest import RandomForest

logging.getLogger("smac").setLevel(logging.ERROR)  # it warns of its own fallbacks, which no user can act upon

CHALLENGERS = 1000
LOCAL_SEARCHES = 5
NEIGHBOURS, WIDTHS = 100, (0.3, 0.1, 0.03)  # configurations tried last, and steps from them, where few are legal
BEGIN_WITH = 3  # of the best configurations of an earlier run, asked again first; less than a group
MAX_LOSS = 1e300  # losses beyond count as this, so that their differences are finite
LOG_SPAN = 25.0  # of the logarithms of scaled losses, to either side of their median


def bounded(loss: float) -> float:
    """A loss within what the surrogates can compute with."""
    return min(max(loss, -MAX_LOSS), MAX_LOSS)


def quick_forest(scenario: Scenario) -> RandomForest:
    """The facade's forest, without the reserved memory and the threads."""
    forest = MultiFidelityFacade.get_model(scenario)
    forest._rf_opts.update(max_leaf_nodes=None, n_jobs=1)
    return forest


class BoundedEncoder(RunHistoryLogScaledEncoder):
    """Scales losses as shipped, and bounds the outcome; what is within `LOG_SPAN` of the median stays as it is."""

    def transform_response_values(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Logarithms of the scaled losses, the highest 0; (n, 1) as `values`."""
        if not values.size:
            return values
        logs = super().transform_response_values(values)
        centre = np.median(logs[np.isfinite(logs)])
        bounded: np.ndarray[Any, Any] = np.clip(logs, centre - LOG_SPAN, centre + LOG_SPAN)
        bounded -= bounded.max()
        return bounded


class OrderedLocalSearch(LocalSearch):
    """Starts from the same points in the same order in every process."""

    def _search(self, start_points: list[Configuration]) -> list[tuple[float, Configuration]]:
        with warnings.catch_warnings():  # it takes the mean of its timings, which may be none, for a debug line
            warnings.filterwarnings("ignore", "Mean of empty slice|invalid value", RuntimeWarning)
            return list(super()._search(start_points))

    def _get_init_points_from_previous_configs(
        self,
        previous_configs: list[Configuration],
        n_points: int,
        additional_start_points: list[tuple[float, Configuration]] | None,
    ) -> list[Configuration]:
        array = np.array([config.get_array() for config in previous_configs])
        costs = self._acquisition_function.model.predict_marginalized(array)[0].flatten()
        order = np.lexsort((self._rng.rand(len(costs)), costs))
        best = [previous_configs[i] for i in order[:n_points]]
        return list(dict.fromkeys(chain(best, (config for _, config in additional_start_points or []))))


def ordered_maximizer(scenario: Scenario) -> LocalAndSortedRandomSearch:
    """The facade's maximizer with `OrderedLocalSearch` and fewer challengers."""
    maximizer = MultiFidelityFacade.get_acquisition_maximizer(
        scenario, challengers=CHALLENGERS, local_search_iterations=LOCAL_SEARCHES
    )
    shipped = maximizer._local_search
    shipped.__class__ = OrderedLocalSearch
    return maximizer


class Selector(ConfigSelector):
    """Draws configurations in groups: the first `n_random` at random, then from the surrogate.

    Args:
        scenario: SMAC's.
        n_random: drawn at random first.
    """

    def __init__(self, scenario: Scenario, n_random: int) -> None:
        super().__init__(scenario, retrain_after=GROUP_SIZE)
        self.n_random = n_random
        self.draws = GroupedDraws(scenario.configspace, scenario.seed, self._suggest)
        self.level = 0  # at which what is drawn will begin
        self._failed: list[TrialInfo] = []
        self._scarce = is_scarce(scenario.configspace)
        self._points = Points(scenario.configspace)

    def add_failure(self, info: TrialInfo) -> None:
        """`info` had no loss; the surrogate is told that it is worse than the worst."""
        self._failed.append(info)

    def __iter__(self) -> Iterator[Configuration]:
        """New configurations until the space is used up."""
        while (config := self.draws.draw(self.level)) is not None:
            yield Configuration(self._scenario.configspace, values=config)

    def _suggest(self, seeds: Sequence[int], drawn: int) -> Iterable[Configuration]:
        if drawn < self.n_random:
            return ()
        maximizer = self._acquisition_maximizer
        parts = (maximizer, maximizer._random_search, maximizer._local_search, self._random_design)
        for part, seed in zip(parts, seeds, strict=True):
            part._rng = np.random.RandomState(seed)
        return self._suggestions(seeds[0])

    def _suggestions(self, seed: int) -> Iterator[Configuration]:
        self._punish_failures()
        points, losses, observed = self._collect_data()
        if len(losses) == 0:
            return
        self._model.train(points, losses)
        best = self._best(observed)
        self._acquisition_function.update(
            model=self._model, eta=best[1], incumbent_array=best[0], num_data=len(observed), X=observed
        )
        previous = self._runhistory.get_configs()
        if self._scarce:
            yield from self._best_legal(previous, np.random.RandomState(seed))
            return
        yield from self._acquisition_maximizer.maximize(previous, random_design=self._random_design)

    def _best_legal(self, previous: list[Configuration], rng: np.random.RandomState) -> Iterator[Configuration]:
        """Legal configurations, built at random and near those that were tried, the best by acquisition first."""
        tried = np.array([config.get_array() for config in previous[-NEIGHBOURS:]])
        near = [self._points.near(tried, width, rng) for width in WIDTHS]
        rows = np.concatenate([self._points.draw(CHALLENGERS, rng), *near])
        values = self._acquisition_function._compute(rows).ravel()
        for row in rows[np.argsort(-values, kind="stable")]:
            if (config := self._points.config(row)) is not None:
                yield Configuration(self._scenario.configspace, values=config)

    def _best(self, points: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
        losses = self._model.predict_marginalized(points)[0].flatten()
        best = int(np.argmin(losses))
        return points[best], float(losses[best])

    def _punish_failures(self) -> None:
        failed = {(info.config, info.budget) for info in self._failed}
        history = self._runhistory
        good = [v.cost for k, v in history.items() if (history.get_config(k.config_id), k.budget) not in failed]
        finite = [cost for cost in good if np.isfinite(cost)]
        penalty = 2 * max(finite) - min(finite) + 1e-9 if finite else 1.0
        for info in self._failed:
            history.add(info.config, cost=penalty, seed=info.seed, budget=info.budget, force_update=True)


class BracketIntensifier(AbstractIntensifier):
    """`Brackets` in the place of SMAC's Hyperband.

    Args:
        scenario: SMAC's.
        budgets: of the rungs, low to full.
        eta: the best 1/eta of a rung is promoted.
    """

    def __init__(self, scenario: Scenario, budgets: Sequence[float], eta: int) -> None:
        self.budgets, self._eta = list(budgets), eta
        super().__init__(scenario)

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self.brackets: Brackets[Configuration] = Brackets(len(self.budgets), self._eta, self._draw)

    uses_seeds = True  # a trial has a seed, always 0
    uses_budgets = True
    uses_instances = False
    uses_cutoffs = False

    def __iter__(self) -> Iterator[TrialInfo | None]:
        """Trials; None while there is none until more is told, or ever."""
        while True:
            found = self.brackets.ask()
            yield found and TrialInfo(config=found[0], seed=0, budget=self.budgets[found[1]])

    def _draw(self, level: int) -> Configuration | None:
        self.config_selector.level = level
        return next(self.config_generator, None)


class QuickHistory(RunHistory):
    """Without the bounds of several objectives, for which SMAC goes through all results at each trial."""

    def _update_objective_bounds(self) -> None:
        self._objective_bounds: list[tuple[float, float]] = []


class QuietSMBO(SMBO):
    """Writes no files, loads none, and lets an intensifier have nothing to ask."""

    history_class: type[RunHistory] = QuickHistory

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._runhistory.__class__ = self.history_class  # the other parts hold the same object
        self._runhistory.reset()

    def _initialize_state(self) -> None:
        """Begin anew; the ledger holds what there was."""

    def save(self) -> None:
        """The ledger is the record."""

    def register_callback(self, callback: Any, index: int | None = None) -> None:
        """Without SMAC's own incumbent, which compares costs across budgets; ours comes from the ledger."""

    def ask(self) -> TrialInfo | None:
        """The next trial, or None."""
        info = next(self._trial_generator)
        if info is not None:
            self._runhistory.add_running_trial(info)
        return info


class Facade(MultiFidelityFacade):
    """SMAC's multi-fidelity facade made of the parts above, for ask and tell alone."""

    def __init__(self, space: ConfigurationSpace, budgets: Sequence[float], eta: int, seed: int) -> None:
        least = budgets[0] * (1 - 1e-9)  # as SMAC's log(243) / log(3) is less than 5
        scenario = Scenario(
            space, deterministic=True, crash_cost=1.0, min_budget=least, max_budget=budgets[-1], seed=seed
        )
        selector = Selector(scenario, n_random=min(10 * len(space), 25))
        self.draws = selector.draws
        super().__init__(
            scenario,
            target_function=None,
            model=quick_forest(scenario),
            acquisition_maximizer=ordered_maximizer(scenario),
            initial_design=self.get_initial_design(scenario, n_configs=0),
            intensifier=BracketIntensifier(scenario, budgets, eta),
            runhistory_encoder=BoundedEncoder(scenario),
            config_selector=selector,
            overwrite=True,
        )

    def _get_optimizer(self) -> QuietSMBO:
        return QuietSMBO(self._scenario, self._runner, self._runhistory, self._intensifier, self._overwrite)

    def begin_with(self, earlier: Sequence[tuple[Config, float, float]]) -> None:
        """Begin with results of an earlier run, (values, budget, loss); the best few are drawn again, first."""
        if not earlier:
            return
        space = self._scenario.configspace
        best: dict[Configuration, tuple[float, float]] = {}
        for values, budget, loss in earlier:
            config = Configuration(space, values=values)
            self._runhistory.add(config, cost=bounded(loss), seed=0, budget=budget, force_update=True)
            best[config] = min(best.get(config, (0.0, np.inf)), (-budget, loss))
        ranked = sorted(best, key=best.__getitem__)
        self.draws.begin_with([plain(config) for config in ranked[:BEGIN_WITH]])
        self._config_selector.n_random = 0  # the surrogate knows enough to do without random ones

    def add_external(self, values: Config, budget: float, loss: float) -> None:
        """Add a result that was not asked for; its configuration is drawn next if it beats all results so far."""
        config = Configuration(self._scenario.configspace, values=values)
        cost, history = bounded(loss), self._runhistory
        results = [(key.budget, value.cost) for key, value in history.items() if value.status == StatusType.SUCCESS]
        if beats(cost, budget, results):
            self.draws.draw_next(plain(config))
        history.add(config, cost=cost, seed=0, budget=budget, force_update=True)

    def add(self, info: TrialInfo, loss: float | None) -> None:
        """Tell the run history, the bracket and, of a failure, the selector; `loss` is None for a failure."""
        cost = 0.0 if loss is None else bounded(loss)
        self.tell(info, TrialValue(cost=cost, status=StatusType.SUCCESS), save=False)
        if loss is None:
            self._config_selector.add_failure(info)
        self._intensifier.brackets.tell(info.config, self._level(info), loss)

    def revise(self, info: TrialInfo, loss: float) -> None:
        """Replace what was told of `info`."""
        self._runhistory.add(info.config, cost=loss, seed=info.seed, budget=info.budget, force_update=True)
        self._intensifier.brackets.revise(info.config, self._level(info), loss)

    def _level(self, info: TrialInfo) -> int:
        return int(self._intensifier.budgets.index(info.budget))
