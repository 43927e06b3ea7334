"""Learning curves that `experiments/record.py` recorded and packed, as arrays, with what each training cost.

A rung of E epochs is measured after its step size has decayed, which only the recorded ends tell; between two ends its
loss is interpolated linearly in the logarithm of epochs, at each fraction. Losses within a rung are those before the
decay. Seconds are processor time: a start, a rate for each epoch, and the evaluations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfbo.data.bounds import read_npz
from mfbo.errors import BadData
from mfbo.trial import Config

FOLDER = Path(__file__).parent / "recordings"
DIVERGED = np.nan
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """A packed file.

    Attributes:
        about: task, plan, hardware, versions and date of the recording.
        configs: (rows,).
        kinds: (rows,), ``grid`` or ``random``.
        seeds: (rows,).
        data: (fractions,), ascending, the last is 1.
        during: (rows, fractions, epochs), loss after each epoch of a longer training; NaN from where it diverged.
        ended: (rows, fractions, epochs), loss of a training that ends there; NaN where it diverged.
        macro_f1: (rows, fractions, epochs), of a training that ends there; NaN where it diverged.
        seconds: (rows, fractions, 3): of the start, of an epoch, and of an epoch's evaluations.
        test: (rows,), test accuracy after the whole training.
        passes: (rows, fractions, 2), samples and steps of an epoch: what its seconds were spent on, on any machine.
    """

    about: dict[str, Any]
    configs: list[Config]
    kinds: NDArray[np.str_]
    seeds: NDArray[np.int16]
    data: Floats
    during: Floats
    ended: Floats
    macro_f1: Floats
    seconds: Floats
    test: Floats
    passes: NDArray[np.int32]

    @property
    def epochs(self) -> int:
        """Of a full evaluation."""
        return int(self.during.shape[2])

    def costs(self, row: int, fraction: int) -> Floats:
        """(epochs,): seconds from scratch until each epoch ends."""
        start, training, judging = self.seconds[row, fraction]
        return np.asarray(start + np.arange(1.0, self.epochs + 1) * (training + judging))

    @property
    def noise(self) -> Floats:
        """(fractions,): standard deviation of the last loss over training seeds; 0 where no row has two.

        Of the better half of the rows that have two: what diverges with one seed alone is no noise around a loss.
        """
        first = {json.dumps(config): i for i, config in enumerate(self.configs) if self.seeds[i] == 0}
        twice = [(first[key], i) for i, config in enumerate(self.configs) if (key := json.dumps(config)) in first]
        pairs = np.array([(a, b) for a, b in twice if a != b], dtype=int).reshape(-1, 2)
        finals = self.ended[pairs, -1, -1].mean(axis=1)
        pairs = pairs[finals <= np.nanmedian(finals)] if len(pairs) else pairs
        if not len(pairs):
            return np.zeros(len(self.data))
        gaps = self.ended[pairs[:, 0], :, -1] - self.ended[pairs[:, 1], :, -1]
        found: Floats = np.sqrt(np.nanmean(gaps**2, axis=0) / 2)
        return found


def read(path: Path) -> Recording:
    """A file that `record.py --pack` wrote.

    Raises:
        BadData: it is not there, or is damaged.
    """
    if not path.is_file():
        raise BadData(f"no recording {str(path)!r}; make it with experiments/record.py")
    packed = read_npz(path)
    about = json.loads(str(packed["about"]))
    columns = {name: packed["measured"][:, i].astype(float) for i, name in enumerate(packed["columns"].tolist())}
    configs = [json.loads(config) for config in packed["configs"].tolist()]
    kinds, seeds, test = packed["kinds"], packed["seeds"], packed["test_accuracy"].astype(float)
    passes = packed["passes"]
    plan = about["plan"]
    shape = (len(configs), len(plan["data"]))
    during, ended, macro_f1 = np.full((3, *shape, plan["ends"][-1]), DIVERGED)
    seconds = np.full((*shape, 3), np.nan)
    for row in range(shape[0]):
        for place, fraction in enumerate(plan["data"]):
            mine = (columns["row"] == row) & np.isclose(columns["data"], fraction)
            found = {name: values[mine] for name, values in columns.items()}
            during[row, place], ended[row, place] = _curves(found, plan["ends"])
            macro_f1[row, place] = _curves(found | {"loss": found["macro_f1"]}, plan["ends"])[1]
            seconds[row, place] = _seconds(found, plan["ends"])
    seconds = np.where(np.isnan(seconds), np.nanmedian(seconds, axis=0), seconds)
    return Recording(
        about, configs, kinds, seeds, np.array(plan["data"]), during, ended, macro_f1, seconds, test, passes
    )


def _curves(found: dict[str, Floats], ends: list[int]) -> tuple[Floats, Floats]:
    """(loss during a longer training, loss of one that ends there), each (epochs,)."""
    every = np.arange(1.0, ends[-1] + 1)
    epoch, loss, end = found["epoch"], found["loss"], found["end"] == 1
    good = np.isfinite(loss)
    last = epoch[good].max(initial=0)
    inside = good & (~end | (epoch == ends[-1]))
    if not good.any():
        return np.full(len(every), DIVERGED), np.full(len(every), DIVERGED)
    inside = inside if inside.any() else good
    during = np.interp(every, epoch[inside], loss[inside])
    ended = during if len(ends) == 1 else np.interp(np.log(every), np.log(epoch[good & end]), loss[good & end])
    whole = last >= ends[-1]
    known = whole | (every <= last)
    return np.where(known, during, DIVERGED), np.where(known, ended, DIVERGED)


def _seconds(found: dict[str, Floats], ends: list[int]) -> tuple[float, float, float]:
    """(start, an epoch's training, an epoch's evaluations): slopes inside of each rung, and what is left before."""
    epoch, spent, judged = found["epoch"], found["train_cpu"], found["eval_cpu"]
    if not len(epoch):
        return np.nan, np.nan, np.nan
    rungs = np.cumsum(np.append(False, spent[1:] < spent[:-1]))
    steps, gained, starts = 0.0, 0.0, []
    for rung in np.unique(rungs):
        mine = rungs == rung
        steps, gained = steps + np.ptp(epoch[mine]), gained + np.ptp(spent[mine])
    rate = gained / steps if steps else spent[0] / epoch[0]
    for rung in np.unique(rungs):
        mine = rungs == rung
        begun = 0.8 * ends[rung - 1] if rung else 0.0
        starts.append(spent[mine][0] - rate * (epoch[mine][0] - begun))
    return max(0.0, float(np.median(starts))), float(rate), float(judged.sum() / max(1.0, np.unique(epoch).size))
