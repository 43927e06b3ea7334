"""Runs one trial where it is called, and turns whatever happens into an `Outcome`."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

from mfbo.context import Context
from mfbo.errors import MfboError, TrialStopped
from mfbo.trial import Measurement, Outcome, Report, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.checkpoint import Checkpoints
    from mfbo.fidelity import Fidelity
    from mfbo.task import Task
    from mfbo.trial import Trial


Failure: TypeAlias = tuple[Status, str]


@dataclass(frozen=True)
class Setting:
    """What all trials of a run share.

    Attributes:
        seed: of the run.
        device: as the user asked.
        options: further settings of the task.
        checkpoints: where they lie; None to train every trial from scratch.
    """

    seed: int = 0
    device: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None


def evaluate(
    task: Task,
    trial: Trial,
    setting: Setting,
    stop: Callable[[float], str | None] | None = None,
    start_epoch: int = 0,
    *,
    heard: Callable[[Report], None] | None = None,
) -> Outcome:
    """Run `trial`; whatever the train function does becomes data.

    Args:
        task: its train function is called here, in this process.
        trial: what to train.
        setting: of the run.
        stop: given the seconds so far, why the trial must end now, or None; asked at each report.
        start_epoch: for stateless tasks: epochs that the configuration has behind it.
        heard: is given each report as it is made.

    Raises:
        KeyboardInterrupt: only that.
    """
    context = Context(
        seed=setting.seed,
        device=setting.device,
        options=setting.options,
        key=trial.key,
        epochs=trial.rung.epochs,
        start_epoch=start_epoch,
        checkpoints=setting.checkpoints,
        stop=stop,
        heard=heard,
    )
    measurement: Measurement | None = None
    failure: Failure | None = None
    try:
        returned = task.train(dict(trial.config), trial.rung, context)
    except TrialStopped:
        pass
    except (Exception, SystemExit) as problem:
        failure = _failure(problem)
    else:
        try:
            measurement = _measurement(returned)
        except Exception as problem:  # whatever an object of the user's does when it is asked for a number
            failure = "invalid", f"{type(problem).__name__}: {problem}"
    return _outcome(task, trial, context, measurement, failure)


def _failure(problem: BaseException) -> Failure:
    """Status and text of what a train function raised."""
    if isinstance(problem, MfboError):  # a mistake that a person can mend: its one line says it all
        return "failed", f"{type(problem).__name__}: {problem}"
    status: Status = "failed"
    if isinstance(problem, SystemExit):
        status = "exited"
    elif isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":  # torch's
        status = "memory"
    return status, "".join(traceback.format_exception(problem))


def _measurement(returned: object) -> Measurement:
    if isinstance(returned, Measurement):
        loss, cost = returned.loss, returned.cost
    else:
        loss, cost = returned, None  # type: ignore[assignment]
    for name, value in (("loss", loss), ("cost", 0.0 if cost is None else cost)):
        if isinstance(value, bool) or (not isinstance(value, Real) and not hasattr(value, "__float__")):
            raise TypeError(f"train returned {name} {value!r}; return a number, or a mfbo.Measurement")
    if cost is not None and not 0 <= float(cost) < math.inf:
        raise ValueError(f"train returned cost {cost!r}; it must be finite and not negative")
    metrics = returned.metrics if isinstance(returned, Measurement) else {}
    return Measurement(float(loss), _finite(metrics), None if cost is None else float(cost))


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics as plain numbers; what is none is left out, for a ledger holds no NaN."""
    numbers = {str(name): float(value) for name, value in dict(metrics).items()}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _outcome(
    task: Task, trial: Trial, context: Context, measurement: Measurement | None, failure: Failure | None
) -> Outcome:
    virtual = context.virtual or (measurement is not None and measurement.cost is not None)
    elapsed, evaluation = context.elapsed, context.evaluation
    reports = tuple(context.reports)
    if virtual:
        elapsed = measurement.cost if measurement and measurement.cost is not None else _last_cost(reports)
        evaluation = 0.0
    status: Status = "ok"
    loss, rung = (measurement.loss if measurement else None), trial.rung
    error = None
    if failure is not None:
        status, error = failure
    elif context.stop_reason == "diverged" or (loss is not None and not math.isfinite(loss)):
        status, loss = "diverged", None
        error = "the loss was NaN or infinite"
    elif loss is None:
        status = "stopped"
    outcome = Outcome(
        status=status,
        loss=loss,
        rung=rung,
        train=max(0.0, elapsed - evaluation),
        evaluation=evaluation,
        metrics=measurement.metrics if measurement and status == "ok" else {},
        reports=reports,
        error=error,
        virtual=virtual,
        start_epoch=context.start_epoch,
        pace=None if virtual else context.pace,
    )
    return reached(task.fidelity, outcome) if status == "stopped" else outcome


def _last_cost(reports: tuple[Report, ...]) -> float:
    return reports[-1].cost if reports else 0.0


def reached(fidelity: Fidelity, outcome: Outcome) -> Outcome:
    """A stopped trial as the partial result that its last report makes of it."""
    if not outcome.reports:
        return replace(outcome, loss=None)
    last = outcome.reports[-1]
    epochs = min(last.epoch, outcome.rung.epochs)
    rung = replace(outcome.rung, epochs=epochs, work=fidelity.work(epochs, outcome.rung.data))
    return replace(outcome, loss=last.loss, rung=rung)


def cut(task: Task, outcome: Outcome, cost: float) -> Outcome:
    """What a virtual trial would have come to, had it been stopped after `cost` seconds."""
    if outcome.cost <= cost:
        return outcome
    reports = tuple(report for report in outcome.reports if report.cost <= cost)
    short = replace(outcome, status="stopped", loss=None, metrics={}, error=None, reports=reports, train=cost)
    return reached(task.fidelity, short)
