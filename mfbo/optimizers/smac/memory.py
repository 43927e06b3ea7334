"""Which configurations fit into memory, learned from the trials that did not.

A logistic regression on squares of the hyperparameters: what needs memory, such as batches or widths, does so the more
the larger it is. Only a trial out of memory counts as one that does not fit; other failures have other reasons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfbo.optimizers.points import Floats

MIN_CHANCE = 1e-3  # that anything fits: what was seen may be a chance of the machine's other load
STRENGTH = 10.0  # of the data against the prior that a hyperparameter does not matter


class MemoryModel:
    """The chance of a configuration to fit into memory; 1 as long as none has failed to."""

    def __init__(self) -> None:
        self._weights, self._offset, self._known = np.empty(0), 0.0, (0, 0)

    def fit(self, terms: Floats, exceeded: NDArray[np.bool_]) -> None:
        """Learn from all trials; nothing is done where none is new.

        Args:
            terms: (n, k), of each trial's configuration.
            exceeded: (n,), whether it ran out of memory.
        """
        from sklearn.linear_model import LogisticRegression

        state = len(exceeded), int(exceeded.sum())
        if state == self._known:
            return
        self._known, self._weights = state, np.empty(0)
        if 0 < state[1] < state[0]:
            found = LogisticRegression(C=STRENGTH, max_iter=500).fit(terms, ~exceeded)
            self._weights, self._offset = found.coef_[0], float(found.intercept_[0])

    def log_chance(self, terms: Floats) -> Floats:
        """Its logarithm: (n, k) -> (n,)."""
        if not len(self._weights):
            return np.zeros(len(terms))
        chance = 1 / (1 + np.exp(-np.clip(terms @ self._weights + self._offset, -50, 50)))
        return np.asarray(np.log(np.maximum(chance, MIN_CHANCE)))
