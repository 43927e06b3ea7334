"""Which configuration is new behind `smac`: the space's default, a few at random, then what the surrogate suggests.

Everything follows from the seed, the number of the draw and the results so far, and from nothing else: so a draw that a
ledger remembers can be passed over without being computed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from ConfigSpace import Configuration
from scipy.stats import spearmanr
from smac import Scenario
from smac.main.config_selector import ConfigSelector
from smac.runhistory import TrialInfo

from mfbo.optimizers.points import Floats
from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import TRIES, beats, plain, random_configs
from mfbo.optimizers.smac.curve_gp import CurveProcess, representative
from mfbo.optimizers.smac.encoder import CurveEncoder, last_fit
from mfbo.optimizers.smac.full_ei import FullFidelityEI, PointSearch
from mfbo.trial import Config, config_key

FIRST_TRUST = 20  # results before a rung can be found not to correlate
TRUST = 0.35  # least correlation of a rung that is used with full fidelity
PAIRS = 4  # configurations seen at a rung and the next, before their ranks count
ALONE = 0.6  # where they do not
FEWEST = 3  # results that the surrogate is conditioned on
FIRST_FIT = 8  # results before the surrogate suggests
POINTS = 300  # results that it is conditioned on at most
RANDOM_SHARE = 0.15  # of the draws, always
BEGIN_WITH = 1  # of the best configurations of an earlier run, asked again first: the surrogate knows them all
PARENTS = 150  # configurations that the incumbent is looked for among


class CurveSelector(ConfigSelector):
    """Draws configurations, none twice.

    Args:
        scenario: SMAC's.

    Attributes:
        suggested: whether the last draw was the surrogate's.
        warm: whether it began with results from elsewhere.
        prior: a configuration that some draws are near to; see `believe`.
        effort: share of the results and candidates that the surrogate usually looks at; less for cheap trials.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, retrain_after=1)
        self.suggested = self.warm = False
        self.effort = 1.0
        self.prior: Prior | None = None
        self._heard: list[Config] = []
        self._told: list[tuple[Floats, str, int, float | None]] = []
        self._first = 0
        self._source: Iterator[Config] = iter(())
        self._seen: dict[str, None] = {}
        self._draws = self._fitted = 0
        self._judged = (0, 0)  # at so many results the lowest trusted level
        self._remembered: list[Config] = []
        self._running: dict[int, tuple[Floats, int]] = {}
        self._results: dict[str, tuple[float, float, Floats]] = {}  # (-level, loss, row), the highest of each
        self._seen_at: dict[str, dict[int, float]] = defaultdict(dict)  # losses of a configuration by level
        self._begin_with([plain(self._space.get_default_configuration())])

    def remember(self, configs: Sequence[Config]) -> None:
        """Configurations that will be drawn next, in order."""
        self._remembered = list(reversed(configs))

    def learn(self, known: Sequence[tuple[Config, int, float]]) -> None:
        """Begin with results from elsewhere, (values, level, loss); the best few are drawn again, first."""
        self.warm = True
        rows = self._encoder.points.rows([config for config, _, _ in known])
        for row, (config, level, loss) in zip(rows, known, strict=True):
            self._note(row, config_key(config), level, loss, None)
        best = sorted(self._results.values(), key=lambda found: found[:2])
        configs = (self._encoder.points.config(row) for _, _, row in best[:BEGIN_WITH])
        self._begin_with([config for config in configs if config is not None])

    def believe(self, prior: Prior) -> None:
        """Draw the prior first, and then near it as long as it holds."""
        self.prior, self._first = prior, self._first + 1
        self._source = chain([prior.config], self._source)

    def hear(self, config: Config, level: int, loss: float) -> None:
        """A result from elsewhere; the configuration is drawn next if it beats all that is known."""
        if beats(loss, level, [(-found[0], found[1]) for found in self._results.values()]):
            self._heard = [config]
        self._note(self._encoder.points.rows([config])[0], config_key(config), level, loss, None)

    def started(self, number: int, info: TrialInfo, level: int) -> None:
        """Trial `number` runs."""
        self._running[number] = (info.config.get_array(), level)

    def ended(self, number: int, key: str, loss: float | None, price: float | None) -> None:
        """Trial `number` came to `loss`, None where it failed, at a rate of `price` seconds a full evaluation."""
        row, level = self._running.pop(number)
        self._note(row, key, level, loss, price)

    def retell(self, losses: Sequence[float | None]) -> None:
        """All that has ended comes to these losses instead, in that order."""
        told, self._told, self._judged = self._told, [], (0, 0)
        self._results.clear()
        self._seen_at.clear()
        self._encoder.forget()
        if self.prior:
            self.prior.forget()
        for (row, key, level, price), loss in zip(told, losses, strict=True):
            self._note(row, key, level, loss, price)

    def _note(self, row: Floats, key: str, level: int, loss: float | None, price: float | None) -> None:
        self._told.append((row, key, level, price))
        self._encoder.told(row, level, loss, price)
        if self.prior:
            self.prior.told_of(row, level, loss)
        found = (-level, math.inf if loss is None else loss, row)
        self._seen_at[key][level] = found[1]
        if key not in self._results or found[:2] < self._results[key][:2]:
            self._results[key] = found

    def __iter__(self) -> Iterator[Configuration]:
        """New configurations until the space is used up."""
        while (config := self._draw()) is not None:
            yield config

    def _draw(self) -> Configuration | None:
        seeds = np.random.SeedSequence([self._scenario.seed, self._draws]).generate_state(2)
        rng = np.random.RandomState(int(seeds[0]))
        informed = self._draws >= self._first and len(self._encoder) >= FIRST_FIT
        informed = informed and self._encoder.count(self.trusted()) >= FEWEST
        self.suggested = informed and rng.rand() >= RANDOM_SHARE
        near = self.prior.draw(self._draws, incumbent=False) if self.prior and self._draws >= self._first else []
        self._draws += 1
        given = self._first_new(chain(self._heard, near)) or (None if self.suggested else self._given())
        self._heard = [config for config in self._heard if config_key(config) not in self._seen]
        self.suggested = self.suggested and given is None
        if self._remembered:
            given = self._remembered.pop()
            self._seen[config_key(given)] = None
        if given is not None:
            return Configuration(self._space, values=given)
        config = self._new(self._suggestions(int(seeds[1]))) if self.suggested else None
        for _ in range(TRIES):
            config = config or self._new(self._encoder.points.draw(8, rng))
        return config

    def _begin_with(self, configs: Sequence[Config]) -> None:
        """Draw these first; random draws are those of random search."""
        self._first = len(configs)
        self._source = chain(configs, random_configs(self._space, self._scenario.seed))

    def _given(self) -> Config | None:
        """The next one that needs no surrogate, and was not drawn before; None where there is none left."""
        return self._first_new(self._source)

    def _first_new(self, configs: Iterable[Config]) -> Config | None:
        """The first that was not drawn before."""
        for config in configs:
            if (key := config_key(config)) not in self._seen:
                self._seen[key] = None
                return config
        return None

    def _new(self, rows: Sequence[Floats] | Floats) -> Configuration | None:
        """The first of `rows` that was not drawn before, in the form that its values alone determine."""
        for row in rows:
            config = self._encoder.points.config(row)
            if config is not None and (key := config_key(config)) not in self._seen:
                self._seen[key] = None
                return Configuration(self._space, values=config)
        return None

    def _suggestions(self, seed: int) -> Floats:
        model, encoder = self._surrogate(), self._encoder
        known = sorted(self._results.values(), key=lambda found: found[:2])[:PARENTS]
        lowest = self.trusted()
        known = [found for found in known if -found[0] >= lowest] or known
        rows = np.array([row for _, _, row in known])
        means = model.predict(encoder.at(rows, -1), None)[0].ravel()
        order = np.argsort(means, kind="stable")
        function: FullFidelityEI = self._acquisition_function
        function.update(model=model, eta=means[order[0]], log_cost=encoder.log_cost)
        search: PointSearch = self._acquisition_maximizer
        search.reseed(seed)
        return search.search(rows[order], self.effort)

    def trusted(self) -> int:
        """The lowest level whose results tell something of those at full fidelity; those below it are not used."""
        known = len(self._encoder)
        if known != self._judged[0]:
            top = len(self._encoder.lack) - 1
            early = known < FIRST_TRUST or len(self._pairs(0)) < PAIRS
            self._judged = known, 0 if early else next((i for i in range(top) if self._useful(i)), top)
        return self._judged[1]

    def _useful(self, level: int) -> bool:
        """Whether a level foretells full fidelity, by two witnesses, or by one if it is sure.

        The surrogate knows of noise, and that only the best were promoted; the ranks that configurations have at this
        level and the next know nothing of kernels.
        """
        surrogate, both = self._fit().correlation(self._encoder.lack[level]), self._pairs(level)
        if len(both) < PAIRS:
            return surrogate >= ALONE
        low, next_up = zip(*both, strict=True)
        ranks = float(spearmanr(low, next_up).statistic) if min(len(set(low)), len(set(next_up))) > 1 else 0.0
        return surrogate + ranks >= 2 * TRUST

    def _pairs(self, level: int) -> list[tuple[float, float]]:
        """Losses of the configurations that were seen at a level and the next."""
        seen = self._seen_at.values()
        return [(at[level], at[level + 1]) for at in seen if level in at and level + 1 in at]

    def _fit(self) -> CurveProcess:
        """The process, with hyperparameters as they are due."""
        model = self._model
        assert isinstance(model, CurveProcess)
        due = last_fit(len(self._encoder), FIRST_FIT)
        if due != self._fitted:
            model.fit(*self._encoder.transform(first=due))
            self._fitted = due
        return model

    def _surrogate(self) -> CurveProcess:
        """The process given all results, and what runs as if it came out as expected."""
        encoder, model = self._encoder, self._fit()
        x, y = encoder.transform(level=self.trusted())
        keep = representative(y, x[:, -1], round(POINTS * self.effort))
        model.train(x[keep], y[keep])
        if self._running:
            rows, levels = zip(*self._running.values(), strict=True)
            model.extend(encoder.at(np.array(rows), levels))
        return model

    @property
    def _encoder(self) -> CurveEncoder:
        encoder = self._runhistory_encoder
        assert isinstance(encoder, CurveEncoder)
        return encoder

    @property
    def _space(self) -> Configuration:
        return self._scenario.configspace
