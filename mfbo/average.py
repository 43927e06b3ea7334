"""One loss from several measurements of a configuration: cross-validation's folds, or repeats of a noisy objective.

The mean so far is reported after each, so that a bad configuration stops after the first, and what was measured is kept
as a checkpoint, so that a higher level measures only what is new.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from mfbo.checkpoint import MEASURED
from mfbo.context import Context
from mfbo.errors import BadData, BadValue
from mfbo.files.reading import read_json
from mfbo.trial import AVERAGED, REPEATS, Config, Measurement, Rung

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.trial import Outcome

SPREAD = "spread"  # metric: standard deviation of the loss over what was measured; of the mean it is a root of n less

Train: TypeAlias = "Callable[[Config, Rung, Context], Measurement | Mapping[str, float] | float]"


def average(name: str, rung: Rung, context: Context, measure: Callable[[int], Measurement]) -> Measurement:
    """The mean of the measurements that a rung counts, with their `SPREAD` where there are several.

    Where reports count something else, such as epochs, each measurement is its part of them. A higher level goes on
    from these where they are all that changes.

    Args:
        name: of what is averaged, one of `AVERAGED`.
        rung: of the trial; counts those of a checkpoint too.
        context: of the trial; is told the mean after each.
        measure: number from 0 -> a measurement.

    Raises:
        TrialStopped: the trial's time is up, or a loss is NaN or infinite.
        BadData: the checkpoint is damaged.
    """
    count, alone = rung.counts[name], rung.unit == name and not rung.further
    found, new = _kept(context) if alone else [], []
    for number in range(len(found), count):
        new.append(measure(number))
        found.append(new[-1])
        costs = [one.cost for one in new if one.cost is not None]
        context.report(
            _mean([one.loss for one in found]),
            epoch=rung.epochs * (number + 1) / count,
            cost=sum(costs) if len(costs) == len(new) else None,
        )
    if alone and rung.data >= 1 and rung.size >= 1 and context.keeps_checkpoints:
        with context.save(count) as folder:
            kept = [{"loss": one.loss, "metrics": dict(one.metrics)} for one in found]
            (folder / MEASURED).write_text(json.dumps(kept), encoding="utf-8")
    costs = [one.cost for one in new if one.cost is not None]
    return replace(mean(found), cost=sum(costs) if new and len(costs) == len(new) else None)


def mean(found: Sequence[Measurement]) -> Measurement:
    """Mean loss and metrics, with the spread of the losses."""
    names = dict.fromkeys(name for one in found for name in one.metrics)
    metrics = {name: _mean([one.metrics[name] for one in found if name in one.metrics]) for name in names}
    loss = _mean([one.loss for one in found])
    deviations = sum((one.loss - loss) ** 2 for one in found)
    spread = {SPREAD: math.sqrt(deviations / (len(found) - 1))} if len(found) > 1 else {}
    return Measurement(loss, {**metrics, **spread})


def standard_error(outcome: Outcome) -> float | None:
    """Of the loss of a trial, a mean over folds or repeats; None where it is of one, or is no mean.

    Folds share most of what they train on, so it is a little too small (Bengio and Grandvalet 2004).
    """
    spread = spread_of(outcome)
    return None if spread is None else spread / math.sqrt(averaged(outcome))


def averaged(outcome: Outcome) -> int:
    """How many measurements the loss of a trial is the mean of; 1 where it is no mean."""
    return _outermost(outcome.rung)[1]


def _outermost(rung: Rung) -> tuple[str, int]:
    """What is averaged last, and over how many: repeats of all folds, or folds; ("", 1) where the loss is no mean."""
    counts = rung.counts
    return next(((name, counts[name]) for name in reversed(AVERAGED) if counts.get(name, 1) > 1), ("", 1))


def partly(rung: Rung, done: float) -> Rung | None:
    """What a trial has measured that was stopped where its reports counted `done`; its work is that of `rung` still.

    None where that is not even one measurement; `rung` itself where reports count measurements, or it is no mean.
    """
    name, count = _outermost(rung)
    if not name or name == rung.unit:
        return rung
    measured = round(count * done / rung.epochs)
    further = tuple((one, measured if one == name else number) for one, number in rung.further)
    return replace(rung, further=further) if measured else None


def spread_of(outcome: Outcome) -> float | None:
    """Standard deviation of the loss over these; None where there is one alone."""
    spread = outcome.metrics.get(SPREAD)
    return spread if spread is not None and averaged(outcome) > 1 and 0 <= spread < math.inf else None


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _kept(context: Context) -> list[Measurement]:
    if context.checkpoint is None:
        return []
    path = context.checkpoint / MEASURED
    try:
        kept = read_json(path, "measurements", list[dict[str, Any]])
        return [Measurement(float(one["loss"]), one["metrics"]) for one in kept][: context.start_epoch]
    except (OSError, BadValue, ValueError, KeyError, TypeError) as error:
        raise BadData(f"checkpoint {str(path)!r} cannot be read: {error!r}; delete its folder to start over") from error


class OneRepeat(Context):
    """What a train function is given for one of several repeats: a seed of its own, and no reports of its own.

    Args:
        whole: the context of the trial.
        number: of the repeat, from 0.
    """

    def __init__(self, whole: Context, number: int) -> None:
        super().__init__(seed=whole.seed + number, device=whole.device, options=whole.options, goal=whole.goal)
        self._whole = whole

    def report(self, loss: float, *, epoch: float | None = None, cost: float | None = None) -> None:
        """Only ends the trial where its time is up: what counts is the mean of the repeats."""
        self._whole.poll()

    def poll(self, epochs: float | None = None, *, evaluated: float | None = None) -> None:
        """The same."""
        self._whole.poll()


@dataclass(frozen=True)
class Repeated:
    """A train function that is called `rung.repeats` times, with the run's seed and those that follow it.

    Attributes:
        train: measures once.
    """

    train: Train

    def __call__(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """The mean of the repeats."""

        def once(number: int) -> Measurement:
            found = self.train(dict(config), rung, OneRepeat(context, number))
            if isinstance(found, Mapping) and context.goal.name in found:
                return Measurement(float(found[context.goal.name]), context.goal.others(found))
            return found if isinstance(found, Measurement) else Measurement(float(found))  # type: ignore[arg-type]

        return average(REPEATS, rung, context, once)
