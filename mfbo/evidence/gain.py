"""What the rest of a run is expected to gain: how far its best loss at the highest level is still going to fall.

Of independent draws whose good end falls off exponentially, the best of ``n (1 + r)`` is expected to be lower than the
best of ``n`` by ``scale * log(1 + r)``. The i-th gap between neighbours, counted from the best, has the mean ``scale /
i``, which tells the scale from the few best results (Weissman 1978, doi:10.1080/01621459.1978.10480104). A search that
still learns where to draw gains more than that, and has done so of late: so what it gained in the last doubling of its
cost counts as well, and the greater of the two is expected. experiments/stopping.md says how far that holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.average import standard_error
from mfbo.budget import duration
from mfbo.constraints import feasible
from mfbo.cost.price import beside, of_run
from mfbo.stop_rule import HOURS, StopRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run

MIN_FORECAST_RESULTS = 8  # configurations seen at the highest level, before a gain is told
MIN_TAIL = 6  # of them that are the good end, at least; else a root of their number
SECONDS_PER_HOUR = 3600.0
NOTHING_LEFT = 1e-9  # of what was spent: sums of costs lose a little


@dataclass(frozen=True)
class Gain:
    """What more cost is expected to gain.

    Attributes:
        amount: by which the loss falls, 0 or more.
        best: lowest loss at the highest level so far.
        more: the cost, in the unit of the run's budget.
        noise: standard error of the best loss, where it is a mean over folds or repeats; None where nobody knows.
    """

    amount: float
    best: float
    more: float
    noise: float | None = None

    @property
    def share(self) -> float:
        """Of the best value; infinite where that is 0."""
        return self.amount / abs(self.best) if self.best else math.inf

    def below(self, rule: StopRule) -> bool:
        """Whether it is less than a rule asks for; never where that is a noise that nobody knows."""
        if rule.bound is None:
            return self.noise is not None and self.amount < self.noise
        return (self.share if rule.relative else self.amount) < rule.bound


def forecast(run: Run, more: float | None = None) -> Gain | None:
    """What `more` cost is expected to gain; None where it cannot be told.

    Args:
        run: of one objective.
        more: in the unit of the run's budget; None for all that its limits leave.
    """
    found = [] if run.header.search.objectives else top_results(run)
    more = left_to_spend(run) if more is None else more
    losses = [result.outcome.loss for result in found if result.outcome.loss is not None]
    amount = expected([result.spent for result in found], losses, run.spent, more)
    if amount is None:
        return None
    best = found[losses.index(min(losses))]
    return Gain(amount, min(losses), more, standard_error(best.outcome))


def stops(run: Run, rule: StopRule) -> Gain | None:
    """What is expected where a rule ends the run; None where it goes on, or its limits end it anyway.

    One that has ended it before, and was resumed nevertheless, does not end it again.
    """
    if run.waived or left_to_spend(run) <= NOTHING_LEFT * run.spent:
        return None
    found = forecast(run, amount_asked(run, rule))
    return found if found is not None and found.below(rule) else None


def amount_asked(run: Run, rule: StopRule) -> float:
    """The cost that a rule asks about, in the unit of the budget: no more than is left."""
    if not rule.per:
        return left_to_spend(run)
    price = of_run(run) if rule.money else None
    hours = HOURS.get(rule.per) or (1 / price.hour if price else math.inf)
    return min(left_to_spend(run), hours * hour(run))


def hour(run: Run) -> float:
    """An hour of cost in the unit of the budget."""
    return SECONDS_PER_HOUR * (run.spent / run.seconds if run.seconds > 0 else 1.0)


def left_to_spend(run: Run) -> float:
    """What the limits of a run still allow it to spend, in the unit of its budget; infinite where they tell nothing."""
    limits, done = run.limits, sum(result.outcome.final for result in run.results)
    rests = [limits.max_cost.amount - run.spent] if limits.max_cost else []
    if limits.max_wall and run.wall > 0:
        rests.append((limits.max_wall.amount - run.wall) * run.spent / run.wall)
    if limits.max_trials and done:
        rests.append((limits.max_trials - done) * run.spent / done)
    return max(0.0, min(rests, default=math.inf))


def top_results(run: Run) -> list[Result]:
    """The first result of each configuration at the highest level that keeps to the constraints, as they came in."""
    top, kept = run.header.rungs[-1], run.header.search.constraints
    found: dict[str, Result] = {}
    for result in run.results:
        outcome = result.outcome
        whole = outcome.status == "ok" and outcome.rung.work >= top.work * (1 - 1e-9) and outcome.loss is not None
        if whole and feasible(outcome, kept):
            found.setdefault(result.trial.key, result)
    return list(found.values())


def expected(costs: Sequence[float], losses: Sequence[float], spent: float, more: float) -> float | None:
    """How far the lowest of `losses` is expected to fall for `more` cost; None where too few are known.

    Args:
        costs: (n,), what had been spent when each result came in, ascending.
        losses: (n,), one of each configuration, at the same fidelity; lower is better.
        spent: by now, in the unit of `costs`.
        more: that is still to be spent.
    """
    if len(losses) < MIN_FORECAST_RESULTS or spent <= 0:
        return None
    return max(tail_scale(losses), recent_scale(costs, losses, spent)) * math.log1p(more / spent) if more > 0 else 0.0


def tail_scale(losses: Sequence[float]) -> float:
    """Gain for a cost that grows by the factor e, by the best results: the mean over what the scale may be."""
    count = min(len(losses), max(MIN_TAIL, round(math.sqrt(len(losses)))))
    best = sorted(losses)[:count]
    return sum(best[-1] - loss for loss in best) / (count - 2)  # of count - 1 gaps; less 1 for not knowing the scale


def recent_scale(costs: Sequence[float], losses: Sequence[float], spent: float) -> float:
    """The same by what was gained since half of the cost."""
    before = min((loss for cost, loss in zip(costs, losses, strict=True) if cost <= spent / 2), default=math.inf)
    return (before - min(losses)) / math.log(2) if before < math.inf else 0.0


def lacking(run: Run) -> str:
    """Why nothing can be told yet; empty where it can."""
    if run.header.search.objectives:
        return "of several objectives no single gain is told"
    count, top = len(top_results(run)), run.header.rungs[-1]
    if count >= MIN_FORECAST_RESULTS:
        return ""
    return f"told from {MIN_FORECAST_RESULTS} configurations at {top} on; so far {count}"


def unknown_noise(run: Run, rule: StopRule) -> str:
    """What to say of a rule that asks for the noise where results tell of none; empty elsewhere."""
    found = top_results(run) if rule.bound is None else []
    if not found or any(standard_error(result.outcome) is not None for result in found):
        return ""
    return f"stop when {rule.text!r}: the noise is not known; let the fidelity count folds or repeats, or give a number"


def gain_words(run: Run, found: Gain, rule: StopRule | None = None) -> str:
    """What more cost is expected to gain; with `rule`, that the run ends by it."""
    unit, seconds = run.limits.unit, SECONDS_PER_HOUR * found.more / hour(run)
    cost = f"{found.more:.3g}x" if unit == "x" else duration(float(f"{max(seconds, 1.0):.2g}"))
    gained = f"{found.amount:.2g} of {run.header.goal.name}"
    share = f"{100 * found.share:.2g}% ({gained})" if math.isfinite(found.share) else gained
    said = f"{cost}{beside(of_run(run), seconds)} more is expected to gain {share}"
    said += "" if found.noise is None else f"; the noise of the validation is {found.noise:.2g}"
    return f"{said}; the run ends by {rule.text}" if rule else said


def ahead(plan: Plan) -> str:
    """What can be said of the gain before anything has run; empty where the plan buys no result at its highest level.

    Of independent draws the best of ``n + m`` is one of the last ``m`` with the chance ``m / (n + m)``, whatever they
    are worth. How much it gains needs their losses.
    """
    top = plan.steps[-1] if plan.steps else None
    count = top.trials if top else 0
    twice = max((step.trials for step in plan.twice if top and step.rung.work >= top.rung.work), default=0)
    if not 0 < count < twice:
        return ""
    chance = f"the chance that the second half of that finds a better one is {100 * (1 - count / twice):.0f}%"
    return (
        f"{chance} by numbers alone; how much it gains is told from {MIN_FORECAST_RESULTS} results at level "
        f"{len(plan.steps)} on, of which this budget buys {count}"
    )


def outlook(run: Run) -> str:
    """What the rest of the limits, and another hour or as much again, are expected to gain, as far as can be told."""
    if said := lacking(run):
        return said
    rest = 0.0 if run.finished else left_to_spend(run)
    long = of_run(run) is not None or run.seconds >= SECONDS_PER_HOUR / 2
    spans = [rest if math.isfinite(rest) else 0.0, hour(run) if long else run.spent]
    found = [forecast(run, span) for span in spans if span > 0]
    return "; ".join(gain_words(run, one) for one in found if one is not None)
