"""What the surrogate behind `smac` is fitted to: every result of every rung, and what each of them cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from smac import Scenario
from smac.runhistory import StatusType, TrialKey, TrialValue
from smac.runhistory.encoder.abstract_encoder import AbstractRunHistoryEncoder

from mfbo.optimizers.points import Floats, Points
from mfbo.optimizers.smac.memory import MemoryModel
from mfbo.optimizers.smac_stock.parts import MAX_LOSS

LOG_OFFSET = 1.0
"""Added to a loss's distance from the best, in units of that from best to median, before the logarithm is taken. So the
losses below the median are told apart nearly as they are, and the bad, such as diverged runs, hardly differ. 0.1 draws
the best apart, and is worse where losses are noisy; "What each part is worth" in experiments/suite.md."""

MAX_DISTANCE = 10.0  # times the distance from best to median: as bad as a loss can be to the surrogate

SPREAD_WEIGHT = 4.0  # measurements that the mean spread of all results counts for beside a result's own

REFIT_GROWTH = 1.1  # of the number of results, until what depends on them is fitted anew; bounds the time for all fits

RIDGE = 0.3  # penalty of the squared weights of the cost's regression, whose terms go from 0 to 1

LEVEL_RIDGE = 0.01  # the same of what a rung's overhead adds to the rate: hardly any, it is to be followed


@dataclass
class _Encoded:
    """What was read of the history until now, each list in the order of the tells."""

    version: int = 0
    ids: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    rows: list[Floats] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # NaN for a failure
    exceeded: list[bool] = field(default_factory=list)  # whether memory ran out
    spreads: list[float] = field(default_factory=list)  # over folds or repeats; NaN where there is none
    averaged: list[int] = field(default_factory=list)  # folds or repeats that a loss is the mean of
    rates: list[float] = field(default_factory=list)  # seconds a full evaluation; NaN where that is not known
    seconds: list[float] = field(default_factory=list)
    cost_rows: list[Floats] = field(default_factory=list)
    log_rates: list[float] = field(default_factory=list)
    rate_levels: list[int] = field(default_factory=list)


class CurveEncoder(AbstractRunHistoryEncoder):
    """The results of SMAC's run history as rows of `Points` with a last column for the fidelity, and losses.

    SMAC's encoders go through the whole history at each call, and keep to one budget. This one encodes each result
    once, and all of them again where losses were replaced.

    Args:
        scenario: SMAC's.
        budgets: of the rungs, low to full, as SMAC has them.
        works: of the rungs, low to full, as fractions of a full evaluation.
    """

    def __init__(self, scenario: Scenario, budgets: Sequence[float], works: Sequence[float]) -> None:
        super().__init__(scenario)
        self.points = Points(scenario.configspace)
        self.grow(budgets, works)
        self._encoded = _Encoded()
        self._memory = MemoryModel()
        self._cost_weights = np.empty(0)
        self._cost_fitted = (0, 0)

    def grow(self, budgets: Sequence[float], works: Sequence[float]) -> None:
        """Have these rungs: those so far, and perhaps some above them. What a rung lacks of the full one stays."""
        self._works = list(works)
        whole = math.log(1 / works[0])
        self.lack = [math.log(1 / work) / whole if whole else 0.0 for work in works]
        self._level_of = {budget: level for level, budget in enumerate(budgets)}

    def __len__(self) -> int:
        return len(self._results.losses)

    @property
    def version(self) -> int:
        """Of the history; see `ResultHistory`."""
        return int(self.runhistory.version)

    @property
    def _results(self) -> _Encoded:
        """All results of the history, those that are new encoded."""
        found, history = self._encoded, self.runhistory
        if found.version != history.version:
            found = self._encoded = _Encoded(history.version)
        for key in history.result_keys[len(found.losses) :]:
            config, value, loss = history.get_config(key.config_id), history[key], history.loss(key)
            found.ids.append(key.config_id)
            found.levels.append(self._level_of[key.budget])
            found.rows.append(config.get_array())
            found.losses.append(math.nan if loss is None else loss)
            found.exceeded.append(value.status == StatusType.MEMORYOUT)
            spread = value.additional_info.get("spread")
            found.spreads.append(math.nan if spread is None or loss is None else spread)
            found.averaged.append(value.additional_info.get("averaged", 1))
            found.rates.append(math.nan)
            if key.seed:
                continue
            if not value.additional_info["virtual"]:
                found.seconds.append(value.time)
            work = value.additional_info["work"]
            rate = value.time / work if loss is not None and work > 0 else 0.0  # seconds a full evaluation
            if 0 < rate < math.inf:
                found.rates[-1] = rate
                found.cost_rows.append(config.get_array())
                found.log_rates.append(math.log(rate))
                found.rate_levels.append(found.levels[-1])
        return found

    def count(self, level: int) -> int:
        """How many results there are from that level on up."""
        return sum(at >= level for at in self._results.levels)

    def seconds(self) -> list[float]:
        """What the run's own trials cost on a real clock, in the order of their ends."""
        return self._results.seconds

    def new_since(self, start: int) -> Iterator[tuple[Floats, int, float | None]]:
        """(row, level, loss) of each result from number `start` on; None for a failure."""
        found = self._results
        for row, level, loss in zip(found.rows[start:], found.levels[start:], found.losses[start:], strict=True):
            yield row, level, None if math.isnan(loss) else loss

    def best_of_each(self) -> tuple[Floats, NDArray[np.int64], Floats]:
        """(rows, levels, losses) of each configuration's highest result, best first: by level, then by loss."""
        found = self._results
        ids, levels, losses = np.array(found.ids), np.array(found.levels), np.array(found.losses)
        losses = np.where(np.isnan(losses), np.inf, losses)
        order = np.lexsort((np.arange(len(ids)), losses, -levels))
        _, first = np.unique(ids[order], return_index=True)
        kept = order[np.sort(first)]
        return np.array(found.rows)[kept], levels[kept], losses[kept]

    def losses_at(self, level: int) -> dict[int, float]:
        """The last loss at a level of each configuration that was seen there, by SMAC's id; infinity for a failure."""
        found = self._results
        results = zip(found.ids, found.levels, found.losses, strict=True)
        return {config_id: math.inf if math.isnan(loss) else loss for config_id, at, loss in results if at == level}

    def cost_ratio(self, level: int) -> float | None:
        """Median cost of a level, from scratch, over that of the next, of the configurations seen at both; or None."""
        found = self._results
        rates: tuple[dict[int, float], dict[int, float]] = {}, {}
        for config_id, at, rate in zip(found.ids, found.levels, found.rates, strict=True):
            if at in (level, level + 1) and rate > 0:
                rates[at - level][config_id] = rate
        low, high = rates
        ratios = [rate / high[config_id] for config_id, rate in low.items() if config_id in high]
        return float(np.median(ratios)) * self._works[level] / self._works[level + 1] if ratios else None

    def running(self) -> tuple[Floats, list[int]]:
        """(rows, levels) of the trials that run."""
        keys = self.runhistory.running_keys
        rows = [self.runhistory.get_config(key.config_id).get_array() for key in keys]
        return np.array(rows).reshape(len(rows), self.points.size), [self._level_of[key.budget] for key in keys]

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
            first: only this number of them.
            level: only those from there on up.
        """
        found = self._results
        x, y = self.at(np.array(found.rows[:first]), found.levels[:first]), np.array(found.losses[:first])
        upper = x[:, -1] <= self.lack[level]
        return x[upper], self.transform_response_values(y[upper])

    def noise(self, first: int | None = None, level: int = 0) -> Floats:
        """Variance of what `transform` gives that folds or repeats tell of: (n,). 0 where nothing tells of any.

        A spread of a few measurements is uncertain, and one has none: so each is taken together with the mean of all,
        which counts as much as `SPREAD_WEIGHT` further measurements.

        Args:
            first: as for `transform`.
            level: the same.
        """
        found = self._results
        losses, lack = np.array(found.losses[:first]), np.array([self.lack[at] for at in found.levels[:first]])
        upper = lack <= self.lack[level]
        variances, counts = np.array(found.spreads[:first]) ** 2, np.array(found.averaged[:first])
        known = ~np.isnan(variances)
        if not known.any():
            return np.zeros(int(upper.sum()))
        own = np.where(known, counts - 1, 0)
        pooled = SPREAD_WEIGHT * variances[known].mean() + own * np.where(known, variances, 0.0)
        off, unit = _distances(losses[upper])
        slopes = np.where(off < MAX_DISTANCE * unit, 1 / (off + LOG_OFFSET * unit), 0.0) if unit > 0 else 0.0
        return np.asarray((pooled / (SPREAD_WEIGHT + own) / counts)[upper] * slopes**2)

    def transform_response_values(self, values: Floats) -> Floats:
        """Losses on a scale where the surrogate sees what matters: (n,).

        A failure (NaN) is worse than the worst. Of the distance from the best, in units of that from the best to the
        median, the logarithm of one more: the bad, such as diverged runs, hardly differ any more.
        """
        off, unit = _distances(values)
        if unit <= 0:
            return np.zeros_like(values)
        with np.errstate(over="ignore"):  # beside the tiniest unit; it is cut off all the same
            return np.asarray(np.log(np.minimum(off / unit, MAX_DISTANCE) + LOG_OFFSET))

    def log_cost(self, rows: Floats) -> Floats:
        """Predicted logarithm of the cost of a full evaluation, up to a constant: (n,). Ridge regression on squares."""
        if not self._results.log_rates:
            return np.zeros(len(rows))
        self._fit_costs()
        return np.asarray(self._terms(rows) @ self._cost_weights)

    def log_fits(self, rows: Floats) -> Floats:
        """Logarithm of the chance that configurations fit into memory: (n,). 0 as long as none has failed to."""
        found = self._results
        if not any(found.exceeded):
            return np.zeros(len(rows))
        self._memory.fit(self._terms(np.array(found.rows)), np.array(found.exceeded))
        return self._memory.log_chance(self._terms(rows))

    def _fit_costs(self) -> None:
        """Regress the logarithm of the rate on the configuration, and on the rung, which explains overhead."""
        found = self._results
        due, levels = last_fit(len(found.log_rates), 1), len(self._works)
        if (due, levels) == self._cost_fitted:
            return
        terms, rates = self._terms(np.array(found.cost_rows[:due])), np.array(found.log_rates[:due])
        at = np.array(found.rate_levels[:due])[:, None] == np.arange(levels)
        both = np.concatenate([terms, at], axis=1)
        penalty = np.repeat([RIDGE, LEVEL_RIDGE], [terms.shape[1], levels])
        weights = np.linalg.solve(both.T @ both + np.diag(penalty), both.T @ (rates - rates.mean()))
        self._cost_weights, self._cost_fitted = weights[: terms.shape[1]], (due, levels)

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
        return self.transform()


def _distances(values: Floats) -> tuple[Floats, float]:
    """How far losses (n,) are from the best, a failure further than the worst, and the median of that; 0 for none."""
    good = values[~np.isnan(values)]
    if not len(good):
        return np.zeros_like(values), 0.0
    good = np.clip(good, -MAX_LOSS, MAX_LOSS)  # so that their differences are finite
    values = np.where(np.isnan(values), 2 * good.max() - good.min(), np.clip(values, -MAX_LOSS, MAX_LOSS))
    off = values - good.min()
    return off, float(np.median(off) or off.mean())


def last_fit(results: int, first: int) -> int:
    """The number of results at the last fit that was due: with `first` 8 it is 8, 9, 10, 11, 13 and so on."""
    due = first
    while (later := max(due + 1, math.ceil(due * REFIT_GROWTH))) <= results:
        due = later
    return due
