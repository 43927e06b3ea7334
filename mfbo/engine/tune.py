"""`tune` and `resume`: one run within its limits, from the first ask to its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.engine import preflight
from mfbo.engine.loading import task_of
from mfbo.engine.opening import measured_plan, new_run, taken_up
from mfbo.engine.request import requested
from mfbo.engine.result import TuneResult, result_of
from mfbo.engine.running import running
from mfbo.engine.workplace import Workplace
from mfbo.errors import NoObjective, RunError
from mfbo.files.plain import remove
from mfbo.ledger.journal import FILE
from mfbo.ledger.observer import Observer
from mfbo.ledger.run import Run
from mfbo.ledger.writer import Ledger, is_free, repair
from mfbo.search import Search, SearchOptions
from mfbo.settings import Settings, resumed
from mfbo.task import Task

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mfbo.ledger.plan import Plan
    from mfbo.optimizers.spec import Optimizer


def tune(
    task: Task | str,
    max_cost: str | float | None = None,
    *,
    search: Search | None = None,
    max_trials: int | None = None,
    max_wall: str | None = None,
    out: Path | str | None = None,
    settings: Settings | None = None,
    observer: Observer | None = None,
    command: str = "",
    warm_start: Run | Path | str | None = None,
    like: Plan | None = None,
    grow: bool = True,
    **asked: Unpack[SearchOptions],
) -> TuneResult:
    """Search for the best configuration of `task` within the limits; at least one of them is needed.

    >>> tune("branin", "3x", optimizer="random", seed=1).trials
    3

    The first Ctrl-C ends the run in order, with status ``interrupted``; `resume` continues it.

    Args:
        task: a `Task`, or a name that `mfbo.tasks.registry.load` knows.
        max_cost: ``2h``, ``90m``, ``20x`` (full evaluations), ``5USD`` where `settings` have a price, or seconds as a
            number.
        search: options of the search; None for the defaults.
        max_trials: ends after this number of finished trials.
        max_wall: duration by the clock.
        out: folder for the ledger and the checkpoints; None keeps the run in memory.
        settings: how trials are run.
        observer: is told what happens.
        command: what the user typed, for the ledger.
        warm_start: an earlier run of the same task, in this space or another one, to begin with as far as it fits.
        grow: whether the ladder may grow upward where trials cost less than was planned; not in what is compared.
        like: the plan of another run of this task, to be compared with: what it measured is taken and charged instead
            of measuring anew, and the top rung is the same.
        asked: options of the search by name: `optimizer`, `seed`, `fidelity` (its path), `eta`, `min_fidelity`,
            `max_fidelity`, `prior`, `objectives`, `metric`, `maximize`; see `mfbo.Search`.

    Raises:
        MfboError: a mistake that a person can mend; nothing was written.
    """
    observer, folder = observer or Observer(), Path(out) if out is not None else None
    new = folder is not None and is_free(folder)
    with Workplace(folder) as place:
        begun = new_run(
            task,
            max_cost,
            search=search,
            max_trials=max_trials,
            max_wall=max_wall,
            folder=folder,
            settings=settings,
            observer=observer,
            command=command,
            warm_start=warm_start,
            like=like,
            grow=grow,
            place=place,
            **asked,
        )
        with Ledger.create(begun.header, folder) as ledger:
            place.settle(begun.header, keep=grow and like is None and warm_start is None)
            try:
                _run(begun.task, begun.optimizer, ledger, begun.header.settings, observer, place=place)
            except NoObjective:
                if folder is not None:
                    _remove(folder, whole=new)
                raise
    return result_of(ledger.run)


def plan(
    task: Task | str,
    max_cost: str | float | None = None,
    *,
    search: Search | None = None,
    max_wall: str | None = None,
    settings: Settings | None = None,
    observer: Observer | None = None,
    **asked: Unpack[SearchOptions],
) -> Plan | None:
    """What a budget would buy, and at which rungs; None where the user stopped it.

    Args:
        task: as for `tune`.
        max_cost: the same.
        search: the same.
        max_wall: the same.
        settings: the same.
        observer: is told what is done, and what the user should know.
        asked: the same.

    Raises:
        MfboError: as `tune`.
    """
    observer, search = observer or Observer(), Search.of(search, **asked)
    with Workplace(None) as place:
        request = requested(task, search, (max_cost, None, max_wall), settings, observer, place=place)
        found, _ = measured_plan(request, place, observer)
        return None if place.interrupt() else found


def resume(
    run: Path | str,
    *,
    max_cost: str | float | None = None,
    max_trials: int | None = None,
    max_wall: str | None = None,
    task: Task | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    accept_changes: bool = False,
    repair_ledger: bool = False,
    observer: Observer | None = None,
    command: str = "",
) -> TuneResult:
    """Go on with a run that was interrupted, or extend a finished one; time in between is not charged.

    Args:
        run: its folder.
        max_cost: new limit, in all, not in addition; None leaves it as it is.
        max_trials: the same.
        max_wall: the same.
        task: for a run of a `Task` object, which no name leads to.
        workers: how many from now on; None for as many as the run began with.
        scheduler: of a Dask cluster, or ``local`` for this machine. A run that was on a cluster needs one of them: the
            address in a ledger is not trusted, as whoever answers there could make this process run anything.
        accept_changes: go on although task or space have changed since.
        repair_ledger: of a damaged ledger, keep what is before the damage; the whole is kept beside it.
        observer: is told what happens.
        command: what the user typed, for the ledger.

    Raises:
        RunChanged: task or space are not those of the run; says what changed.
        RunError: no such run, or another process writes to it.
    """
    observer = observer or Observer()
    if repair_ledger:
        observer.on_note(repair(run))
    with Ledger.reopen(Path(run)) as ledger:
        known = ledger.run
        header = known.header
        settings = resumed(header.settings, workers, scheduler)
        preflight.settings(settings)
        if task is None and header.own_loop:
            raise RunError(
                f"the trials of {str(run)!r} run in your own loop; go on there, with mfbo.Session.resume({str(run)!r})"
            )
        task = task_of(header, observer.on_note, task=task, accept_changes=accept_changes)
        limits = {"max_cost": max_cost, "max_trials": max_trials, "max_wall": max_wall}
        chosen, settings = taken_up(ledger, task, settings, observer, command=command, new=limits)
        with Workplace(known.folder) as place:
            place.listen()
            _run(task, chosen, ledger, settings, observer, place=place)
    return result_of(ledger.run)


def _run(
    task: Task, optimizer: Optimizer, ledger: Ledger, settings: Settings, observer: Observer, *, place: Workplace
) -> None:
    """Run the loop of an open ledger to its end; at once where the user asked for that before."""

    def interrupted() -> bool:
        return place.interrupt() or observer.stop_requested

    with running(
        task, optimizer, ledger, settings=settings, observer=observer, interrupted=interrupted, place=place
    ) as parts:
        parts.status = parts.loop.run()


def _remove(folder: Path, *, whole: bool) -> None:
    """Take back what a run without any result has written."""
    if whole:
        remove(folder)
        return
    (folder / FILE).unlink(missing_ok=True)
    remove(folder / "checkpoints")
