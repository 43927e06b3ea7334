"""The formula of the task `mixed`: a made-up network whose best configuration is known.

Source: our own, shaped after what is known of real ones. With l the layers, w the width and t the samples seen, as a
fraction of a full evaluation (epochs x data), the loss is ``0.9 (1 - exp(-r / 0.9))``, which goes from 0 to the error
0.9 of guessing among ten classes, plus noise. r is a sum:

- the learning rate: ``0.05 (log10(rate) - best)**2``; rate is ``learning_rate`` with adam and ``learning_rate /
  (1 - momentum)`` with sgd, best is -3 with adam, -1 with sgd, both half a decade higher for each decade that t lacks.
  The best rate of a short training is too high for a long one.
- what stays: 0.05, +0.01 for adam, ``0.1 (momentum - 0.9)**2`` for sgd, 0.02 for tanh and 0.06 for logistic,
  ``0.1 ((l - 6) / 7)**2 + 0.1 ((log2 w - 9) / 5)**2``, ``0.01 (log2 batch_size - 5)**2``, ``0.1 (dropout - 0.3)**2``.
- what more epochs or data mend: ``0.04 (t**-0.3 - 1) (0.5 + l / 8)``, half as much again with sgd: deep networks and
  sgd are slow, and better in the end.
- what only more data mends: ``0.05 (data**-0.5 - 1) (1 - dropout) (log2 w / 9)``: wide networks overfit.

The noise is ``N(0, 0.01 t**-0.25)``, at full fidelity as well. The best (l, w), (6, 512), is forbidden, so (6, 256) it
is. An evaluation costs in proportion to ``1 + l w / 256``: from a third of the average to three times it, and for the
best configuration more than twice.
"""

from __future__ import annotations

import math

import numpy as np

from mfbo.spaces.synthetic import WIDTHS  # type: ignore[import-not-found, unused-ignore]
from mfbo.tasks.synthetic.curves import Floats, epochs_of, normals
from mfbo.trial import Config, Rung

EPOCHS = 27
CHANCE_LEVEL = 0.9
ACTIVATIONS = {"relu": 0.0, "tanh": 0.02, "logistic": 0.06}
OPTIMUM: Config = {
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "activation": "relu",
    "layers": 6,
    "width": 256,
    "batch_size": 32,
    "dropout": 0.3,
}


def losses(config: Config, rung: Rung, seed: int) -> Floats:
    """(rung.epochs,), an error in [0, 0.9] but for the noise."""
    t = epochs_of(rung) * (rung.data / EPOCHS)
    found: Floats = _errors(config, t, rung.data) + 0.01 * t**-0.25 * normals(config, rung, seed)
    return found


def at_full(config: Config) -> float:
    """The error after all epochs on all data, without noise."""
    return float(_errors(config, np.ones(1), 1.0)[0])


def costs(config: Config, rung: Rung) -> Floats:
    """(rung.epochs,), virtual seconds from scratch."""
    return epochs_of(rung) * (rung.data / EPOCHS * _size(int(config["layers"]), int(config["width"])) / MEAN_SIZE)


def _errors(config: Config, t: Floats, data: float) -> Floats:
    sgd = config["optimizer"] == "sgd"
    layers, width = float(config["layers"]), math.log2(float(config["width"]))
    dropout = float(config.get("dropout", 0.0))
    momentum = float(config.get("momentum", 0.0))
    rate = math.log10(float(config["learning_rate"])) - math.log10(1 - momentum)
    best_rate = (-1 if sgd else -3) - 0.5 * np.log10(t)
    slow = 0.04 * (t**-0.3 - 1) * (0.5 + layers / 8) * (1.5 if sgd else 1)
    overfit = 0.05 * (data**-0.5 - 1) * (1 - dropout) * width / 9
    raw = _stays(config, sgd, momentum, dropout) + 0.05 * (rate - best_rate) ** 2 + slow + overfit
    found: Floats = CHANCE_LEVEL * -np.expm1(-raw / CHANCE_LEVEL)
    return found


def _stays(config: Config, sgd: bool, momentum: float, dropout: float) -> float:
    """The part that neither epochs nor data mend, learning rate apart."""
    width, batch = math.log2(float(config["width"])), math.log2(float(config["batch_size"]))
    return float(
        0.05
        + (0.1 * (momentum - 0.9) ** 2 if sgd else 0.01)
        + ACTIVATIONS[str(config["activation"])]
        + 0.1 * ((float(config["layers"]) - 6) / 7) ** 2
        + 0.1 * ((width - 9) / 5) ** 2
        + 0.01 * (batch - 5) ** 2
        + 0.1 * (dropout - 0.3) ** 2
    )


def _size(layers: int, width: int) -> float:
    return 1 + layers * width / 256


def _mean_size() -> float:
    """Over the space, which draws layers and width evenly among what is not forbidden."""
    allowed = [(n, w) for n in range(1, 9) for w in WIDTHS if w < 512 or n < 5]
    return sum(_size(n, w) for n, w in allowed) / len(allowed)


MEAN_SIZE = _mean_size()
