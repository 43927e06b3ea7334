"""Which configuration is new behind `smac`: the space's default, a few at random, then what the surrogate suggests.

Everything follows from the seed, the number of the draw and the results so far, and from nothing else: so a draw that a
ledger remembers can be passed over without being computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import fmean

import numpy as np
from ConfigSpace import Configuration
from smac import Scenario
from smac.main.config_selector import ConfigSelector

from mfbo.optimizers.legal import is_scarce
from mfbo.optimizers.points import Floats
from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import TRIES, beats, plain, random_configs
from mfbo.optimizers.smac.curve_gp import CurveProcess, representative
from mfbo.optimizers.smac.encoder import CurveEncoder, last_fit
from mfbo.optimizers.smac.full_ei import FullFidelityEI, PointSearch
from mfbo.optimizers.smac.halving import FIRST_SUGGESTION, RANDOM_SHARE
from mfbo.trial import Config, config_key

JUDGE_AFTER = 20
"""Results before a rung can be found not to correlate with full fidelity. 12 gives 0.24 and 0.53 at 16 on
hartmann3-terrible and hartmann6-terrible in place of 0.28 and 0.54 (15 seeds), and 0.083 in place of 0.075 on 17
instances of LCBench (4 seeds)."""

MIN_CORRELATION = 0.35
"""Least mean correlation, by surrogate and by ranks, of a rung that is used. Set on hartmann3-terrible."""

MIN_PAIRS = 4  # configurations seen at a rung and the next, before their ranks count; fewer have hardly any ranks

MIN_SURROGATE_CORRELATION = 0.6
"""Least correlation by the surrogate alone, where there are too few pairs. Set on hartmann3-terrible."""

MIN_RESULTS = 3  # that the surrogate is conditioned on, so that there is a best, a median and a spread

MAX_SURROGATE_RESULTS = 300
"""Results that the surrogate is conditioned on: an ask stays under 50 ms at 1,000 results (experiments/thinking.py)."""

REPEATED = 1  # of the best configurations of an earlier run, asked again first: the surrogate knows them all

MAX_PARENTS = 150  # configurations that the incumbent is looked for among; bounds the time of an ask

OVERHEAD_SHARE = 0.05
"""Of the trials' own cost: where the usual computation would take more, there is less of it. A choice of design."""

LESS_EFFORT = 0.25  # of the usual results and candidates, then; halves the time of an ask (experiments/thinking.py)


def usual_overhead(results: int) -> float:
    """Seconds of an ask with its tell on one core of 2020 (experiments/thinking.py); a figure that replays share."""
    return 0.009 + 1.3e-5 * min(results, 1000)


class CurveSelector(ConfigSelector):
    """Draws configurations, none twice.

    Args:
        scenario: SMAC's.

    Attributes:
        suggested: whether the last draw was the surrogate's.
        warm: whether it began with results of an earlier run.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, retrain_after=1)
        self.suggested = self.warm = False
        self._prior: Prior | None = None
        self._prior_read = self._prior_version = 0  # results of the history that the prior was told
        self._prior_start = 0
        self._next: list[Config] = []
        self._first = 0
        self._source: Iterator[Config] = iter(())
        self._seen: dict[str, None] = {}
        self._draws = self._fitted = 0
        self._judged = (0, 0, 0)  # version and number of the results, and the lowest informative level by them
        self._remembered: list[Config] = []
        self._scarce = is_scarce(self._space)
        self._begin_with([plain(self._space.get_default_configuration())])

    def remember(self, configs: Sequence[Config]) -> None:
        """Configurations that will be drawn next, in order."""
        self._remembered = list(reversed(configs))

    def grow(self, budgets: Sequence[float], works: Sequence[float]) -> None:
        """Have these rungs: those so far, and some above them; which is informative is judged anew."""
        self._encoder.grow(budgets, works)
        self._judged = (0, 0, 0)

    def begin_with_best(self) -> None:
        """Draw the best configurations of an earlier run first; its results are in the history."""
        self.warm = True
        rows, _, _ = self._encoder.best_of_each()
        configs = (self._encoder.points.config(row) for row in rows[:REPEATED])
        self._begin_with([config for config in configs if config is not None])

    def use_prior(self, prior: Prior) -> None:
        """Draw the prior first, and then near it as long as results support it."""
        self._prior, self._first = prior, self._first + 1
        self._prior_start = self._prior_read = len(self._encoder)
        self._source = chain([prior.config], self._source)

    def draw_if_best(self, config: Config, level: int, loss: float) -> None:
        """Draw a configuration next if its loss beats all results so far, of which it is none."""
        if len(self._encoder):
            _, levels, losses = self._encoder.best_of_each()
            if not beats(loss, level, list(zip(levels, losses, strict=True))):
                return
        self._next = [config]

    @property
    def effort(self) -> float:
        """Share of the results and candidates that the surrogate usually looks at; less for cheap trials."""
        seconds = self._encoder.seconds()
        cheap = bool(seconds) and usual_overhead(len(seconds)) > OVERHEAD_SHARE * fmean(seconds[-20:])
        return LESS_EFFORT if cheap else 1.0

    def __iter__(self) -> Iterator[Configuration]:
        """New configurations until the space is used up."""
        while (config := self._draw()) is not None:
            yield config

    def _draw(self) -> Configuration | None:
        seeds = np.random.SeedSequence([self._scenario.seed, self._draws]).generate_state(2)
        rng = np.random.RandomState(int(seeds[0]))
        informed = self._draws >= self._first and len(self._encoder) >= FIRST_SUGGESTION
        informed = informed and self._encoder.count(self.lowest_informative()) >= MIN_RESULTS
        self.suggested = informed and rng.rand() >= RANDOM_SHARE
        near = self._near_prior() if self._draws >= self._first else []
        self._draws += 1
        given = self._first_new(chain(self._next, near)) or (None if self.suggested else self._given())
        self._next = [config for config in self._next if config_key(config) not in self._seen]
        self.suggested = self.suggested and given is None
        if self._remembered:
            given = self._remembered.pop()
            self._seen[config_key(given)] = None
        if given is not None:
            return Configuration(self._space, values=given)
        config = self._new(self._suggestions(int(seeds[1]))) if self.suggested else None
        for _ in range(1 if self._scarce else TRIES):
            config = config or self._new(self._encoder.points.draw(8, rng))
        if config is None and (left := self._given()) is not None:  # few are left, which chance does not find
            return Configuration(self._space, values=left)
        return config

    def _near_prior(self) -> list[Config]:
        """Choices near the prior; none where there is none, or the draw is to come from elsewhere."""
        prior, encoder = self._prior, self._encoder
        if prior is None:
            return []
        if encoder.version != self._prior_version:
            prior.clear()
            self._prior_version, self._prior_read = encoder.version, self._prior_start
        for row, level, loss in encoder.new_since(self._prior_read):
            prior.add_row(row, level, loss)
        self._prior_read = len(encoder)
        return prior.draw(self._draws, incumbent=False)

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
        rows, levels, _ = encoder.best_of_each()
        rows, levels = rows[:MAX_PARENTS], levels[:MAX_PARENTS]
        informative = levels >= self.lowest_informative()
        rows = rows[informative] if informative.any() else rows
        means = model.predict(encoder.at(rows, -1), None)[0].ravel()
        order = np.argsort(means, kind="stable")
        function: FullFidelityEI = self._acquisition_function
        function.update(model=model, eta=means[order[0]], log_cost=encoder.log_cost)
        search: PointSearch = self._acquisition_maximizer
        search.reseed(seed)
        return search.search(rows[order], self.effort)

    def lowest_informative(self) -> int:
        """The lowest level whose results correlate with full fidelity; those below it are not used."""
        encoder = self._encoder
        state = encoder.version, len(encoder)
        if state != self._judged[:2]:
            top = len(encoder.lack) - 1
            early = len(encoder) < JUDGE_AFTER or len(encoder.pairs(0)) < MIN_PAIRS
            lowest = 0 if early else next((i for i in range(top) if self._correlates(i)), top)
            self._judged = *state, lowest
        return self._judged[2]

    def _correlates(self, level: int) -> bool:
        """Whether a level predicts full fidelity: by surrogate and ranks together, or by the surrogate if it is sure.

        The surrogate takes account of noise, and that only the best were promoted; the ranks that configurations have
        at this level and the next depend on no kernel.
        """
        surrogate, both = self._fit().correlation(self._encoder.lack[level]), self._encoder.pairs(level)
        if len(both) < MIN_PAIRS:
            return surrogate >= MIN_SURROGATE_CORRELATION
        low, next_up = zip(*both, strict=True)
        from scipy.stats import spearmanr  # slow to import, and only used once rungs have results to compare

        ranks = float(spearmanr(low, next_up).statistic) if min(len(set(low)), len(set(next_up))) > 1 else 0.0
        return surrogate + ranks >= 2 * MIN_CORRELATION

    def _fit(self) -> CurveProcess:
        """The process, with hyperparameters as they are due."""
        model = self._model
        assert isinstance(model, CurveProcess)
        due = last_fit(len(self._encoder), FIRST_SUGGESTION)
        if due != self._fitted:
            model.fit(*self._encoder.transform(first=due))
            self._fitted = due
        return model

    def _surrogate(self) -> CurveProcess:
        """The process given all results, and what runs as if it came out as expected."""
        encoder, model = self._encoder, self._fit()
        x, y = encoder.transform(level=self.lowest_informative())
        keep = representative(y, x[:, -1], round(MAX_SURROGATE_RESULTS * self.effort))
        model.train(x[keep], y[keep])
        rows, levels = encoder.running()
        if len(rows):
            model.extend(encoder.at(rows, levels))
        return model

    @property
    def _encoder(self) -> CurveEncoder:
        encoder = self._runhistory_encoder
        assert isinstance(encoder, CurveEncoder)
        return encoder

    @property
    def _space(self) -> Configuration:
        return self._scenario.configspace
