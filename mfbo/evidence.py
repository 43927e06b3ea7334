"""What a comparison shows, in numbers: each optimizer's result, its cost, and whether the difference is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfbo.comparison import Comparison, Group, side_by_side, sort_out
from mfbo.curves import Curve, area, common_costs, cost_to_quality, iterations_to_best, on
from mfbo.ledger import read
from mfbo.price import facts, of_runs
from mfbo.statistics import SpeedUp, holm, mean_sem, median_iqr, speed_up, wilcoxon

if TYPE_CHECKING:
    from mfbo.run import Run

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
        area: mean over the seeds of the area under the anytime curve, see `mfbo.curves.area`, from where all runs of
            the comparison have a result; NaN where they have none before its end.
        reached: how many seeds came to the baseline's final mean.
        cost: median over the seeds of what that cost; infinite where fewer than half did.
        speed_up: over the baseline; None for itself, without one, or for one seed.
        pvalue: of the difference to the baseline, Wilcoxon's signed-rank test over paired seeds, adjusted by Holm for
            the number of optimizers; None as for `speed_up`.
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
    cost: float
    speed_up: SpeedUp | None
    pvalue: float | None
    iterations: float
    trials: float
    runtime: float


@dataclass(frozen=True)
class Evidence:
    """All optimizers on one task.

    Attributes:
        comparison: the runs and their curves.
        end: cost at which final losses are read: where the first run ends.
        baseline: name of what the others are compared with; None where no baseline was run.
        standings: best final loss first.
        left_out: runs that are not counted, and why.
    """

    comparison: Comparison
    end: float
    baseline: str | None
    standings: tuple[Standing, ...]
    left_out: tuple[tuple[Run, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``; money is that of all runs together; what is infinite or unknown is null."""
        rows = [{name: _plain(value) for name, value in vars(standing).items()} for standing in self.standings]
        task, unit = self.comparison.task, self.comparison.unit
        runs = self.comparison.runs
        paid = facts(of_runs(runs), sum(run.seconds for run in runs))
        return {"task": task, "unit": unit, "end": self.end, "baseline": self.baseline, "optimizers": rows, **paid}


def evidence(folders: Sequence[Path | str]) -> list[Evidence]:
    """What runs show, task by task.

    Args:
        folders: of runs; those of one task must be comparable, see `mfbo.comparison.compare`. What cannot stand beside
            the others is left out, see `mfbo.comparison.sort_out`.

    Raises:
        MfboError: as `mfbo.comparison.compare`; of a task of which no run has a success.
    """
    by_task: dict[str, list[Run]] = {}
    for run in map(read, folders):
        by_task.setdefault(run.header.task, []).append(run)
    found = []
    for runs in by_task.values():
        fit, left_out = sort_out(runs)
        found.append(replace(of(side_by_side(fit or runs)), left_out=tuple(left_out)))
    return found


def of(comparison: Comparison) -> Evidence:
    """What one comparison shows."""
    groups = comparison.groups
    end = min(curve.end for group in groups for curve in group.curves)
    base = next((group for name in BASELINES for group in groups if group.optimizer == name), None)
    quality = _final(base, end).mean() if base else None
    pvalues = _pvalues(groups, base, end)
    start = max(float(curve.costs[0]) for group in groups for curve in group.curves)
    standings = [
        _standing(group, base, quality, pvalue, (start, end)) for group, pvalue in zip(groups, pvalues, strict=True)
    ]
    order = sorted(standings, key=lambda standing: (math.isnan(standing.loss), standing.loss))
    return Evidence(comparison, end, base.name if base else None, tuple(order))


def _final(group: Group, end: float) -> Any:
    """(n_seeds,) losses at `end`; NaN for a run without a result by then."""
    return on(group.curves, [end])[:, 0]


def _standing(
    group: Group, base: Group | None, quality: float | None, pvalue: float | None, costs: tuple[float, float]
) -> Standing:
    start, end = costs
    losses = on(group.curves, [end])
    final, spread = mean_sem(losses), median_iqr(losses)
    reached = [cost_to_quality(curve, quality) for curve in group.curves] if quality is not None else []
    within = [cost if cost <= end else math.inf for cost in reached]
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
        reached=sum(cost < math.inf for cost in within),
        cost=_median(within),
        speed_up=speed_up_by(group, base, end),
        pvalue=pvalue,
        iterations=_median([count for count in iterations if count is not None]),
        trials=float(np.mean([sum(r.outcome.status != "stopped" for r in run.results) for run in group.runs])),
        runtime=float(np.mean([run.spent for run in group.runs])),
    )


def _median(values: Sequence[float]) -> float:
    """The lower middle one, so that infinity is never averaged with a number."""
    return float(sorted(values)[(len(values) - 1) // 2]) if values else math.nan


def speed_up_by(group: Group, base: Group | None, end: float) -> SpeedUp | None:
    """Of `group` over `base`, as far as both are known up to `end`; None for fewer than two seeds of either."""
    if base is None or group is base or min(len(group.curves), len(base.curves)) < 2:
        return None
    ours, theirs = ([_cut(curve, end) for curve in one.curves] for one in (group, base))
    if not (len(common_costs(ours)) and len(common_costs(theirs))):
        return None
    return speed_up(ours, theirs, paired=group.seeds == base.seeds)


def _cut(curve: Curve, end: float) -> Curve:
    """As it is known up to `end`."""
    inside = curve.costs <= end
    return Curve(curve.costs[inside], curve.losses[inside], curve.works[inside], end)


def _pvalues(groups: Sequence[Group], base: Group | None, end: float) -> list[float | None]:
    """Against the baseline, for each group; None where there is nothing to test."""
    pairs = {group.name: _pairs(group, base, end) for group in groups if base and group is not base}
    tested = [group for group in groups if group.name in pairs and len(pairs[group.name][0]) > 1]
    raw = [wilcoxon(*pairs[group.name]) for group in tested]
    adjusted = dict(zip([group.name for group in tested], holm(raw) if raw else [], strict=True))
    return [float(adjusted[group.name]) if group.name in adjusted else None for group in groups]


def _pairs(group: Group, base: Group, end: float) -> tuple[Any, Any]:
    """Final losses of the seeds that both have."""
    ours, theirs = (dict(zip(one.seeds, _final(one, end), strict=True)) for one in (group, base))
    both = [seed for seed in ours if seed in theirs and not math.isnan(ours[seed] + theirs[seed])]
    return [ours[seed] for seed in both], [theirs[seed] for seed in both]


def _plain(value: Any) -> Any:
    if isinstance(value, SpeedUp):
        return {name: _plain(number) for name, number in vars(value).items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
