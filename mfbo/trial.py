"""What travels between optimizer, executor and ledger: a trial, a measurement and an outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple, TypeAlias

from msgspec import Meta

Amount: TypeAlias = Annotated[float, Meta(ge=0)]
MAX_COUNT = 2**53  # whole numbers up to it are the same in JSON everywhere
Count: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Value: TypeAlias = bool | int | float | str
Config: TypeAlias = dict[str, Value]
Status: TypeAlias = Literal[
    "ok", "stopped", "lost", "failed", "diverged", "invalid", "memory", "timeout", "exited", "crashed", "killed"
]

FOLDS = "folds"  # what a fidelity counts that is cross-validation
REPEATS = "repeats"  # what a fidelity counts whose train function is called so many times
AVERAGED = (FOLDS, REPEATS)  # what a loss is the mean over


@dataclass(frozen=True)
class Rung:
    """One point of the fidelity: how much of the data, for how many epochs, and how much of each input.

    Attributes:
        epochs: passes over the subset, at least 1; or how many of what `unit` names.
        data: fraction of the training data in (0, 1].
        work: z, epochs x data x size as a fraction of a full evaluation, in (0, 1].
        size: fraction of each input that is read, such as the words of a text or the pixels of an image, in (0, 1].
        unit: what `epochs` counts, in the plural: ``trees``, ``folds``; ``rung.trees`` is the same number then.
        further: what else is counted, as (name, number); by its name too: ``rung.folds``.
    """

    epochs: Count = 1
    data: Amount = 1.0
    work: Amount = 1.0
    size: Amount = 1.0
    unit: Annotated[str, Meta(max_length=40)] = "epochs"
    further: tuple[tuple[Annotated[str, Meta(max_length=40)], Count], ...] = ()

    def __getattr__(self, name: str) -> int:
        """The number of what `unit` or `further` names."""
        if name.startswith("_") or "unit" not in self.__dict__:  # while it is copied
            raise AttributeError(name)
        counts = self.counts
        if name not in counts:
            raise AttributeError(f"this fidelity has no {name!r}; it has: data, size, {', '.join(counts)}")
        return counts[name]

    @property
    def counts(self) -> dict[str, int]:
        """All that is counted, by its name."""
        return {self.unit: self.epochs, **dict(self.further)}

    def __str__(self) -> str:
        """In words: ``19% of the data, 6 epochs``, and ``inputs at 25%`` where they are cut down."""
        percent = f"{100 * self.data:.2g}" if self.data < 0.995 else "over 99"
        share = "all data" if self.data >= 1 else f"{percent}% of the data"
        inputs = "" if self.size >= 1 else f", inputs at {100 * self.size:.2g}%"
        return f"{share}, {', '.join(counted(number, name) for name, number in self.counts.items())}{inputs}"


def counted(number: int, unit: str) -> str:
    """A number of what a fidelity counts.

    >>> counted(1, "epochs"), counted(154, "trees"), counted(112, "resolution")
    ('1 epoch', '154 trees', 'resolution 112')
    """
    if not unit.endswith("s"):
        return f"{unit} {number}"
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


@dataclass(frozen=True)
class Trial:
    """One question that an optimizer asks: how good is this configuration at this rung?

    Attributes:
        id: number of the ask within its run, from 0.
        config: hyperparameter values, plain Python.
        rung: the fidelity to evaluate it at.
    """

    id: Count
    config: Config
    rung: Rung

    @property
    def key(self) -> str:
        """Name of the configuration, the same in every run and process; checkpoints are filed under it."""
        return config_key(self.config)


def config_key(config: Mapping[str, Value]) -> str:
    """Sixteen hexadecimal digits that depend on the values alone, not on their order."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Measurement:
    """What a train function returns.

    Attributes:
        loss: validation loss, lower is better; or what the task's ``metric`` names, in its own sign.
        metrics: further named numbers to keep, such as accuracy.
        cost: seconds to charge in place of measured ones. A surrogate benchmark gives its predicted cost; the
            run's clock is then virtual, and its result the same on every machine.
    """

    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: float | None = None


class Report(NamedTuple):
    """One point of a learning curve; a run has hundreds of thousands, so it is a tuple.

    Attributes:
        epoch: epochs done when it was reported, with the fraction of one that was begun.
        loss: validation loss then.
        cost: seconds of this trial until then (virtual ones on a virtual clock).
    """

    epoch: Count | Amount
    loss: float
    cost: Amount


class Pace(NamedTuple):
    """How fast a trial went, as far as it came; on a real clock only.

    Attributes:
        startup: seconds before its first step.
        epochs: trained, with the fraction of one that was begun.
        training: seconds that they took.
        evaluations: done, with the fraction of one that was begun.
        evaluation: seconds that they took.
    """

    startup: Amount
    epochs: Amount
    training: Amount
    evaluations: Amount
    evaluation: Amount


class Known(NamedTuple):
    """A result that was measured outside the run, for an optimizer to begin with.

    Attributes:
        config: hyperparameter values.
        rung: at which it was measured.
        loss: validation loss, lower is better.
    """

    config: Config
    rung: Rung
    loss: float


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        status: ``ok``; ``stopped`` before its end, `loss` is then its last report; ``lost`` with the machine that it
            ran on, to be run again: what it used until then is charged. The others are failures, with `error`:
            ``failed`` raised an exception; ``diverged`` to a loss that is NaN or infinite; ``invalid`` returned what is
            no measurement; ``memory`` ran out, of the device or past ``--max-trial-memory``;
            ``timeout`` passed ``--max-trial-time``; ``exited`` called for an exit; ``crashed`` took its process
            with it; ``killed`` from outside, most often by the system when memory ran out.
        loss: validation loss, lower is better, as is the negative of a metric that is maximised (`mfbo.goal.Goal`);
            None where there is none.
        rung: the fidelity that was reached; lower than asked where the trial was stopped.
        train: seconds of training, virtual on a virtual clock.
        evaluation: seconds of evaluation, on top of `train`.
        metrics: further numbers that the train function returned.
        reports: its learning curve.
        error: traceback or reason, where it failed.
        virtual: whether the seconds are a surrogate's.
        start_epoch: epochs taken over from an earlier rung of the same configuration.
        pace: how fast it went; None where nobody could tell. A ledger does not keep it.
        obstacle: what kept it from being a trial at all, where something did: ``start`` of its process, a full
            ``disk``, a read-only ``folder``, another ``direction`` than that of the run. A ledger does not keep it.
    """

    status: Status
    loss: float | None
    rung: Rung
    train: Amount
    evaluation: Amount = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    error: str | None = None
    virtual: bool = False
    start_epoch: Count = 0
    pace: Pace | None = field(default=None, compare=False)
    obstacle: str = field(default="", compare=False)

    @property
    def cost(self) -> float:
        """Seconds that the worker slot was taken."""
        return self.train + self.evaluation

    @property
    def failed(self) -> bool:
        """Whether it has no result for a reason of its own."""
        return self.final and self.status != "ok"

    @property
    def final(self) -> bool:
        """Whether that was all; a trial that was stopped or lost stays open, and the optimizer is told nothing."""
        return self.status not in ("stopped", "lost")
