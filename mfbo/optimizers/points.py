"""Configurations as points: rows of numbers that a surrogate can compare, drawn and varied many at a time.

A row is ConfigSpace's vector of a configuration: numbers in [0, 1] on their own scale, the index of a category or of an
ordinal's place, NaN where a hyperparameter is inactive.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError, IllegalValueError
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    NumericalHyperparameter,
    OrdinalHyperparameter,
)
from numpy.typing import NDArray

from mfbo.optimizers.legal import Legal
from mfbo.optimizers.sampling import plain
from mfbo.trial import Config

Floats: TypeAlias = NDArray[np.float64]
POOL = 128  # legal configurations that are built once for a space of which drawing finds few
FRESH = 8  # of each draw from them, so many are moved on from there


class Points:
    """The rows of one space.

    Args:
        space: what to tune; its random state is not touched.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self.space = space
        self.hyperparameters = list(space.values())
        self.size = len(self.hyperparameters)
        self.categorical = np.array([isinstance(h, CategoricalHyperparameter) for h in self.hyperparameters])
        counts = [_count(hyperparameter) for hyperparameter in self.hyperparameters]
        self._span = np.array([1.0 if count == math.inf else max(count - 1.0, 1.0) for count in counts])
        self.counts = np.array([0 if count == math.inf else int(count) for count in counts])
        constant = np.array([isinstance(h, Constant) for h in self.hyperparameters])
        self._free = ~constant & (self.counts != 1)
        stand_in = [float(h.to_vector(h.default_value)) for h in self.hyperparameters]
        self._inactive = np.where(self.categorical, -1.0, stand_in)
        self._conditions = [
            (i, list(space.parent_conditions_of[h.name]), [space.index_of[p.name] for p in space.parents_of[h.name]])
            for i, h in enumerate(self.hyperparameters)
            if space.parent_conditions_of[h.name]
        ]
        self._pool: list[Config] | None = None

    def draw(self, n: int, rng: np.random.RandomState) -> Floats:
        """Up to `n` random rows, uniform on their scales or by their priors; fewer where many are forbidden."""
        found = self.drawn(n, rng)
        if not self.space.forbidden_clauses or len(found) >= min(n, POOL) / 4:
            return found
        return np.concatenate([found, self._built(min(n, POOL), rng)])

    def drawn(self, n: int, rng: np.random.RandomState) -> Floats:
        """What is legal of `n` random rows; none where few are."""
        columns = [hyperparameter.sample_vector(n, seed=rng) for hyperparameter in self.hyperparameters]
        return self.legal(np.column_stack(columns).astype(np.float64))

    def _built(self, n: int, rng: np.random.RandomState) -> Floats:
        """Random legal rows where drawing finds few: those of a pool, and some that are reached from there.

        The pool is built once, the same in every process, so that a draw follows from `rng` alone, and soon.
        """
        if self._pool is None:
            legal = Legal(self.space, random.Random(0))
            self._pool = legal.every(brief=True) or _chain(legal, legal.draw(), POOL)
        if not self._pool:
            return self.rows([])
        fresh = min(FRESH, n // 2)
        chosen = rng.choice(len(self._pool), size=min(n - fresh, len(self._pool)), replace=False)
        moved = Legal(self.space, random.Random(int(rng.randint(2**31))))
        reached = _chain(moved, self._pool[chosen[0]], 1 + fresh)[1:]
        return self.rows([*(self._pool[i] for i in chosen), *reached])

    def near(self, rows: Floats, width: float, rng: np.random.RandomState) -> Floats:
        """Each of `rows` with some of its parts changed: numbers by a step of about `width` of their range."""
        found = rows.copy()
        chosen = rng.rand(*rows.shape) < min(1.0, 2.5 / max(1, int(self._free.sum())))
        chosen[np.arange(len(rows)), rng.randint(self.size, size=len(rows))] = True
        steps = rng.randn(*rows.shape) * width
        for i, hyperparameter in enumerate(self.hyperparameters):
            at = np.flatnonzero(chosen[:, i] & self._free[i])
            missing = np.flatnonzero(np.isnan(found[:, i]))
            if len(at):
                found[at, i] = self._stepped(i, found[at, i], steps[at, i], rng)
            if len(missing):
                found[missing, i] = hyperparameter.sample_vector(len(missing), seed=rng)
        return self.legal(found)

    def legal(self, rows: Floats) -> Floats:
        """`rows` as configurations have them, inactive parts NaN, without those that are forbidden."""
        columns = np.ascontiguousarray(rows.T)
        for child, conditions, parents in self._conditions:
            active = ~np.isnan(columns[parents]).any(axis=0)
            for condition in conditions:
                active &= condition.satisfied_by_vector_array(columns)
            columns[child, ~active] = np.nan
        forbidden = np.zeros(columns.shape[1], dtype=bool)
        for clause in self.space.forbidden_clauses:
            forbidden |= clause.is_forbidden_vector_array(columns)
        return np.ascontiguousarray(columns.T[~forbidden])

    def features(self, rows: Floats) -> Floats:
        """What distances are measured between: (n, size), numbers in [0, 1], categories as codes, nothing missing."""
        filled: Floats = np.where(np.isnan(rows), self._inactive, rows)
        return np.where(self.categorical, filled, filled / self._span)

    def config(self, row: Floats) -> Config | None:
        """The configuration of a row; None where ConfigSpace refuses it."""
        try:
            return plain(Configuration(self.space, values=plain(Configuration(self.space, vector=row))))
        except (ForbiddenValueError, IllegalValueError, ValueError):
            return None

    def rows(self, configs: Sequence[Config]) -> Floats:
        """The rows of configurations: (n, size)."""
        arrays = [Configuration(self.space, values=config).get_array() for config in configs]
        return np.array(arrays, dtype=np.float64).reshape(len(configs), self.size)

    def _stepped(self, i: int, values: Floats, steps: Floats, rng: np.random.RandomState) -> Floats:
        hyperparameter: Any = self.hyperparameters[i]
        values = np.where(np.isnan(values), 0.0, values)
        if self.categorical[i]:
            return np.asarray((values + rng.randint(1, self.counts[i], size=len(values))) % self.counts[i])
        if isinstance(hyperparameter, OrdinalHyperparameter):
            moved = np.sign(steps) * np.ceil(np.abs(steps) * self._span[i])
            return np.asarray(np.clip(values + moved, 0, self._span[i]))
        moved = hyperparameter.to_value(np.clip(values + steps, 0, 1))
        return np.asarray(hyperparameter.to_vector(moved), dtype=np.float64)


def _chain(legal: Legal, config: Config | None, n: int) -> list[Config]:
    """Up to `n` configurations, each reached from the one before."""
    found: list[Config] = []
    while config is not None and len(found) < n:
        found.append(config)
        config = legal.moved(config)
    return found


def _count(hyperparameter: Any) -> float:
    """How many values it has, where its vector is an index; infinity where it is a number in [0, 1]."""
    if isinstance(hyperparameter, CategoricalHyperparameter):
        return len(hyperparameter.choices)
    if isinstance(hyperparameter, OrdinalHyperparameter):
        return len(hyperparameter.sequence)
    return math.inf if isinstance(hyperparameter, NumericalHyperparameter) else 1
