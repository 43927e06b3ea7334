"""The surrogate behind `smac`: one Gaussian process over configuration and fidelity, from the results of all rungs.

A Matérn kernel (5/2) of the distance between two results, with a length scale for each hyperparameter and one for the
fidelity, so that a result says much about a near configuration at a near rung, and less about others. (SMAC's own
process is fitted to one budget, takes seconds a fit, and its hyperparameters follow from random restarts.)

The hyperparameters are those of highest posterior probability, under priors that keep few points from misleading them:
length scales about half the space's diagonal, little noise. They are found by L-BFGS with exact gradients, always from
the priors' centre, so that the process follows from the results alone and not from earlier fits.
Rasmussen and Williams 2006, chapters 2, 4.2 and 5.4.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize
from smac.model.abstract_model import AbstractModel

from mfbo.optimizers.points import Floats, Points

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

SQRT5 = math.sqrt(5.0)
JITTER = 1e-6
MAX_FIT_POINTS = 200  # results that the hyperparameters are fitted to; a fit takes some 90 ms (experiments/ask_time.py)
MAX_FIT_STEPS = 40
FIT_TOLERANCE = 1e-4
"""Relative decrease of the negative log posterior in a step below which a fit ends: the second digit of a length scale
does not change any more, in half the steps of the default."""


class CurveProcess(AbstractModel):
    """Gaussian process over rows of `Points` and, in the last column, what the fidelity lacks: 0 at full, 1 at lowest.

    Args:
        space: of the configurations.
        seed: SMAC's; nothing in here is random.
    """

    def __init__(self, space: ConfigurationSpace, seed: int = 0) -> None:
        # SMAC knows extra columns as features of problem instances; the fidelity is the one feature
        super().__init__(space, instance_features={"": [0.0]}, pca_components=None, seed=seed)
        self.points = Points(space)
        size = self.points.size
        self._categorical = np.append(self.points.categorical, False)
        scale = math.log(0.5 * math.sqrt(size))
        # length scales of the hyperparameters, of the fidelity, variance, variance of the noise at full fidelity, what
        # the lowest adds to it, and variance of what all losses there are off by; all logarithms
        variances = [1.0, 1e-3, 1e-2, 0.5]
        self._centre = np.array([scale] * size + [0.0, *np.log(variances)])
        self._width = np.array([0.8] * size + [0.7, 1.0, 1.5, 1.5, 1.5])
        self._theta: Floats = self._centre
        self._x: Floats = np.empty((0, size + 1))
        self._y: Floats = np.empty(0)
        self._weights: Floats = np.empty(0)
        self._inverse: Floats = np.empty((0, 0))
        self._told_noise: Floats = np.empty(0)
        self._mean, self._scale = 0.0, 1.0

    def fit(self, x: Floats, y: Floats, noise: Floats | None = None) -> None:
        """Find the hyperparameters.

        Args:
            x: (n, size + 1).
            y: (n,), losses, transformed.
            noise: (n,), variance of each loss that is known beforehand; what there is beside it is found.
        """
        keep = representative(y, x[:, -1], MAX_FIT_POINTS)
        values, _, scale = _standard(y[keep])
        told = np.zeros(len(keep)) if noise is None else noise[keep] / scale**2
        found = minimize(
            _Posterior(self._features(x[keep]), values, self, told),
            self._centre,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(self._centre - 6 * self._width, self._centre + 6 * self._width, strict=True)),
            options={"maxiter": MAX_FIT_STEPS, "ftol": FIT_TOLERANCE},
        )
        self._theta = found.x

    def condition(self, x: Floats, y: Floats, noise: Floats | None = None) -> None:
        """Condition on results; the arguments are those of `fit`."""
        self._told_noise = np.zeros(len(y)) if noise is None else noise
        self.train(x, y)

    def extend(self, x: Floats) -> None:
        """Pretend that `x` came out as expected, so that what runs already is not asked again: (n, size + 1)."""
        features = self._features(x)
        mean = self._covariance(features, self._x) @ self._weights
        self._x, self._y = np.concatenate([self._x, features]), np.concatenate([self._y, mean])
        self._factor()

    def _train(self, X: Floats, Y: Floats) -> CurveProcess:  # noqa: N803
        """Condition on results at the hyperparameters of the last `fit`; see `AbstractModel.train`."""
        self._x = self._features(X)
        self._y, self._mean, self._scale = _standard(Y.ravel())
        if len(self._told_noise) != len(self._y):  # SMAC calls `train` itself
            self._told_noise = np.zeros(len(self._y))
        self._factor()
        return self

    def _predict(self, X: Floats, covariance_type: str | None = "diagonal") -> tuple[Floats, Floats | None]:  # noqa: N803
        """Mean and variance without noise; see `AbstractModel.predict`."""
        features = self._features(X)
        cross = self._covariance(features, self._x)
        mean = self._mean + self._scale * (cross @ self._weights)
        if covariance_type is None:
            return mean, None
        if covariance_type == "full":
            prior = self._covariance(features, features)
            return mean, np.asarray(self._scale**2 * (prior - cross @ self._inverse @ cross.T))
        variance = self._prior_variance(features[:, -1]) - np.einsum("ij,ij->i", cross @ self._inverse, cross)
        variance = self._scale**2 * np.maximum(variance, 1e-10)
        return mean, np.sqrt(variance) if covariance_type == "std" else variance

    def _factor(self) -> None:
        covariance = self._covariance(self._x, self._x)
        told = np.append(self._told_noise, np.zeros(len(self._y) - len(self._told_noise)))  # none of what runs
        covariance.flat[:: len(covariance) + 1] += self._noise(self._x[:, -1]) + told / self._scale**2 + JITTER
        self._inverse, _ = _inverse(covariance)
        self._weights = self._inverse @ self._y

    def _features(self, x: Floats) -> Floats:
        return np.column_stack([self.points.features(x[:, :-1]), x[:, -1]])

    def _covariance(self, a: Floats, b: Floats) -> Floats:
        precision = np.exp(-2 * self._theta[:-4])
        numeric = ~self._categorical
        numeric[-1] = False  # the fidelity
        left, right = (part[:, numeric] * np.sqrt(precision[numeric]) for part in (a, b))
        squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
        for i in np.flatnonzero(self._categorical):
            squared += precision[i] * (a[:, i, None] != b[:, i])
        variance, shift = np.exp(self._theta[[-4, -1]])
        squared += precision[-1] * (a[:, -1, None] - b[:, -1]) ** 2
        return np.asarray(variance * matern(np.maximum(squared, 0.0))[0] + shift * np.outer(a[:, -1], b[:, -1]))

    def _prior_variance(self, lack: Floats) -> Floats:
        variance, shift = np.exp(self._theta[[-4, -1]])
        return np.asarray(variance + shift * lack**2)

    def _noise(self, lack: Floats) -> Floats:
        """Its variance, which grows as fidelity falls: (n,)."""
        return np.asarray(np.exp(self._theta[-3]) + np.exp(self._theta[-2]) * lack**2)

    def squares(self, x: Floats) -> Floats:
        """Squared differences in each column, 0 or 1 between categories: (size + 1, n, n)."""
        columns = x.T
        found = (columns[:, :, None] - columns[:, None, :]) ** 2
        found[self._categorical] = found[self._categorical] > 0
        return np.asarray(found)

    @property
    def prior(self) -> tuple[Floats, Floats]:
        """(centre, width) of the normal priors on the logarithms of the hyperparameters."""
        return self._centre, self._width


class _Posterior:
    """Minus the logarithm of the hyperparameters' posterior, and its gradient."""

    def __init__(self, x: Floats, y: Floats, model: CurveProcess, noise: Floats | float = 0.0) -> None:
        self._y, self._lack, self._told = y, x[:, -1], noise
        self._squares = model.squares(x).reshape(x.shape[1], -1)
        self._centre, self._width = model.prior

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        n = len(self._y)
        precision, (variance, noise, more, shift) = np.exp(-2 * theta[:-4]), np.exp(theta[-4:])
        both = np.outer(self._lack, self._lack)
        values, slopes = matern((precision @ self._squares).reshape(n, n))
        covariance = variance * values + shift * both
        covariance.flat[:: n + 1] += noise + more * self._lack**2 + self._told + JITTER
        try:
            inverse, logarithm = _inverse(covariance)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        weights = inverse @ self._y
        outer = 0.5 * (inverse - np.outer(weights, weights))
        off = (theta - self._centre) / self._width
        gradient = off / self._width
        gradient[:-4] += variance * precision * (self._squares @ (outer * slopes).ravel())
        gradient[-4] += variance * float((outer * values).sum())
        gradient[-3] += noise * float(np.trace(outer))
        gradient[-2] += more * float(np.diag(outer) @ self._lack**2)
        gradient[-1] += shift * float((outer * both).sum())
        return 0.5 * float(self._y @ weights) + logarithm + 0.5 * float(off @ off), gradient


def matern(squared: Floats) -> tuple[Floats, Floats]:
    """Matérn's function of squared distances, and minus twice its derivative in them."""
    root = SQRT5 * np.sqrt(squared)
    decay = np.exp(-root)
    return (1 + root + 5 / 3 * squared) * decay, 5 / 3 * (1 + root) * decay


def representative(y: Floats, lack: Floats, most: int) -> Any:
    """Indices of at most `most` results that stand for all, ascending.

    Half of them are the best, a sixth each the last at full fidelity and the last of all, the rest is spread over time.

    Args:
        y: (n,), losses, transformed.
        lack: (n,), 0 at full fidelity.
        most: how many.
    """
    n = len(y)
    if n <= most:
        return np.arange(n)
    best = np.argsort(y, kind="stable")[: most // 2]
    full = np.flatnonzero(lack == lack.min())[-(most // 6) :]
    chosen = np.unique(np.concatenate([best, full, np.arange(n - most // 6, n)]))
    rest = np.setdiff1d(np.arange(n), chosen)
    spread = rest[np.linspace(0, len(rest) - 1, most - len(chosen)).astype(int)]
    return np.union1d(chosen, spread)


def _standard(y: Floats) -> tuple[Floats, float, float]:
    mean, scale = float(y.mean()), float(y.std()) + 1e-12
    return (y - mean) / scale, mean, scale


def _inverse(covariance: Floats) -> tuple[Floats, float]:
    """(inverse, half the logarithm of the determinant)."""
    lower = np.linalg.cholesky(covariance)
    found = np.tril(lapack.dpotri(lower, lower=1)[0])
    return found + np.tril(found, -1).T, float(np.log(np.diag(lower)).sum())
