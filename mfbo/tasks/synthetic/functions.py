"""Test functions of multi-fidelity optimization: Branin, Hartmann, Forrester and counting ones.

Each has `losses` for `synthetic_curves.Curves`, and `at_full`, what a configuration is worth without noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mfbo.tasks.synthetic.curves import Floats, epochs_of, normals, uniforms
from mfbo.trial import Config, Rung

HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
A = {
    3: np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]]),
    6: np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    ),
}
P = {
    3: 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
    6: 1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
}


@dataclass(frozen=True)
class Branin:
    """Branin, with coefficients that are off at low fidelity as in BOCA.

    Source: Kandasamy et al. 2017, arXiv:1703.06240, page 18: b, c and t are off by 0.01, 0.1 and 0.005 times what the
    fidelity lacks to 1. Their noise (variance 0.05 at every fidelity) is left out, so that an optimizer can be seen
    to converge. With two dimensions of fidelity b follows the epochs and c and t the data, as in the example of the
    paper's own library (github.com/dragonfly/dragonfly, demos_synthetic/branin/branin_mf.py).

    Attributes:
        epochs: of a full evaluation.
        joint: whether c and t follow the data fraction.
    """

    epochs: int
    joint: bool = False

    def losses(self, config: Config, rung: Rung, seed: int) -> Floats:
        """(rung.epochs,), 0.398 or more at full fidelity."""
        lack = 1 - epochs_of(rung) / self.epochs
        return self._value(config, lack, np.full_like(lack, 1 - rung.data) if self.joint else lack)

    def at_full(self, config: Config) -> float:
        """Branin itself."""
        return float(self._value(config, np.zeros(1), np.zeros(1))[0])

    def _value(self, config: Config, first: Floats, second: Floats) -> Floats:
        x1, x2 = float(config["x1"]), float(config["x2"])
        b = 5.1 / (4 * math.pi**2) - 0.01 * first
        c = 5 / math.pi - 0.1 * second
        t = 1 / (8 * math.pi) + 0.005 * second
        found: Floats = (x2 - b * x1**2 + c * x1 - 6) ** 2 + 10 * (1 - t) * math.cos(x1) + 10
        return found


@dataclass(frozen=True)
class Hartmann:
    """Hartmann in 3 or 6 dimensions, flattened and noisy at low fidelity as in mf-prior-bench.

    Source: github.com/automl/mf-prior-bench, src/mfpbench/synthetic/hartmann, used by PriorBand (Mallik et al. 2023,
    arXiv:2306.12370). With w = 1 - log z / log 100 after z of 100 epochs, the weights alpha lose ``bias * w``, and
    ``noise * w * abs(N(0, 1))`` is added, drawn anew for each epoch. Its first version (2022) squared w in the bias,
    had noise of both signs and milder presets; this is the latest. Only the draws differ: theirs go through Python's
    hash().

    Attributes:
        dims: 3 or 6.
        bias: how much the function is flattened.
        noise: standard deviation before the sign is dropped.
        epochs: of a full evaluation.
    """

    dims: int
    bias: float
    noise: float
    epochs: int

    def losses(self, config: Config, rung: Rung, seed: int) -> Floats:
        """(rung.epochs,), without bias and noise once all epochs are done."""
        peaks = self._peaks(config)
        lack = 1 - np.log(epochs_of(rung)) / math.log(self.epochs)
        off: Floats = lack * (self.bias * peaks.sum() + self.noise * np.abs(normals(config, rung, seed)))
        return off - float(HARTMANN_ALPHA @ peaks)

    def at_full(self, config: Config) -> float:
        """Hartmann itself."""
        return -float(HARTMANN_ALPHA @ self._peaks(config))

    def _peaks(self, config: Config) -> Floats:
        """(4,), how near each of the four peaks is."""
        x = np.array([config[f"x{i + 1}"] for i in range(self.dims)], dtype=np.float64)
        found: Floats = np.exp(-(A[self.dims] * (x - P[self.dims]) ** 2).sum(axis=1))
        return found


@dataclass(frozen=True)
class TiltedCost:
    """A cost that no clock could tell from the epochs alone: it grows with two hyperparameters, and not evenly.

    After a fraction z of the epochs a configuration has cost ``(0.05 + 0.95 z**2) * factor``. The first is that of
    BOCA (arXiv:1703.06240, page 18) and of mf-prior-bench. The factor is ours: it grows 5-fold over each of `over`,
    25-fold in all, and its mean over the space is 1. Where the optimum costs as much as most, dividing by the cost
    misleads (Lee et al. 2020, arXiv:2003.10870).

    Attributes:
        over: names of the hyperparameters, in [0, 1].
        epochs: of a full evaluation.
    """

    over: tuple[str, ...]
    epochs: int

    def __call__(self, config: Config, rung: Rung) -> Floats:
        """(rung.epochs,), virtual seconds from scratch."""
        factor = math.prod(math.log(5) / 4 * 5 ** float(config[name]) for name in self.over)
        return factor * rung.data * (0.05 + 0.95 * (epochs_of(rung) / self.epochs) ** 2)


@dataclass(frozen=True)
class Forrester:
    """One dimension, with a wrong local minimum at low fidelity: ``A f + B (x - 0.5) + C``.

    Source: Forrester, Sobester and Keane 2007, doi:10.1098/rspa.2007.1900, with A = 0.5, B = 10, C = -5 at the first
    epoch. From there to the full evaluation A, B and C go to 1, 0 and 0 with the logarithm of the epochs; half-way
    lies the third level of Mainini et al. 2022 (arXiv:2204.07867) but for a constant.

    Attributes:
        epochs: of a full evaluation.
    """

    epochs: int

    def losses(self, config: Config, rung: Rung, seed: int) -> Floats:
        """(rung.epochs,), -6.02 or more at full fidelity."""
        lack = 1 - np.log(epochs_of(rung)) / math.log(self.epochs)
        high = self.at_full(config)
        found: Floats = high + lack * (10 * (float(config["x1"]) - 0.5) - 5 - 0.5 * high)
        return found

    def at_full(self, config: Config) -> float:
        """Forrester's function itself."""
        x = float(config["x1"])
        return float((6 * x - 2) ** 2 * math.sin(12 * x - 4))


@dataclass(frozen=True)
class CountingOnes:
    """As many ones as can be: switches that are on, and coins that fall on heads.

    Source: Falkner et al. 2018 (BOHB), arXiv:1807.01774, section 5.1. Minus the number of switches that are 1, minus
    for each probability the share of ones among the samples drawn so far. The budget is the number of samples; the
    samples of earlier epochs are kept.

    Attributes:
        categorical: number of switches.
        continuous: number of probabilities.
        samples: Bernoulli samples of each probability in an epoch.
    """

    categorical: int
    continuous: int
    samples: int

    def losses(self, config: Config, rung: Rung, seed: int) -> Floats:
        """(rung.epochs,), in [-(categorical + continuous), 0]."""
        chances = np.repeat([config[f"float{i}"] for i in range(self.continuous)], self.samples)
        heads = (uniforms(config, rung, seed, len(chances)) < chances).sum(axis=1)
        found: Floats = -heads.cumsum() / (self.samples * epochs_of(rung)) - self._switches(config)
        return found

    def at_full(self, config: Config) -> float:
        """The expected value, that of endless samples."""
        return -float(self._switches(config) + sum(float(config[f"float{i}"]) for i in range(self.continuous)))

    def _switches(self, config: Config) -> float:
        return sum(float(config[f"cat{i}"]) for i in range(self.categorical))
