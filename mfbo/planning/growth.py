"""The ladder grows during a run: it goes upward when trials turn out to cost less than was planned.

A run whose costs nobody could measure beforehand begins with the cheapest rungs that tell anything; what its trials
cost is what its plan is made of. Growing is written down in the ledger, so that a replay grows at the same place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mfbo.budget import duration
from mfbo.optimizers.registry import spec_of
from mfbo.planning.ladder import GUIDE, MIN_LOW_RESULTS, MIN_TOP_RESULTS, Bounds, ladder
from mfbo.planning.simulation import bought

if TYPE_CHECKING:
    from mfbo.cost.meter import Meter
    from mfbo.fidelity import Fidelity
    from mfbo.ledger.run import Run
    from mfbo.search import Search
    from mfbo.task import Task
    from mfbo.trial import Rung

MAX_GROWN_RUNGS = 8  # of a ladder that has grown
MIN_TOP_FACTOR = 1.3  # least factor from the old top to the new one
GRID_FACTOR = 1.1  # between the tops that are tried for the lowest ladder, and the budgets for a search
RECHECK_FACTOR = 1.2  # times as many results, and it is looked at again

LAST_SHARE = 0.4  # of the budget is left, and the best may be trained once as far as that pays for
LAST_USE = 0.7
"""Of what is left, for that training by its forecast, which is off by a third at times. Without, IMDb in five minutes
on two cores looked at 19 configurations, and the model was one of 15 s (experiments/first_minutes.md)."""


def grows(search: Search) -> bool:
    """Whether the ladder of a search can grow while it runs."""
    return spec_of(search.optimizer).grows and not search.objectives


def cheapest_ladder(fidelity: Fidelity, bounds: Bounds) -> list[Rung]:
    """The lowest two rungs that tell anything, or the one that there is."""
    search = bounds.search
    top = max(bounds.least, fidelity.lowest_work(search.path)) * search.eta
    while top < search.max_fidelity:
        if len(found := ladder(fidelity, bounds, top, 2)) == 2:
            return found
        top *= GRID_FACTOR
    return ladder(fidelity, bounds, search.max_fidelity, 2) or [fidelity.rung(search.max_fidelity, search.path)]


class Grown(NamedTuple):
    """A ladder that grows.

    Attributes:
        rungs: all of them, with the new one on top.
        reason: for people, to be followed by the new one.
        best: whether it is there for the best so far, which goes to it next.
    """

    rungs: list[Rung]
    reason: str
    best: bool = False


class Growth:
    """Says when the ladder of a run can grow, and to what.

    Args:
        task: what is tuned.
        run: the running one; charged in seconds of a real clock.
        meter: of the run.
    """

    def __init__(self, task: Task, run: Run, meter: Meter) -> None:
        self._task, self._run, self._meter = task, run, meter
        self._next = 1.0
        self._last = False  # whether the ladder has grown for the best alone

    def look_now(self) -> None:
        """Look at the next result whether it can grow, as costs are not what they seemed."""
        self._next = 0.0

    def grown(self) -> Grown | None:
        """The ladder with another rung on top, if the budget pays for it; None where it does not.

        It pays for a search, or what is left pays for one more training of the best: a small budget buys a number of
        short trials and no long one, and the model that it delivers would be that of a short one.
        """
        if rungs := self._for_a_search():
            return Grown(rungs, "trials cost little enough for a higher level")
        if rungs := self._for_the_best():
            return Grown(rungs, "what is left pays for one long training of the best", best=True)
        return None

    def _for_a_search(self) -> list[Rung] | None:
        """With the next rung, if the budget pays for a search on it.

        As in the plan of a run that is measured beforehand, that is `MIN_LOW_RESULTS` at the lowest rung in use and two
        at the highest, by the rule of the optimizer and by what trials have cost so far; what is spent already counts.
        """
        done = sum(result.outcome.status == "ok" for result in self._run.results)
        rungs, search, fidelity = list(self._run.header.rungs), self._run.header.search, self._task.fidelity
        if done < self._next or len(rungs) >= MAX_GROWN_RUNGS:
            return None
        self._next = done * RECHECK_FACTOR + 1
        work = rungs[-1].work * search.eta
        work = search.max_fidelity if work * MIN_TOP_FACTOR >= search.max_fidelity else work  # no 98% of the data
        top = fidelity.rung(work, search.path)
        if top.work < MIN_TOP_FACTOR * rungs[-1].work or top.epochs < rungs[-1].epochs:
            return None
        rest = left(self._run, self._meter)
        if rest == math.inf:
            return None
        total = rest + sum(result.outcome.cost for result in self._run.results)
        if MIN_TOP_RESULTS * self._promotion_cost(top, rungs[-1]) > rest:
            return None
        return [*rungs, top] if pays([*rungs, top], self._meter, total, search.eta) else None

    def _for_the_best(self) -> list[Rung] | None:
        """With the highest rung at which what is left pays for one training, once; the best goes on to it."""
        rungs, search, results = list(self._run.header.rungs), self._run.header.search, self._run.results
        rest, spent = left(self._run, self._meter), sum(result.outcome.cost for result in results)
        reached = [result.trial.rung for result in results if result.outcome.status == "ok"]
        if (
            self._last
            or rest == math.inf
            or not reached
            or rest > LAST_SHARE * (rest + spent)
            or len(rungs) >= MAX_GROWN_RUNGS
        ):
            return None
        below = max(reached, key=lambda rung: rung.work)
        work = search.max_fidelity
        while (top := self._task.fidelity.rung(work, search.path)).work >= MIN_TOP_FACTOR * rungs[-1].work:
            if top.epochs >= rungs[-1].epochs and self._promotion_cost(top, below) <= LAST_USE * rest:
                self._last = True
                return [*rungs, top]
            work /= GRID_FACTOR
        return None

    def _promotion_cost(self, top: Rung, below: Rung) -> float:
        """Seconds that a training is forecast to take to go on from a rung to a new one."""
        return self._meter.predict(top, below.epochs if below.epochs < top.epochs else 0)


def pays(rungs: list[Rung], meter: Meter, total: float, eta: int) -> bool:
    """Whether `total` seconds pay for a search on a ladder of two rungs or more, by what trials have cost so far.

    Low rungs that cost nearly as much as the top would use up the budget; the optimizer can leave them alone.
    """
    for lowest in range(len(rungs) - 1):
        steps = bought(GUIDE, rungs[lowest:], meter.predict, total, eta)
        if steps[0].trials >= MIN_LOW_RESULTS and steps[-1].trials >= MIN_TOP_RESULTS:
            return True
    return False


def left(run: Run, meter: Meter) -> float:
    """Seconds that trials of a run may still cost, by its limits of cost and of time; infinite where it has none."""
    workers = max(1, run.header.settings.workers or 1)
    wall = meter.wall_left(run.results[-1].wall if run.results else 0.0)
    return min(meter.seconds_left(0.0), wall * workers)


def closing(task: Task, run: Run, meter: Meter) -> str:
    """What a run reached of what the task allows, and what more would take; empty where it reached all of it."""
    ok = [result for result in run.results if result.outcome.loss is not None]
    full = task.fidelity.rung(run.header.search.max_fidelity, run.header.search.path)
    reached = max((result.outcome.rung.work for result in ok), default=0.0)
    many = len({result.trial.key for result in ok})
    if meter.unit != "s" or task.simulated or not ok or reached >= full.work * (1 - 1e-6) or not meter.knows:
        return ""
    said = f"this bought {many} configuration{'' if many == 1 else 's'}"
    if many < MIN_LOW_RESULTS:
        enough = max(search_cost(meter, run), run.spent * MIN_LOW_RESULTS / many)  # it did buy too few with what it had
        said += f"; about {_rough(enough)} would buy a search"
    most = meter.predict(full, 0)
    return f"{said}; {full} was not reached: one such training takes about {_rough(most)}"


def search_cost(meter: Meter, run: Run) -> float:
    """Seconds for the least that is a search on the ladder of `run`, by what its trials cost."""
    rungs, eta = list(run.header.rungs), run.header.search.eta
    budget = max(1.0, meter.predict(rungs[0], 0))
    for _ in range(200):
        steps = bought(GUIDE, rungs, meter.predict, budget, eta)
        if steps[0].trials >= MIN_LOW_RESULTS and (len(rungs) == 1 or steps[-1].trials >= MIN_TOP_RESULTS):
            break
        budget *= GRID_FACTOR
    return budget


def _rough(seconds: float) -> str:
    """Two digits, as it is a forecast."""
    step = 1 if seconds < 60 else 60 if seconds < 5400 else 1800
    return duration(float(max(1, round(seconds / step)) * step))
