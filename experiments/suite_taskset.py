"""TaskSet for the suite: 1,000 recorded learning curves in each of six tables, as a pool and through extra-trees.

Source: recurrent networks on IMDb, 8 hyperparameters of the optimizer, 51 epochs; Metz et al. 2020 (arXiv:2002.11887)
as repacked by DyHPO (github.com/releaunifreiburg/DyHPO), read from ``MFBO_DATA/taskset/*.npz``. Each hyperparameter is
its rank in the table, scaled to (0, 1). The loss is the validation loss; a run that diverges fails at the epoch where
it does, and is charged for it. All epochs cost the same, a full evaluation is 1.

``taskset-TABLE`` is the pool protocol of DyHPO and ifBO: each new configuration is given the nearest row that no other
configuration of that run has yet. What a configuration is given so depends on those before it: the task belongs to
one run, and `pool` makes a new one for each. ``smooth-TABLE`` reads the same table through extra-trees, and so is a
function of the configuration alone.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from ConfigSpace import ConfigurationSpace, Float
from numpy.typing import NDArray

from mfbo.context import Context
from mfbo.errors import BadData
from mfbo.fidelity import Fidelity
from mfbo.task import Task
from mfbo.tasks.synthetic.curves import EvenCost
from mfbo.trial import Config, Measurement, Rung, config_key

TABLES = (
    "imdb_patch128_LSTM128_avg_bs64",
    "imdb_patch128_LSTM128_embed128_bs64",
    "imdb_patch32_GRU64_avg_bs128",
    "imdb_patch32_IRNN64_relu_last_bs128",
    "imdb_patch32_LSTM128_bs128",
    "imdb_patch32_VRNN64_relu_avg_bs128",
)
EPOCHS = 51
NAMES = ("learning_rate", "beta1", "beta2", "epsilon", "l1", "l2", "linear_decay", "exponential_decay")
TREES = 100
WORST = 2 * np.log(2)  # of a diverged run, for the trees: twice the loss of guessing between two classes
Floats = NDArray[np.float64]


class Rows:
    """A table: points (rows, 8) in the unit cube, and losses (rows, epochs), NaN from where a run diverged.

    Raises:
        BadData: it is not there.
    """

    def __init__(self, table: str) -> None:
        path = Path(os.environ.get("MFBO_DATA", ".")) / "taskset" / f"{table}.npz"
        if not path.is_file():
            raise BadData(f"no table {str(path)!r}; name the folder above taskset with MFBO_DATA")
        with np.load(path) as data:
            values, losses = data["hyperparameters"], data["valid_loss"].astype(float)
        ranks = values.argsort(axis=0).argsort(axis=0)
        self.points: Floats = (ranks + 0.5) / len(values)
        self.losses: Floats = np.where(np.isnan(losses).cumsum(axis=1) > 0, np.nan, losses)

    @property
    def finals(self) -> Floats:
        """(rows,): the loss after all epochs, infinite where the run diverged."""
        return np.where(np.isnan(self.losses[:, -1]), np.inf, self.losses[:, -1])


rows_of = lru_cache(Rows)


class Nearest:
    """Gives each configuration the nearest row that is left; when all are taken, the nearest one.

    Args:
        points: (rows, dimensions).
    """

    def __init__(self, points: Floats) -> None:
        self._points = points
        self._left = np.ones(len(points), dtype=bool)
        self._given: dict[str, int] = {}

    def row(self, config: Config, point: Floats) -> int:
        """The row that belongs to `config`, which lies at `point`, from now on."""
        key = config_key(config)
        if key not in self._given:
            distances = np.linalg.norm(self._points - point, axis=1)
            if self._left.any():
                distances[~self._left] = np.inf
            self._given[key] = int(distances.argmin())
            self._left[self._given[key]] = False
        return self._given[key]


class Pool:
    """The curves of a run, by the pool protocol."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self._nearest = rows, Nearest(rows.points)

    def losses(self, config: Config) -> Floats:
        """(epochs,) of its row."""
        return self._rows.losses[self._nearest.row(config, _point(config))]


class Smooth:
    """Extra-trees of whole curves; grown to single rows, so that it is exact at these and nowhere below the best."""

    def __init__(self, table: str) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        rows = rows_of(table)
        losses = np.minimum(np.nan_to_num(rows.losses, nan=WORST), WORST)
        self.best = float(losses[:, -1].min())
        self._trees = ExtraTreesRegressor(TREES, random_state=0, n_jobs=1).fit(rows.points, losses)
        self._curve = lru_cache(4096)(self._predicted)

    def _predicted(self, point: tuple[float, ...]) -> Floats:
        row = np.array([point], dtype=np.float32)
        return np.mean([tree.tree_.predict(row)[0, :, 0] for tree in self._trees.estimators_], axis=0)

    def losses(self, config: Config) -> Floats:
        """(epochs,) as the trees predict."""
        return self._curve(tuple(_point(config)))


smooth_of = lru_cache(Smooth)


class Training:
    """The train function over recorded curves."""

    def __init__(self, curves: Pool | Smooth) -> None:
        self._curves = curves
        self._costs = EvenCost(EPOCHS)

    def __call__(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Report each epoch after ``context.start_epoch``; a diverged run ends where it diverges."""
        losses, costs = self._curves.losses(config), self._costs(config, rung)
        start = context.start_epoch
        paid = costs[start - 1] if start else 0.0
        for epoch in range(start, rung.epochs):
            spent = float(costs[epoch] - paid)
            if np.isnan(losses[epoch]):
                return Measurement(float("nan"), cost=spent)
            context.report(float(losses[epoch]), epoch=epoch + 1, cost=spent)
        return Measurement(float(losses[rung.epochs - 1]), cost=spent)


def pool(table: str) -> Task:
    """The task ``taskset-TABLE`` for one run."""
    rows = rows_of(table)
    return _task(f"taskset-{table}", Pool(rows), float(rows.finals.min()))


def smooth(table: str) -> Task:
    """The task ``smooth-TABLE``."""
    trees = smooth_of(table)
    return _task(f"smooth-{table}", trees, trees.best)


def _task(name: str, curves: Pool | Smooth, optimum: float) -> Task:
    def worth(config: Config) -> float:
        last = float(curves.losses(config)[-1])
        return np.inf if np.isnan(last) else last

    space = ConfigurationSpace(name="taskset")
    space.add(*(Float(each, (0.0, 1.0)) for each in NAMES))
    return Task(
        name=name,
        space=space,
        train=Training(curves),
        fidelity=Fidelity(epochs=(1, EPOCHS)),
        stateless=True,
        full_cost=1.0,
        optimum=optimum,
        true_loss=worth,
    )


def _point(config: Config) -> Floats:
    return np.array([float(config[name]) for name in NAMES])
