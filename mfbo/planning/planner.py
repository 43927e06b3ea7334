"""Planning a run before it begins: measure what things cost here, then choose the rungs that its limits can pay for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mfbo.budget import Budget, rounded_up
from mfbo.cost.model import CostModel
from mfbo.errors import BadValue
from mfbo.ledger.plan import Plan
from mfbo.optimizers.registry import spec_of
from mfbo.planning.growth import LAST_SHARE, cheapest_ladder, grows
from mfbo.planning.ladder import Bounds, choose, ladder
from mfbo.planning.probe import BUDGET_SHARE, MAX_SECONDS, MIN_SECONDS, Bench, Probed, probe
from mfbo.planning.simulation import bought

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mfbo.ledger.plan import Step
    from mfbo.ledger.run import Limits
    from mfbo.search import Search
    from mfbo.settings import Settings
    from mfbo.task import Task
    from mfbo.trial import Rung

FLAT = 0.9  # of the cost of a full evaluation: a level that costs more saves nothing


def rungs(task: Task, search: Search) -> list[Rung]:
    """The ladder of a search where nothing is known of costs.

    Raises:
        BadValue: its bounds leave none, or one rung where several were meant.
    """
    return _rungs(task, Bounds(search))


def _rungs(task: Task, bounds: Bounds) -> list[Rung]:
    bounds.check(task.fidelity)
    search = bounds.search
    low, high = search.min_fidelity, search.max_fidelity
    whole = task.fidelity.ladder(search.path, search.eta)
    kept = [rung for rung in whole if low * (1 - 1e-9) <= rung.work <= high * (1 + 1e-9)]
    if not kept:
        raise BadValue(
            f"max fidelity {high!r}: the lowest level is {whole[0]}; give {rounded_up(whole[0].work):g} or more"
        )
    several = len(task.fidelity.ladder(search.path)) > 1 and not spec_of(search.optimizer).single_rung
    if len(kept) == 1 and several and not math.isclose(high, whole[0].work, rel_tol=0.01):  # it may be meant
        raise BadValue(
            f"eta {search.eta} with min fidelity {low:.3g} and max fidelity {high:.3g} leaves one level, "
            f"{kept[0]}, but at least two are needed; give a wider range, a smaller eta, or "
            "an optimizer that uses one level, such as random"
        )
    return spec_of(search.optimizer).rungs(kept, task.fidelity, bounds.least)


def plan(
    task: Task,
    search: Search,
    *,
    limits: Limits,
    settings: Settings,
    interrupted: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda text: None,
    stage: Callable[[str, float], None] = lambda what, seconds: None,
    like: Plan | None = None,
    measure: bool = True,
    bench: Bench | None = None,
) -> tuple[Plan, list[Rung]]:
    """What the limits buy, and the rungs to run.

    The ladder follows costs only where they are measured: full evaluations of ``20x`` and virtual seconds are known by
    work, and buy what they always bought.

    Args:
        task: prepared.
        search: its options.
        limits: of the run.
        settings: how trials are run.
        interrupted: whether the user asked to stop.
        note: is told what the user should know.
        stage: is told that a probe begins, and how many seconds of training it may take.
        like: a plan whose probes and top rung are to be taken, and charged, instead of new ones.
        measure: whether trials can be run to see what they cost.
        bench: where they are run; None for workers of their own.

    Raises:
        BadValue: as `rungs`.
    """
    bounds = Bounds(search)
    if task.least:
        least, work = task.least(settings.options)
        bounds = Bounds(search, data=least, work=0.0 if search.min_fidelity else work)
    usual = _rungs(task, bounds)
    budget = budget_of(limits, settings)
    workers = max(1, settings.workers or 1)
    if budget.unit == "x" or task.simulated:
        return replace(_by_work(task, search, budget, usual), workers=workers), usual
    whole = task.fidelity.full
    none = Plan((), 0.0, "s", 0.0, whole.epochs, workers=workers, further=whole.further)
    if budget.amount == math.inf:
        return replace(none, note="no limit of cost or time"), usual
    seconds = min(MAX_SECONDS, BUDGET_SHARE * budget.amount)
    if like is not None and not like.measured:
        like = None
    unknown = _own(cheapest_ladder(task.fidelity, bounds), task, bounds) if grows(search) else usual
    if like is None and (seconds < MIN_SECONDS or not measure):
        why = f"{budget} is too short for a test run" if measure else "nothing can be measured before your own loop"
        return replace(none, budget=budget.amount, note=f"{why}{_then(search)}"), unknown
    if like is not None:
        bounds = replace(bounds, search=replace(search, max_fidelity=like.steps[-1].rung.work))
        found = Probed(like.probes, like.spent, like.wall, bound=like.bound)
    else:
        lowest = next(iter(ladder(task.fidelity, bounds, search.max_fidelity)), usual[0])
        data = bounds.data or task.fidelity.data_range[0], lowest.data
        found = probe(
            task,
            settings,
            search.seed,
            goal=search.goal,
            seconds=seconds,
            data=data,
            inputs=lowest,
            interrupted=interrupted,
            note=note,
            stage=stage,
            bench=bench,
        )
    if not found.probes or (found.bound and grows(search) and like is None):
        why = found.error or "the test run was interrupted"
        if found.bound:
            why = f"the test run made no report in {found.cost:.2g}s{_then(search)}"
        known = replace(none, budget=budget.amount, spent=found.cost, wall=found.wall, note=why)
        return known, unknown if found.bound else usual
    remedy = task.remedy(settings.options)
    made = _by_probes(task, budget=budget, bounds=bounds, found=found, usual=usual, remedy=remedy)
    return replace(made, workers=workers), [step.rung for step in made.steps]


def _own(rungs: list[Rung], task: Task, bounds: Bounds) -> list[Rung]:
    """Of a ladder, what the optimizer evaluates at."""
    return spec_of(bounds.search.optimizer).rungs(rungs, task.fidelity, bounds.least)


def _then(search: Search) -> str:
    """What a run does of whose costs nothing is known."""
    return "; it begins with the cheapest trials, and goes higher as their cost is known" if grows(search) else ""


def budget_of(limits: Limits, settings: Settings) -> Budget:
    """What a run may cost by its limits of cost and time together; infinite where neither is given."""
    cost = limits.max_cost or Budget(math.inf, "s")
    if limits.max_wall and cost.unit == "s":
        wall = limits.max_wall.amount * max(1, settings.workers or 1)
        return Budget(min(cost.amount, wall), "s")
    return cost


def _by_work(task: Task, search: Search, budget: Budget, usual: Sequence[Rung]) -> Plan:
    """Where the cost of a trial is its work."""
    scale = (task.full_cost or 0.0) if budget.unit == "s" else 1.0

    def price(rung: Rung, start: int) -> float:
        begun = start if task.fidelity.continues else 0
        return task.fidelity.work_at(rung, max(0, rung.epochs - begun)) * scale

    full = task.fidelity.full
    if not scale or budget.amount == math.inf:
        return Plan((), 0.0, budget.unit, scale, full.epochs, note="the cost of a trial is not known")
    steps, twice = (bought(search.optimizer, usual, price, times * budget.amount, search.eta) for times in (1, 2))
    return Plan(steps, budget.amount, budget.unit, scale, full.epochs, twice, further=full.further)


def _by_probes(
    task: Task, *, budget: Budget, bounds: Bounds, found: Probed, usual: Sequence[Rung], remedy: str
) -> Plan:
    """Where it was measured."""
    model, overhead = CostModel(task), spec_of(bounds.search.optimizer).overhead
    model.probed(found.probes, [usual[0], task.fidelity.full])
    prices: dict[tuple[Rung, int], float] = {}

    def price(rung: Rung, start: int) -> float:
        if (rung, start) not in prices:
            prices[rung, start] = model.seconds(rung, start) + overhead
        return prices[rung, start]

    left = budget.amount - found.cost
    flat = _flat(usual, price, task.fidelity.full)
    if flat:
        bounds = replace(bounds, search=replace(bounds.search, min_fidelity=bounds.search.max_fidelity))
    steps, note = _chosen(task, bounds, price, left)
    note = flat or (f"{note}; {remedy}" if note else "")
    twice, _ = _chosen(task, bounds, price, left + budget.amount)
    return Plan(
        steps=steps,
        budget=budget.amount,
        unit="s",
        full=price(task.fidelity.full, 0),
        epochs=task.fidelity.epoch_range[1],
        further=task.fidelity.full.further,
        twice=twice,
        spent=found.cost,
        wall=found.wall,
        probes=found.probes,
        note=note,
        bound=found.bound,
    )


def _chosen(
    task: Task, bounds: Bounds, price: Callable[[Rung, int], float], budget: float
) -> tuple[tuple[Step, ...], str]:
    """As `choose`, but a search that leaves what a run needs to train the best once in the end (`growth.LAST_SHARE`).

    Not where the whole budget pays for full evaluations, or the rest of it for no search.
    """
    steps, note = choose(task.fidelity, bounds, price, budget)
    search = bounds.search
    if note or not grows(search) or steps[-1].rung.work >= search.max_fidelity * (1 - 1e-6):
        return steps, note
    shorter, too_short = choose(task.fidelity, bounds, price, (1 - LAST_SHARE) * budget)
    if too_short:
        return steps, note
    return bought(search.optimizer, [step.rung for step in shorter], price, budget, search.eta), ""


def _flat(usual: Sequence[Rung], price: Callable[[Rung, int], float], full: Rung) -> str:
    """What to say where the lowest level costs as much as the full one, so that it saves nothing; empty elsewhere."""
    low = usual[0]
    if low.work >= full.work * (1 - 1e-9) or price(low, 0) < FLAT * price(full, 0):
        return ""
    both = f"{price(low, 0):.2g}s and {price(full, 0):.2g}s"
    return f"a trial at {low} costs about as much as one at {full} ({both}), so no level below that is used"
