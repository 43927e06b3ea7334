"""XGBoost on eight tables of OpenML for the suite, by YAHPO Gym's surrogate: `xgboost-ID`, fidelity the data fraction.

    MFBO_DATA=... python experiments/suite_xgboost.py    # prints REFERENCE, in two minutes of one core

Source: random bot data of XGBoost (Binder et al. 2020), Pfisterer et al. 2022 (scenario ``rbv2_xgboost``), read from
``MFBO_DATA/yahpo/rbv2_xgboost``. The loss is 1 - balanced accuracy, averaged over ten repetitions. The cost is the
predicted training time with 2% of a mean full evaluation added: a subset of 3% costs a quarter to a half of a full
evaluation on most tables. Every rung trains from scratch.

`REFERENCE` has of each table the mean seconds of a full evaluation over 20,000 random configurations, and the least
loss of these and of a local search from the best of each booster; it is not proved to be the optimum.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import product

import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, InCondition, Integer
from numpy.typing import NDArray

from mfbo.context import Context
from mfbo.fidelity import Fidelity
from mfbo.task import Task
from mfbo.tasks.tables.yahpo import Network, folder_of
from mfbo.trial import Config, Measurement, Rung

REFERENCE: dict[str, tuple[float, float]] = {
    "1040": (100.996, 0.000722050667),
    "12": (171.875, 0.00311070681),
    "1478": (337.238, 0),
    "1487": (27.8155, 0.2342695),
    "181": (131.584, 0.546831071),
    "334": (7.23327, 0.0174828172),
    "40668": (334.712, 0),
    "458": (46.518, 0.000764667988),
}
CATEGORICAL = ("booster", "num.impute.selected.cpo")
CONTINUOUS = (
    "nrounds",
    "eta",
    "gamma",
    "lambda",
    "alpha",
    "subsample",
    "max_depth",
    "min_child_weight",
    "colsample_bytree",
    "colsample_bylevel",
    "rate_drop",
    "skip_drop",
)
REPETITIONS = 10
BALANCED_ACCURACY, SECONDS = 1, 6  # columns of the network's output
OVERHEAD = 0.02  # of a mean full evaluation, in the cost of every trial
LOWEST = 0.03
RANDOM, STARTS, ROUNDS, STEPS = 20_000, 16, 40, 16
Floats = NDArray[np.float64]


def space() -> ConfigurationSpace:
    """YAHPO's: 14 hyperparameters, of which linear boosters have 6."""
    found = ConfigurationSpace(name="xgboost")
    booster = Categorical("booster", ["gblinear", "gbtree", "dart"], default="gblinear")
    trees = [
        Float("eta", (0.0009118819655545162, 1.0), log=True),
        Float("gamma", (4.5399929762484854e-05, 7.38905609893065), log=True),
        Integer("max_depth", (1, 15)),
        Float("min_child_weight", (2.718281828459045, 148.4131591025766), log=True),
        Float("colsample_bytree", (0.01, 1.0)),
        Float("colsample_bylevel", (0.01, 1.0)),
    ]
    dropped = [Float("rate_drop", (0.0, 1.0)), Float("skip_drop", (0.0, 1.0))]
    found.add(
        booster,
        Categorical("num.impute.selected.cpo", ["impute.mean", "impute.median", "impute.hist"], default="impute.mean"),
        Integer("nrounds", (7, 2981), log=True),
        Float("lambda", (0.0009118819655545162, 1096.6331584284585), default=1.0, log=True),
        Float("alpha", (0.0009118819655545162, 1096.6331584284585), default=1.0, log=True),
        Float("subsample", (0.1, 1.0)),
        *trees,
        *dropped,
        *(InCondition(each, booster, ["gbtree", "dart"]) for each in trees),
        *(EqualsCondition(each, booster, "dart") for each in dropped),
    )
    return found


@lru_cache
def network() -> Network:
    """Read once a process."""
    return Network(folder_of("rbv2_xgboost"))


def predicted(instance: str, configs: list[Config], data: float) -> tuple[Floats, Floats]:
    """(losses, training seconds), each (configs,), at a data fraction."""
    codes = network().encoding
    categories = [
        [codes["task_id"][instance], *(codes[name][str(config[name])] for name in CATEGORICAL)] for config in configs
    ]
    values = [[*(float(config.get(name, 0.0)) for name in CONTINUOUS), data, REPETITIONS] for config in configs]
    found = network().predict(np.array(categories, dtype=np.int32), np.array(values, dtype=np.float32))
    return 1 - found[:, BALANCED_ACCURACY], np.maximum(found[:, SECONDS], 0.0)


def _train(instance: str, config: Config, rung: Rung, context: Context) -> Measurement:
    losses, seconds = predicted(instance, [config], rung.data)
    loss, cost = float(losses[0]), float(seconds[0]) + OVERHEAD * REFERENCE[instance][0]
    context.report(loss, epoch=1, cost=cost)
    return Measurement(loss, cost=cost)


def _worth(instance: str, config: Config) -> float:
    return float(predicted(instance, [config], 1.0)[0][0])


def task(instance: str) -> Task:
    """The task ``xgboost-ID``."""
    seconds, optimum = REFERENCE[instance]
    return Task(
        name=f"xgboost-{instance}",
        space=space(),
        train=partial(_train, instance),
        fidelity=Fidelity(data=(LOWEST, 1.0)),
        stateless=True,
        full_cost=seconds * (1 + OVERHEAD),
        optimum=optimum,
        true_loss=partial(_worth, instance),
    )


def reference(instance: str) -> tuple[float, float]:
    """(mean training seconds of a full evaluation, least loss found)."""
    found, rng = space(), np.random.default_rng(0)
    found.seed(0)
    drawn = [dict(config) for config in found.sample_configuration(RANDOM)]
    losses, seconds = predicted(instance, drawn, 1.0)
    least = float(losses.min())
    for booster, imputed in product(found["booster"].choices, found["num.impute.selected.cpo"].choices):
        own = [i for i in losses.argsort() if (drawn[i]["booster"], drawn[i][CATEGORICAL[1]]) == (booster, imputed)]
        least = min(least, _search(instance, found, [drawn[i] for i in own[:STARTS]], rng))
    return float(seconds.mean()), least


def _search(instance: str, found: ConfigurationSpace, starts: list[Config], rng: np.random.Generator) -> float:
    """The least loss of random steps from each start in the unit cube, narrower in every round."""
    names = [name for name in CONTINUOUS if name in starts[0]]
    fixed = {name: starts[0][name] for name in CATEGORICAL}

    def configs(points: Floats) -> list[Config]:
        columns = [found[name].to_value(points[:, i]) for i, name in enumerate(names)]
        return [fixed | dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    at = np.array([[found[name].to_vector(config[name]) for name in names] for config in starts], dtype=float)
    losses = predicted(instance, configs(at), 1.0)[0]
    for width in np.geomspace(0.3, 0.003, ROUNDS):
        moved = rng.normal(0, width, (len(at), STEPS, len(names))) * (rng.random((len(at), STEPS, len(names))) < 0.5)
        tried = np.clip(at[:, None] + moved, 0, 1)
        value = predicted(instance, configs(tried.reshape(-1, len(names))), 1.0)[0].reshape(len(at), STEPS)
        best = value.argmin(axis=1)
        better = value.min(axis=1) < losses
        at[better], losses = tried[np.arange(len(at)), best][better], np.minimum(losses, value.min(axis=1))
    return float(losses.min())


if __name__ == "__main__":
    for each in REFERENCE:
        print('    "{}": ({:.6g}, {:.9g}),'.format(each, *reference(each)), flush=True)
