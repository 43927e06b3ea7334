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
from mfbo.optimizers.smac.full_ei import COST_POWER, FullFidelityEI, PointSearch
from mfbo.optimizers.smac.levels import RungChoice
from mfbo.trial import Config, config_key

FIRST_SUGGESTION = 8
"""Results before the surrogate suggests configurations. Set on 6 instances of LCBench."""

MIN_RANDOM_SHARE, MAX_RANDOM_SHARE = 0.3, 0.5
"""Of new configurations; between them it follows from how often random ones and suggestions come among the best third
of their rung. See "The lowest rung first" in experiments/suite.md."""

SURROGATE = "surrogate"  # SMAC's `Configuration.origin` of a suggestion

RANDOM_ROWS = 32  # from which a random configuration is chosen by its cost; more would leave the cheapest alone

MIN_RESULTS = 3  # that the surrogate is conditioned on, so that there is a best, a median and a spread

MAX_SURROGATE_RESULTS = 300
"""Results that the surrogate is conditioned on: an ask stays under 50 ms at 1,000 results (experiments/ask_time.py)."""

REPEATED = 1  # of the best configurations of an earlier run, asked again first: the surrogate knows them all

MAX_PARENTS = 150  # configurations that the incumbent is looked for among; bounds the time of an ask

OVERHEAD_SHARE = 0.05
"""Of the trials' own cost: where the usual computation would take more, there is less of it. A choice of design."""

LESS_EFFORT = 0.25  # of the usual results and candidates, then; halves the time of an ask (experiments/ask_time.py)


def usual_overhead(results: int) -> float:
    """Seconds of an ask with its tell on one core of 2020 (experiments/ask_time.py); a figure that replays share."""
    return 0.009 + 1.3e-5 * min(results, 1000)


class CurveSelector(ConfigSelector):
    """Draws configurations, none twice.

    Args:
        scenario: SMAC's.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, retrain_after=1)
        self._prior: Prior | None = None
        self._prior_read = self._prior_version = 0  # results of the history that the prior was told
        self._prior_start = 0
        self._next: list[Config] = []
        self._first = 0
        self._source: Iterator[Config] = iter(())
        self._seen: dict[str, None] = {}
        self._draws = self._fitted = 0
        self._rungs: RungChoice | None = None
        self._remembered: list[Config] = []
        self._scarce = is_scarce(self._space)
        self._begin_with([plain(self._space.get_default_configuration())])

    def remember(self, configs: Sequence[Config]) -> None:
        """Configurations that will be drawn next, in order."""
        self._remembered = list(reversed(configs))

    def grow(self, budgets: Sequence[float], works: Sequence[float]) -> None:
        """Have these rungs: those so far, and some above them."""
        self._encoder.grow(budgets, works)

    def begin_with_best(self) -> None:
        """Draw the best configurations of an earlier run first; its results are in the history."""
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
        informed = informed and self._encoder.count(self.levels()[0]) >= MIN_RESULTS
        suggested = informed and rng.rand() >= self._random_share()
        near = self._near_prior() if self._draws >= self._first else []
        self._draws += 1
        given = self._first_new(chain(self._next, near)) or (None if informed else self._given())
        self._next = [config for config in self._next if config_key(config) not in self._seen]
        suggested = suggested and given is None
        if self._remembered:
            given = self._remembered.pop()
            self._seen[config_key(given)] = None
        if given is not None:
            config = Configuration(self._space, values=given)
        else:
            config = self._new(self._suggestions(int(seeds[1]))) if suggested else None
            for _ in range(1 if self._scarce else TRIES):
                config = config or self._new(self._random(rng) if informed else self._encoder.points.draw(8, rng))
            if config is None and (left := self._given()) is not None:  # few are left, which chance does not find
                config = Configuration(self._space, values=left)
        if config is not None and suggested:
            config.origin = SURROGATE
        return config

    def _random(self, rng: np.random.RandomState) -> Floats:
        """Random rows in a random order in which the cheap come first more often, as suggestions do.

        Costs have long tails: a few of the uniform draws would take most of a small budget. The order is that of
        draws without replacement with weights cost ** -COST_POWER (Efraimidis and Spirakis 2006), and of the chance to
        fit into memory.
        """
        rows = self._encoder.points.draw(RANDOM_ROWS, rng)
        waits = rng.exponential(size=len(rows)) * np.exp(
            COST_POWER * self._encoder.log_cost(rows) - self._encoder.log_fits(rows)
        )
        return np.asarray(rows[np.argsort(waits, kind="stable")])

    def _random_share(self) -> float:
        """Share of the random configurations: the worse the surrogate's suggestions do beside them, the more."""
        losses = self._encoder.losses_at(self.levels()[0])
        best = set(sorted(losses, key=losses.__getitem__)[: max(1, len(losses) // 3)])
        suggested = {number for number in losses if self._runhistory.get_config(number).origin == SURROGATE}
        mine, others = (  # one success in two stands for what is not known yet
            (1 + len(best & group)) / (2 + len(group)) for group in (suggested, losses.keys() - suggested)
        )
        return min(MAX_RANDOM_SHARE, max(MIN_RANDOM_SHARE, others / (mine + others)))

    def _near_prior(self) -> list[Config]:
        """Choices near the prior; none where there is none, or the draw is to come from another source."""
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
        informative = levels >= self.levels()[0]
        rows = rows[informative] if informative.any() else rows
        means = model.predict(encoder.at(rows, -1), None)[0].ravel()
        order = np.argsort(means, kind="stable")
        function: FullFidelityEI = self._acquisition_function
        function.update(model=model, eta=means[order[0]], log_cost=encoder.log_cost, log_fits=encoder.log_fits)
        search: PointSearch = self._acquisition_maximizer
        search.reseed(seed)
        return search.search(rows[order], self.effort)

    def levels(self) -> list[int]:
        """The rungs in use; see `RungChoice`."""
        if self._rungs is None:
            self._rungs = RungChoice(self._encoder)
        return self._rungs.levels()

    def _fit(self) -> CurveProcess:
        """The process, with hyperparameters as they are due."""
        model = self._model
        assert isinstance(model, CurveProcess)
        due = last_fit(len(self._encoder), FIRST_SUGGESTION)
        if due != self._fitted:
            model.fit(*self._encoder.transform(first=due), self._encoder.noise(first=due))
            self._fitted = due
        return model

    def _surrogate(self) -> CurveProcess:
        """The process given all results, and what runs as if it came out as expected."""
        encoder, model = self._encoder, self._fit()
        x, y = encoder.transform(level=self.levels()[0])
        keep = representative(y, x[:, -1], round(MAX_SURROGATE_RESULTS * self.effort))
        model.condition(x[keep], y[keep], encoder.noise(level=self.levels()[0])[keep])
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
