"""SMAC 2.4's parts, mended where the facade needs it; each has a contract test.

What ships, and why it is replaced:

- `SMBO` writes three files and may call ``input()``: `QuietSMBO` writes nothing and asks nobody.
- `Hyperband` draws a whole bracket before its first result, and stops for good where a space runs out: `Brackets` draws
  one configuration at a time and ends a bracket with those it got.
- `ConfigSelector` predicts the best point row by row, and its state cannot be rebuilt without fitting every surrogate
  again: `Selector` predicts at once, and draws in groups, each from random numbers of its own.
- `LocalSearch` goes through a set of configurations, whose order depends on ``PYTHONHASHSEED``: `OrderedLocalSearch`.
- The forest reserves memory for 2**20 leaves a tree, and predicts on a pool of threads: `quick_forest`.
- The encoder makes minus infinity of the best loss where several share it and it is large, such as 1e7, and figures
  that the acquisition function overflows on where a loss is 1e300; either ends the run: `BoundedEncoder`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from smac import Scenario
from smac.acquisition.maximizer import LocalAndSortedRandomSearch
from smac.acquisition.maximizer.local_search import LocalSearch
from smac.facade.multi_fidelity_facade import MultiFidelityFacade
from smac.intensifier.hyperband import Hyperband
from smac.main.config_selector import ConfigSelector
from smac.main.smbo import SMBO
from smac.model.random_forest.random_forest import RandomForest
from smac.runhistory import RunHistory, TrialInfo, TrialValue
from smac.runhistory.encoder.log_scaled_encoder import RunHistoryLogScaledEncoder
from smac.runhistory.enumerations import StatusType

from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import TRIES, beats, plain
from mfbo.trial import Config, config_key

logging.getLogger("smac").setLevel(logging.ERROR)  # it warns of its own fallbacks, which no user can act upon

RETRAIN_AFTER = 4  # configurations drawn from one surrogate; 8 as shipped did worse on every function tried
CHALLENGERS = 1000
LOCAL_SEARCHES = 5
BEGIN_WITH = 3  # of the best configurations of an earlier run, asked again first; less than a group
HUGE = 1e300  # losses beyond count as this, so that their differences are finite
SPAN = 25.0  # of the logarithms of scaled losses, to either side of their median


def quick_forest(scenario: Scenario) -> RandomForest:
    """The facade's forest, without the reserved memory and the threads."""
    forest = MultiFidelityFacade.get_model(scenario)
    forest._rf_opts.update(max_leaf_nodes=None, n_jobs=1)
    return forest


class BoundedEncoder(RunHistoryLogScaledEncoder):
    """Scales losses as shipped, and bounds the outcome; what is within `SPAN` of the median stays as it is."""

    def transform_response_values(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Logarithms of the scaled losses, the highest 0; (n, 1) as `values`."""
        if not values.size:
            return values
        logs = super().transform_response_values(values)
        centre = np.median(logs[np.isfinite(logs)])
        bounded: np.ndarray[Any, Any] = np.clip(logs, centre - SPAN, centre + SPAN)
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
    """Draws configurations: the first `n_random` at random, then from the surrogate.

    They come in groups of `RETRAIN_AFTER`. The random numbers of a group follow from the seed and the group's number
    alone, so a group whose configurations are remembered from a ledger can be passed over without being computed.

    Args:
        scenario: SMAC's.
        n_random: drawn at random first.
        surrogate: False to draw at random always.
    """

    def __init__(self, scenario: Scenario, n_random: int, surrogate: bool) -> None:
        super().__init__(scenario, retrain_after=RETRAIN_AFTER)
        self._n_random = n_random
        self._surrogate = surrogate
        self._groups = 0
        self._seen: dict[str, None] = {}
        self._remembered: list[Config] = []
        self._failed: list[TrialInfo] = []
        self._first: list[Configuration] = []
        self._heard: Configuration | None = None
        self._prior: Prior | None = None
        self.level = 0  # at which what is drawn will begin

    def believe(self, prior: Prior) -> None:
        """Draw the prior first, and then near it as long as it holds."""
        self._prior = prior
        self._first.insert(0, Configuration(self._space, values=prior.config))

    def hear(self, config: Configuration) -> None:
        """Draw this one next, in place of one that was heard of before."""
        self._first = [*(other for other in self._first if other is not self._heard), config]
        self._heard = config

    def begin_with(self, configs: Sequence[Configuration]) -> None:
        """Draw these first; the surrogate knows enough to do without random ones."""
        self._first = list(configs)
        self._n_random = 0

    def remember(self, configs: Sequence[Config]) -> None:
        """Configurations that will be drawn next, in order."""
        self._remembered = list(configs)

    def failed(self, info: TrialInfo) -> None:
        """`info` had no loss; it will stand in the surrogate as worse than the worst."""
        self._failed.append(info)

    def __iter__(self) -> Iterator[Configuration]:
        """New configurations until the space is used up."""
        size = RETRAIN_AFTER
        while True:
            group = self._groups
            self._groups += 1
            if len(self._remembered) >= size:
                known, self._remembered = self._remembered[:size], self._remembered[size:]
                drawn = [Configuration(self._scenario.configspace, values=config) for config in known]
                self._seen.update(dict.fromkeys(config_key(config) for config in known))
                self._first = [config for config in self._first if config_key(plain(config)) not in self._seen]
            else:
                self._remembered = []
                self._reseed(group)
                drawn = self._draw(size)
            if not drawn:
                return
            yield from drawn

    def _draw(self, size: int) -> list[Configuration]:
        drawn: list[Configuration] = []
        while self._first and len(drawn) < size:
            self._add_new(self._first.pop(0), drawn)
        for place in range(size - len(drawn)) if self._prior else ():
            assert self._prior
            for values in self._prior.draw(
                (self._groups - 1) * size + place, self.level, incumbent=not self._surrogate
            ):
                if self._add_new(Configuration(self._space, values=values), drawn):
                    break
        if self._surrogate and len(self._seen) >= self._n_random:
            for config in self._suggestions():
                if len(drawn) == size:
                    break
                self._add_new(config, drawn)
        misses = 0
        while len(drawn) < size and misses < TRIES:
            misses = 0 if self._add_new(self._space.sample_configuration(), drawn) else misses + 1
        return drawn

    def _add_new(self, config: Configuration, drawn: list[Configuration]) -> bool:
        """Append `config` in the form that its values alone determine, unless it was drawn before."""
        values = plain(config)
        key = config_key(values)
        if key in self._seen:
            return False
        self._seen[key] = None
        drawn.append(Configuration(self._space, values=values))
        return True

    def _suggestions(self) -> Iterator[Configuration]:
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
        yield from self._acquisition_maximizer.maximize(previous, random_design=self._random_design)

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

    @property
    def _space(self) -> ConfigurationSpace:
        return self._scenario.configspace

    def _reseed(self, group: int) -> None:
        seeds = np.random.SeedSequence([self._scenario.seed, group]).generate_state(5)
        self._space.seed(int(seeds[0]))
        maximizer = self._acquisition_maximizer
        for part, seed in zip(
            (maximizer, maximizer._random_search, maximizer._local_search, self._random_design), seeds[1:], strict=True
        ):
            part._rng = np.random.RandomState(int(seed))


class _Bracket:
    """One run of successive halving: a stage's configurations, and the losses of those that are back."""

    def __init__(self, number: int, size: int) -> None:
        self.number, self.stage, self.size = number, 0, size
        self.configs: list[Configuration] = []
        self.asked = 0
        self.losses: dict[Configuration, float] = {}


class Brackets(Hyperband):
    """Hyperband's brackets, drawn one configuration at a time; the best of a stage go on when all of it is back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._open: list[_Bracket] = []
        self._exhausted = False

    def __iter__(self) -> Iterator[TrialInfo | None]:
        """Trials; None while there is none until more is told, or ever."""
        self.__post_init__()
        draws = iter(self.config_generator)
        while True:
            yield self._next(draws)

    def told(self, info: TrialInfo, loss: float) -> None:
        """`info` came to `loss`; infinity where it failed."""
        for bracket in self._open:
            waits = info.config in bracket.configs[: bracket.asked] and info.config not in bracket.losses
            if waits and self._budgets_in_stage[bracket.number][bracket.stage] == info.budget:
                bracket.losses[info.config] = loss
                return

    def retold(self, info: TrialInfo, loss: float) -> None:
        """`info` comes to `loss` instead; what has been promoted stays so."""
        for bracket in self._open:
            if info.config in bracket.losses and self._budgets_in_stage[bracket.number][bracket.stage] == info.budget:
                bracket.losses[info.config] = loss

    def configs(self) -> list[Configuration]:
        """Those that may still go on."""
        return [config for bracket in self._open for config in bracket.configs]

    def _next(self, draws: Iterator[Configuration]) -> TrialInfo | None:
        while True:
            for bracket in list(self._open):
                self._promote(bracket)
                if config := self._next_of(bracket, draws):
                    budget = self._budgets_in_stage[bracket.number][bracket.stage]
                    return TrialInfo(config=config, seed=0, budget=budget)
            if self._exhausted:
                return None
            number = self._get_next_bracket()
            self._open.append(_Bracket(number, self._n_configs_in_stage[number][0]))

    def _next_of(self, bracket: _Bracket, draws: Iterator[Configuration]) -> Configuration | None:
        if bracket.stage == 0 and bracket.asked == len(bracket.configs) < bracket.size:
            self.config_selector.level = len(self._n_configs_in_stage[0]) - len(
                self._n_configs_in_stage[bracket.number]
            )
            config = next(draws, None)
            if config is None:
                self._exhausted, bracket.size = True, len(bracket.configs)
                self._promote(bracket)  # all that there will ever be may be back
            else:
                bracket.configs.append(config)
        if bracket.asked < len(bracket.configs):
            bracket.asked += 1
            return bracket.configs[bracket.asked - 1]
        if not bracket.size:
            self._open.remove(bracket)
        return None

    def _promote(self, bracket: _Bracket) -> None:
        if not bracket.configs or len(bracket.losses) < bracket.size:
            return
        sizes = self._n_configs_in_stage[bracket.number]
        if bracket.stage + 1 == len(sizes):
            self._open.remove(bracket)
            return
        share = sizes[bracket.stage + 1] / sizes[bracket.stage]
        bracket.size = max(1, min(sizes[bracket.stage + 1], round(bracket.size * share)))
        ranked = sorted(bracket.configs, key=bracket.losses.__getitem__)
        bracket.configs = [config for config in ranked if bracket.losses[config] < np.inf][: bracket.size]
        bracket.size, bracket.asked, bracket.losses = len(bracket.configs), 0, {}
        bracket.stage += 1


class QuickHistory(RunHistory):
    """Keeps no bounds of the objectives, which only several of them need: a pass over all results at each trial."""

    def _update_objective_bounds(self) -> None:
        self._objective_bounds: list[tuple[float, float]] = []


class QuietSMBO(SMBO):
    """Writes no files, loads none, and lets an intensifier have nothing to ask."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._runhistory.__class__ = QuickHistory  # the intensifier holds the same object

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

    def __init__(
        self, space: ConfigurationSpace, budgets: Sequence[float], eta: int, seed: int, surrogate: bool
    ) -> None:
        least = budgets[0] * (1 - 1e-9)  # as SMAC's log(243) / log(3) is less than 5
        scenario = Scenario(
            space, deterministic=True, crash_cost=1.0, min_budget=least, max_budget=budgets[-1], seed=seed
        )
        n_random = min(10 * len(space), 25)
        super().__init__(
            scenario,
            target_function=None,
            model=quick_forest(scenario),
            acquisition_maximizer=ordered_maximizer(scenario),
            initial_design=self.get_initial_design(scenario, n_configs=0),
            intensifier=Brackets(scenario, eta=eta),
            runhistory_encoder=BoundedEncoder(scenario),
            config_selector=Selector(scenario, n_random, surrogate),
            overwrite=True,
        )

    def _get_optimizer(self) -> QuietSMBO:
        return QuietSMBO(self._scenario, self._runner, self._runhistory, self._intensifier, self._overwrite)

    def learn(self, known: Sequence[tuple[Config, float, float]]) -> None:
        """Begin with results from elsewhere, (values, budget, loss); the best few are drawn again, first."""
        if not known:
            return
        space = self._scenario.configspace
        best: dict[Configuration, tuple[float, float]] = {}
        for values, budget, loss in known:
            config = Configuration(space, values=values)
            self._runhistory.add(config, cost=min(max(loss, -HUGE), HUGE), seed=0, budget=budget, force_update=True)
            best[config] = min(best.get(config, (0.0, np.inf)), (-budget, loss))
        ranked = sorted(best, key=best.__getitem__)
        self._config_selector.begin_with(ranked[:BEGIN_WITH])

    def hear(self, values: Config, budget: float, loss: float) -> None:
        """A result from elsewhere, once the run has begun; drawn next if it beats all that is known."""
        config = Configuration(self._scenario.configspace, values=values)
        cost, history = min(max(loss, -HUGE), HUGE), self._runhistory
        known = [(key.budget, value.cost) for key, value in history.items() if value.status == StatusType.SUCCESS]
        if beats(cost, budget, known):
            self._config_selector.hear(config)
        history.add(config, cost=cost, seed=0, budget=budget, force_update=True)

    def retold(self, info: TrialInfo, loss: float) -> None:
        """What was told of `info` comes to `loss` instead."""
        self._runhistory.add(info.config, cost=loss, seed=info.seed, budget=info.budget, force_update=True)
        self._intensifier.retold(info, loss)

    def told(self, info: TrialInfo, loss: float | None) -> None:
        """Tell the runhistory, the bracket and, of a failure, the selector; `loss` is None for a failure."""
        cost = 0.0 if loss is None else min(max(loss, -HUGE), HUGE)
        value = TrialValue(cost=cost, status=StatusType.SUCCESS)
        self.tell(info, value, save=False)
        if loss is None:
            self._config_selector.failed(info)
        self._intensifier.told(info, np.inf if loss is None else loss)
