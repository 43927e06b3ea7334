"""`lcbench-<instance>`: learning curves of an MLP on 34 tables of OpenML, from YAHPO Gym's surrogate.

Source: LCBench, Zimmer, Lindauer and Hutter 2021 (arXiv:2006.13799): 2,000 configurations on each table, 52 epochs
each. YAHPO Gym, Pfisterer et al. 2022 (AutoML-Conf, arXiv:2109.03670), fitted one network to them all, which predicts
validation accuracy and time for any configuration and epoch (github.com/slds-lmu/yahpo_data, lcbench/model.onnx). It is
read from ``MFBO_DATA/yahpo/lcbench`` and runs on onnxruntime.

The loss is ``1 - val_accuracy / 100``. A trial costs the predicted time, on a virtual clock; it is cumulative, made
monotone where the network is not, and a trial that is continued pays only for the rest. There is no noise.

`REFERENCE` was made by experiments/lcbench_reference.py: of each instance the mean time of a full evaluation over
20,000 random configurations, and the least loss that a long search of the surrogate found after 52 epochs (random
configurations, then local search from the best; it is not proved to be the optimum). The best points lie in corners of
the space where LCBench has few configurations, so that they say little of the real tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from mfbo.errors import BadData
from mfbo.fidelity import Fidelity
from mfbo.spaces import lcbench as spaces  # type: ignore[import-not-found, unused-ignore]
from mfbo.task import Task
from mfbo.tasks.registry import BUILTIN
from mfbo.tasks.synthetic.curves import Curves, Floats
from mfbo.tasks.tables.lcbench_reference import REFERENCE
from mfbo.tasks.tables.yahpo import Network, folder_of, remedy
from mfbo.trial import Config, Rung

EPOCHS = 52
CONTINUOUS = ("batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")


class Surrogate:
    """YAHPO Gym's network of the scenario.

    Args:
        folder: with ``model.onnx`` and ``encoding.json``.

    Raises:
        BadData: a file is missing or is not YAHPO's.
        MissingExtra: onnxruntime is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._network = Network(folder)
        if "OpenML_task_id" not in self._network.encoding:
            raise BadData(f"the surrogate in {str(folder)!r} is not that of lcbench; {remedy('lcbench')}")

    def predict(self, instance: str, configs: Sequence[Config], epochs: Floats) -> tuple[Floats, Floats]:
        """(losses, seconds from scratch) of each configuration after each of `epochs`: (configs, epochs)."""
        rows = np.empty((len(configs), len(epochs), 1 + len(CONTINUOUS)), dtype=np.float32)
        rows[:, :, 0] = epochs
        rows[:, :, 1:] = np.array([[float(config[name]) for name in CONTINUOUS] for config in configs])[:, None]
        codes = np.full(
            (rows.shape[0] * rows.shape[1], 1), self._network.encoding["OpenML_task_id"][instance], dtype=np.int32
        )
        flat = rows.reshape(len(codes), -1)
        found = self._network.predict(codes, flat)
        seconds, accuracy = found[:, 0], found[:, 1]
        losses: Floats = 1 - accuracy.reshape(rows.shape[:2]) / 100
        return losses, np.maximum.accumulate(seconds.reshape(rows.shape[:2]), axis=1)


@lru_cache(maxsize=2)
def surrogate(folder: Path) -> Surrogate:
    """The network in `folder`, read once a process; see `Surrogate`."""
    return Surrogate(folder)


def folder() -> Path:
    """Where the surrogate is looked for.

    Raises:
        BadData: ``MFBO_DATA`` is not set.
    """
    return folder_of("lcbench")


@lru_cache(maxsize=4)
def _curve(instance: str, folder: Path, values: tuple[float, ...]) -> tuple[Floats, Floats]:
    config: Config = dict(zip(CONTINUOUS, values, strict=True))
    losses, seconds = surrogate(folder).predict(instance, [config], np.arange(1.0, EPOCHS + 1))
    return losses[0], seconds[0]


def _values(config: Config) -> tuple[float, ...]:
    return tuple(float(config[name]) for name in CONTINUOUS)


def _losses(instance: str, config: Config, rung: Rung, _seed: int) -> Floats:
    return _curve(instance, folder(), _values(config))[0][: rung.epochs]


def _costs(instance: str, config: Config, rung: Rung) -> Floats:
    return _curve(instance, folder(), _values(config))[1][: rung.epochs]


def _at_full(instance: str, config: Config) -> float:
    return float(_curve(instance, folder(), _values(config))[0][-1])


def _prepare(_options: Mapping[str, str]) -> None:
    surrogate(folder())


def _task(instance: str) -> Task:
    full_cost, optimum = REFERENCE[instance]
    name = f"lcbench-{instance}"
    return Task(
        name=name,
        space=spaces.space(),
        train=Curves(partial(_losses, instance), partial(_costs, instance)),
        fidelity=Fidelity(epochs=(1, EPOCHS)),
        description=BUILTIN[name].description,
        prepare=_prepare,
        stateless=True,
        full_cost=full_cost,
        optimum=optimum,
        true_loss=partial(_at_full, instance),
    )


def __getattr__(name: str) -> Any:
    """``task_3945`` is the function that returns the task `lcbench-3945`."""
    instance = name.removeprefix("task_")
    if instance == name or instance not in REFERENCE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(_task, instance)
