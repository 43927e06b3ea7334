"""What the surrogate behind `smac` is fitted to: every result of every rung, and what each of them cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from smac import Scenario
from smac.runhistory import TrialKey, TrialValue
from smac.runhistory.encoder.abstract_encoder import AbstractRunHistoryEncoder

from mfbo.optimizers.points import Floats, Points
from mfbo.optimizers.smac_stock.parts import HUGE

BEST_PART = 0.1  # of the distance from best to median: what the logarithm begins at
GROWTH = 1.1  # of the number of results, until what depends on them is fitted anew
WORST = 10.0  # times that distance: as bad as a loss can be told to be
RIDGE = 0.3


class CurveEncoder(AbstractRunHistoryEncoder):
    """Results as rows of `Points` with a last column for the fidelity, and losses.

    SMAC's encoders go through the whole history at each call, and keep to one budget; this one is told each result.

    Args:
        scenario: SMAC's.
        works: of the rungs, low to full, as fractions of a full evaluation.
    """

    def __init__(self, scenario: Scenario, works: Sequence[float]) -> None:
        super().__init__(scenario)
        self.points = Points(scenario.configspace)
        whole = math.log(1 / works[0])
        self.lack = [math.log(1 / work) / whole if whole else 0.0 for work in works]
        self._counts = [0] * len(works)
        self._rows: list[Floats] = []
        self._losses: list[float] = []
        self._priced: list[Floats] = []
        self._prices: list[float] = []
        self._weights = np.empty(0)
        self._weighed = 0

    def __len__(self) -> int:
        return len(self._losses)

    def count(self, level: int) -> int:
        """How many results there are from that level on up."""
        return sum(self._counts[level:])

    def told(self, row: Floats, level: int, loss: float | None, price: float | None) -> None:
        """Take note of a result.

        Args:
            row: (size,), of its configuration.
            level: of its rung.
            loss: None where it failed.
            price: seconds that a full evaluation would cost at this rate; None where that is not known.
        """
        self._counts[level] += 1
        self._rows.append(self.at(row[None], level)[0])
        self._losses.append(math.nan if loss is None else loss)
        if price is not None and 0 < price < math.inf:
            self._priced.append(row)
            self._prices.append(math.log(price))

    def forget(self) -> None:
        """All results, for they will be told again."""
        self._counts = [0] * len(self._counts)
        for kept in (self._rows, self._losses, self._priced, self._prices):
            kept.clear()

    def at(self, rows: Floats, level: int | Sequence[int]) -> Floats:
        """Rows of configurations with the column of the fidelity: (n, size + 1)."""
        levels = [level] * len(rows) if isinstance(level, int) else level
        return np.column_stack([rows, [self.lack[at] for at in levels]])

    def transform(
        self, budget_subset: list[float] | None = None, first: int | None = None, level: int = 0
    ) -> tuple[Floats, Floats]:
        """Results for the surrogate: (n, size + 1) and (n,).

        Args:
            budget_subset: SMAC's, and not needed.
            first: only so many.
            level: only those from there on up.
        """
        x, y = np.array(self._rows[:first]), np.array(self._losses[:first])
        upper = x[:, -1] <= self.lack[level]
        return x[upper], self.transform_response_values(y[upper])

    def transform_response_values(self, values: Floats) -> Floats:
        """Losses on a scale where the surrogate sees what matters: (n,).

        A failure (NaN) is worse than the worst. The logarithm of the distance from the best, in units of that from
        the best to the median, tells good from very good; the bad, such as diverged runs, hardly differ any more.
        """
        good = values[~np.isnan(values)]
        if not len(good):
            return np.zeros_like(values)
        good = np.clip(good, -HUGE, HUGE)  # so that their differences are finite
        values = np.where(np.isnan(values), 2 * good.max() - good.min(), np.clip(values, -HUGE, HUGE))
        off = values - good.min()
        unit = np.median(off) or off.mean()
        if unit <= 0:
            return np.zeros_like(values)
        with np.errstate(over="ignore"):  # beside the tiniest unit; it is cut off all the same
            return np.asarray(np.log(np.minimum(off / unit, WORST) + BEST_PART))

    def log_cost(self, rows: Floats) -> Floats:
        """Predicted logarithm of the cost of a full evaluation, up to a constant: (n,). Ridge regression on squares."""
        if not self._prices:
            return np.zeros(len(rows))
        due = last_fit(len(self._prices), 1)
        if due != self._weighed:
            terms = self._terms(np.array(self._priced[:due]))
            targets = np.array(self._prices[:due]) - np.mean(self._prices[:due])
            self._weights = np.linalg.solve(terms.T @ terms + RIDGE * np.eye(terms.shape[1]), terms.T @ targets)
            self._weighed = due
        return np.asarray(self._terms(rows) @ self._weights)

    def _terms(self, rows: Floats) -> Floats:
        features, categorical = self.points.features(rows), self.points.categorical
        numbers = features[:, ~categorical]
        columns = [np.ones((len(rows), 1)), numbers, numbers**2]
        for i in np.flatnonzero(categorical):
            columns.append((features[:, i, None] == np.arange(self.points.counts[i])).astype(float))
        return np.concatenate(columns, axis=1)

    def _build_matrix(
        self, trials: Mapping[TrialKey, TrialValue], store_statistics: bool = False
    ) -> tuple[Floats, Floats]:
        raise NotImplementedError("results are told one by one")


def last_fit(results: int, first: int) -> int:
    """The number of results at the last fit that was due: with `first` 8 it is 8, 9, 10, 11, 13 and so on."""
    due = first
    while (later := max(due + 1, math.ceil(due * GROWTH))) <= results:
        due = later
    return due
