"""Which executor a run gets: simulated workers on a virtual clock, processes of this machine, or a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.budget import Budget
from mfbo.errors import BadValue
from mfbo.ledger.environment import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.executors import Executor
    from mfbo.executors.evaluate import TrialSetup
    from mfbo.settings import Settings
    from mfbo.task import Task

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

    most = MAX_WORKERS_PER_CORE * cores()
    if settings.scheduler is None and (settings.workers or 1) > most:
        raise BadValue(f"workers {settings.workers}: this machine has {cores()} cores; give {most} or less")
    packed(task)
    if settings.scheduler is not None:
        from mfbo.executors.dask import connect

        connect(settings.scheduler).close()


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
    """
    workers = settings.workers
    if not in_processes(task, settings):
        from mfbo.executors.inline import InlineExecutor

        if settings.scheduler is not None:
            note("the cost of this task is virtual: its workers are simulated, and the scheduler is not used")
        slots = max(1, workers or 1)
        return InlineExecutor(
            task, setup, slots=slots, interrupted=interrupted, wall=wall, virtual=virtual, grace=grace
        )
    max_seconds = Budget.parse(settings.max_trial_time).amount if settings.max_trial_time else None
    max_bytes = settings.max_trial_memory and settings.max_trial_memory * 2**30
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
