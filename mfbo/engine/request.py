"""What is asked of a run, before anything is measured: its task loaded, its search and limits settled and allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mfbo.adapters.command import is_command
from mfbo.cost.price import in_time
from mfbo.engine import preflight
from mfbo.engine.direction import settled
from mfbo.engine.loading import say_whose
from mfbo.executors import choice
from mfbo.ledger.run import Limits
from mfbo.optimizers.registry import names_with, spec_of
from mfbo.planning import planner
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.space import prior_of
from mfbo.task import Task
from mfbo.tasks.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.engine.workplace import Workplace
    from mfbo.ledger.observer import Observer
    from mfbo.trial import Rung


@dataclass(frozen=True)
class Request:
    """What is asked of a run: settled, allowed, and nothing measured yet.

    Attributes:
        task: with the space of the run.
        search: of this task.
        limits: of the run, money as time.
        settings: how trials are run.
        rungs: as they are where no plan changes them.
    """

    task: Task
    search: Search
    limits: Limits
    settings: Settings
    rungs: list[Rung]


def requested(
    task: Task | str,
    search: Search,
    limits: tuple[str | float | None, int | None, str | None],
    settings: Settings | None,
    observer: Observer,
    *,
    place: Workplace | None,
) -> Request:
    """Load the task, and settle what is asked of its run.

    Args:
        task: or its name.
        search: as it was asked for.
        limits: of cost, trials and time by the clock.
        settings: as they were asked for; None for the usual ones.
        observer: is told whose code is run, and what the user should know.
        place: whose workers begin to import the task; None where it has none.

    Raises:
        MfboError: as `tune`.
    """
    within, settings = _limits_of(*limits, settings or Settings())
    task = _loaded(task, settings, observer, place)
    search, settings = settled(task, search, settings)
    rungs = planner.rungs(task, search)
    search = for_task(search, task, observer.on_note)
    preflight.affordable(within, task, rungs, search.optimizer)
    if place is not None:
        place.begin(task, settings)
    return Request(task, search, within, settings, rungs)


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


def _loaded(task: Task | str, settings: Settings, observer: Observer, place: Workplace | None) -> Task:
    """The task that was named, with the space of `settings`; says beforehand whose code it runs."""
    observer.on_stage(f"loading {task if isinstance(task, str) else task.name}")
    if isinstance(task, str):
        if not is_command(task):  # a command runs later, in trials
            say_whose(task, observer.on_note)
        if place is not None:
            place.begin(task, settings)
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


def _limits_of(
    max_cost: str | float | None, max_trials: int | None, max_wall: str | None, settings: Settings
) -> tuple[Limits, Settings]:
    """The limits of a new run, money as time, and its settings; both as they are allowed."""
    max_cost, settings = in_time(max_cost, settings)
    limits = Limits.of(max_cost, max_trials, max_wall)
    preflight.limits(limits)
    preflight.settings(settings)
    return limits, settings
