"""The project's own tasks in the suite, as recorded curves: `table-digits`, and `table-imdb`, `-agnews`, `-cifar10`.

Read from ``experiments/recorded/TASK.npz`` (`record.py`), fidelity joint: epochs and data. Between recorded fractions a
loss is interpolated linearly in the logarithm of the fraction, a cost linearly in the fraction. Going on to more
epochs pays for them and for what the task trains again; a loss does not depend on where training went on.

With a grid (all but digits): between rows a loss is interpolated by a monotone cubic in the logarithm of the learning
rate (PCHIP; Fritsch and Butland 1984), exact at rows, and linearly in a third hyperparameter that is no list. The
noise of a trial is normal, as wide as two training seeds of a row differ. `misfit` is the error at the recorded random
points. Without a grid (digits): the pool protocol of `suite_taskset.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import CategoricalHyperparameter
from recording import FOLDER, Floats, Recording, read
from scipy.interpolate import PchipInterpolator
from suite_taskset import Nearest

from mfbo.context import Context
from mfbo.errors import BadData
from mfbo.fidelity import Fidelity
from mfbo.task import Task
from mfbo.tasks.registry import load
from mfbo.tasks.synthetic.curves import normals
from mfbo.trial import Config, Measurement, Rung

LEAST_RATES = 5  # recorded learning rates for each value of the rest, below which there is no table
LEAST_POOL = 200  # configurations of a pool: a run to 16 full evaluations tries up to so many
Curves = tuple[Floats, Floats, Floats]  # during, ended: (fractions, epochs); costs: (fractions, epochs)
recorded = lru_cache(lambda name: read(FOLDER / f"{name}.npz"))


class Pool:
    """Each new configuration of a run has the nearest row that is left.

    Raises:
        BadData: too little is recorded.
    """

    def __init__(self, found: Recording, space: ConfigurationSpace) -> None:
        self._found, self._space = found, space
        self._rows = np.flatnonzero(found.seeds == 0)
        if len(self._rows) < LEAST_POOL:
            raise BadData(
                f"the recording of {found.about['task']!r} has {len(found.configs)} of {found.about['planned']} rows, "
                f"{len(self._rows)} configurations; a pool takes {LEAST_POOL}: record more"
            )
        points = np.array([_point(space, found.configs[row]) for row in self._rows])
        self._nearest = Nearest(points)

    def __call__(self, config: Config) -> Curves:
        """The curves of its row."""
        row = int(self._rows[self._nearest.row(config, _point(self._space, config))])
        costs = np.array([self._found.costs(row, place) for place in range(len(self._found.data))])
        return self._found.during[row], self._found.ended[row], costs


class Grid:
    """Interpolates between rows; for all but the learning rate and at most one other range, rows have each value.

    Raises:
        BadData: too little is recorded.
    """

    def __init__(self, found: Recording, space: ConfigurationSpace) -> None:
        self._listed = [name for name in space if name != "learning_rate" and hasattr(space[name], "sequence")]
        ranges = [name for name in space if name != "learning_rate" and name not in self._listed]
        self._range = ranges[0] if ranges else None
        self._log = bool(self._range and space[self._range].log)
        rows: dict[tuple[object, ...], dict[float, list[tuple[float, int]]]] = {}
        for row, (config, kind, seed) in enumerate(zip(found.configs, found.kinds, found.seeds, strict=True)):
            if kind == "grid" and seed == 0:
                key = tuple(config[name] for name in self._listed)
                other = float(config[self._range]) if self._range else 0.0
                rows.setdefault(key, {}).setdefault(other, []).append((float(config["learning_rate"]), row))
        self._fits = {
            key: {at: _fit(found, sorted(listed)) for at, listed in lines.items() if len(listed) >= LEAST_RATES}
            for key, lines in rows.items()
        }
        wanted = int(np.prod([len(space[name].sequence) for name in self._listed]))
        if sum(bool(lines) for lines in self._fits.values()) < wanted:
            raise BadData(
                f"the recording of {found.about['task']!r} has {len(found.configs)} of {found.about['planned']} rows, "
                f"fewer than {LEAST_RATES} learning rates for some values of the rest; record more"
            )

    def __call__(self, config: Config) -> Curves:
        """Interpolated curves."""
        lines = self._fits[tuple(config[name] for name in self._listed)]
        rate = np.log(float(config["learning_rate"]))
        places = sorted(lines)
        at = float(config[self._range]) if self._range else 0.0
        above = next((place for place in places if place >= at), places[-1])
        below = max((place for place in places if place <= at), default=places[0])
        scale = np.log if self._log else (lambda value: value)
        share = 0.0 if above == below else (scale(at) - scale(below)) / (scale(above) - scale(below))
        low, high = (lines[place](rate) for place in (below, above))
        mixed = low + share * (high - low)
        return mixed[0], mixed[1], mixed[2]


def _fit(found: Recording, listed: list[tuple[float, int]]) -> Callable[[float], Floats]:
    """ln(learning rate) -> (3, fractions, epochs); what diverged has the error of guessing."""
    rates = np.log([rate for rate, _ in listed])
    fractions = range(len(found.data))
    values = np.array(
        [
            [found.during[row], found.ended[row], np.array([found.costs(row, place) for place in fractions])]
            for _, row in listed
        ]
    )
    guess = np.nanmax(found.during)
    return PchipInterpolator(rates, np.where(np.isnan(values), guess, values), axis=0)


class Training:
    """The train function over recorded curves; see the module."""

    def __init__(self, curves: Pool | Grid, data: Floats, *, repeated: float, noise: float) -> None:
        self._curves, self._data = curves, data
        self._repeated, self._noise = repeated, noise

    def __call__(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Report the epochs after ``context.start_epoch``; a training that diverged ends where it did."""
        during, ended, costs = self.at(config, rung.data)
        shaken = self._noise * normals(config, rung, context.seed) if self._noise else np.zeros(rung.epochs)
        start = context.start_epoch
        paid = costs[start - 1] if start else 0.0
        again = self._repeated * start * (costs[1] - costs[0] if len(costs) > 1 else 0.0)
        for epoch in range(start, rung.epochs):
            last = epoch + 1 == rung.epochs
            loss = float((ended if last else during)[epoch] + shaken[epoch])
            spent = float(costs[epoch] - paid + again)
            if np.isnan(loss):
                return Measurement(loss, cost=spent)
            context.report(max(0.0, loss), epoch=epoch + 1, cost=spent)
        return Measurement(max(0.0, loss), cost=spent)

    def at(self, config: Config, data: float) -> Curves:
        """(during, ended, costs), each (epochs,), at a fraction."""
        during, ended, costs = self._curves(config)
        share = np.interp(np.log(data), np.log(self._data), np.arange(len(self._data)))
        low = min(int(share), len(self._data) - 2)
        part, linear = share - low, (data - self._data[low]) / (self._data[low + 1] - self._data[low])
        mixed = [each[low] + part * (each[low + 1] - each[low]) for each in (during, ended)]
        return mixed[0], mixed[1], costs[low] + max(0.0, linear) * (costs[low + 1] - costs[low])


def task(name: str) -> Task:
    """The task ``table-NAME``, for one run."""
    found, own = recorded(name), load(name)
    grid = any(kind == "grid" for kind in found.kinds)
    curves = Grid(found, own.space) if grid else Pool(found, own.space)
    noise = found.noise if grid else 0.0
    training = Training(curves, found.data, repeated=own.repeated, noise=noise)

    def worth(config: Config) -> float:
        last = float(training.at(config, 1.0)[1][-1])
        return np.inf if np.isnan(last) else last

    first = found.seeds == 0
    full = [found.costs(row, len(found.data) - 1)[-1] for row in np.flatnonzero(first)]
    return replace(
        own,
        name=f"table-{name}",
        source="",
        train=training,
        validate=None,
        prepare=None,
        least=None,
        cheaper="",
        fidelity=Fidelity(epochs=(1, found.epochs), data=(float(found.data[0]), 1.0)),
        stateless=True,
        full_cost=float(np.mean(full)),
        optimum=float(np.nanmin(found.ended[first, -1, -1])),
        true_loss=worth,
    )


def complete() -> list[str]:
    """Names of what is recorded completely enough to be a task."""
    found = []
    for path in sorted(FOLDER.glob("*.npz")):
        try:
            task(path.stem)
        except BadData:
            continue
        found.append(path.stem)
    return found


def finals(name: str) -> Floats:
    """(rows,): of each configuration the loss of a full evaluation, infinite where it diverged."""
    found = recorded(name)
    last = found.ended[found.seeds == 0, -1, -1]
    return np.where(np.isnan(last), np.inf, last)


def misfit(name: str) -> tuple[float, int]:
    """Of the interpolation: (root mean squared error of the loss at full fidelity, at so many random points)."""
    found = recorded(name)
    grid = Grid(found, load(name).space)
    points = [i for i, kind in enumerate(found.kinds) if kind == "random" and not np.isnan(found.ended[i, -1, -1])]
    errors = [grid(found.configs[i])[1][-1, -1] - found.ended[i, -1, -1] for i in points]
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan"), len(points)


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
