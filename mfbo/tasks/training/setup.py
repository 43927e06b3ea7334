"""What the real tasks settle before they train: their options, and which rows they learn from. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfbo.data.splits import MIN_CLASS_SAMPLES, Indices, nested_subset, stratified_split
from mfbo.errors import BadValue, UnknownName
from mfbo.trial import Rung

VALIDATION = 0.1  # of the training split
DECAY = 0.2  # of a rung's steps: what a promoted configuration trains again
STEPS = 10  # of a rung, at least
JUDGED, GLANCED = 500, 250  # validation samples that a rung is judged by at least, and that a look within it takes
MEASUREMENT = "measurement.json"  # what a checkpoint says of the model that was measured
_WHAT = {
    "data_dir": "a folder",
    "model": "a folder, or a name on the Hugging Face hub",
    "patience": "a whole number of epochs, 1 or more",
    "samples": "a whole number, 1 or more",
}


@dataclass(frozen=True)
class Options:
    """What a user may set beside the hyperparameters, with ``--data-dir``, ``--model`` or ``--option NAME=VALUE``.

    Attributes:
        data_dir: folder above the data sets; None for ``MFBO_DATA`` and the cache.
        model: pretrained model, for tasks that start from one.
        patience: epochs without a better validation loss after which a trial goes over to its decay; None for never.
        samples: of the training split that are used at all, at most; the validation part is then a tenth of these.
            None for all.
    """

    data_dir: str | None = None
    model: str = ""
    patience: int | None = None
    samples: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, str], known: tuple[str, ...]) -> Options:
        """The options of a task that knows those names.

        Raises:
            UnknownName: the task knows no such option.
            BadValue: a value is outside what is allowed.
        """
        for name, value in given.items():
            if name not in known:
                raise UnknownName("option", name, known)
            if name in ("patience", "samples") and not (str(value).isascii() and str(value).isdigit() and int(value)):
                raise BadValue(f"option {name}={value!r}: give {_WHAT[name]}")
            if not str(value):
                raise BadValue(f"option {name} is empty; give {_WHAT[name]}")
        whole = {name: int(given[name]) for name in ("patience", "samples") if name in given}
        return cls(data_dir=given.get("data_dir"), model=given.get("model", ""), **whole)


def import_torch() -> None:
    """Import all that a training needs, for it not to be charged to a trial."""
    from mfbo.tasks.training.device import import_all

    import_all()


def parts(
    labels: NDArray[np.int64], data: float, seed: int, samples: int | None = None
) -> tuple[Indices, Indices, Indices]:
    """Rows of a training split: to learn from at a data fraction, to judge by, and all that are not for the latter.

    Args:
        labels: (n,), of the whole training split.
        data: fraction in (0, 1].
        seed: of the run.
        samples: number of rows, stratified, that stand for the whole split; None for all.

    Returns:
        (learn, judge, training): ascending indices. ``judge`` depends on labels, seed and samples alone; ``learn`` is
        stratified, contained in that of every larger fraction, and part of ``training``, which has no row of ``judge``.
    """
    used = everything(labels, 1.0, seed, samples)
    training, judge = (used[part] for part in stratified_split(labels[used], VALIDATION, seed))
    return training[nested_subset(labels[training], data, seed)], judge, training


def judged(labels: NDArray[np.int64], judge: Indices, rung: Rung, learnt: int, seed: int) -> tuple[Indices, Indices]:
    """Of the validation part, the rows that a rung is measured on, and those of a look within one of its epochs.

    A short training is not measured for longer than it takes: on as many samples as it sees, or `JUDGED` if these are
    fewer. All configurations of a rung are measured on the same rows, and a higher rung on no fewer.

    Args:
        labels: (n,), of the whole training split.
        judge: rows of the validation part, from `parts`.
        rung: that is trained.
        learnt: samples of an epoch.
        seed: of the run.
    """
    many = max(JUDGED, rung.epochs * learnt)
    rows = judge[nested_subset(labels[judge], min(1.0, many / len(judge)), seed)]
    glance = judge[nested_subset(labels[judge], min(1.0, GLANCED / len(judge)), seed)]
    return rows, glance


def everything(labels: NDArray[np.int64], data: float, seed: int, samples: int | None = None) -> Indices:
    """Rows to learn from for the final validation: all of them, but for a data fraction and a cap as in `parts`."""
    used = nested_subset(labels, min(1.0, (samples or len(labels)) / len(labels)), seed)
    return used[nested_subset(labels[used], data, seed)]


def least(
    labels: NDArray[np.int64],
    samples: int | None = None,
    *,
    batch: int,
    epochs: int,
    steps: int = STEPS,
    size: float = 1.0,
) -> tuple[float, float]:
    """(data, work) of the lowest rung that tells anything.

    Its subset needs no more than its share of any class (see `splits.MIN_CLASS_SAMPLES`). It takes at least `steps`:
    after fewer, a model has hardly left where it began, and all configurations look alike.

    Args:
        labels: (n,), of the whole training split.
        samples: number of them that stand for all; None for all.
        batch: samples a step, the default configuration's.
        epochs: of a full evaluation.
        steps: of the lowest rung.
        size: least part of an input that a rung may read.
    """
    training = min(1.0, (samples or len(labels)) / len(labels)) * (1 - VALIDATION)
    rarest = float(np.unique(labels, return_counts=True)[1].min()) * training
    data = min(1.0, (MIN_CLASS_SAMPLES - 0.5) / rarest)  # `nested_subset` rounds
    return data, min(1.0, size * steps * batch / (epochs * training * len(labels)))


def write_measurement(folder: Path, loss: float, metrics: Mapping[str, float], confusion: NDArray[np.int64]) -> None:
    """Note in a checkpoint how its model did; ``confusion[i, j]`` counts samples of class i predicted as j."""
    write_json(folder / MEASUREMENT, {"loss": loss, "metrics": dict(metrics), "confusion": confusion.tolist()})


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, one key a line."""
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
