"""Opening a run, a new one or one that is there: all that is settled before its first trial."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.cost.price import in_time
from mfbo.engine import preflight, trusted_commands
from mfbo.engine.replay import begun, build, rebuild
from mfbo.engine.request import Request, prepare, requested
from mfbo.engine.warm_start import known_of
from mfbo.engine.workplace import Workplace
from mfbo.errors import BadValue
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
from mfbo.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    search, limits = Search.of(search, **asked), (max_cost, max_trials, max_wall)
    with announced(folder, command), ExitStack() as stack:
        here = stack.enter_context(place.undone_by_errors() if place else Workplace(None))
        request = requested(task, search, limits, settings, observer, place=None if own_loop else here)
        task, search = request.task, request.search
        if search.objectives and warm_start is not None:
            raise BadValue("a warm start has losses only, and there are several objectives; leave out one of the two")
        as_planned = build(search, task, request.rungs)
        planned, rungs = measured_plan(
            request, here, observer, like=like, own_loop=own_loop, first=lambda: _first_configs(as_planned)
        )
        observer.on_plan(planned, request.settings.price)
        known = _known(warm_start, task, rungs, search, observer)
        chosen = build(search, task, rungs, known)
        trusted_commands.remember(task.source)
        header = _header(
            request,
            rungs=rungs,
            known=known,
            command=command,
            plan=planned,
            own_loop=own_loop,
            grows=grow and like is None and grows(search) and not task.simulated,
        )
    return NewRun(task, chosen, header)


def measured_plan(
    request: Request,
    place: Workplace,
    observer: Observer,
    *,
    like: Plan | None = None,
    own_loop: bool = False,
    first: Callable[[], Sequence[Config]] = tuple,
) -> tuple[Plan, list[Rung]]:
    """Prepare the task, measure what a trial costs where its run trains it, and plan the run; with its rungs.

    Args:
        request: what is asked of the run.
        place: where it is measured.
        observer: is told what is done.
        like: the plan of another run, whose measurement is taken.
        own_loop: whether its trials run in a loop of the user's, so that nothing can be measured.
        first: the configurations to measure first, as the run will train them.
    """
    task = request.task
    prepare(task, request.settings, observer)
    place.listen()
    return planner.plan(
        task,
        request.search,
        limits=request.limits,
        settings=request.settings,
        interrupted=place.interrupt,
        note=observer.on_note,
        stage=observer.on_stage,
        like=like,
        measure=not own_loop,
        bench=place.bench(first),
    )


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


def _header(
    request: Request,
    *,
    rungs: list[Rung],
    known: tuple[Known, ...],
    command: str,
    plan: Plan,
    grows: bool,
    own_loop: bool,
) -> Header:
    task, search = request.task, request.search
    space = fingerprint.space_dict(task.space)
    return Header(
        task=task.source or task.name,
        search=search,
        limits=request.limits,
        fidelity=task.fidelity.ranges,
        rungs=tuple(rungs),
        space=space,
        space_hash=fingerprint.digest(space),
        source_hash=fingerprint.source_hash(task.source),
        grid={name: list(values) for name, values in (task.grid or {}).items()} if search.optimizer == "grid" else None,
        full_cost=task.full_cost,
        optimum=None if task.optimum is None else search.goal.loss(task.optimum),
        settings=request.settings,
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
