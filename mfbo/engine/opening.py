"""Opening a run, a new one or one that is there: all that is settled before its first trial."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.adapters.command import is_command
from mfbo.cost.price import in_time
from mfbo.engine import preflight, trusted_commands
from mfbo.engine.direction import settled
from mfbo.engine.loading import say_whose
from mfbo.engine.replay import begun, build, rebuild
from mfbo.engine.warm_start import known_of
from mfbo.engine.workplace import Workplace
from mfbo.errors import BadValue
from mfbo.executors import choice
from mfbo.ledger import fingerprint
from mfbo.ledger.environment import hardware, versions
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.ledger.run import Header, Limits, Run
from mfbo.ledger.writer import Ledger, announced
from mfbo.optimizers.registry import names_with, spec_of
from mfbo.planning import planner
from mfbo.planning.growth import grows
from mfbo.planning.probe import CONFIGS
from mfbo.search import Search, SearchOptions
from mfbo.settings import Settings
from mfbo.space import prior_of
from mfbo.task import Task
from mfbo.tasks.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from mfbo.ledger.plan import Plan
    from mfbo.optimizers.spec import Optimizer
    from mfbo.trial import Config, Known, Rung


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
    task, search = loaded(task, settings, observer), Search.of(search, **asked)
    limits, settings = limits_of(max_cost, max_trials, max_wall, settings)
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
        prepare(task, settings, observer)
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
    prepare(task, settings, observer)
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


def loaded(task: Task | str, settings: Settings, observer: Observer) -> Task:
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


def prepare(task: Task, settings: Settings, observer: Observer) -> None:
    """Make sure that trials can be run."""
    observer.on_stage(f"preparing the data of {task.name}")
    if task.prepare:
        task.prepare(settings.options)
    preflight.device(settings, task)
    choice.check(task, settings)


def limits_of(
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
