"""Which configuration is new behind `smac`: the space's default, a few at random, then what the surrogate suggests.

Everything follows from the seed, the number of the draw and the results so far, and from nothing else: so a draw that a
ledger remembers can be passed over without being computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from ConfigSpace import Configuration
from smac import Scenario
from smac.main.config_selector import ConfigSelector
from smac.runhistory import TrialInfo

from mfbo.optimizers.curve_gp import CurveProcess, representative
from mfbo.optimizers.encoder import CurveEncoder, last_fit
from mfbo.optimizers.full_ei import FullFidelityEI, PointSearch
from mfbo.optimizers.points import Floats
from mfbo.optimizers.sampling import TRIES
from mfbo.trial import Config, config_key

FIRST_FIT = 8  # results before the surrogate suggests
POINTS = 300  # results that it is conditioned on at most
RANDOM_SHARE = 0.15  # of the draws, always
BEGIN_WITH = 3  # of the best configurations of an earlier run, asked again first
PARENTS = 150  # configurations that the incumbent is looked for among


class CurveSelector(ConfigSelector):
    """Draws configurations, none twice.

    Args:
        scenario: SMAC's.

    Attributes:
        suggested: whether the last draw was the surrogate's.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, retrain_after=1)
        self.suggested = False
        self._seen: dict[str, None] = {}
        self._draws = self._fitted = 0
        self._remembered: list[Config] = []
        self._running: dict[int, tuple[Floats, int]] = {}
        self._results: dict[str, tuple[float, float, Floats]] = {}  # (-level, loss, row), the highest of each
        self._first: list[Floats] = [self._space.get_default_configuration().get_array()]

    def remember(self, configs: Sequence[Config]) -> None:
        """Configurations that will be drawn next, in order."""
        self._remembered = list(reversed(configs))

    def learn(self, known: Sequence[tuple[Config, int, float]]) -> None:
        """Begin with results from elsewhere, (values, level, loss); the best few are drawn again, first."""
        rows = self._encoder.points.rows([config for config, _, _ in known])
        for row, (config, level, loss) in zip(rows, known, strict=True):
            self._note(row, config_key(config), level, loss, None)
        best = sorted(self._results.values(), key=lambda found: found[:2])
        self._first = [row for _, _, row in best[:BEGIN_WITH]]

    def started(self, number: int, info: TrialInfo, level: int) -> None:
        """Trial `number` runs."""
        self._running[number] = (info.config.get_array(), level)

    def ended(self, number: int, key: str, loss: float | None, price: float | None) -> None:
        """Trial `number` came to `loss`, None where it failed, at a rate of `price` seconds a full evaluation."""
        row, level = self._running.pop(number)
        self._note(row, key, level, loss, price)

    def _note(self, row: Floats, key: str, level: int, loss: float | None, price: float | None) -> None:
        self._encoder.told(row, level, loss, price)
        found = (-level, math.inf if loss is None else loss, row)
        if key not in self._results or found[:2] < self._results[key][:2]:
            self._results[key] = found

    def __iter__(self) -> Iterator[Configuration]:
        """New configurations until the space is used up."""
        while (config := self._draw()) is not None:
            yield config

    def _draw(self) -> Configuration | None:
        seeds = np.random.SeedSequence([self._scenario.seed, self._draws]).generate_state(2)
        rng = np.random.RandomState(int(seeds[0]))
        self.suggested = len(self._encoder) >= FIRST_FIT and rng.rand() >= RANDOM_SHARE
        self._draws += 1
        if self._remembered:
            known, self._first = self._remembered.pop(), self._first[1:]
            self._seen[config_key(known)] = None
            return Configuration(self._space, values=known)
        first, self._first = self._first[:1], self._first[1:]
        config = self._new(first) or (self._new(self._suggestions(int(seeds[1]))) if self.suggested else None)
        for _ in range(TRIES):
            config = config or self._new(self._encoder.points.draw(8, rng))
        return config

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
        rows = np.array([row for _, _, row in known])
        means = model.predict(encoder.at(rows, -1), None)[0].ravel()
        order = np.argsort(means, kind="stable")
        function: FullFidelityEI = self._acquisition_function
        function.update(model=model, eta=means[order[0]], log_cost=encoder.log_cost)
        search: PointSearch = self._acquisition_maximizer
        search.reseed(seed)
        return search.search(rows[order])

    def _surrogate(self) -> CurveProcess:
        """The process given all results, and what runs as if it came out as expected."""
        encoder, model = self._encoder, self._model
        assert isinstance(model, CurveProcess)
        due = last_fit(len(encoder), FIRST_FIT)
        if due != self._fitted:
            model.fit(*encoder.transform(first=due))
            self._fitted = due
        x, y = encoder.transform()
        keep = representative(y, x[:, -1], POINTS)
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
