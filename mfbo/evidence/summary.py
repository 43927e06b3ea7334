"""A comparison in numbers: each optimizer's final loss, its cost, and whether differences are significant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfbo.cost.price import facts, of_runs
from mfbo.evidence.comparison import Comparison, Group, side_by_side, sort_out
from mfbo.evidence.curves import Curve, area, common_costs, cost_to_quality, iterations_to_best, on
from mfbo.evidence.statistics import SpeedUp, holm, mean_sem, median_iqr, speed_up, wilcoxon
from mfbo.ledger.journal import read

if TYPE_CHECKING:
    from mfbo.goal import Goal
    from mfbo.ledger.run import Run

SIGNIFICANCE_LEVEL = 0.05  # of the tests between final losses
BASELINES = ("random", "grid", "random-2x")  # the first that is there is compared with


@dataclass(frozen=True)
class Standing:
    """One optimizer on one task.

    Attributes:
        name: of the optimizer, and of what sets its runs apart.
        seeds: how many runs.
        loss: mean over the seeds at the end of the comparison.
        error: standard error of that mean; NaN for one seed.
        median, low, high: the same losses' median and quartiles.
        area: mean over the seeds of the area under the anytime curve, see `curves.area`, from where all runs of
            the comparison have a result; NaN where they have none before its end.
        reached: how many seeds reached the baseline's final mean, at the fidelity that it was measured at.
        below: how many had a final loss that was measured below that fidelity: it does not compare.
        cost: median over the seeds of what that cost; infinite where fewer than half did.
        speed_up: over the baseline, see `speed_up_by`; None for itself, without one, or for one seed.
        pvalue: of the difference to the baseline, Wilcoxon's signed-rank test over paired seeds, adjusted by Holm for
            the number of optimizers; None as for `speed_up`, and where losses are `below`.
        iterations: median over the seeds of the trials until within 1% of the final best.
        trials: mean number of finished trials.
        runtime: mean seconds charged, or full evaluations, as the unit is.
    """

    name: str
    seeds: int
    loss: float
    error: float
    median: float
    low: float
    high: float
    area: float
    reached: int
    below: int
    cost: float
    speed_up: SpeedUp | None
    pvalue: float | None
    iterations: float
    trials: float
    runtime: float

    def shown(self, goal: Goal) -> dict[str, Any]:
        """All of it by name, with ``value`` and what else is of the metric in its own sign; of a loss, ``loss`` too."""
        low, high = (self.high, self.low) if goal.maximize else (self.low, self.high)
        losses = {"value": self.loss, "median": self.median, "area": self.area, "low": low, "high": high}
        found = {**vars(self), **{name: goal.value(loss) for name, loss in losses.items()}}
        if goal.maximize:
            del found["loss"]
        return found


@dataclass(frozen=True)
class Evidence:
    """All optimizers on one task.

    Attributes:
        comparison: the runs and their curves.
        end: cost at which final losses are read: where the first run ends.
        baseline: name of what the others are compared with; None where no baseline was run.
        quality: mean of its losses at `end`; None where that is not known.
        standings: best final loss first.
        left_out: runs that are not counted, and why.
    """

    comparison: Comparison
    end: float
    baseline: str | None
    quality: float | None
    standings: tuple[Standing, ...]
    left_out: tuple[tuple[Run, str], ...] = ()

    def reached(self, group: Group) -> list[float]:
        """The cost at which each run of `group` reached `quality` for good; infinite where it had not by `end`.

        Raises:
            ValueError: there is no quality.
        """
        if self.quality is None:
            raise ValueError("no baseline, or none with a result in time")
        base = next(one for one in self.comparison.groups if one.name == self.baseline)
        return [cost_to_quality(curve, self.quality) for curve in _comparable(group, base, self.end)]

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``, losses as ``value`` of the metric in its own sign; what is infinite or unknown is null.

        Money is that of all runs together.
        """
        goal = self.comparison.goal
        rows = [{name: _plain(value) for name, value in standing.shown(goal).items()} for standing in self.standings]
        task, unit = self.comparison.task, self.comparison.unit
        runs = self.comparison.runs
        paid = facts(of_runs(runs), sum(run.seconds for run in runs))
        paid |= {"metric": goal.name, "maximize": goal.maximize}
        return {"task": task, "unit": unit, "end": self.end, "baseline": self.baseline, "optimizers": rows, **paid}


def evidence(folders: Sequence[Path | str]) -> list[Evidence]:
    """The standing of each optimizer, task by task.

    Args:
        folders: of runs; those of one task must be comparable, see `comparison.compare`. What cannot stand beside
            the others is left out, see `mfbo.evidence.comparison.sort_out`.

    Raises:
        MfboError: as `mfbo.evidence.comparison.compare`; of a task of which no run has a success.
    """
    by_task: dict[str, list[Run]] = {}
    for run in map(read, folders):
        by_task.setdefault(run.header.task, []).append(run)
    found = []
    for runs in by_task.values():
        fit, left_out = sort_out(runs)
        found.append(replace(summarize(side_by_side(fit or runs)), left_out=tuple(left_out)))
    return found


def summarize(comparison: Comparison) -> Evidence:
    """The standing of each optimizer of a comparison."""
    groups = comparison.groups
    end = min(curve.end for group in groups for curve in group.curves)
    base = next((group for name in BASELINES for group in groups if group.optimizer == name), None)
    quality = float(_final(base.curves, end).mean()) if base else math.nan
    found = Evidence(comparison, end, base.name if base else None, None if math.isnan(quality) else quality, ())
    pvalues = _pvalues(groups, base, end)
    start = max(float(curve.costs[0]) for group in groups for curve in group.curves)
    standings = [_standing(found, group, base, pvalue, start) for group, pvalue in zip(groups, pvalues, strict=True)]
    order = sorted(standings, key=lambda standing: (math.isnan(standing.loss), standing.loss))
    return replace(found, standings=tuple(order))


def _final(curves: Sequence[Curve], end: float) -> Any:
    """(n_seeds,) losses at `end`; NaN for a run without a result by then."""
    return on(curves, [end])[:, 0]


def _comparable(group: Group, base: Group, end: float) -> list[Curve]:
    """The curves of `group` up to `end`, where what `base` reached counts by the fidelity that it was measured at.

    Losses that were measured lower are infinite: they do not compare. All do where they are true ones.
    """
    known = [curve.cut(end) for curve in group.curves]
    if group.worth:
        return known
    last = [curve.cut(end).works[-1:] for curve in base.curves]
    return [curve.above(float(min(np.concatenate(last), default=0.0))) for curve in known]


def _standing(found: Evidence, group: Group, base: Group | None, pvalue: float | None, start: float) -> Standing:
    end, losses = found.end, on(group.curves, [found.end])
    final, spread = mean_sem(losses), median_iqr(losses)
    reached = found.reached(group) if found.quality is not None else []
    below = np.isinf(_final(_comparable(group, base, end), end)) if base else np.zeros(1)
    areas = [area(curve, start, end) if 0 < start < end else math.nan for curve in group.curves]
    iterations = [iterations_to_best(run, worth=group.worth) for run in group.runs]
    return Standing(
        name=group.name,
        seeds=len(group.seeds),
        loss=float(final.centre[0]),
        error=float(final.high[0] - final.centre[0]),
        median=float(spread.centre[0]),
        low=float(spread.low[0]),
        high=float(spread.high[0]),
        area=float(np.mean(areas)),
        reached=sum(cost < math.inf for cost in reached),
        below=int(below.sum()),
        cost=_median(reached),
        speed_up=speed_up_by(group, base, end),
        pvalue=pvalue,
        iterations=_median([count for count in iterations if count is not None]),
        trials=float(np.mean([sum(r.outcome.final for r in run.results) for run in group.runs])),
        runtime=float(np.mean([run.spent for run in group.runs])),
    )


def _median(values: Sequence[float]) -> float:
    """The lower middle one, so that infinity is never averaged with a number."""
    return float(sorted(values)[(len(values) - 1) // 2]) if values else math.nan


def speed_up_by(group: Group, base: Group | None, end: float) -> SpeedUp | None:
    """Of `group` over `base`, as far as both are known up to `end`; None for fewer than two seeds of either.

    A loss counts where it was measured at the fidelity of those of `base` at `end`, or above. Runs of the same seeds
    are resampled in pairs.
    """
    if base is None or group is base or min(len(group.curves), len(base.curves)) < 2:
        return None
    ours, theirs = (_by_seed(one, _comparable(one, base, end)) for one in (group, base))
    if not (len(common_costs(ours)) and len(common_costs(theirs))):
        return None
    return speed_up(ours, theirs, paired=sorted(group.seeds) == sorted(base.seeds))


def significantly_worse(group: Group, base: Group, end: float) -> bool:
    """Whether final losses of `group` lie above those of `base`, over paired seeds, by more than chance explains.

    By Wilcoxon's signed-rank test at `SIGNIFICANCE_LEVEL`, which fewer than six seeds never pass.
    """
    ours, theirs = _pairs(group, base, end)
    return len(ours) > 1 and sum(ours) > sum(theirs) and wilcoxon(ours, theirs) <= SIGNIFICANCE_LEVEL


def _by_seed(group: Group, curves: Sequence[Curve]) -> list[Curve]:
    """`curves`, one a seed of `group`, lowest seed first."""
    return [curve for _, curve in sorted(zip(group.seeds, curves, strict=True), key=lambda pair: pair[0])]


def _pvalues(groups: Sequence[Group], base: Group | None, end: float) -> list[float | None]:
    """Against the baseline, for each group; None where there is nothing to test."""
    pairs = {group.name: _pairs(group, base, end) for group in groups if base and group is not base}
    tested = [group for group in groups if group.name in pairs and len(pairs[group.name][0]) > 1]
    raw = [wilcoxon(*pairs[group.name]) for group in tested]
    adjusted = dict(zip([group.name for group in tested], holm(raw) if raw else [], strict=True))
    return [float(adjusted[group.name]) if group.name in adjusted else None for group in groups]


def _pairs(group: Group, base: Group, end: float) -> tuple[Any, Any]:
    """Final losses of the seeds that both have; none where some do not compare."""
    finals = (_final(_comparable(one, base, end), end) for one in (group, base))
    ours, theirs = (dict(zip(one.seeds, final, strict=True)) for one, final in zip((group, base), finals, strict=True))
    if math.inf in ours.values():
        return [], []
    both = [seed for seed in ours if seed in theirs and not math.isnan(ours[seed] + theirs[seed])]
    return [ours[seed] for seed in both], [theirs[seed] for seed in both]


def _plain(value: Any) -> Any:
    if isinstance(value, SpeedUp):
        return {name: _plain(number) for name, number in vars(value).items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
