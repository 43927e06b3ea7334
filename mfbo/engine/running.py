"""A run that goes on: its parts put together, its beginning told and its end recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.cost.meter import Meter
from mfbo.engine import preflight
from mfbo.engine.loop import Loop
from mfbo.engine.retention import Retention
from mfbo.engine.workplace import Workplace
from mfbo.errors import BadData
from mfbo.executors import choice
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.output import log_of
from mfbo.exports.model import caveat_of, keep_best
from mfbo.ledger.observer import Observer, Several
from mfbo.planning.growth import Growth, closing

if TYPE_CHECKING:
    from pathlib import Path

    from mfbo.checkpoint import Checkpoints
    from mfbo.executors import Executor
    from mfbo.ledger.run import Result, Run
    from mfbo.ledger.writer import Ledger
    from mfbo.optimizers.spec import Optimizer
    from mfbo.settings import Settings
    from mfbo.task import Task


@dataclass
class Parts:
    """What a run that goes on is made of.

    Attributes:
        loop: asks, pays and records.
        executor: runs the trials.
        setup: what all trials share.
        status: why the run ended; set by whoever drives the loop.
    """

    loop: Loop
    executor: Executor
    setup: TrialSetup
    status: str = "killed"


class _Forgetting(Observer):
    """Removes what a trial of a run in memory has printed, once it has ended."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def on_result(self, result: Result, best: Result | None) -> None:
        """It may have filled a disk."""
        log_of(self._logs, result.trial.id).unlink(missing_ok=True)


@contextmanager
def running(
    task: Task,
    optimizer: Optimizer,
    ledger: Ledger,
    *,
    settings: Settings,
    observer: Observer,
    interrupted: Callable[[], bool],
    executor: Executor | None = None,
    place: Workplace | None = None,
) -> Iterator[Parts]:
    """The parts of a run whose ledger is open; when the block is left, its end is recorded.

    Args:
        task: what is tuned.
        optimizer: in the state that the ledger tells of.
        ledger: open for writing.
        settings: how trials are run.
        observer: is told what happens.
        interrupted: whether the user asked to stop.
        executor: where trials run; None for that which `settings` ask for.
        place: where what comes before it was done; None where there is none.
    """
    run = ledger.run
    meter = Meter(task, run.limits)
    meter.read(run)
    with ExitStack() as stack:
        place = place or stack.enter_context(Workplace(run.folder))
        checkpoints, retention, scratch = _checkpoints(task, run, settings, place)
        logs = None if run.folder is None else (run.folder / "logs").absolute()
        if logs is None and choice.in_processes(task, settings) and settings.scheduler is None:
            logs = place.scratch / "logs"  # for their last lines to be shown
            observer = Several(observer, _Forgetting(logs))
        setup = TrialSetup(
            run.header.seed, settings.device, settings.options, checkpoints, logs, scratch, run.header.goal
        )
        if executor is None:
            if said := choice.not_held(task, settings):
                observer.on_note(said)
            executor = choice.make(
                task,
                setup,
                settings,
                grace=meter.grace,
                interrupted=interrupted,
                note=observer.on_note,
                said=observer.on_output,
                wall=run.wall,
                virtual=task.full_cost is not None or any(result.outcome.virtual for result in run.results),
                early=place.workers,
            )
        stack.callback(executor.close)
        loop = Loop(
            task=task,
            optimizer=optimizer,
            executor=executor,
            ledger=ledger,
            meter=meter,
            observer=observer,
            interrupted=interrupted,
            retention=retention,
            growth=Growth(task, run, meter) if run.header.grows and meter.unit == "s" else None,
        )
        observer.on_start(run)
        parts = Parts(loop, executor, setup)
        try:
            yield parts
        finally:
            observer.on_end(parts.status)
            if run.header.grows and (said := closing(task, run, meter)):
                observer.on_note(said)
            if parts.status == "budget" and preflight.nothing_learned(run):
                observer.on_note(preflight.too_little(run, task.remedy(settings.options)))
        ledger.end(parts.status, overhead=loop.overhead, charge=loop.overhead if meter.unit == "s" else 0.0)
    if checkpoints is not None:
        try:
            if (best := keep_best(run)) is not None and (said := caveat_of(best)):
                observer.on_note(said)
        except (OSError, BadData) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            observer.on_note(f"the best model was not written into {str(run.folder)!r}: {reason}")


def _checkpoints(
    task: Task, run: Run, settings: Settings, place: Workplace
) -> tuple[Checkpoints | None, Retention | None, Path | None]:
    """Where checkpoints lie, which are kept, and the folder that goes with the run; none where all start anew."""
    if settings.from_scratch or task.stateless:
        return None, None, None
    scratch, checkpoints = place.scratch if run.folder is None else None, place.checkpoints
    most = None if settings.max_disk is None else settings.max_disk * 2**30
    last = task.fidelity.epoch_range[1] if run.header.grows else run.header.rungs[-1].epochs
    retention = Retention(checkpoints, last, most)
    retention.read(run)
    return checkpoints, retention, scratch
