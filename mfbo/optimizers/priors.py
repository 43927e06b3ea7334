"""A configuration that somebody believes to be good: asked first, drawn near to, given up where results disagree.

PriorBand, Mallik et al. 2023 (NeurIPS, arXiv:2306.12370): a new configuration comes from the space as a whole, from
near the prior, or from near the incumbent. At level r of the ladder 1 of ``1 + eta**r`` comes from the space. Prior and
incumbent share the rest: at first the prior has all of it, then each has a part in proportion to how likely the best
third of the highest rung is under its distribution. So a prior that misleads is soon not drawn from any more. Where a
surrogate suggests configurations, it stands in for the incumbent.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Iterator
from itertools import chain, count

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import Constant, OrdinalHyperparameter
from scipy.special import logsumexp, ndtr, ndtri

from mfbo.fidelity import ETA
from mfbo.optimizers.points import Floats, Points
from mfbo.trial import Config, config_key

WIDTH = 0.25  # standard deviation of a number around the centre, as a part of its range (on its own scale)
FAVOUR = 4.0  # how much likelier the centre's category is than any other
MUTATED = 0.5  # chance that a part of the incumbent changes
NEAR_CHOICES = 8  # points that are drawn for one that is new and not forbidden


class Prior:
    """Draws near a configuration as long as results support it; deterministic given the seed and the results.

    Args:
        space: what to tune; its random state is not touched.
        config: the configuration believed to be good.
        seed: of the run.

    Attributes:
        config: as given.
    """

    def __init__(self, space: ConfigurationSpace, config: Config, seed: int) -> None:
        self.config = config
        self._points = Points(space)
        self._row = self._points.rows([config])[0]
        self._seed = seed
        self._results: dict[int, list[tuple[float, int]]] = {}  # of a level: (loss, index in `_rows`), best first
        self._rows: list[Floats] = []

    def add(self, config: Config, level: int, loss: float | None) -> None:
        """Add the loss of a configuration at a level; None where it failed."""
        self.add_row(self._points.rows([config])[0], level, loss)

    def add_row(self, row: Floats, level: int, loss: float | None) -> None:
        """The same for a configuration as a row of `Points`."""
        if loss is not None:
            self._rows.append(row)
            insort(self._results.setdefault(level, []), (loss, len(self._rows) - 1))

    def clear(self) -> None:
        """Remove all results, which will be added again."""
        self._results.clear()
        self._rows.clear()

    def shares(self, level: int = 0) -> tuple[float, float]:
        """(near the prior, near the incumbent): parts of the configurations that begin at `level`."""
        informed = ETA**level / (1 + ETA**level)
        trust = self.trust
        return informed * trust, informed * (1 - trust)

    @property
    def trust(self) -> float:
        """Share of the prior beside the incumbent: 1 before there are results, then less, down to 0."""
        best = self._best()
        if not best:
            return 1.0
        rows = np.array([self._rows[index] for _, index in best])
        weights = np.log(np.arange(len(best), 0, -1))
        prior, incumbent = (
            float(logsumexp(weights + self._likelihood(rows, centre))) for centre in (self._row, rows[0])
        )
        return 1 / (1 + math.exp(min(incumbent - prior, 500.0)))

    def draw(self, number: int, level: int = 0, *, incumbent: bool = True) -> list[Config]:
        """Choices for draw `number`, near the prior or the incumbent; none where it is to come from another source.

        Args:
            number: of the draw in its run.
            level: at which the configuration will begin.
            incumbent: False where a surrogate does its part.
        """
        rng = np.random.RandomState(np.random.SeedSequence([self._seed, number, 2]).generate_state(1))
        u, (prior, near) = float(rng.rand()), self.shares(level)
        if u < prior:
            rows = self._around(self._row, rng, 1.0)
        elif incumbent and u < prior + near:
            rows = self._around(self._rows[self._best()[0][1]], rng, MUTATED)
        else:
            return []
        return [config for row in rows if (config := self._points.config(row)) is not None]

    def _best(self) -> list[tuple[float, int]]:
        """The best third of the highest level that has as many results as make a third."""
        level = max((level for level, found in self._results.items() if len(found) >= ETA), default=-1)
        found = self._results.get(level, [])
        return found[: len(found) // ETA]

    def _likelihood(self, rows: Floats, centre: Floats) -> Floats:
        """Log-density of rows under the distribution around `centre`, up to a constant of the space: (n,)."""
        total = np.zeros(len(rows))
        for i, hyperparameter in enumerate(self._points.hyperparameters):
            known = ~np.isnan(rows[:, i])
            if isinstance(hyperparameter, Constant) or math.isnan(centre[i]):
                continue
            if self._points.categorical[i]:
                total += np.where(known & (rows[:, i] == centre[i]), math.log(FAVOUR), 0.0)
                continue
            span = self._span(i)
            at, mean = rows[:, i] / span, centre[i] / span
            mass = ndtr((1 - mean) / WIDTH) - ndtr(-mean / WIDTH)
            density = -0.5 * ((at - mean) / WIDTH) ** 2 - math.log(WIDTH * math.sqrt(2 * math.pi) * mass)
            total += np.where(known, density, 0.0)
        return total

    def _around(self, centre: Floats, rng: np.random.RandomState, changed: float) -> Floats:
        """Up to `NEAR_CHOICES` rows around `centre`, of which each part differs with a chance of `changed`."""
        rows = np.repeat(centre[None], NEAR_CHOICES, axis=0)
        chosen, u = rng.rand(*rows.shape) < changed, rng.rand(*rows.shape)
        for i, hyperparameter in enumerate(self._points.hyperparameters):
            if math.isnan(centre[i]):  # inactive in the centre; another part may wake it
                rows[:, i] = hyperparameter.sample_vector(NEAR_CHOICES, seed=rng)
            elif not isinstance(hyperparameter, Constant):
                rows[:, i] = np.where(chosen[:, i], self._moved(i, centre[i], u[:, i]), centre[i])
        return self._points.legal(rows)

    def _moved(self, i: int, centre: float, u: Floats) -> Floats:
        """Values of a hyperparameter around `centre`, from uniform numbers."""
        hyperparameter, count = self._points.hyperparameters[i], int(self._points.counts[i])
        if self._points.categorical[i]:
            weights = np.where(np.arange(count) == centre, FAVOUR, 1.0)
            return np.searchsorted(np.cumsum(weights)[:-1] / weights.sum(), u, side="right").astype(np.float64)
        mean = centre / self._span(i)
        low, high = ndtr(-mean / WIDTH), ndtr((1 - mean) / WIDTH)
        moved = np.clip(mean + WIDTH * ndtri(low + u * (high - low)), 0.0, 1.0)
        if isinstance(hyperparameter, OrdinalHyperparameter):
            return np.asarray(np.round(moved * self._span(i)))
        return np.asarray(hyperparameter.to_vector(hyperparameter.to_value(moved)), dtype=np.float64)

    def _span(self, i: int) -> float:
        """What the vector of a hyperparameter goes up to: an ordinal's last place, else 1."""
        ordinal = isinstance(self._points.hyperparameters[i], OrdinalHyperparameter)
        return max(float(self._points.counts[i] - 1), 1.0) if ordinal else 1.0


def near(prior: Prior, source: Iterator[Config]) -> Iterator[Config]:
    """The prior, then configurations near it or the incumbent, or from `source`; none twice."""
    seen: set[str] = set()
    choices: Iterable[Config] = [prior.config]
    for number in count():
        new = next((config for config in chain(choices, source) if config_key(config) not in seen), None)
        if new is None:
            return
        seen.add(config_key(new))
        yield new
        choices = prior.draw(number)
