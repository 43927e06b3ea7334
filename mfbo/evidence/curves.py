"""Curves of runs: which configuration was the incumbent, what it was worth, and what the run had cost by then.

::

    curves.py        of one run: incumbent, anytime curve, cost to quality, area, iterations to the best
    statistics.py    of many: mean and interval, ranks, tests, speed-up, rank correlation between rungs
    comparison.py    which runs may stand side by side, and what their losses mean
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfbo.constraints import feasible

if TYPE_CHECKING:
    from mfbo.constraints import Constraint
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Config, Rung

Floats: TypeAlias = NDArray[np.float64]
Worth: TypeAlias = Callable[["Config"], float]
FULL_WORK = 1 - 1e-9  # work from which on an evaluation is a full one: sums of fractions lose a little
LOSS_ROUNDING = 1e-9  # relative: the mean of equal losses may differ from them by this much
ENDS_AT_LIMIT = ("budget", "exhausted", "gain")  # statuses of runs that have nothing left to try within their limit


class Incumbent:
    """The configuration that is recommended, kept up as results come in: what is believed best at full fidelity.

    It is the best at the highest rung seen so far, unless one of a lower rung is clearly better. A result counts for
    the highest rung of the ladder whose work it has done: a trial that was stopped after 13 epochs counts for the rung
    of 9. One that reached no rung counts for its own fidelity, below all rungs. At one rung the lower loss wins, and of
    equals the earlier.

    A configuration of a lower rung takes over while its loss, raised by the most that any configuration's loss has
    risen from there to the highest rung, is below the best one there. So it never takes over against a clear
    observation, nor where no configuration was seen at both rungs; and it gives way where it fails, or is seen higher
    up. Where losses fall as fidelity rises, this is a lower loss at a lower rung. "The recommendation" in
    experiments/suite.md has what it is worth. From one incumbent to the next the loss may rise, as losses of different
    fidelity do not compare.

    Args:
        rungs: the ladder of the run.
        constraints: of the run; what is not known to keep to them is never the incumbent.
    """

    def __init__(self, rungs: Sequence[Rung], constraints: Sequence[Constraint] = ()) -> None:
        self._constraints = constraints
        self.highest: Result | None = None
        """The best at the highest rung so far; None before the first that has a loss and is feasible."""
        self._lower: Result | None = None
        self._works = sorted(rung.work for rung in rungs)
        self._key = (math.inf, math.inf)
        self._losses: dict[float, dict[str, float]] = {}  # by the work of the rung, and configuration
        self._rises: dict[tuple[float, float], float] = {}  # the most from one rung to a higher, 0 or more

    @property
    def best(self) -> Result | None:
        """The incumbent's result; None before the first that has a loss."""
        return self._lower or self.highest

    def add(self, result: Result) -> bool:
        """Record the next result; whether the incumbent is another one now. The time it takes does not grow."""
        before, outcome = self.best, result.outcome
        kept = feasible(outcome, self._constraints)
        out = outcome.failed or (outcome.status == "ok" and not kept)
        if out and self._lower is not None and self._lower.trial.key == result.trial.key:
            self._lower = None
        if kept and not outcome.failed and outcome.loss is not None and math.isfinite(outcome.loss):
            key = _order(self._works, result)
            self._compare(-key[0], result.trial.key, outcome.loss)
            if key < self._key:
                self._key, self.highest = key, result
            self._believe(result)
        return self.best is not before

    def _compare(self, work: float, config: str, loss: float) -> None:
        """Note how far a configuration's loss has risen from the rungs below."""
        if work not in self._works:
            return
        for lower, losses in self._losses.items():
            if lower < work and config in losses:
                rise = max(0.0, loss - losses[config])
                self._rises[lower, work] = max(rise, self._rises.get((lower, work), 0.0))
        self._losses.setdefault(work, {})[config] = loss

    def _believe(self, result: Result) -> None:
        """Whether `result`, or else the one that has taken over, is believed better than the best at the top."""
        lower = self._lower
        if lower is not None and lower.trial.key == result.trial.key:
            lower = None
        believed = result if self._bound(result) < self._bound(lower) else lower
        self._lower = believed if self._bound(believed) < self._key[1] else None

    def _bound(self, result: Result | None) -> float:
        """The loss at the highest rung if it rose as far as any has; infinite where nothing is known of that."""
        if result is None:
            return math.inf
        place, loss = _order(self._works, result)
        return loss + self._rises.get((-place, -self._key[0]), math.inf)


def standing(run: Run, result: Result) -> tuple[float, float]:
    """What results with a loss are put in order by, those of several runs too, best first; see `Incumbent`."""
    return _order(sorted(rung.work for rung in run.header.rungs), result)


def _order(works: Sequence[float], result: Result) -> tuple[float, float]:
    outcome = result.outcome
    assert outcome.loss is not None
    above = bisect_right(works, outcome.rung.work + 1e-9)
    return -(works[above - 1] if above else outcome.rung.work), outcome.loss


def incumbent(run: Run) -> Result | None:
    """The incumbent of `run` as it stands; None where no trial has a loss."""
    found = Incumbent(run.header.rungs, run.header.search.constraints)
    for result in run.results:
        found.add(result)
    return found.best


def changes(run: Run) -> list[tuple[Result, Result]]:
    """(the result that came in, the incumbent since then) wherever the incumbent changed, in order."""
    found, steps = Incumbent(run.header.rungs, run.header.search.constraints), []
    for result in run.results:
        if found.add(result) and found.best is not None:
            steps.append((result, found.best))
    return steps


def improvements(run: Run) -> list[Result]:
    """The results that became the incumbent, in the order in which they did; the last one still is.

    One that becomes it again has the cost and the clock of that moment.
    """
    return [
        best if best is came else replace(best, spent=came.spent, at=came.at, wall=came.wall)
        for came, best in changes(run)
    ]


@dataclass(frozen=True, eq=False)
class Curve:
    """What a run's incumbent was worth as the run went on: a step function of cost.

    Attributes:
        costs: (n,), ascending; charged when the incumbent changed, in the unit of the run's budget.
        losses: (n,), of the incumbent from that cost on; lower is better. They may rise: see `anytime`.
        works: (n,), fidelity that the incumbent was measured at, as a fraction of a full evaluation.
        end: cost up to which the last loss is known to hold.
    """

    costs: Floats
    losses: Floats
    works: Floats
    end: float

    def at(self, costs: ArrayLike) -> Floats:
        """The loss at each of `costs`, in their shape; NaN before the first result and after the end."""
        asked = np.asarray(costs, dtype=float)
        index = np.searchsorted(self.costs, asked, side="right") - 1
        known = (index >= 0) & (asked <= self.end)
        if not len(self.losses):
            return np.full(asked.shape, np.nan)
        return np.asarray(np.where(known, self.losses[index], np.nan))

    def cut(self, end: float) -> Curve:
        """As it is known up to `end`."""
        inside = self.costs <= end
        return Curve(self.costs[inside], self.losses[inside], self.works[inside], min(end, self.end))

    def above(self, work: float) -> Curve:
        """With losses that count for nothing, infinite, where the incumbent was measured below that fidelity."""
        return Curve(self.costs, np.where(self.works < work * FULL_WORK, np.inf, self.losses), self.works, self.end)

    @property
    def full_from(self) -> float:
        """The cost from which on the incumbent was measured at full fidelity; infinite if it never was."""
        return cost_for_good(self.costs, self.works >= FULL_WORK)


def anytime(run: Run, worth: Worth | None = None) -> Curve:
    """The anytime curve of `run`: its incumbent's loss against the cost charged so far, optimizer included.

    With `worth` the loss is what the incumbent is worth at full fidelity, whatever it was measured at. Without, it is
    the validation loss that was observed, at the fidelity that the incumbent had reached: where a higher rung takes
    over it may rise, and it is shown to rise. A running minimum would hold on to a low rung's luck.

    A run that has used up its budget, or all that it could try, keeps its incumbent up to its limit; any other is
    known only as far as it went.

    Args:
        run: as read; it may still go on.
        worth: configuration -> loss at full fidelity without noise, such as `mfbo.task.Task.true_loss`.
    """
    found = improvements(run)
    costs = np.array([result.spent for result in found], dtype=float)
    losses = np.array([worth(result.trial.config) if worth else result.outcome.loss for result in found], dtype=float)
    works = np.array([result.outcome.rung.work for result in found], dtype=float)
    last = np.append(costs[1:] > costs[:-1], True)[: len(costs)]  # of several at the same cost
    limit = run.limits.max_cost.amount if run.limits.max_cost and run.ended in ENDS_AT_LIMIT else 0.0
    return Curve(costs[last], losses[last], works[last], max(run.spent, limit))


def cost_for_good(costs: Floats, reached: NDArray[np.bool_]) -> float:
    """The first of `costs` from which on `reached` holds to the end; infinite if it does not hold at the last."""
    lost = np.flatnonzero(~reached)
    first = lost[-1] + 1 if len(lost) else 0
    return float(costs[first]) if first < len(costs) else math.inf


def reaches(losses: ArrayLike, quality: float) -> NDArray[np.bool_]:
    """Which of `losses` are `quality` or less, as far as rounding lets one tell."""
    return np.asarray(np.asarray(losses) <= quality + LOSS_ROUNDING * abs(quality))


def cost_to_quality(curve: Curve, quality: float) -> float:
    """The cost at which `curve` had a loss of `quality` or less for good; infinite if it did not before its end.

    Where a higher rung takes over, the loss may rise again: a quality that is lost then was a low rung's luck.
    """
    return cost_for_good(curve.costs, reaches(curve.losses, quality))


def common_costs(curves: Sequence[Curve]) -> Floats:
    """Where any of `curves` changes, from the cost at which each has a value to the first end: (n_costs,), ascending.

    Between two of them no curve changes, so means on this grid are exact. Empty where the curves do not overlap.
    """
    if not curves or not all(len(curve.costs) for curve in curves):
        return np.empty(0)
    start, end = max(curve.costs[0] for curve in curves), min(curve.end for curve in curves)
    points = np.unique(np.concatenate([*(curve.costs for curve in curves), [end]]))
    return np.asarray(points[(points >= start) & (points <= end)])


def on(curves: Sequence[Curve], costs: ArrayLike) -> Floats:
    """The losses of `curves` at `costs`: (n_curves, n_costs), NaN as in `Curve.at`."""
    return np.array([curve.at(costs) for curve in curves]).reshape(len(curves), -1)


def normalised_regret(losses: ArrayLike, optimum: float, reference: float) -> Floats:
    """Regret as a fraction of that of `reference`: 0 at the optimum, 1 as bad as the reference.

    Args:
        losses: of any shape.
        optimum: the best possible loss.
        reference: a loss above it, such as that of the median random configuration.

    Raises:
        ValueError: the reference is no worse than the optimum.
    """
    if not reference > optimum:
        raise ValueError(f"reference {reference!r} must be above the optimum {optimum!r}")
    return np.asarray((np.asarray(losses) - optimum) / (reference - optimum))


def area(curve: Curve, start: float, end: float) -> float:
    """Area under `curve` over the logarithm of cost, divided by its width: a mean loss, lower is better.

    NaN where the curve has no value all the way from `start` to `end`.

    Args:
        curve: of one run.
        start: cost, above 0.
        end: cost, above `start`.

    Raises:
        ValueError: there is nothing between `start` and `end`.
    """
    if not 0 < start < end:
        raise ValueError(f"from {start!r} to {end!r}: give two costs above 0, the lower one first")
    inside = curve.costs[(curve.costs > start) & (curve.costs < end)]
    knots = np.array([start, *inside, end])
    if end > curve.end:
        return math.nan
    return float(np.average(curve.at(knots[:-1]), weights=np.diff(np.log(knots))))


def iterations_to_best(run: Run, tolerance: float = 0.01, worth: Worth | None = None) -> int | None:
    """How many trials it took until the incumbent came within `tolerance` of its final loss, and stayed there.

    Trials are counted as they ended, partial ones not, though a partial one that is the incumbent counts itself. None
    where no trial has a loss.

    Args:
        run: finished or not.
        tolerance: as a fraction of the final loss's magnitude.
        worth: as for `anytime`.
    """
    found, finished = Incumbent(run.header.rungs, run.header.search.constraints), 0
    steps: list[tuple[int, float]] = []
    for result in run.results:
        best = found.best if found.add(result) else None
        if best is not None and best.outcome.loss is not None:
            loss = worth(best.trial.config) if worth else best.outcome.loss
            steps.append((finished + 1, loss))
        finished += result.outcome.final
    reached = None
    for count, loss in reversed(steps):
        if abs(loss - steps[-1][1]) > tolerance * abs(steps[-1][1]):
            break
        reached = count
    return reached
