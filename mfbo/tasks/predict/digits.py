"""Read handwritten digits: ``python predict.py FILE`` prints one digit a line of FILE, and how likely it is.

FILE is text, 64 numbers from 0 to 16 a line, separated by commas: an image of 8x8 pixels, row by row. Stands alone
beside the folder ``model`` and ``config.json``; needs numpy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

_ACTIVATIONS: dict[str, Any] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
}


def predict(folder: Path, x: Any) -> list[tuple[int, float]]:
    """(digit, probability) of each row of x: (n, 64), pixels from 0 to 16.

    Args:
        folder: that holds ``model`` and ``config.json``.
        x: the images.
    """
    activation = _ACTIVATIONS[json.loads((folder / "config.json").read_text())["hyperparameters"]["activation"]]
    with np.load(folder / "model" / "mlp.npz", allow_pickle=False) as saved:
        layers = sum(name.startswith("coef_") for name in saved.files)
        weights = [(saved[f"coef_{i}"], saved[f"intercept_{i}"]) for i in range(layers)]
    hidden = np.atleast_2d(x) / 16
    for matrix, bias in weights[:-1]:
        hidden = activation(hidden @ matrix + bias)
    logits = hidden @ weights[-1][0] + weights[-1][1]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    sure = odds / odds.sum(axis=1, keepdims=True)
    return [(int(row.argmax()), float(row.max())) for row in sure]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python predict.py FILE")
    for digit, probability in predict(Path(__file__).resolve().parent, np.loadtxt(sys.argv[1], delimiter=",", ndmin=2)):
        print(f"{digit}\t{probability:.3f}")  # noqa: T201
