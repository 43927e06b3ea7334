"""A plan in words, and forecast beside measured costs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mfbo.cost.price import Price, beside, facts
from mfbo.display.text import amount, clean, rung_words, seconds
from mfbo.evidence.gain import ahead
from mfbo.ledger.plan import percent
from mfbo.trial import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.ledger.plan import Plan, Step
    from mfbo.ledger.run import Run
    from mfbo.trial import Rung


class RungForecast(NamedTuple):
    """A rung of a run, as it was planned and as it turned out.

    Attributes:
        rung: the fidelity.
        planned: trials that were expected; None for a rung that the plan does not have.
        trials: that ended with a loss.
        expected: cost of a trial, in the plan's unit.
        cost: what one cost, a mean; None where there is none.
    """

    rung: Rung
    planned: int
    trials: int
    expected: float
    cost: float | None


def compared(run: Run) -> list[RungForecast]:
    """Forecast and measured cost of each rung, lowest first; empty without a forecast."""
    plan = run.header.plan
    if plan is None or not plan.steps:
        return []
    scale = (run.header.full_cost or 0.0) if plan.unit == "x" else 1.0
    costs: dict[Rung, list[float]] = {step.rung: [] for step in plan.steps}
    for result in run.results:
        if result.outcome.status == "ok" and result.outcome.rung in costs:
            costs[result.outcome.rung].append(result.outcome.cost + result.overhead)
    return [
        RungForecast(
            step.rung, step.trials, len(own), step.cost, sum(own) / len(own) / scale if own and scale else None
        )
        for step, own in zip(plan.steps, costs.values(), strict=True)
    ]


def lines(plan: Plan, price: str | None = None, now: datetime | None = None) -> list[str]:
    """The plan for a terminal or a log.

    Args:
        plan: to put into words.
        price: per hour, to show money beside time.
        now: when the run begins, for tests.
    """
    if not plan.steps:
        return [f"no forecast ({clean(plan.note)}); all levels are used"]
    words, paid = [headline(plan)], _paid(plan, price)
    rows = [("level", "work", "each", "trials")]
    for level, step in enumerate(plan.steps, 1):
        each = amount(step.cost, plan.unit) + beside(paid, step.cost)
        rows.append((f"{level}: {rung_words(step.rung)}", percent(step.rung.work), each, str(step.trials)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for name, *figures in rows:
        words.append(
            "  " + "  ".join([f"{name:{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(figures, widths[1:], strict=True))])
        )
    words += [
        f"  {text}"
        for text in (_money(plan, paid), _end(plan, now, paid), _twice(plan, paid), clean(ahead(plan)))
        if text
    ]
    if plan.bound:
        spent = seconds(plan.spent) + beside(paid, plan.spent)
        words.append(f"  these costs are a guess, and may be far too low: the test run gave no report in {spent}")
    if plan.note:
        words.append(f"  {clean(plan.note)}")
    return words


def headline(plan: Plan, price: Price | None = None) -> str:
    """``30 epochs on all data would take 13h here; 2h buys 19 configurations at 0.5% of that ... and 2 at 4%``."""
    budget, verb = amount(plan.budget, plan.unit) + beside(price, plan.budget), "would take" if plan.lowered else "take"
    counts = {plan.steps[-1].rung.unit: plan.epochs, **dict(plan.further)}
    epochs = f"{', '.join(counted(number, clean(name)) for name, number in counts.items())} on all data"
    here = " here" if plan.measured else ""
    full = about(plan.full, plan.unit) + beside(price, plan.full)
    if not any(step.trials for step in plan.steps):
        return f"{epochs} {verb} {full}{here}; {budget} is too short for even one trial"
    return f"{epochs} {verb} {full}{here}; {budget} buys {_bought(plan.steps)}"


def about(value: float, unit: str) -> str:
    """A forecast cost, with two digits."""
    if unit == "x" or value < 600:
        return amount(float(f"{value:.2g}"), unit)
    hours = value / 3600
    return f"{hours:.2g}h" if value >= 5400 else f"{value / 60:.2g}m"


def to_dict(plan: Plan, price: str | None = None) -> dict[str, Any]:
    """For ``--json``; money is that of the budget."""
    found = asdict(plan) | facts(_paid(plan, price), plan.budget)
    found["words"] = headline(plan) if plan.steps else clean(plan.note)
    return found


def _bought(steps: Sequence[Step]) -> str:
    parts = [f"{step.trials} at {percent(step.rung.work)}" for step in steps if step.trials] or ["no trial"]
    many = f"{steps[0].trials} configuration{'' if steps[0].trials == 1 else 's'} at"
    parts[0] = parts[0].replace(f"{steps[0].trials} at", many, 1) if steps[0].trials else parts[0]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _paid(plan: Plan, price: str | None) -> Price | None:
    """The price per hour; None where the cost is not in time."""
    return Price.parse(price) if price is not None and plan.unit == "s" else None


def _money(plan: Plan, paid: Price | None) -> str:
    if paid is None:
        return ""
    return f"at {paid} the budget is {paid.of(plan.budget)}, and a full evaluation {paid.of(plan.full)}"


def _end(plan: Plan, now: datetime | None, paid: Price | None) -> str:
    if not plan.measured:  # in full evaluations, or on a virtual clock
        return ""
    left = (plan.budget - plan.spent) / plan.workers
    end = (now or datetime.now().astimezone()) + timedelta(seconds=min(left, 1e9))
    day = f"{end:%H:%M}" if left < 20 * 3600 else f"{end:%Y-%m-%d %H:%M}"
    return f"expected end: about {day}; the test run took {seconds(plan.spent)}{beside(paid, plan.spent)}"


def _twice(plan: Plan, paid: Price | None) -> str:
    if not plan.twice:
        return ""
    return f"{amount(2 * plan.budget, plan.unit)}{beside(paid, 2 * plan.budget)} would buy {_bought(plan.twice)}"
