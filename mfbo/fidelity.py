r"""Fidelity: data fraction x what is counted x size of the inputs, and the paths of one scalar of work through them.

Work z is what is seen, as a fraction of a full evaluation: ``epochs/max_epochs * data/max_data * size/max_size``. A
path says which rung stands for which z:

- ``epochs``: all data, fewer epochs. A promoted configuration continues from its checkpoint.
- ``data``: all epochs on a smaller subset. Each rung starts from scratch, as its epochs are all spent.
- ``joint``: all shrink, each in proportion to its own range on a log scale. Where the inputs have a size too, the data
  grow first, seen once and small; then epochs and size grow together. What was not seen yet teaches more than a second
  look or a larger picture of it does, for the same cost (`experiments/first_minutes.md` has the measurements).

The size of the inputs, such as the words of a text or the pixels of an image, shrinks on the path ``joint`` alone.

What is counted need not be epochs: ``Fidelity(trees=(10, 1000))`` counts trees, and so may anything be that is counted
and costs, one of it: folds, steps, tokens, repeats. Everything that is said of epochs holds for it, by its name.

>>> fidelity = Fidelity(epochs=(1, 27), data=(0.1, 1.0))
>>> [str(rung) for rung in fidelity.ladder(path="joint")]
['25% of the data, 4 epochs', '43% of the data, 7 epochs', '64% of the data, 14 epochs', 'all data, 27 epochs']
>>> sized = Fidelity(epochs=(1, 27), data=(0.1, 1.0), size=(0.25, 1.0))
>>> [str(sized.rung(work)) for work in (0.003, 0.03)]
['32% of the data, 1 epoch, inputs at 25%', 'all data, 2 epochs, inputs at 40%']
>>> [rung.trees for rung in Fidelity(trees=(10, 1000)).ladder()]
[37, 111, 333, 1000]

What costs more than in proportion, as a longer sequence does, says by which power:

>>> [rung.tokens for rung in Fidelity(tokens=(128, 1024), growth=2).ladder()]
[197, 341, 591, 1024]

Several things may be counted. The first of them, or epochs, is that which reports and checkpoints count by; the others
are further factors of the work:

>>> print(*Fidelity(epochs=(1, 27), folds=(1, 5)).ladder(), sep="\n")
all data, 3 epochs, 2 folds
all data, 6 epochs, 2 folds
all data, 13 epochs, 3 folds
all data, 27 epochs, 5 folds
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from mfbo.errors import BadValue, UnknownName
from mfbo.fidelity_ranges import Counted, counted_range, is_range, pair, powers_of
from mfbo.trial import AVERAGED, Rung

JOINT = "joint"
PATHS = ("epochs", "data", JOINT)
NOT_GIVEN: Any = object()
TAKEN = (
    "work", "epoch", "paths", "unit", "further", JOINT, "count", "trial", "status", "loss", "metric", "error", "cost",
    "train", "evaluation", "spent", "money", "wall", "virtual", "optimizer", "start_epoch", "feasible",
)  # fmt: skip
"""Names that a rung or a table uses."""
ETA = 3
MAX_RUNGS = 4
MIN_STEP = 1.5  # factor of work between a lowest level that is added and the one above it
MAX_COUNTED = 6  # things that one fidelity counts

Numbers: TypeAlias = "Sequence[tuple[str, int]]"


@dataclass(frozen=True, init=False, repr=False)
class Fidelity:
    """The ranges a task can be evaluated in: (lowest, full), or one number for what never changes.

    Args:
        epochs: integers of 1 or more.
        data: fractions of the training data in (0, 1].
        size: fractions of each input in (0, 1], in the measure that its cost grows by.
        continues: whether a trial can go on from a checkpoint of a lower level; else plans charge each from the start.
        unit: what `epochs` counts.
        growth: power by which the cost of a trial grows with what is counted: 1 where each costs the same, 2 for the
            length of a sequence or the side of an image; by name where several are counted:
            ``growth={"resolution": 2}``. Above or below 1 no trial goes on from a lower level.
        counted: beside or in place of `epochs`, ranges by the names of what is counted: ``trees=(10, 1000)``. Reports
            and checkpoints count by epochs, else by the first; a mean over ``folds`` or ``repeats`` comes last.

    Attributes:
        further: what is counted beside that, in the order in which it was given.

    Raises:
        BadValue: a range is empty, reversed or outside its bounds, or a name is taken.
    """

    epochs: tuple[int, int] | int = 1
    data: tuple[float, float] | float = 1.0
    size: tuple[float, float] | float = 1.0
    unit: Annotated[str, Meta(max_length=40)] = "epochs"
    continues: bool = True
    growth: float = 1.0
    further: tuple[Counted, ...] = ()

    def __init__(
        self,
        epochs: tuple[int, int] | int = NOT_GIVEN,
        data: tuple[float, float] | float = 1.0,
        size: tuple[float, float] | float = 1.0,
        unit: str = "epochs",
        *,
        continues: bool = True,
        growth: float | Mapping[str, float] = 1.0,
        further: tuple[Counted, ...] = (),
        **counted: tuple[int, int] | int,
    ) -> None:
        for name in counted:
            if name in TAKEN or not name.isidentifier() or name.startswith("_"):
                raise BadValue(f"fidelity {name!r}: give what is counted in the plural, such as trees or folds")
        given = ({} if epochs is NOT_GIVEN else {unit: epochs}) | counted or {unit: 1}
        powers = powers_of(growth, [*given, *(one.name for one in further)])
        first = unit if epochs is not NOT_GIVEN else min(given, key=lambda name: name in AVERAGED)
        others = [
            Counted(name, counted_range(name, value), powers[name]) for name, value in given.items() if name != first
        ]
        object.__setattr__(self, "epochs", given[first])
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "unit", first)
        object.__setattr__(self, "growth", powers[first])
        object.__setattr__(self, "further", (*further, *others))
        self.__post_init__()
        object.__setattr__(self, "continues", continues and self.growth == 1 and not self._averages_what_varies)

    def __post_init__(self) -> None:
        counted_range(self.unit, self.epochs)
        for name, span, growth in ((self.unit, self.epoch_range, self.growth), *self.further):
            counted_range(name, span)
            powers_of(growth, [name])
        if len(self.counts) != 1 + len(self.further) or len(self.counts) > MAX_COUNTED:
            raise BadValue(f"fidelity counts {', '.join(self.counts)}; give up to {MAX_COUNTED}, each once")
        for name, value in (("data", self.data), ("size", self.size)):
            if not (is_range(value, float | int) and pair(value)[1] <= 1):
                raise BadValue(f"fidelity {name}={value!r}: give (lowest, full) as fractions, 0 < lowest <= full <= 1")

    def __repr__(self) -> str:
        said = [f"{name}={span!r}" for name, span in self.counts.items() if name != "epochs" or span != (1, 1)]
        parts = {"data": self.data, "size": self.size}
        said += [f"{name}={part!r}" for name, part in parts.items() if pair(part) != (1, 1)]
        powers = {self.unit: self.growth} | {one.name: one.growth for one in self.further}
        if powers := {name: power for name, power in powers.items() if power != 1}:
            said.append(f"growth={powers!r}")
        return f"Fidelity({', '.join(said)})"

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """(lowest, full) of all that is counted, by name; first what reports and checkpoints count by."""
        return {self.unit: self.epoch_range} | {one.name: one.range for one in self.further}

    @property
    def _averages_what_varies(self) -> bool:
        """Whether its levels are means over folds or repeats of what changes with the level, so none goes on."""
        several = len(self._varying) > 1
        return several and any(name in AVERAGED for name in self.counts)

    @property
    def epoch_range(self) -> tuple[int, int]:
        """(lowest, full) epochs."""
        return pair(self.epochs)

    @property
    def data_range(self) -> tuple[float, float]:
        """(lowest, full) fraction of the data."""
        return pair(self.data)

    @property
    def size_range(self) -> tuple[float, float]:
        """(lowest, full) fraction of each input."""
        return pair(self.size)

    @property
    def ranges(self) -> Fidelity:
        """The same with each range as a pair, as a ledger keeps it."""
        pairs = self.epoch_range, self.data_range, self.size_range
        return Fidelity(*pairs, self.unit, continues=self.continues, growth=self.growth, further=self.further)

    @property
    def full(self) -> Rung:
        """The rung of a full evaluation."""
        return self.at(self.epoch_range[1], self.data_range[1])

    def at(self, epochs: int, data: float, size: float | None = None, further: Numbers | None = None) -> Rung:
        """The rung of so many epochs on such a fraction of data and inputs, and of what else is counted (None: all)."""
        whole = self.size_range[1] if size is None else size
        numbers = self._all(further)
        return Rung(epochs, float(data), self.work(epochs, data, size, numbers), whole, self.unit, numbers)

    @property
    def default_path(self) -> str:
        """``joint`` where several dimensions have a range, else the one that has; ``epochs`` is what `unit` says."""
        names = self._varying
        several = len(names) > 1 or "size" in names
        return JOINT if several else names[0] if names and names[0] != self.unit else "epochs"

    @property
    def paths(self) -> list[str]:
        """Those that have a range, by name."""
        return [*(name for name in self._varying if name != "size"), JOINT]

    @property
    def _named(self) -> list[str]:
        """Those that change one thing alone, or all together where there is none."""
        return self.paths[:-1] or self.paths

    @property
    def _varying(self) -> list[str]:
        """Names of all that has a range."""
        spans = {**self.counts, "data": self.data_range, "size": self.size_range}
        return [name for name, (low, high) in spans.items() if low < high]

    def work(self, epochs: float, data: float, size: float | None = None, further: Numbers | None = None) -> float:
        """Work of `epochs` on a fraction of data and inputs, and of what else is counted; 1 is a full evaluation."""
        part = 1.0 if size is None else size / self.size_range[1]
        numbers = dict(further or ())
        for name, (_, high), growth in self.further:
            part *= (numbers.get(name, high) / high) ** growth
        counted: float = (epochs / self.epoch_range[1]) ** self.growth
        return counted * (data / self.data_range[1]) * part

    def work_at(self, rung: Rung, epochs: float) -> float:
        """Work of so many epochs with all else as in `rung`."""
        return self.work(epochs, rung.data, rung.size, rung.further)

    def _all(self, further: Numbers | None) -> tuple[tuple[str, int], ...]:
        """A number for all that is counted beside epochs; what is not given is full."""
        numbers = dict(further or ())
        return tuple((name, numbers.get(name, high)) for name, (_, high), _ in self.further)

    def lowest_work(self, path: str | None = None) -> float:
        """Work of the cheapest evaluation on `path`."""
        path = self.moved_by(path)
        epochs, data, size = ((low if self._moves(name, path) else high) for name, (low, high) in self._spans)
        further = [(one.name, one.range[not self._moves(one.name, path)]) for one in self.further]
        return self.work(epochs, data, size, further)

    @property
    def _spans(self) -> tuple[tuple[str, tuple[Any, Any]], ...]:
        return (self.unit, self.epoch_range), ("data", self.data_range), ("size", self.size_range)

    def _moves(self, name: str, path: str) -> bool:
        """Whether a dimension changes on a path."""
        return path in (JOINT, name)

    def rung(self, work: float, path: str | None = None) -> Rung:
        """The rung that spends `work` on `path`: what is counted is rounded, the data fraction then makes up for it.

        Args:
            work: z in (0, 1]; less than the path's lowest is raised to it.
            path: ``data``, ``joint``, or the name of what is counted; ``epochs`` stands for the first.
        """
        path = self.moved_by(path)
        lowest = self.lowest_work(path)
        work = min(1.0, max(work, lowest))
        (low_epochs, high_epochs), (low_data, high_data) = self.epoch_range, self.data_range
        low_size, high_size = self.size_range
        lows = [(name, low) for name, (low, _), _ in self.further]
        data_first = path == JOINT and low_size < high_size
        if data_first and work <= (once := self.work(low_epochs, high_data, low_size, lows)):
            return self.at(low_epochs, min(high_data, max(low_data, high_data * work / once)), low_size, lows)
        log = math.log(once if data_first else lowest) if lowest < 1 else -math.inf

        def share(low: float, high: float, growth: float = 1.0) -> float:
            """Of the cut, what falls to a dimension by its own range."""
            return growth * math.log(low / high) / log

        narrowed = share(low_size, high_size) if self._moves("size", path) else 0.0
        further, left = [], 1.0 - narrowed
        for name, (low, high), growth in self.further:
            part = share(low, high, growth) if self._moves(name, path) else 0.0
            further.append((name, min(high, max(low, round(high * work ** (part / growth))))))
            left -= part
        fewer = 0.0
        if self._moves(self.unit, path):
            fewer = left - (share(low_data, high_data) if self._moves("data", path) and not data_first else 0.0)
        exact = high_epochs * work ** (fewer / self.growth)
        epochs = min(high_epochs, max(low_epochs, round(exact)))
        size = high_size * work**narrowed
        if data_first:  # larger inputs make up for fewer epochs, and only for more of them less data
            size = min(high_size, size * max(1.0, (exact / epochs) ** self.growth))
        if not self._moves("data", path):
            return self.at(epochs, high_data, size, further)
        data = min(high_data, max(low_data, high_data * work / self.work(epochs, high_data, size, further)))
        return self.at(epochs, data, size, further)

    def ladder(self, path: str | None = None, eta: int = ETA, most: int = MAX_RUNGS, top: float = 1.0) -> list[Rung]:
        """Rungs from low to `top`, work growing `eta`-fold, each a different one.

        Args:
            path: as of `rung`; the default is `default_path`.
            eta: factor between rungs, 2 or more.
            most: the most rungs; 1 gives the top alone.
            top: work of the highest rung, as a fraction of a full evaluation.
        """
        steps = min(most - 1, math.floor(math.log(max(1.0, top / self.lowest_work(path))) / math.log(eta) + 1e-9))
        rungs = [self.rung(top * float(eta) ** -k, path) for k in range(steps, -1, -1)]
        few = self.unit != "epochs" or self.further
        if few and len(rungs) < most and rungs[0].work >= MIN_STEP * self.lowest_work(path):
            rungs.insert(0, self.rung(0.0, path))  # few are counted, such as 5 folds: the first alone tells much
        return [rung for i, rung in enumerate(rungs) if i == len(rungs) - 1 or rung.work < rungs[i + 1].work]

    def moved_by(self, path: str | None) -> str:
        """The path by the name of what it changes.

        Raises:
            UnknownName: no such path.
            BadValue: it has no range.
        """
        path = path or self.default_path
        if path not in (*PATHS, *self.counts):
            raise UnknownName("fidelity path", path, self.paths if self.further else PATHS)
        path = self.unit if path == "epochs" else path
        names = self._varying
        if path != JOINT and path not in names and names:
            what = f"{path!r}: this task has no range of {'data fractions' if path == 'data' else path}"
            raise BadValue(f"fidelity {what}; use {' or '.join(map(repr, self._named))}")
        return path
