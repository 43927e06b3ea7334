"""Which executor a run gets: simulated workers on a virtual clock, processes of this machine, or a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.budget import Budget
from mfbo.errors import BadValue
from mfbo.executors.alarm import can_ring
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.scratch import clear_up
from mfbo.ledger.environment import cores
from mfbo.tasks.registry import user_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mfbo.executors import Executor
    from mfbo.executors.local import LocalExecutor
    from mfbo.settings import Settings
    from mfbo.task import Task
    from mfbo.trial import Trial

MAX_WORKERS_PER_CORE = 32  # worker processes for each core


def in_processes(task: Task, settings: Settings) -> bool:
    """Whether trials run in processes of their own, here or on other machines; else they run in this one."""
    return settings.workers != 0 and not task.simulated


def check(task: Task, settings: Settings) -> None:
    """Make sure that trials can be sent to where they are to run.

    Raises:
        BadValue: more workers than this machine can start.
        BadTask: the task cannot be sent to another process.
        NoCluster: the scheduler does not answer.
    """
    if not in_processes(task, settings):
        return
    from mfbo.executors.worker import packed

    _check_number(settings)
    packed(task)
    if settings.scheduler is not None:
        from mfbo.executors.dask import connect

        connect(settings.scheduler).close()


def _check_number(settings: Settings) -> None:
    most = MAX_WORKERS_PER_CORE * cores()
    if settings.scheduler is None and (settings.workers or 1) > most:
        raise BadValue(f"workers {settings.workers}: this machine has {cores()} cores; give {most} or less")


def not_held(task: Task, settings: Settings) -> str:
    """Which limits are not sure to be held where trials run in this process, as it cannot be killed; empty if none."""
    if task.simulated or in_processes(task, settings):
        return ""
    if settings.max_trial_memory is not None:
        return "--max-trial-memory is not held with --workers 0: trials share this process; give --workers 1"
    if settings.max_trial_time is None:
        return ""
    if not can_ring():
        return "--max-trial-time is looked at in reports only, outside the main thread; give --workers 1"
    return "--max-trial-time with --workers 0 cannot stop a library's call that does not return; --workers 1 can"


def begin_early(
    task: Task | str, settings: Settings, scratch: Path, interrupted: Callable[[], bool]
) -> LocalExecutor | None:
    """Workers of this machine that import the task while its run is planned; None where it has none.

    Args:
        task: what to run; the name of one in a user's file, which they import while it is imported here.
        settings: how trials are run.
        scratch: a folder that is to go with the run if it dies before its first trial.
        interrupted: whether the user asked to stop.

    Raises:
        BadValue, BadTask: as `check`.
    """
    if settings.workers == 0 or settings.scheduler is not None:
        return None
    if isinstance(task, str):
        if (file := user_file(task)) is None or not file.is_file():
            return None
        _check_number(settings)
    elif task.simulated:
        return None
    else:
        check(task, settings)
    from mfbo.executors.local import LocalExecutor

    setup = TrialSetup(0, settings.device, settings.options, scratch=scratch)
    return LocalExecutor(
        task,
        setup,
        slots=settings.workers or 1,
        grace=0.0,
        interrupted=interrupted,
        max_seconds=_max_seconds(settings),
        max_bytes=_max_bytes(settings),
    )


def _max_seconds(settings: Settings) -> float | None:
    return Budget.parse(settings.max_trial_time).amount if settings.max_trial_time else None


def _max_bytes(settings: Settings) -> float | None:
    return settings.max_trial_memory and settings.max_trial_memory * 2**30


def make(
    task: Task,
    setup: TrialSetup,
    settings: Settings,
    *,
    grace: float,
    interrupted: Callable[[], bool],
    note: Callable[[str], None],
    wall: float,
    virtual: bool,
    said: Callable[[Trial, str], None] = lambda trial, line: None,
    early: LocalExecutor | None = None,
) -> Executor:
    """The executor that `settings` ask for.

    Args:
        task: what to run.
        setup: of the run.
        settings: how trials are run.
        grace: seconds that the trials in flight have together to report once the limit is reached.
        interrupted: whether the user asked to stop.
        note: is told what the user should know, in one line.
        wall: what the run's clock showed when it was left.
        virtual: whether that clock is a virtual one.
        said: is told what a trial of this process prints; other trials are asked for it.
        early: from `begin_early`, to be used if there is one.
    """
    clear_up()
    if early is not None:
        early.settle(task, setup, grace, wall)
        return early
    workers = settings.workers
    if not in_processes(task, settings):
        from mfbo.executors.inline import InlineExecutor

        if settings.scheduler is not None:
            note("the cost of this task is virtual: its workers are simulated, and the scheduler is not used")
        return InlineExecutor(
            task,
            setup,
            slots=max(1, workers or 1),
            interrupted=interrupted,
            wall=wall,
            virtual=virtual,
            grace=grace,
            max_seconds=_max_seconds(settings),
            said=said,
        )
    max_seconds, max_bytes = _max_seconds(settings), _max_bytes(settings)
    if settings.scheduler is None:
        from mfbo.executors.local import LocalExecutor

        return LocalExecutor(
            task,
            setup,
            slots=workers or 1,
            grace=grace,
            interrupted=interrupted,
            wall=wall,
            max_seconds=max_seconds,
            max_bytes=max_bytes,
        )
    from mfbo.executors.dask import DaskExecutor

    return DaskExecutor(
        task,
        setup,
        scheduler=settings.scheduler,
        most=workers,
        grace=grace,
        note=note,
        interrupted=interrupted,
        wall=wall,
        max_seconds=max_seconds,
        max_bytes=max_bytes,
    )
