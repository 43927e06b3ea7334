"""The three phases of a study with little compute, within one budget.

::

    exploration    a fifth of the cost: asynchronous halving below full fidelity; sets preliminary ranges
    optimization   three fifths, shared evenly among the optimizers: each in the narrowed space, from what is known
    validation     what is left: each optimizer's best configuration, trained anew and measured on unseen data

A study's folder has ``explore``, ``narrowed.yaml``, ``optimize/OPTIMIZER``, ``validation.json`` and ``phases.json``;
what is finished in it is not done again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.budget import Budget, rounded_up
from mfbo.engine import preflight
from mfbo.errors import BadCost, BadValue, RunError, RunExists
from mfbo.files.plain import replace_text
from mfbo.ledger.journal import begun, read
from mfbo.ledger.observer import Observer
from mfbo.planning import planner
from mfbo.space import prior_of
from mfbo.study.final_phase import Trainings, validated
from mfbo.study.phases_result import EXPLORE, NARROWED, OPTIMIZE, PHASES, Phases
from mfbo.study.runner import check_codes, run
from mfbo.tasks.registry import load

if TYPE_CHECKING:
    from mfbo.engine.result import TuneResult
    from mfbo.engine.validate import Score
    from mfbo.ledger.plan import Plan
    from mfbo.search import Search
    from mfbo.settings import Settings
    from mfbo.study.spec import Study
    from mfbo.task import Task

SHARES = {"exploration": 0.2, "optimization": 0.6}
EXPLORER = "asha"
MAX_EXPLORED_FIDELITY = 0.5  # of the highest fidelity: exploration goes no higher
SHARE_TOLERANCE = 0.05  # of a share, by which what is there may have passed it


def study(
    asked: Study,
    out: Path | str,
    *,
    observer_of: Callable[[str], Observer] = lambda phase: Observer(),
    on_score: Callable[[str, Score], None] = lambda optimizer, score: None,
    command: str = "",
) -> Phases:
    """Run all three phases, or what is missing of them.

    With more cost, the optimizers go on in the space that the exploration has narrowed, and trainings are added.

    Args:
        asked: one task, and the optimizers to compare on it in the second phase; its cost is of everything together,
            its seeds are trainings of each final validation, as far as the cost allows. The exploration keeps to half
            of its highest fidelity, the optimization has its prior if the narrowed ranges do.
        out: folder of the study.
        observer_of: is told of each run, by a name such as ``optimization: smac``; what it returns watches it. Of the
            ``validation`` it is told as well.
        on_score: is given the optimizer and each score of the validation as it comes.
        command: what the user typed, for the ledgers.

    Raises:
        BadCost: less than the phases need, or than what is there has cost.
        RunExists: the folder holds another study.
        MfboError: as `mfbo.tune`.
    """
    folder = Path(out)
    check_codes([folder / EXPLORE, *(folder / OPTIMIZE).glob("*")])
    asked.check()
    asked = asked.in_time()
    task = load(asked.tasks[0]).with_space(asked.settings.space)
    budget, high = Budget.parse(asked.max_cost, "max cost"), _below(task, asked)
    _check_cost(task, asked, budget, high)
    _check_there(folder, asked, budget)
    explored = _explored(folder, asked, budget, high, observer_of=observer_of, command=command)
    if explored.status == "interrupted":
        return _phases(asked, budget, [explored], ())
    narrowed, smaller = _narrow(explored, folder, asked.settings)
    search, said = _within(task, smaller, asked.search)
    narrowed, found = (*narrowed, *said), [explored]
    like: Plan | None = None  # of the first run whose probe told something: what is compared has the same top rung
    for optimizer in asked.optimizers:
        result = run(
            folder / OPTIMIZE / optimizer,
            _share(budget, SHARES["optimization"] / len(asked.optimizers)),
            asked.tasks[0],
            replace(search, optimizer=optimizer),
            smaller,
            observer_of=partial(observer_of, f"optimization: {optimizer}"),
            command=command,
            warm_start=folder / EXPLORE,
            like=like,
        )
        if like is None and (plan := result.ledger.header.plan) is not None and plan.measured:
            like = plan
        found.append(result)
        if result.status == "interrupted":
            return _phases(asked, budget, found, narrowed)
    kept = Trainings(folder)
    observer_of("validation")
    try:
        lines = validated(task, budget, found, seeds=asked.seeds, kept=kept, on_score=on_score)
    except KeyboardInterrupt:
        return replace(_phases(asked, budget, found, narrowed), interrupted=True)
    phases = _phases(asked, budget, found, narrowed, lines, kept.charged(budget.unit))
    replace_text(folder / PHASES, json.dumps(phases.to_dict(), indent=1) + "\n")
    return phases


def _explored(
    folder: Path,
    asked: Study,
    budget: Budget,
    high: float,
    *,
    observer_of: Callable[[str], Observer],
    command: str,
) -> TuneResult:
    """The first phase; once an optimizer has begun in what it narrowed, it stays as it is."""
    there = folder / EXPLORE
    done = read(there).limits.max_cost if _optimized(folder) and begun(there) else None
    return run(
        there,
        str(done) if done else _share(budget, SHARES["exploration"]),
        asked.tasks[0],
        replace(asked.search, optimizer=EXPLORER, max_fidelity=high),
        asked.settings,
        observer_of=partial(observer_of, "exploration"),
        command=command,
    )


def _optimized(folder: Path) -> list[str]:
    """Optimizers that have begun there."""
    return sorted(path.name for path in (folder / OPTIMIZE).glob("*") if begun(path))


def _check_cost(task: Task, asked: Study, budget: Budget, high: float) -> None:
    """Refuse a cost of which a share is known not to buy the cheapest trial."""
    each = SHARES["optimization"] / len(asked.optimizers)
    shares = [(each, replace(asked.search, optimizer=name)) for name in asked.optimizers]
    shares.append((SHARES["exploration"], replace(asked.search, optimizer=EXPLORER, max_fidelity=high)))
    needed = []
    for share, search in shares:
        lowest, optimizer = planner.rungs(task, search)[0], search.optimizer
        if (need := preflight.cheapest(task, lowest, budget.unit)) is not None:
            text = f"{optimizer} has {100 * share:.3g}% of it, and its cheapest trial, {lowest}, costs {_short(need)}"
            needed.append((need.amount / share, text))
    least, why = max(needed, default=(0.0, ""))
    if budget.amount < least * (1 - 1e-9):
        more = replace(budget, amount=rounded_up(least))
        raise BadCost(f"max cost {asked.max_cost!r} is too little for three phases: {why}; give {more}")


def _check_there(folder: Path, asked: Study, budget: Budget) -> None:
    """Refuse a folder with optimizers that were not asked for, or one that has cost more than its share."""
    there = {name: read(folder / OPTIMIZE / name).spent for name in _optimized(folder)}
    where = repr(str(folder))
    if others := ", ".join(name for name in there if name not in asked.optimizers):
        raise RunExists(f"{where} holds another study, with {others} too: name all of them, or give another --out")
    share = budget.amount * SHARES["optimization"] / len(asked.optimizers)
    for name, spent in there.items():
        if spent > share * (1 + SHARE_TOLERANCE):
            had, has = (_short(replace(budget, amount=amount)) for amount in (spent, share))
            more = replace(budget, amount=rounded_up(budget.amount * spent / share))
            raise BadCost(
                f"{name} has cost {had} in {where}, more than its share of {has}; give {more}, or another --out"
            )


def _short(budget: Budget) -> str:
    """With three digits."""
    return str(replace(budget, amount=float(f"{budget.amount:.3g}")))


def _below(task: Task, asked: Study) -> float:
    """The highest fidelity of the exploration.

    Raises:
        BadValue: below it there is no ladder.
    """
    half = MAX_EXPLORED_FIDELITY * asked.search.max_fidelity
    if len(task.fidelity.ladder(asked.search.path)) == 1:  # nothing can be cut down
        return asked.search.max_fidelity
    try:
        planner.rungs(task, replace(asked.search, optimizer=EXPLORER, max_fidelity=half))
    except BadValue as error:
        raise BadValue(
            f"exploration needs two levels between the min fidelity and half of the max fidelity, {half:.3g}; "
            "give a lower --min-fidelity, a higher --max-fidelity or a smaller --eta"
        ) from error
    return half


def _within(task: Task, smaller: Settings, search: Search) -> tuple[Search, tuple[str, ...]]:
    """`search` in the narrowed space; where the prior is no longer in it, without it, and a line that says so."""
    try:
        if search.prior is not None:
            prior_of(search.prior, task.with_space(smaller.space).space)
    except BadValue as error:
        return replace(search, prior=None), (f"the optimization begins without the prior: {error}",)
    return search, ()


def _share(budget: Budget, share: float) -> str:
    return str(replace(budget, amount=float(f"{budget.amount * share:.6g}")))


def _narrow(explored: TuneResult, folder: Path, settings: Settings) -> tuple[tuple[str, ...], Settings]:
    """What was narrowed and why, and the settings with the smaller space; the same where nothing can be told."""
    from mfbo.study.narrowing import narrow

    try:
        found = narrow(explored.ledger)
    except RunError as error:
        return (f"nothing was narrowed: {error}",), settings
    path = folder / NARROWED
    if not _optimized(folder):
        replace_text(path, found.to_yaml())
    return tuple(bound.words for bound in found.bounds), replace(settings, space=str(path))


def _phases(
    asked: Study, budget: Budget, found: Sequence[TuneResult], narrowed: tuple[str, ...], *validated: Any
) -> Phases:
    lines, spent = validated or ([], 0.0)
    goal = found[0].goal
    optimization, settings = sum(result.cost for result in found[1:]), found[0].ledger.header.settings
    return Phases(
        task=asked.tasks[0],
        max_cost=str(budget),
        unit=budget.unit,
        costs={"exploration": found[0].cost, "optimization": optimization, "validation": spent},
        narrowed=narrowed,
        lines=tuple(sorted(lines, key=lambda line: goal.loss(line.test[goal.name]) if line.test else math.inf)),
        interrupted=found[-1].status == "interrupted",
        seeds=asked.seeds,
        settings=settings,
        search=asked.search,
        goal=goal,
    )
