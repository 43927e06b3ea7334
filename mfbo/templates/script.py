"""A training script that mfbo runs as a command.

It runs as it stands, and so does its tuning:

    COMMAND

Each {NAME} is filled in: a hyperparameter of the space in the file, or what mfbo gives: {epochs}, {data},
{checkpoint}, {seed}. All that it takes is to print the validation loss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--l2", type=float, default=1e-4)
parser.add_argument("--epochs", type=int, default=27, help="train to this number of epochs")
parser.add_argument("--data", type=float, default=1.0, help="part of the training data")
parser.add_argument("--checkpoint", type=Path, help="folder to go on from, and to leave a state in")


def main() -> None:
    """Softmax regression on ten noisy classes."""
    given = parser.parse_args()
    made = np.random.default_rng(0)
    y = made.integers(10, size=3000)
    x = made.normal(size=(10, 30))[y] + made.normal(scale=2.5, size=(3000, 30))
    x_train, x_valid, y_train, y_valid = x[:2000], x[2000:], y[:2000], y[2000:]
    n = int(given.data * len(x_train))
    inputs, targets = x_train[:n], np.eye(10)[y_train[:n]]

    weights, start = np.zeros((30, 10)), 0
    state = given.checkpoint and given.checkpoint / "state.npz"
    if state and state.exists():  # of a lower rung of the same configuration
        with np.load(state, allow_pickle=False) as saved:
            weights, start = saved["weights"], int(saved["epochs"])

    for epoch in range(start, given.epochs):
        for rows in np.array_split(np.random.default_rng(epoch).permutation(n), max(1, n // 32)):
            scores = np.exp(inputs[rows] @ weights - (inputs[rows] @ weights).max(axis=1, keepdims=True))
            slope = inputs[rows].T @ (scores / scores.sum(axis=1, keepdims=True) - targets[rows]) / len(rows)
            weights -= given.lr * (slope + given.l2 * weights)
        error = np.mean((x_valid @ weights).argmax(axis=1) != y_valid)
        print(f"epoch {epoch + 1}/{given.epochs} loss: {error:.4f}")
    if state:
        np.savez(state, weights=weights, epochs=given.epochs)


if __name__ == "__main__":
    main()
