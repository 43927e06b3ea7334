"""Fidelity: data fraction x epochs x size of the inputs, and the paths that one scalar of work takes through them.

Work z is what is seen, as a fraction of a full evaluation: ``epochs/max_epochs * data/max_data * size/max_size``. A
path says which rung stands for which z:

- ``epochs``: all data, fewer epochs. A promoted configuration continues from its checkpoint.
- ``data``: all epochs on a smaller subset. Each rung starts from scratch, as its epochs are all spent.
- ``joint``: all shrink, each in proportion to its own range on a log scale.

The size of the inputs, such as the words of a text or the pixels of an image, shrinks on the path ``joint`` alone.

What is counted need not be epochs: ``Fidelity(trees=(10, 1000))`` counts trees, and so may anything be that is counted
and costs, one of it: folds, steps, tokens, repeats. Everything that is said of epochs holds for it, by its name.

>>> fidelity = Fidelity(epochs=(1, 27), data=(0.1, 1.0))
>>> [str(rung) for rung in fidelity.ladder(path="joint")]
['25% of the data, 4 epochs', '43% of the data, 7 epochs', '64% of the data, 14 epochs', 'all data, 27 epochs']
>>> str(Fidelity(epochs=(1, 27), data=(0.1, 1.0), size=(0.25, 1.0)).rung(0.01))
'22% of the data, 3 epochs, inputs at 40%'
>>> [rung.trees for rung in Fidelity(trees=(10, 1000)).ladder()]
[37, 111, 333, 1000]

What costs more than in proportion, as a longer sequence does, says by which power:

>>> [rung.tokens for rung in Fidelity(tokens=(128, 1024), growth=2).ladder()]
[197, 341, 591, 1024]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any

from msgspec import Meta

from mfbo.errors import BadValue, UnknownName
from mfbo.trial import Rung

PATHS = ("epochs", "data", "joint")
NOT_GIVEN: Any = object()
TAKEN = ("work", "epoch", "paths")  # names that a rung or a table uses
ETA = 3
MAX_RUNGS = 4
MAX_GROWTH = 4  # power of a cost


@dataclass(frozen=True, init=False)
class Fidelity:
    """The ranges a task can be evaluated in: (lowest, full), or one number for what never changes.

    Args:
        epochs: integers of 1 or more.
        data: fractions of the training data in (0, 1].
        size: fractions of each input in (0, 1], in the measure that its cost grows by.
        continues: whether a trial can go on from a checkpoint of a lower level; else plans charge each from the start.
        unit: what `epochs` counts.
        growth: power by which the cost of a trial grows with what is counted: 1 where each costs the same, 2 for the
            length of a sequence or the side of an image. Above or below 1 no trial goes on from a lower level.
        counted: in place of `epochs`, one range by the name of what is counted: ``trees=(10, 1000)``.

    Raises:
        BadValue: a range is empty, reversed or outside its bounds, or two things are counted.
    """

    epochs: tuple[int, int] | int = 1
    data: tuple[float, float] | float = 1.0
    size: tuple[float, float] | float = 1.0
    unit: Annotated[str, Meta(max_length=40)] = "epochs"
    continues: bool = True
    growth: float = 1.0

    def __init__(
        self,
        epochs: tuple[int, int] | int = NOT_GIVEN,
        data: tuple[float, float] | float = 1.0,
        size: tuple[float, float] | float = 1.0,
        unit: str = "epochs",
        *,
        continues: bool = True,
        growth: float = 1.0,
        **counted: tuple[int, int] | int,
    ) -> None:
        if len(counted) + (epochs is not NOT_GIVEN) > 1:
            names = [*(["epochs"] if epochs is not NOT_GIVEN else []), *counted]
            raise BadValue(f"fidelity counts {' and '.join(names)}; give one of them, beside data and size")
        for name, value in counted.items():
            if name in TAKEN or not name.isidentifier() or name.startswith("_"):
                raise BadValue(f"fidelity {name!r}: give what is counted in the plural, such as trees or folds")
            unit, epochs = name, value
        object.__setattr__(self, "epochs", 1 if epochs is NOT_GIVEN else epochs)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "continues", continues and growth == 1)
        object.__setattr__(self, "growth", growth)
        self.__post_init__()

    def __post_init__(self) -> None:
        if not _is_range(self.epochs, int):
            what = f"fidelity {self.unit}={self.epochs!r}"
            raise BadValue(f"{what}: give (lowest, full) as integers, 1 <= lowest <= full")
        if (
            isinstance(self.growth, bool)
            or not isinstance(self.growth, int | float)
            or not 0 < self.growth <= MAX_GROWTH
        ):
            raise BadValue(
                f"fidelity growth={self.growth!r}: give the power of the cost, above 0 and up to {MAX_GROWTH}"
            )
        for name, value in (("data", self.data), ("size", self.size)):
            if not (_is_range(value, float | int) and _pair(value)[1] <= 1):
                raise BadValue(f"fidelity {name}={value!r}: give (lowest, full) as fractions, 0 < lowest <= full <= 1")

    @property
    def epoch_range(self) -> tuple[int, int]:
        """(lowest, full) epochs."""
        return _pair(self.epochs)

    @property
    def data_range(self) -> tuple[float, float]:
        """(lowest, full) fraction of the data."""
        return _pair(self.data)

    @property
    def size_range(self) -> tuple[float, float]:
        """(lowest, full) fraction of each input."""
        return _pair(self.size)

    @property
    def ranges(self) -> Fidelity:
        """The same with each range as a pair, as a ledger keeps it."""
        pairs = self.epoch_range, self.data_range, self.size_range
        return Fidelity(*pairs, self.unit, continues=self.continues, growth=self.growth)

    @property
    def full(self) -> Rung:
        """The rung of a full evaluation."""
        return self.at(self.epoch_range[1], self.data_range[1])

    def at(self, epochs: int, data: float, size: float | None = None) -> Rung:
        """The rung of so many epochs on such a fraction of data and inputs (None: whole)."""
        whole = self.size_range[1] if size is None else size
        return Rung(epochs, float(data), self.work(epochs, data, size), whole, self.unit)

    @property
    def default_path(self) -> str:
        """``joint`` where several dimensions have a range, else the one that has."""
        epochs, data = self._varies
        several = (epochs and data) or self.size_range[0] < self.size_range[1]
        return "joint" if several else "data" if data else "epochs"

    @property
    def _varies(self) -> tuple[bool, bool]:
        return self.epoch_range[0] < self.epoch_range[1], self.data_range[0] < self.data_range[1]

    def work(self, epochs: float, data: float, size: float | None = None) -> float:
        """Work of `epochs` on a fraction of data and inputs (None: whole), as one of a full evaluation."""
        part = 1.0 if size is None else size / self.size_range[1]
        counted: float = (epochs / self.epoch_range[1]) ** self.growth
        return counted * (data / self.data_range[1]) * part

    def lowest_work(self, path: str | None = None) -> float:
        """Work of the cheapest evaluation on `path`."""
        path = self._check(path)
        epochs = self.epoch_range[0] if path != "data" else self.epoch_range[1]
        data = self.data_range[0] if path != "epochs" else self.data_range[1]
        return self.work(epochs, data, self.size_range[0] if path == "joint" else None)

    def rung(self, work: float, path: str | None = None) -> Rung:
        """The rung that spends `work` on `path`: epochs are rounded, the data fraction then makes up for it.

        Args:
            work: z in (0, 1]; less than the path's lowest is raised to it.
            path: ``epochs``, ``data`` or ``joint``.
        """
        path = self._check(path)
        lowest = self.lowest_work(path)
        work = min(1.0, max(work, lowest))
        (low_epochs, high_epochs), (low_data, high_data) = self.epoch_range, self.data_range
        low_size, high_size = self.size_range
        if path == "epochs":
            epochs = min(high_epochs, max(low_epochs, round(work ** (1 / self.growth) * high_epochs)))
            return self.at(epochs, high_data)
        log = math.log(lowest) if lowest < 1 else -math.inf
        narrowed = math.log(low_size / high_size) / log if path == "joint" else 0.0
        share = 1.0 if path == "data" else math.log(low_data / high_data) / log
        size = high_size * work**narrowed
        epochs = min(high_epochs, max(low_epochs, round(high_epochs * work ** ((1 - share - narrowed) / self.growth))))
        rest = work * high_epochs**self.growth / epochs**self.growth * high_size / size
        data = min(high_data, max(low_data, high_data * rest))
        return self.at(epochs, data, size)

    def ladder(self, path: str | None = None, eta: int = ETA, most: int = MAX_RUNGS, top: float = 1.0) -> list[Rung]:
        """Rungs from low to `top`, work growing `eta`-fold, each a different one.

        Args:
            path: ``epochs``, ``data`` or ``joint``; the default is `default_path`.
            eta: factor between rungs, 2 or more.
            most: the most rungs; 1 gives the top alone.
            top: work of the highest rung, as a fraction of a full evaluation.
        """
        steps = min(most - 1, math.floor(math.log(max(1.0, top / self.lowest_work(path))) / math.log(eta) + 1e-9))
        rungs = [self.rung(top * float(eta) ** -k, path) for k in range(steps, -1, -1)]
        if self.unit != "epochs" and len(rungs) < most and rungs[0].epochs > self.epoch_range[0]:
            rungs.insert(0, self.rung(0.0, path))  # few are counted, such as 5 folds: the first alone tells much
        return [rung for i, rung in enumerate(rungs) if i == len(rungs) - 1 or rung.work < rungs[i + 1].work]

    def _check(self, path: str | None) -> str:
        path = path or self.default_path
        if path not in PATHS:
            raise UnknownName("fidelity path", path, PATHS)
        epochs, data = self._varies
        if path == "data" and not data and epochs:
            raise BadValue("fidelity 'data': this task has no range of data fractions; use 'epochs'")
        if path == "epochs" and not epochs and data:
            raise BadValue("fidelity 'epochs': this task has no range of epochs; use 'data'")
        return path


def _pair(value: Any) -> tuple[Any, Any]:
    """(lowest, full) of a range, or of one number."""
    return value if isinstance(value, tuple) else (value, value)


def _is_range(value: object, kind: type | UnionType) -> bool:
    """Whether it is a number above 0, or a tuple of two of them in order."""
    pair = value if isinstance(value, tuple) else (value, value)
    numbers = len(pair) == 2 and all(isinstance(number, kind) and not isinstance(number, bool) for number in pair)
    return numbers and 0 < pair[0] <= pair[1]
