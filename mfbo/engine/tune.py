"""`tune` and `resume`: one run within its limits, from the first ask to its result."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.adapters.command import is_command
from mfbo.cost.price import in_time
from mfbo.engine import preflight, trusted_commands
from mfbo.engine.direction import settled
from mfbo.engine.loading import say_whose, task_of
from mfbo.engine.replay import begun, build, rebuild
from mfbo.engine.result import TuneResult, result_of
from mfbo.engine.running import running
from mfbo.engine.warm_start import known_of
from mfbo.engine.workplace import Workplace
from mfbo.errors import BadValue, NoObjective, RunError
from mfbo.executors import choice
from mfbo.ledger import fingerprint
from mfbo.ledger.environment import hardware, versions
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.observer import Observer
from mfbo.ledger.run import Header, Limits, Run
from mfbo.ledger.writer import Ledger, announced, is_free, repair
from mfbo.optimizers.registry import names_with, spec_of
from mfbo.planning import planner
from mfbo.planning.growth import grows
from mfbo.planning.probe import CONFIGS
from mfbo.search import Search, SearchOptions
from mfbo.settings import Settings, resumed
from mfbo.space import prior_of
from mfbo.task import Task
from mfbo.tasks.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from mfbo.ledger.plan import Plan
    from mfbo.optimizers.spec import Optimizer
    from mfbo.trial import Config, Known, Rung


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
            place.settle(keep=grow and like is None and warm_start is None)
            try:
                _run(begun.task, begun.optimizer, ledger, begun.header.settings, observer, place=place)
            except NoObjective:
                if folder is not None:
                    _remove(folder, whole=new)
                raise
    return result_of(ledger.run)


@dataclass(frozen=True)
class NewRun:
    """A run that is about to begin.

    Attributes:
        task: prepared, with the space of the run.
        optimizer: before its first ask.
        header: what its ledger begins with.
    """

    task: Task
    optimizer: Optimizer
    header: Header


def new_run(
    task: Task | str,
    max_cost: str | float | None,
    *,
    search: Search | None,
    max_trials: int | None,
    max_wall: str | None,
    folder: Path | None,
    settings: Settings | None,
    observer: Observer,
    command: str = "",
    warm_start: Run | Path | str | None = None,
    like: Plan | None = None,
    grow: bool = True,
    own_loop: bool = False,
    place: Workplace | None = None,
    **asked: Unpack[SearchOptions],
) -> NewRun:
    """Check what is asked of a run, plan it, and build its optimizer; nothing of its ledger is written yet.

    The arguments are those of `tune`; `folder` is that of the run, None in memory. With `own_loop` its trials run in a
    loop of the user's, so that nothing can be measured before it; else `place` is where it is measured.

    Raises:
        MfboError: as `tune`.
    """
    settings = settings or Settings()
    task, search = _loaded(task, settings, observer), Search.of(search, **asked)
    limits, settings = _limits(max_cost, max_trials, max_wall, settings)
    search, settings = settled(task, search, settings)
    usual = planner.rungs(task, search)
    search = for_task(search, task, observer.on_note)
    if search.objectives and warm_start is not None:
        raise BadValue("a warm start has losses only, and there are several objectives; leave out one of the two")
    preflight.affordable(limits, task, usual, search.optimizer)
    with announced(folder, command), ExitStack() as stack:
        here = stack.enter_context(place.undone_by_errors() if place else Workplace(None))
        if not own_loop:
            here.begin(task, settings, search.seed)
        as_planned = build(search, task, usual)
        _prepare(task, settings, observer)
        here.listen()
        planned, rungs = planner.plan(
            task,
            search,
            limits=limits,
            settings=settings,
            interrupted=here.interrupt,
            note=observer.on_note,
            stage=observer.on_stage,
            like=like,
            measure=not own_loop,
            bench=here.bench(lambda: _first_configs(as_planned)),
        )
        observer.on_plan(planned, settings.price)
        known = _known(warm_start, task, rungs, search, observer)
        chosen = build(search, task, rungs, known)
        trusted_commands.remember(task.source)
        header = _header(
            task=task,
            search=search,
            limits=limits,
            rungs=rungs,
            settings=settings,
            known=known,
            command=command,
            plan=planned,
            own_loop=own_loop,
            grows=grow and like is None and grows(search) and not task.simulated,
        )
    return NewRun(task, chosen, header)


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
    settings, observer = settings or Settings(), observer or Observer()
    task, search = _loaded(task, settings, observer), Search.of(search, **asked)
    limits, settings = _limits(max_cost, None, max_wall, settings)
    search, settings = settled(task, search, settings)
    usual = planner.rungs(task, search)
    search = for_task(search, task, observer.on_note)
    preflight.affordable(limits, task, usual, search.optimizer)
    _prepare(task, settings, observer)
    with Workplace(None) as place:
        place.listen()
        found, _ = planner.plan(
            task,
            search,
            limits=limits,
            settings=settings,
            interrupted=place.interrupt,
            note=observer.on_note,
            stage=observer.on_stage,
        )
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


def taken_up(
    ledger: Ledger, task: Task, settings: Settings, observer: Observer, *, command: str, new: Mapping[str, Any]
) -> tuple[Optimizer, Settings]:
    """The optimizer of a run that goes on, as it was, and its settings; the ledger has noted that it goes on.

    Args:
        ledger: of the run, open.
        task: of the run.
        settings: of the run, from now on.
        observer: is told what happens.
        command: what the user typed.
        new: ``max_cost``, ``max_trials`` and ``max_wall`` from now on; None leaves one as it is.

    Raises:
        BadCost, BadValue: a limit that makes no sense here.
        RunChanged: the optimizer asks for something else than it did.
    """
    known = ledger.run
    max_cost, settings = in_time(new["max_cost"], settings)
    changes = {name: value for name, value in vars(Limits.of(**{**new, "max_cost": max_cost})).items() if value}
    limits = replace(known.limits, **changes)
    preflight.limits(limits)
    preflight.same_unit(known.limits, limits)
    chosen = begun(task, known)
    rebuild(chosen, known)
    _prepare(task, settings, observer)
    if changes:
        header = known.header
        planned = header.plan is not None and header.plan.lowered and header.search.max_fidelity == 1.0
        if planned and "max_cost" in changes:
            observer.on_note(
                f"its highest rung stays at {100 * header.rungs[-1].work:.2g}% of a full evaluation, as the first "
                f"limit was planned; for a higher one: mfbo tune {header.task} --warm-start {known.folder}"
            )
        ledger.limits(limits)
    ledger.resume(at=_now(), command=command)
    if known.torn:
        observer.on_note(f"the ledger's last line was cut off in mid-write ({known.torn} bytes); it was removed")
    return chosen, settings


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


def _first_configs(optimizer: Optimizer) -> list[Config]:
    """What a run asks for first: its costs are measured on that, for it to go on with what was trained then."""
    found: dict[str, Config] = {}
    while len(found) < CONFIGS and (trial := optimizer.ask()) is not None and trial.key not in found:
        found[trial.key] = trial.config
    return list(found.values())


def _known(
    source: Run | Path | str | None, task: Task, rungs: list[Rung], search: Search, observer: Observer
) -> tuple[Known, ...]:
    """What the optimizer can begin with; says what was left out."""
    if source is None:
        return ()
    run = source if isinstance(source, Run) else read(source)
    if run.header.task != (task.source or task.name):
        raise BadValue(f"warm start from a run of {run.header.task!r}: give one of {task.source or task.name!r}")
    if not run.header.goal.like(search.goal):
        raise BadValue(f"warm start from a run of {run.header.goal.option}, and this one is of {search.goal.option}")
    if not spec_of(search.optimizer).takes_earlier_results:
        others = ", ".join(names_with("takes_earlier_results"))
        observer.on_note(f"{search.optimizer} does not use an earlier run; these do: {others}")
        return ()
    found, words = known_of(run, task.space, rungs, search.constraints)
    observer.on_note(words)
    return found


def for_task(search: Search, task: Task, note: Callable[[str], None] = lambda text: None) -> Search:
    """The search of `task`, with its own path and the whole configuration that is believed in.

    Raises:
        BadValue, UnknownName: its path or its prior are none of this task.
    """
    prior = None if search.prior is None else prior_of(search.prior, task.space)
    if prior is not None and not spec_of(search.optimizer).takes_prior:
        note(f"{search.optimizer} does not use a prior; these do: {', '.join(names_with('takes_prior'))}")
        prior = None
    return replace(search, path=search.path or task.fidelity.default_path, prior=prior)


def _loaded(task: Task | str, settings: Settings, observer: Observer) -> Task:
    """The task that was named, with the space of `settings`; says beforehand whose code it runs."""
    observer.on_stage(f"loading {task if isinstance(task, str) else task.name}")
    if isinstance(task, str):
        if not is_command(task):  # a command runs later, in trials
            say_whose(task, observer.on_note)
        task = load(task)
    found = task.with_space(settings.space)
    if is_command(found.source):
        say_whose(found.source, observer.on_note)
    return found


def _prepare(task: Task, settings: Settings, observer: Observer) -> None:
    """Make sure that trials can be run."""
    observer.on_stage(f"preparing the data of {task.name}")
    if task.prepare:
        task.prepare(settings.options)
    preflight.device(settings, task)
    choice.check(task, settings)


def _limits(
    max_cost: str | float | None, max_trials: int | None, max_wall: str | None, settings: Settings
) -> tuple[Limits, Settings]:
    """The limits of a new run, money as time, and its settings; both as they are allowed."""
    max_cost, settings = in_time(max_cost, settings)
    limits = Limits.of(max_cost, max_trials, max_wall)
    preflight.limits(limits)
    preflight.settings(settings)
    return limits, settings


def _header(
    *,
    task: Task,
    search: Search,
    limits: Limits,
    rungs: list[Rung],
    settings: Settings,
    known: tuple[Known, ...],
    command: str,
    plan: Plan,
    grows: bool,
    own_loop: bool,
) -> Header:
    space = fingerprint.space_dict(task.space)
    return Header(
        task=task.source or task.name,
        search=search,
        limits=limits,
        fidelity=task.fidelity.ranges,
        rungs=tuple(rungs),
        space=space,
        space_hash=fingerprint.digest(space),
        source_hash=fingerprint.source_hash(task.source),
        grid={name: list(values) for name, values in (task.grid or {}).items()} if search.optimizer == "grid" else None,
        full_cost=task.full_cost,
        optimum=None if task.optimum is None else search.goal.loss(task.optimum),
        settings=settings,
        known=known,
        versions=versions(),
        hardware=hardware(),
        command=command,
        created=_now(),
        plan=plan,
        grows=grows,
        own_loop=own_loop,
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _remove(folder: Path, *, whole: bool) -> None:
    """Take back what a run without any result has written."""
    if whole:
        shutil.rmtree(folder, ignore_errors=True)
        return
    (folder / FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
