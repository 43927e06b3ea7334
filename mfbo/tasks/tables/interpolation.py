"""Learning curves of any configuration, between those that were recorded.

A table of curves is ``(4, fractions, epochs)``: the loss during a longer training, the loss and the macro F1 of a
training that ends there, and seconds from scratch.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import CategoricalHyperparameter
from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped, unused-ignore]

from mfbo.errors import BadData
from mfbo.tasks.tables.recording import Floats, Recording
from mfbo.trial import Config

RATE = "learning_rate"
MIN_RATES = 5  # recorded learning rates of a line, below which there is no table
MIN_ROWS = 100  # configurations of a recording without a grid, below which there is no table
NEIGHBOURS, POWER = 8, 4  # of Shepard's interpolation


class Grid:
    """Exact at the rows of a grid; monotone between learning rates, linear between values of the others.

    Along the learning rate it is a monotone cubic in its logarithm (PCHIP; Fritsch and Butland 1984), along another
    hyperparameter linear in its logarithm if its range is one or if it is a list of numbers. Beyond the recorded
    values it is constant. What diverged has the greatest loss that was recorded. Seconds do not depend on the learning
    rate: of a line the median counts, so that the load of the machine that recorded it does not. Between lines their
    logarithm is linear, as cost grows by powers of a size.

    Raises:
        BadData: too little is recorded.
    """

    def __init__(self, found: Recording, space: ConfigurationSpace) -> None:
        self._space = space
        self._others = [name for name in space if name != RATE]
        lines: dict[tuple[float, ...], list[tuple[float, int]]] = {}
        for row, config in enumerate(found.configs):
            if found.kinds[row] == "grid" and found.seeds[row] == 0:
                at = tuple(self._place(name, config) for name in self._others)
                lines.setdefault(at, []).append((float(np.log(float(config[RATE]))), row))
        self._axes = [sorted({at[axis] for at in lines}) for axis in range(len(self._others))]
        if not lines or any(len(lines.get(at, ())) < MIN_RATES for at in product(*self._axes)):
            raise BadData(
                f"the recording of {found.about['task']!r} has {len(found.configs)} of {found.about['planned']} rows, "
                f"fewer than {MIN_RATES} learning rates for some values of the rest; record more"
            )
        self._lines = {at: _Line(found, sorted(listed)) for at, listed in lines.items()}

    def __call__(self, config: Config) -> Floats:
        """(4, fractions, epochs)."""
        rate = float(np.log(float(config[RATE])))
        sides = [_between(axis, self._place(name, config)) for axis, name in zip(self._axes, self._others, strict=True)]
        total: Any = 0.0
        for corner in product(*sides):
            share = float(np.prod([part for _, part in corner]))
            total = total + share * self._lines[tuple(at for at, _ in corner)](rate)
        total[3] = np.exp(total[3])
        return np.asarray(total)

    def _place(self, name: str, config: Config) -> float:
        """Where a value lies along its axis."""
        value, parameter = float(config[name]), self._space[name]
        return float(np.log(value)) if hasattr(parameter, "sequence") or parameter.log else value


class _Line:
    """Curves along the learning rate."""

    def __init__(self, found: Recording, listed: list[tuple[float, int]]) -> None:
        rates, rows = np.array([rate for rate, _ in listed]), [row for _, row in listed]
        curves = _filled(np.array([_curves_of(found, row) for row in rows]), float(np.nanmax(found.during)))
        self._low, self._high = rates[0], rates[-1]
        self._fit = PchipInterpolator(rates, curves[:, :3], axis=0)
        self._log_costs = np.log(np.median(curves[:, 3:], axis=0))

    def __call__(self, rate: float) -> Floats:
        """ln(learning rate) -> (4, fractions, epochs), of the seconds their logarithm."""
        return np.concatenate([self._fit(np.clip(rate, self._low, self._high)), self._log_costs])


class Nearby:
    """Exact at rows; between them the mean of the nearest, weighted by an inverse power of their distance.

    Shepard 1968. For spaces that are too large for a grid: it is as rough as its rows are far apart. It diverges (NaN)
    where the nearest row did.

    Raises:
        BadData: too little is recorded.
    """

    def __init__(self, found: Recording, space: ConfigurationSpace) -> None:
        rows = np.flatnonzero(found.seeds == 0).tolist()
        if len(rows) < MIN_ROWS:
            raise BadData(
                f"the recording of {found.about['task']!r} has {len(found.configs)} of {found.about['planned']} rows, "
                f"{len(rows)} configurations, fewer than {MIN_ROWS}; record more"
            )
        self._space = space
        self._points = np.array([_point(space, found.configs[row]) for row in rows])
        self._curves = np.array([_curves_of(found, row) for row in rows])
        self._filled = _filled(self._curves)

    def __call__(self, config: Config, leave: int | None = None) -> Floats:
        """(4, fractions, epochs); without the row `leave`, to measure the error."""
        distance = np.linalg.norm(self._points - _point(self._space, config), axis=1)
        if leave is not None:
            distance[leave] = np.inf
        nearest = np.argsort(distance, kind="stable")[:NEIGHBOURS]
        if distance[nearest[0]] < 1e-9:
            return np.asarray(self._curves[nearest[0]])
        weights = (distance[nearest] / distance[nearest[0]]) ** -POWER
        mixed = np.tensordot(weights / weights.sum(), self._filled[nearest], axes=1)
        return np.where(np.isnan(self._curves[nearest[0]]), np.nan, mixed)


def _curves_of(found: Recording, row: int) -> Floats:
    """(4, fractions, epochs) of a row; NaN from where it diverged.

    Seconds are those of a machine with other work, so that one fraction may have been measured as dearer than a larger.
    """
    costs = np.array([found.costs(row, fraction) for fraction in range(len(found.data))])
    dearest = np.maximum.accumulate(costs, axis=0)
    return np.array([found.during[row], found.ended[row], found.macro_f1[row], dearest])


def _filled(curves: Floats, worst: float | None = None) -> Floats:
    """(rows, 4, fractions, epochs): what diverged has the worst loss (None: of these rows) and no macro F1."""
    bad = float(np.nanmax(curves[:, 0])) if worst is None else worst
    losses = np.where(np.isnan(curves[:, :2]), bad, curves[:, :2])
    return np.concatenate([losses, np.nan_to_num(curves[:, 2:3]), curves[:, 3:]], axis=1)


def _between(axis: list[float], at: float) -> list[tuple[float, float]]:
    """(recorded value, its share) of the one or two beside a place."""
    if at <= axis[0] or at >= axis[-1]:
        return [(axis[0] if at <= axis[0] else axis[-1], 1.0)]
    low, high = next(pair for pair in pairwise(axis) if pair[0] <= at <= pair[1])
    share = (at - low) / (high - low)
    return [(place, part) for place, part in ((low, 1 - share), (high, share)) if part > 0]


def _point(space: ConfigurationSpace, config: Config) -> Floats:
    """In the unit cube; two choices are 1 apart, what is inactive is in the middle."""
    parts: list[Floats] = []
    for name, hyperparameter in space.items():
        if isinstance(hyperparameter, CategoricalHyperparameter):
            listed = [choice == config.get(name) for choice in hyperparameter.choices]
            parts.append(np.array(listed, dtype=float) / np.sqrt(2))
        else:
            parts.append(np.array([float(hyperparameter.to_vector(config[name])) if name in config else 0.5]))
    return np.concatenate(parts)
