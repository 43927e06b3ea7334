"""`mfbo.tune` and `mfbo.resume`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mfbo.api.progress import shown
from mfbo.api.settings import RunOptions, checked_task, split_settings
from mfbo.engine import tune as engine
from mfbo.errors import NoTrialSucceeded
from mfbo.search import Search

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mfbo.engine.result import TuneResult
    from mfbo.ledger.observer import Observer
    from mfbo.ledger.run import Run
    from mfbo.settings import Settings
    from mfbo.task import Task


class LimitOptions(TypedDict, total=False):
    """New limits of a run that is resumed, in all, not in addition."""

    max_cost: str | float | None
    max_trials: int | None
    max_wall: str | None


def tune(
    task: Task | str,
    max_cost: str | float | None = None,
    *,
    max_trials: int | None = None,
    max_wall: str | None = None,
    out: Path | str | None = None,
    warm_start: Run | Path | str | None = None,
    progress: bool = True,
    observer: Observer | None = None,
    search: Search | None = None,
    settings: Settings | None = None,
    **asked: Unpack[RunOptions],
) -> TuneResult:
    """Search for the best configuration of `task` within the limits; at least one of them is needed.

    >>> result = tune("branin", "20x", optimizer="smac", seed=1, progress=False)

    The first Ctrl-C ends the run in order, with status ``interrupted``; `mfbo.resume` continues it.

    Args:
        task: a `mfbo.Task`, or what ``mfbo tune`` takes: a name from ``mfbo tasks``, ``path/file.py:NAME``, a command.
        max_cost: ``2h``, ``90m``, ``20x`` (full evaluations), ``5USD`` where there is a price, or a number of seconds.
        max_trials: ends after this number of finished trials.
        max_wall: duration by the clock.
        out: folder for the ledger and the checkpoints; None keeps the run in memory.
        warm_start: an earlier run of the same task to begin with.
        progress: show what happens: a live display in a terminal or a notebook, else lines on standard error.
        observer: is told what happens, beside the progress.
        search: options of the search in one object; None for the defaults.
        settings: how trials are run, in one object; None for the defaults.
        asked: fields of `mfbo.Search` (``optimizer``, ``seed``, ``fidelity``, ``eta``, ``prior``, ...) and of
            `mfbo.Settings` (``workers``, ``device``, ``space``, ...) as keywords, and ``data_dir``.

    Raises:
        NoTrialSucceeded: every trial failed; names the first error, and has the `TuneResult` as ``result``.
        MfboError: a mistake that a person can mend; nothing was written.
    """
    values: dict[str, Any] = dict(asked)
    chosen = split_settings(tune, settings, values)
    result = engine.tune(
        checked_task(task),
        max_cost,
        max_trials=max_trials,
        max_wall=max_wall,
        out=out,
        warm_start=warm_start,
        observer=shown(progress, observer),
        search=search,
        settings=chosen,
        **values,
    )
    return _succeeded(result)


def resume(
    run: Path | str,
    *,
    task: Task | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    accept_changes: bool = False,
    repair_ledger: bool = False,
    progress: bool = True,
    observer: Observer | None = None,
    **limits: Unpack[LimitOptions],
) -> TuneResult:
    """Continue a run that was interrupted, or extend a finished one; the time in between is not charged.

    Args:
        run: its folder.
        task: for a run of a `mfbo.Task` object, which no name leads to.
        workers: how many from now on; None for as many as before.
        scheduler: of a Dask cluster, or ``local`` for this machine; needed where the run was on a cluster.
        accept_changes: continue although task or space have changed.
        repair_ledger: of a damaged ledger, keep what is before the damage; the whole is kept beside it.
        progress: as for `tune`.
        observer: as for `tune`.
        limits: new limits in all, not in addition: ``max_cost``, ``max_trials``, ``max_wall``; what is not given stays.

    Raises:
        NoTrialSucceeded: as `tune`.
        RunChanged: task or space are not those of the run; says what changed.
        RunError: no such run, or another process writes to it.
    """
    result = engine.resume(
        run,
        task=task,
        workers=workers,
        scheduler=scheduler,
        accept_changes=accept_changes,
        repair_ledger=repair_ledger,
        observer=shown(progress, observer),
        **limits,
    )
    return _succeeded(result)


def _succeeded(result: TuneResult) -> TuneResult:
    if result.best is None and result.trials:
        raise NoTrialSucceeded(result.failure, result)
    return result
