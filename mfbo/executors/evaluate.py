"""Runs one trial where it is called, and turns whatever happens into an `Outcome`."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mfbo.average import partly
from mfbo.context import Context
from mfbo.errors import BadDirection, MfboError, TrialStopped
from mfbo.executors.restore import Surroundings
from mfbo.goal import Goal
from mfbo.trial import Measurement, Outcome, Report, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.checkpoint import Checkpoints
    from mfbo.fidelity import Fidelity
    from mfbo.task import Task
    from mfbo.trial import Trial


Failure: TypeAlias = tuple[Status, str]
MAX_ERROR_CHARACTERS = 8000  # of an error's text that is kept
MAX_METRICS, MAX_METRIC_NAME = 1000, 200  # of a trial, and characters: a ledger keeps them
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)
MIN_ROOM = 2**16  # bytes; a disk with less is full


@dataclass(frozen=True)
class TrialSetup:
    """What all trials of a run share.

    Attributes:
        seed: of the run.
        device: as the user asked.
        options: further settings of the task.
        checkpoints: where they lie; None to train every trial from scratch.
        logs: folder for what trials print; None to drop it.
        scratch: a temporary folder that is to go with the run, however that ends; None where there is none.
        goal: what trials measure. Their results are turned into losses here, and nowhere else.
    """

    seed: int = 0
    device: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    logs: Path | None = None
    scratch: Path | None = None
    goal: Goal = field(default_factory=Goal)


class ForcedStop(TrialStopped):
    """Ends a trial in mid-call, from a signal handler; its text is the reason."""


def evaluate(
    task: Task,
    trial: Trial,
    setup: TrialSetup,
    stop: Callable[[float], str | None] | None = None,
    start_epoch: int = 0,
    *,
    on_report: Callable[[Report], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    ends: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run `trial`; whatever the train function does becomes data.

    Args:
        task: its train function is called here, in this process.
        trial: what to train.
        setup: of the run.
        stop: given the seconds so far, why the trial must end now, or None; asked at each report.
        start_epoch: for stateless tasks: epochs that the configuration has behind it.
        on_report: is given each report as it is made.
        clock: seconds, of which the trial's are counted.
        ends: whether a `KeyboardInterrupt` is the user's, not one that the train function raises by itself.

    Raises:
        KeyboardInterrupt: only that, and only where `ends`.
    """
    context = Context(
        seed=setup.seed,
        device=setup.device,
        options=setup.options,
        key=trial.key,
        epochs=trial.rung.epochs,
        start_epoch=start_epoch,
        checkpoints=setup.checkpoints,
        stop=stop,
        on_report=on_report and _as_losses(on_report, setup.goal),
        clock=clock,
        goal=setup.goal,
    )
    measurement: Measurement | None = None
    failure: Failure | None = None
    obstacle = ""
    process, surroundings = os.getpid(), None if task.simulated else Surroundings()
    restore = surroundings.restore if surroundings is not None else lambda: None
    try:
        measurement = trained(task, trial, context, setup.goal, restore)
    except ForcedStop as problem:
        context.stop_reason = str(problem)
    except TrialStopped as problem:
        if context.stop_reason is None:  # nobody has stopped it
            failure = _told(problem)
    except KeyboardInterrupt as problem:
        if ends():
            raise
        failure = _told(problem)
    except BaseException as problem:
        failure = _told(problem)
        obstacle = "direction" if isinstance(problem, BadDirection) else ""
    finally:
        if os.getpid() != process:  # it has forked, and this is the child, which is not to go on as the run
            os._exit(0)
        restore()  # again: a stop in mid-call may have come in the midst of it
    outcome = outcome_of(task, trial, context, measurement, failure)
    if failure is not None and (kept_out := _kept_out(outcome.error, setup)):
        obstacle = kept_out
    return replace(outcome, obstacle=obstacle) if obstacle else outcome


def _as_losses(on_report: Callable[[Report], None], goal: Goal) -> Callable[[Report], None]:
    return lambda report: on_report(_as_loss(report, goal))


def _as_loss(report: Report, goal: Goal) -> Report:
    return report._replace(loss=goal.loss(report.loss))


def trained(
    task: Task, trial: Trial, context: Context, goal: Goal, restore: Callable[[], None] = lambda: None
) -> Measurement:
    """What the train function measures. All of the user's code runs below this call; see `mfbo.executors.alarm`.

    Raises:
        Unmeasured: that is no measurement.
        BaseException: whatever it raises.
    """
    try:
        returned = task.train(dict(trial.config), trial.rung, context)
    finally:
        restore()
    return _measurement(returned, goal)


def too_long(seconds: float) -> str:
    """The error of a trial that was stopped after so many seconds."""
    return f"the trial took longer than {seconds:g}s (--max-trial-time)"


def never_began(trial: Trial, problem: BaseException, seconds: float = 0.0) -> Outcome:
    """What becomes of a trial whose process cannot load the task."""
    status, error = failure_of(problem)
    return Outcome(status=status, loss=None, rung=trial.rung, train=seconds, error=error, obstacle="start")


def capped(text: str) -> str:
    """An error's text with its middle left out where it is long: a ledger keeps it."""
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    half = MAX_ERROR_CHARACTERS // 2
    return f"{text[:half]}\n... ({len(text) - 2 * half} characters) ...\n{text[-half:]}"


def _kept_out(error: str | None, setup: TrialSetup) -> str:
    """Where a failure is not the configuration's: ``disk`` for a full one, ``folder`` for one that is read-only."""
    if any(os.strerror(number) in (error or "") for number in DISK_ERRORS):
        return "disk"
    folders = [Path(tempfile.gettempdir())] + ([setup.checkpoints.root] if setup.checkpoints else [])
    if any(room(folder) < MIN_ROOM for folder in folders):
        return "disk"
    return "" if all(os.access(_there(folder), os.W_OK) for folder in folders) else "folder"


def room(folder: Path) -> float:
    """Bytes that can be written at `folder`, or where it would lie."""
    try:
        return shutil.disk_usage(_there(folder)).free
    except OSError:
        return math.inf


def _there(folder: Path) -> Path:
    """The folder, or the lowest one above it that there is."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _told(problem: BaseException) -> Failure:
    """As `failure_of`, in which code of the user's runs, such as `__str__`; see `mfbo.executors.alarm`."""
    try:
        return failure_of(problem)
    except ForcedStop:
        return "failed", f"{type(problem).__name__}: (it took too long to say what)"


def failure_of(problem: BaseException) -> Failure:
    """Status and text of what a train function raised."""
    status: Status = "failed"
    if isinstance(problem, SystemExit):
        status = "exited"
    elif isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":  # torch's
        status = "memory"
    elif isinstance(problem, Unmeasured):
        return "invalid", capped(str(problem))
    if isinstance(problem, MfboError):  # a mistake that a person can mend: its one line says it all
        return status, capped(f"{type(problem).__name__}: {_words(problem)}")
    try:
        return status, capped("".join(traceback.format_exception(problem)))
    except Exception:  # an exception of the user's that cannot be printed
        return status, capped(f"{type(problem).__name__}: {_words(problem)}")


def _words(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:
        return "(it cannot be printed)"


class Unmeasured(Exception):
    """What a train function returned is no measurement."""


def _measurement(returned: object, goal: Goal) -> Measurement:
    """What a train function returned.

    Raises:
        Unmeasured: it is none.
        BadDirection: it does not say what is to be low, or otherwise than the run.
    """
    try:
        found = _measured(_picked(returned, goal) if isinstance(returned, Mapping) else returned)
        _check_name(found, goal)
        return found
    except (ForcedStop, BadDirection):
        raise
    except BaseException as problem:  # whatever an object of the user's does when it is asked for a number
        raise Unmeasured(f"{type(problem).__name__}: {_words(problem)}") from problem


def _picked(returned: Mapping[str, object], goal: Goal) -> Measurement:
    """What a train function returned as a dictionary of metrics: that of the run, and the other numbers."""
    if goal.name not in returned:
        first = next(iter(returned), "val_acc")
        raise BadDirection(
            f"train returned {', '.join(map(str, returned)) or 'nothing'}, and no {goal.name!r}; name what is tuned: "
            f"mfbo.Task(..., metric='max:{first}') where higher is better, metric='min:{first}' where lower is"
        )
    others = {key: value for key, value in returned.items() if isinstance(value, Real) and not isinstance(value, bool)}
    return Measurement(returned[goal.name], goal.others(others))  # type: ignore[arg-type]


def _check_name(found: Measurement, goal: Goal) -> None:
    """Refuse a measurement of something else, beside which the metric of the run stands under its name."""
    beside = None if goal == Goal() else found.metrics.get(goal.name)
    if beside is not None and not math.isclose(beside, found.loss, rel_tol=1e-6, abs_tol=1e-12):
        raise BadDirection(
            f"train returned {found.loss!r} and, among its metrics, {goal.name} {beside!r}: this run is after "
            f"{goal.option}; return and report that, such as mfbo.Measurement({beside!r}, metrics)"
        )


def _measured(returned: object) -> Measurement:
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
    # str() may give what is more than a str, whose code would then run in the process of the run; join() does not
    numbers = {"".join((str(name), "")): float(value) for name, value in dict(metrics).items()}
    if len(numbers) > MAX_METRICS:
        raise ValueError(f"train returned {len(numbers)} metrics; return {MAX_METRICS} or less")
    if long := next((name for name in numbers if len(name) > MAX_METRIC_NAME), None):
        raise ValueError(f"train returned a metric whose name has {len(long)} characters; give it a short name")
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def outcome_of(
    task: Task, trial: Trial, context: Context, measurement: Measurement | None, failure: Failure | None
) -> Outcome:
    """What became of a trial by what its context heard, what it returned and what it raised; from here on as losses."""
    virtual = context.virtual or (measurement is not None and measurement.cost is not None)
    elapsed, evaluation = context.elapsed, context.evaluation
    reports = tuple(_as_loss(report, context.goal) for report in context.reports)
    if virtual:
        elapsed = measurement.cost if measurement and measurement.cost is not None else _last_cost(reports)
        evaluation = 0.0
    status: Status = "ok"
    loss, rung = (context.goal.loss(measurement.loss) if measurement else None), trial.rung
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
    last, rung = outcome.reports[-1], outcome.rung
    mean = partly(rung, last.epoch)
    if mean is None:
        return replace(outcome, loss=None)
    if mean is not rung:
        return replace(outcome, loss=last.loss, rung=replace(mean, work=fidelity.work_at(mean, mean.epochs)))
    epochs = min(int(last.epoch), rung.epochs)
    if epochs <= outcome.start_epoch and outcome.start_epoch:
        return replace(outcome, loss=None)  # no whole epoch beyond what is known of it
    if last.epoch < 1:  # no sample was seen twice: an epoch of so much less data
        epochs, rung = 1, replace(rung, data=rung.data * max(last.epoch, 1e-6))
    rung = replace(rung, epochs=epochs, work=fidelity.work_at(rung, epochs))
    return replace(outcome, loss=last.loss, rung=rung)


def charged(outcome: Outcome, seconds: float) -> Outcome:
    """A trial with all the seconds for which its slot was taken; one of virtual cost as it is."""
    if outcome.virtual:
        return outcome
    evaluation = min(outcome.evaluation, seconds)  # it may have been stopped in it, and not have heard of that
    return replace(outcome, train=seconds - evaluation, evaluation=evaluation)


def cut(task: Task, outcome: Outcome, cost: float) -> Outcome:
    """The outcome of a virtual trial, had it been stopped after `cost` seconds."""
    if outcome.cost <= cost:
        return outcome
    reports = tuple(report for report in outcome.reports if report.cost <= cost)
    short = replace(outcome, status="stopped", loss=None, metrics={}, error=None, reports=reports, train=cost)
    return reached(task.fidelity, short)
