"""`table-cifar10`, `table-agnews`, `table-imdb`, `table-digits`: the project's own tasks as recorded learning curves.

Each was trained for real, once, in a fixed design (`experiments/record.py`): a run on a table costs milliseconds, on a
virtual clock of the seconds of processor time that were measured then. ``recordings/README.md`` says how large the
trainings were, on which machine, and how far interpolated losses are from trained ones.

Fidelity is joint: epochs and data. Between recorded fractions losses are linear in the logarithm of the fraction,
seconds in the fraction. Going on to more epochs pays for them and for what the task trains again; a loss does not
depend on where training went on. The noise of a trial is normal, as wide as two training seeds of a row differ at its
fraction; what a configuration is worth has none.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from mfbo.context import Context
from mfbo.errors import BadData
from mfbo.fidelity import Fidelity
from mfbo.task import Task
from mfbo.tasks.registry import BUILTIN
from mfbo.tasks.synthetic.curves import normals
from mfbo.tasks.tables.interpolation import Grid, Nearby
from mfbo.tasks.tables.recording import FOLDER, Floats, Recording, read
from mfbo.trial import Config, Measurement, Rung

DRAWS = 512  # random configurations that the mean cost of a full evaluation is taken over
DURING, ENDED, MACRO_F1, SECONDS = range(4)  # of the curves; see `interpolation`


class Training:
    """The train function over recorded curves; see the module.

    Args:
        curves: configuration -> (4, fractions, epochs).
        data: (fractions,), ascending.
        repeated: part of the epochs behind a checkpoint that going on trains again.
        noise: (fractions,), standard deviation.
    """

    def __init__(self, curves: Callable[[Config], Floats], data: Floats, *, repeated: float, noise: Floats) -> None:
        self._curves, self._data = curves, data
        self._repeated, self._noise = repeated, noise

    def __call__(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Report the epochs after ``context.start_epoch`` until it diverges; the metrics are accuracy and macro F1.

        Raises:
            TrialStopped: from ``context.report``: the time is up.
        """
        found = self.at(config, rung.data)
        width = float(np.interp(np.log(rung.data), np.log(self._data), self._noise))
        shaken = width * normals(config, rung, context.seed)
        start = context.start_epoch
        costs = found[SECONDS] - (found[SECONDS][start - 1] if start else 0.0)
        costs += self._repeated * start * (found[SECONDS][1] - found[SECONDS][0] if len(costs) > 1 else 0.0)
        loss = 0.0
        for epoch in range(start, rung.epochs):
            last = epoch + 1 == rung.epochs
            loss = float(np.clip(found[ENDED if last else DURING][epoch] + shaken[epoch], 0.0, 1.0))
            if np.isnan(loss):
                return Measurement(loss, cost=float(costs[epoch]))
            context.report(loss, epoch=epoch + 1, cost=float(costs[epoch]))
        macro_f1 = float(np.clip(found[MACRO_F1][rung.epochs - 1] - shaken[rung.epochs - 1], 0.0, 1.0))
        return Measurement(loss, {"accuracy": 1 - loss, "macro_f1": macro_f1}, cost=float(costs[rung.epochs - 1]))

    def at(self, config: Config, data: float) -> Floats:
        """(4, epochs), at a data fraction."""
        found = self._curves(config)
        share = float(np.interp(np.log(data), np.log(self._data), np.arange(len(self._data))))
        low = min(int(share), len(self._data) - 2)
        linear = max(0.0, (data - self._data[low]) / (self._data[low + 1] - self._data[low]))
        parts = np.array([share - low] * SECONDS + [linear])[:, None]
        return np.asarray(found[:, low] + parts * (found[:, low + 1] - found[:, low]))

    def full(self, config: Config) -> Floats:
        """(4,), of a full evaluation: loss during, loss, macro F1, seconds."""
        return np.asarray(self.at(config, 1.0)[:, -1])

    def worth(self, config: Config) -> float:
        """The loss of a full evaluation, without noise; infinite where it diverges."""
        loss = float(self.full(config)[ENDED])
        return np.inf if np.isnan(loss) else loss


@lru_cache(maxsize=8)
def recording(name: str) -> Recording:
    """That of a task, as it comes with the package.

    Raises:
        BadData: nothing is recorded.
    """
    return read(FOLDER / f"{name}.npz")


def training(name: str) -> Training:
    """The train function of ``table-NAME``.

    Raises:
        BadData: too little is recorded.
    """
    found, own = recording(name), _own(name)
    curves = Grid(found, own.space) if "grid" in found.kinds else Nearby(found, own.space)
    return Training(curves, found.data, repeated=own.repeated, noise=found.noise)


def task(name: str) -> Task:
    """The task ``table-NAME``.

    Raises:
        BadData: too little is recorded.
    """
    found, own, train = recording(name), _own(name), training(name)
    own.space.seed(0)
    costs = [train.full(dict(config))[SECONDS] for config in own.space.sample_configuration(DRAWS)]
    grid, listed = "grid" in found.kinds, BUILTIN.get(f"table-{name}")
    rows = (found.seeds == 0) & ((found.kinds == "grid") | (not grid))
    return replace(
        own,
        name=f"table-{name}",
        description=listed.description if listed else f"{name} as recorded learning curves",
        space=_own(name).space,
        spaces={},
        train=train,
        validate=None,
        prepare=None,
        least=None,
        cheaper="",
        fidelity=Fidelity(epochs=(1, found.epochs), data=(float(found.data[0]), 1.0)),
        stateless=True,
        full_cost=float(np.mean(costs)),
        optimum=float(np.nanmin(found.ended[rows, -1, -1])),
        true_loss=train.worth,
    )


imdb, agnews, cifar10, digits = (partial(task, name) for name in ("imdb", "agnews", "cifar10", "digits"))


def complete() -> list[str]:
    """Names of the recordings that are complete enough to be tasks."""
    found = []
    for path in sorted(FOLDER.glob("*.npz")):
        try:
            training(path.stem)
        except BadData:
            continue
        found.append(path.stem)
    return found


def misfit(name: str) -> tuple[float, int]:
    """Of the interpolation: (root mean squared error of a full evaluation's loss, over so many trained points).

    The points are the random ones that a grid does not use; of a recording without a grid each row, left out in turn.
    What two seeds differ by is in it.
    """
    found, own = recording(name), _own(name)
    good = ~np.isnan(found.ended[:, -1, -1]) & (found.seeds == 0) & (found.kinds == "random")
    rows = np.flatnonzero(good)
    if "grid" in found.kinds:
        grid = Grid(found, own.space)
        told = [grid(found.configs[row]) for row in rows]
    else:
        nearby, place = Nearby(found, own.space), np.cumsum(found.seeds == 0) - 1
        told = [nearby(found.configs[row], leave=int(place[row])) for row in rows]
    errors = np.array([curves[ENDED, -1, -1] for curves in told]) - found.ended[rows, -1, -1]
    return (float(np.sqrt(np.nanmean(errors**2))) if len(rows) else float("nan")), len(rows)


def _own(name: str) -> Task:
    """The task that was recorded; a new one at each call, as its space holds a generator."""
    made: Callable[[], Task] = importlib.import_module(f"mfbo.tasks.{name}").task
    return made()
