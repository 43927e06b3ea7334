"""What `smac` looks for: improvement at full fidelity, with some regard for what it costs.

Expected improvement (Jones, Schonlau and Welch 1998) as a logarithm, which stays exact where the improvement is tiny
(Ament et al. 2023, arXiv:2310.20708), minus half the logarithm of the predicted cost. All of it, expected improvement
per second, over-favours cheap configurations; none of it wastes the first of a small budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from scipy.special import log_ndtr
from smac.acquisition.function.abstract_acquisition_function import AbstractAcquisitionFunction
from smac.acquisition.maximizer.abstract_acquisition_maximizer import AbstractAcquisitionMaximizer

from mfbo.optimizers.points import Floats, Points

COST_POWER = 0.5
"""Power of the cost that the improvement is divided by: 0.26 of regret at 2 on 6 instances of LCBench, 4 to 6 seeds; 0
gives 0.41, and 1 the same within noise (experiments/suite.md)."""

# Sizes of the search, which keep an ask under 20 ms at 100 results (experiments/ask_time.py).
SEARCH_ROWS = 256
PARENTS, CHILDREN, CHILD_WIDTHS = 8, 6, (0.3, 0.1, 0.03)  # best configurations, variations of each, steps in each width
REFINED, REFINEMENTS, REFINEMENT_WIDTHS = 4, 16, (0.15, 0.06, 0.02)  # the same of the best rows so far
RETURNED_ROWS = 50  # more than were drawn before among the best

MIN_VARIANCE = 1e-10

Costs: TypeAlias = Callable[[Floats], Floats]


class FullFidelityEI(AbstractAcquisitionFunction):
    """Log expected improvement on `eta` at full fidelity, less a share of the log cost, where it fits into memory."""

    def __init__(self) -> None:
        super().__init__()
        self._eta = 0.0
        self._log_cost: Costs | None = None
        self._log_fits: Costs | None = None

    def _update(self, **kwargs: Any) -> None:
        self._eta, self._log_cost = float(kwargs["eta"]), kwargs.get("log_cost")
        self._log_fits = kwargs.get("log_fits")

    def of(self, rows: Floats) -> Floats:
        """The value of configurations as rows of `Points`: (n, size) -> (n,)."""
        return self._compute(np.column_stack([rows, np.zeros(len(rows))])).ravel()

    def _compute(self, X: Floats) -> Floats:  # noqa: N803
        assert self._model is not None
        mean, variance = self._model.predict(X)
        spread = np.sqrt(np.maximum(variance.ravel(), MIN_VARIANCE))
        value = log_improvement((self._eta - mean.ravel()) / spread) + np.log(spread)
        if self._log_cost is not None:
            value = value - COST_POWER * self._log_cost(X[:, :-1])
        if self._log_fits is not None:  # the improvement is there only where memory suffices (Gelbart et al. 2014)
            value = value + self._log_fits(X[:, :-1])
        return np.asarray(value).reshape(-1, 1)


def log_improvement(z: Floats) -> Floats:
    """log(z Phi(z) + phi(z)): the log expected improvement of a normal distribution in units of its deviation."""
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    low = np.minimum(z, -1.0)
    # Phi/phi is Mills' ratio; far out the two terms cancel to 1/z**2 of the density
    ratio = np.exp(log_ndtr(low) + 0.5 * low**2 + 0.5 * np.log(2 * np.pi))
    tail = np.where(low > -1e3, np.log(np.maximum(1 + low * ratio, low**-2.0 / 4)), -2 * np.log(-low))
    high = np.maximum(z, -1.0)
    bulk = np.log(high * np.exp(log_ndtr(high)) + np.exp(-0.5 * high**2) / np.sqrt(2 * np.pi))
    return np.asarray(np.where(z > -1.0, bulk, density + tail))


class PointSearch(AbstractAcquisitionMaximizer):
    """Looks among random points, then around the best known configurations, then ever closer around what looks best."""

    def __init__(self, space: ConfigurationSpace, function: FullFidelityEI, seed: int = 0) -> None:
        super().__init__(space, function, challengers=SEARCH_ROWS, seed=seed)
        self.points = Points(space)

    def reseed(self, seed: int) -> None:
        """Begin the next search with random numbers of its own."""
        self._rng = np.random.RandomState(seed)

    def search(self, parents: Floats, share: float = 1.0) -> Floats:
        """Rows of good acquisition, best first.

        Args:
            parents: (n, size), the best configurations known, best first.
            share: of the usual number of rows that is looked at.
        """
        near = np.repeat(parents[:PARENTS], math.ceil(CHILDREN * share), axis=0)
        rows = [self.points.draw(math.ceil(SEARCH_ROWS * share), self._rng)]
        rows += [self.points.near(near, width, self._rng) for width in CHILD_WIDTHS if len(near)]
        found = np.concatenate(rows)
        values = self.acquisition_function.of(found)
        for width in REFINEMENT_WIDTHS:
            best = found[np.argsort(-values, kind="stable")[:REFINED]]
            steps = self.points.near(np.repeat(best, math.ceil(REFINEMENTS * share), axis=0), width, self._rng)
            if len(steps):
                found, values = np.concatenate([found, steps]), np.append(values, self.acquisition_function.of(steps))
        return np.asarray(found[np.argsort(-values, kind="stable")[:RETURNED_ROWS]])

    def _maximize(self, previous_configs: list[Configuration], n_points: int) -> list[tuple[float, Configuration]]:
        """See `AbstractAcquisitionMaximizer`; `search` is the same without its objects."""
        parents = np.array([config.get_array() for config in previous_configs]).reshape(-1, self.points.size)
        rows = self.search(parents)[:n_points]
        values = self.acquisition_function.of(rows)
        return [(float(v), Configuration(self._configspace, vector=row)) for v, row in zip(values, rows, strict=True)]
