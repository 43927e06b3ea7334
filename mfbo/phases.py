"""The three phases of a study with little compute, within one budget.

::

    exploration    a fifth of the cost: asynchronous halving below full fidelity; sets preliminary ranges
    optimization   three fifths, shared evenly among the optimizers: each in the narrowed space, from what is known
    validation     what is left: each optimizer's best configuration, trained anew and measured on unseen data

A study's folder has ``explore``, ``narrowed.yaml``, ``optimize/OPTIMIZER`` and ``phases.json``; what is finished in it
is not done again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo import planning
from mfbo.budget import Budget
from mfbo.compare import run
from mfbo.configs import prior_of
from mfbo.curves import incumbent, iterations_to_best, standing
from mfbo.errors import BadValue, RunError
from mfbo.ladders import Bounds
from mfbo.observer import Observer
from mfbo.phases_result import EXPLORE, NARROWED, OPTIMIZE, PHASES, Line, Phases
from mfbo.task import load

if TYPE_CHECKING:
    from mfbo.plan import Plan
    from mfbo.result import TuneResult
    from mfbo.settings import Settings
    from mfbo.study import Study
    from mfbo.task import Task
    from mfbo.validate import Validation

SHARES = {"exploration": 0.2, "optimization": 0.6}
EXPLORER = "asha"
BELOW = 0.5  # of the highest fidelity: exploration goes no higher


def study(
    asked: Study,
    out: Path | str,
    *,
    seed: int = 0,
    began: Callable[[str], Observer] = lambda phase: Observer(),
    command: str = "",
) -> Phases:
    """Run all three phases, or what is missing of them.

    Args:
        asked: one task, and the optimizers to compare on it in the second phase; its cost is of everything together,
            its seeds are trainings of each final validation, as far as the cost allows. The exploration keeps to half
            of its highest fidelity, the optimization has its prior if the narrowed ranges do.
        out: folder of the study.
        seed: of all runs.
        began: is told of each run, by a name such as ``optimization: smac``; what it returns watches it.
        command: what the user typed, for the ledgers.

    Raises:
        MfboError: as `mfbo.tune`.
    """
    asked.check()
    (name,) = asked.tasks
    asked, folder = asked.in_time(), Path(out)
    task = load(name).with_space(asked.settings.space)
    budget, optimizers, settings = Budget.parse(asked.max_cost, "max cost"), asked.optimizers, asked.settings
    explored = run(
        folder / EXPLORE,
        _share(budget, SHARES["exploration"]),
        name,
        began=partial(began, "exploration"),
        command=command,
        optimizer=EXPLORER,
        seed=seed,
        settings=settings,
        **{**asked.search, "max_fidelity": _below(task, asked)},
    )
    narrowed, smaller = _narrow(explored, folder, settings)
    search, told = _within(task, smaller, asked.search)
    narrowed = (*narrowed, *told)
    found: list[TuneResult] = [explored]
    like: Plan | None = None  # of the first run whose probe told something: what is compared has the same top rung
    for optimizer in optimizers if explored.status != "interrupted" else ():
        result = run(
            folder / OPTIMIZE / optimizer,
            _share(budget, SHARES["optimization"] / len(optimizers)),
            name,
            began=partial(began, f"optimization: {optimizer}"),
            command=command,
            optimizer=optimizer,
            seed=seed,
            settings=smaller,
            **search,
            warm_start=folder / EXPLORE,
            like=like,
        )
        if like is None and (plan := result.ledger.header.plan) is not None and plan.measured:
            like = plan
        found.append(result)
        if result.status == "interrupted":
            break
    if found[-1].status == "interrupted":
        return _phases(asked, budget, found, narrowed)
    phases = _phases(asked, budget, found, narrowed, *_validated(task, budget, found, asked.seeds))
    (folder / PHASES).write_text(json.dumps(phases.to_dict(), indent=1) + "\n", encoding="utf-8")
    return phases


def _below(task: Task, asked: Study) -> float:
    """The highest fidelity of the exploration.

    Raises:
        BadValue: below it there is no ladder.
    """
    bounds = Bounds(asked.fidelity, asked.eta, asked.min_fidelity, asked.max_fidelity)
    high = max(BELOW * asked.max_fidelity, planning.rungs(task, EXPLORER, bounds)[0].work)
    try:
        planning.rungs(task, EXPLORER, replace(bounds, high=high))
    except BadValue as error:
        raise BadValue(f"exploration goes up to half of the max fidelity: {error}") from error
    return high


def _within(task: Task, smaller: Settings, search: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`search` in the narrowed space; where the prior is no longer in it, without it, and a line that says so."""
    try:
        if search["prior"] is not None:
            prior_of(search["prior"], task.with_space(smaller.space).space)
    except BadValue as error:
        return {**search, "prior": None}, (f"the optimization begins without the prior: {error}",)
    return dict(search), ()


def _share(budget: Budget, share: float) -> str:
    return str(replace(budget, amount=float(f"{budget.amount * share:.6g}")))


def _narrow(explored: TuneResult, folder: Path, settings: Settings) -> tuple[tuple[str, ...], Settings]:
    """What was narrowed and why, and the settings with the smaller space; the same where nothing can be told."""
    from mfbo.narrow import narrow

    if explored.status == "interrupted":
        return (), settings
    try:
        found = narrow(explored.ledger)
    except RunError as error:
        return (f"nothing was narrowed: {error}",), settings
    path = folder / NARROWED
    path.write_text(found.to_yaml(), encoding="utf-8")
    return tuple(bound.words for bound in found.bounds), replace(settings, space=str(path))


def _validated(task: Task, budget: Budget, found: Sequence[TuneResult], seeds: int) -> tuple[list[Line], float]:
    """Each optimizer's line with its final validation, within what is left; and what that cost.

    The most promising goes first. What an optimizer does not need of its share goes on to the next.
    """
    left = budget.amount - sum(result.cost for result in found)
    results, lines, spent = sorted(found[1:], key=_promise), [], 0.0
    for place, result in enumerate(results):
        share = (left - spent) / (len(results) - place)
        validation, cost, note = _validate(task, budget, result, seeds, share)
        spent += cost
        lines.append(_line(result, validation, note))
    return lines, spent


def _promise(result: TuneResult) -> tuple[float, float]:
    """Highest rung first, then lowest loss; without a result last."""
    best = incumbent(result.ledger)
    return standing(result.ledger, best) if best else (0.0, 0.0)


def _needs(result: TuneResult) -> float:
    """Seconds that training the incumbent in full will take, judged by its own trials."""
    assert result.best is not None
    own = [r.outcome for r in result.ledger.results if r.trial.config == result.best.config]
    work = max(outcome.rung.work for outcome in own)
    return sum(outcome.cost for outcome in own) / work


def _validate(
    task: Task, budget: Budget, result: TuneResult, seeds: int, left: float
) -> tuple[Validation | None, float, str]:
    """(validation, its cost in the budget's unit, what kept it from being complete)."""
    from mfbo.validate import validate

    if result.best is None:
        return None, 0.0, "no result to validate"
    if task.validate is None:
        return None, 0.0, "the task has no unseen data"
    if budget.unit == "x":
        seeds, seconds = min(seeds, int(left + 1e-9)), None
        if seeds < 1:
            return None, 0.0, "no cost was left for a full evaluation"
    else:
        seconds = left
        if (needs := _needs(result)) > left:
            return None, 0.0, f"a training needs about {needs:.3g}s, {max(0.0, left):.3g}s were left"
    try:
        validation = validate(result.ledger, seeds, seconds=seconds)
    except RunError as error:
        return None, left if seconds else 0.0, str(error)
    cost = validation.seconds if seconds else float(len(validation.scores))
    note = "" if len(validation.scores) == seeds else f"{len(validation.scores)} of {seeds} seeds: no cost was left"
    return validation, cost, note


def _line(result: TuneResult, validation: Validation | None, note: str) -> Line:
    best = result.best
    names = ["loss", *validation.scores[0].metrics] if validation else []
    return Line(
        optimizer=result.optimizer,
        loss=best.loss if best else None,
        fidelity=str(best.fidelity) if best else "",
        trials=result.trials,
        iterations=iterations_to_best(result.ledger),
        cost=result.cost,
        config=dict(best.config) if best else {},
        test={name: validation.mean(name) for name in names} if validation else {},
        deviation={name: validation.deviation(name) for name in names} if validation else {},
        seeds=len(validation.scores) if validation else 0,
        note=note,
    )


def _phases(
    asked: Study, budget: Budget, found: Sequence[TuneResult], narrowed: tuple[str, ...], *validated: Any
) -> Phases:
    lines, spent = validated or ([], 0.0)
    optimization, settings = sum(result.cost for result in found[1:]), found[0].ledger.header.settings
    return Phases(
        task=asked.tasks[0],
        max_cost=str(budget),
        unit=budget.unit,
        costs={"exploration": found[0].cost, "optimization": optimization, "validation": spent},
        narrowed=narrowed,
        lines=tuple(sorted(lines, key=lambda line: line.test.get("loss", math.inf))),
        interrupted=found[-1].status == "interrupted",
        price=str(settings.get("price") or ""),
        seeds=asked.seeds,
        settings=settings,
        search=asked.search,
    )
