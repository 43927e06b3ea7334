"""Running a study: what is missing of it is run, the rest is read.

It goes seed by seed, so that an interrupted one is still fair, and continues where it was: what is finished is not run
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.budget import Budget
from mfbo.engine.direction import settled
from mfbo.engine.request import for_task
from mfbo.engine.result import TuneResult, result_of
from mfbo.engine.tune import resume, tune
from mfbo.errors import BadCost, RunExists
from mfbo.ledger import fingerprint
from mfbo.ledger.journal import begun, read, read_header
from mfbo.ledger.observer import Observer
from mfbo.ledger.plan import Plan
from mfbo.optimizers.registry import spec_of
from mfbo.search import Search
from mfbo.settings import FREE, Settings
from mfbo.study.folder import claim, described_in, keep_failed, read_study
from mfbo.study.spec import Study
from mfbo.tasks.registry import load

if TYPE_CHECKING:
    from mfbo.ledger.run import Run
    from mfbo.study.spec import Entry
    from mfbo.task import Task


def run_study(
    study: Study,
    out: Path | str,
    *,
    observer_of: Callable[[Entry], Observer] = lambda entry: Observer(),
    on_result: Callable[[Entry, TuneResult], None] = lambda entry, result: None,
    on_failure: Callable[[Entry, BadCost], None] = lambda entry, error: None,
    command: str = "",
) -> list[TuneResult]:
    """Run what is missing of `study`, and read the rest; what is there beside it is part of it, see `extended`.

    Args:
        study: what to compare.
        out: its folder.
        observer_of: is told of each run that starts or goes on; what it returns watches the run.
        on_result: is given the result of each run, those that were there already included.
        on_failure: is given the error of a run whose cost buys nothing.
        command: what the user typed, for the ledgers.

    Returns:
        The results in the order of `Study.entries`; fewer where the user interrupted one, or one bought nothing.

    Raises:
        RunExists: the folder holds a study of other tasks or settings.
        BadCost: the cost buys nothing in any run.
        MfboError: as `mfbo.tune`, `mfbo.resume`.
    """
    study, folder = extended(study, out), Path(out)
    claim(study, folder)
    found: list[TuneResult] = []
    problem: BadCost | None = None
    lost: dict[str, str] = {}
    plans: dict[str, Plan] = {}  # of the first run of each task: what is compared has the same top rung
    for entry in study.entries():
        try:
            result = run(
                folder / entry.folder,
                _cost(study, entry),
                entry.task,
                replace(study.search, optimizer=entry.optimizer, seed=entry.seed),
                study.settings,
                observer_of=partial(observer_of, entry),
                command=command,
                like=plans.get(entry.task),
            )
        except BadCost as error:
            problem = error
            lost[entry.folder.as_posix()] = str(error)
            keep_failed(folder, lost)
            on_failure(entry, error)
            continue
        if (plan := result.ledger.header.plan) is not None and plan.measured:
            plans.setdefault(entry.task, plan)
        found.append(result)
        on_result(entry, result)
        if result.status == "interrupted":
            break
    if problem and not found:
        raise problem
    return found


def extended(study: Study, out: Path | str) -> Study:
    """`study` with the optimizers and seeds that the one in `out` has beside its own, if there is one.

    Raises:
        RunExists: the folder holds a study of other tasks or settings.
        MfboError: as `Study.check`.
    """
    check_codes(Path(out) / entry.folder for entry in study.entries())
    study.check()
    study = study.in_time()
    path = described_in(out)
    if not path.exists():
        return study
    there = read_study(path)
    what = f"comparison (see its {path.name})"
    differences = there.search.differences(study.search)
    one, other = ({"tasks": ", ".join(those.tasks), **vars(those.settings)} for those in (there, study))
    _refuse_other(out, what, {**differing(one, other), **differences})
    optimizers = tuple(dict.fromkeys((*there.optimizers, *study.optimizers)))
    return replace(study, optimizers=optimizers, seeds=max(there.seeds, study.seeds))


def check_codes(folders: Iterable[Path]) -> None:
    """Make sure, before any of it is run, that the task files of runs that are there are what these began with.

    Raises:
        RunChanged: one is not.
    """
    for folder in folders:
        if begun(folder):
            fingerprint.check_file(read_header(folder))


def run(
    folder: Path,
    max_cost: str,
    task: str,
    search: Search,
    settings: Settings,
    *,
    observer_of: Callable[[], Observer],
    command: str,
    like: Plan | None = None,
    warm_start: Path | None = None,
) -> TuneResult:
    """The result of one run: as it is if it is finished within that cost, else after it has been.

    Raises:
        RunExists: the folder holds another run.
        RunChanged: its task has changed since.
        MfboError: as `mfbo.tune`, `mfbo.resume`.

    Args:
        folder: of the run.
        max_cost: as its ledger has it.
        task: its name.
        search: its options.
        settings: how its trials are run.
        observer_of: is called if something is to happen; what it returns is told of it.
        command: what the user typed.
        like: for `mfbo.tune`, if the run has not begun.
        warm_start: the same.
    """
    if not begun(folder):
        return tune(
            task,
            max_cost,
            search=search,
            settings=settings,
            out=folder,
            observer=observer_of(),
            command=command,
            like=like,
            grow=False,
            warm_start=warm_start,
        )
    there = read(folder)
    _check_same(there, load(task).with_space(settings.space), search, settings)
    if there.finished and there.limits.max_cost == Budget.parse(max_cost):
        return result_of(there)
    return resume(folder, max_cost=max_cost, observer=observer_of(), command=command, scheduler=settings.scheduler)


def _refuse_other(folder: object, what: str, differences: Mapping[str, tuple[object, object]]) -> None:
    """Refuse a folder of which something is not as it was asked for."""
    for name, (kept, asked) in differences.items():
        text = f"{str(folder)!r} holds another {what}: its {name.replace('_', ' ')} is {kept}, not {asked}"
        raise RunExists(f"{text}; give another --out")


def differing(kept: Mapping[str, object], asked: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Both values of what is not as it was asked for, but for what changes no result."""
    return {name: (kept[name], value) for name, value in asked.items() if kept[name] != value and name not in FREE}


def _check_same(there: Run, task: Task, search: Search, settings: Settings) -> None:
    """Refuse a run that is another one than was asked for."""
    header, (search, settings) = there.header, settled(task, search, settings)
    given = {name: value for name, value in vars(settings).items() if name != "space"}
    named = {"task": (header.task, task.source or task.name)} if header.task != (task.source or task.name) else {}
    differences = header.search.differences(for_task(search, task))
    if header.goal.like(search.goal):  # a ledger from before metrics had names says none
        differences = {name: pair for name, pair in differences.items() if name not in ("metric", "maximize")}
    _refuse_other(there.folder, "run", {**named, **differences, **differing(vars(header.settings), given)})
    fingerprint.check_unchanged(header, task)


def _cost(study: Study, entry: Entry) -> str:
    """The budget of one run, as its ledger has it."""
    budget = Budget.parse(study.max_cost)
    return str(replace(budget, amount=budget.amount * spec_of(entry.optimizer).cost_share))
