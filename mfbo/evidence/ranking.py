"""Which optimizers are ahead, over all tasks, or over the seeds of the only one: average ranks and normalised regret.

Incumbents are ranked by what they are worth at full fidelity where that is known (`Task.true_loss`: tables, surrogates,
synthetic functions), else by the validation loss that was observed, at whatever fidelity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mfbo.evidence.curves import normalised_regret, on
from mfbo.evidence.statistics import Band, average_ranks, pairwise_wilcoxon
from mfbo.evidence.summary import SIGNIFICANCE_LEVEL
from mfbo.goal import LOSS

if TYPE_CHECKING:
    from mfbo.evidence.comparison import Group
    from mfbo.evidence.curves import Floats
    from mfbo.evidence.summary import Evidence

COST_POINTS = 120  # at which ranks and regrets are taken
EARLIEST_COST = 0.01  # of the cost at which losses are compared at last
RESAMPLES = 300  # of tasks and seeds; the bounds of a 95% interval are then within a few hundredths of a rank
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Ranking:
    """Average ranks of the optimizers that were run in every block; 1 is best.

    Attributes:
        names: of the optimizers.
        kind: what a block is: ``tasks``, of which the mean over seeds counts, or ``seeds`` of one task.
        true: whether incumbents were ranked by what they are worth at full fidelity, in every task.
        shares: (n,), of the cost at which each task's losses are compared at last.
        band: average ranks with a 95% bootstrap interval over tasks and seeds: (n_optimizers, n) each.
        final: (n_blocks, n_optimizers), losses in the end.
        metric: what was measured in all of them; empty where that differs.
    """

    names: tuple[str, ...]
    kind: Literal["tasks", "seeds"]
    true: bool
    shares: Floats
    band: Band
    final: Floats
    metric: str = LOSS

    @property
    def ranks(self) -> Floats:
        """(n_optimizers, n)."""
        return self.band.centre

    @property
    def order(self) -> list[int]:
        """Indices of the optimizers, best final rank first."""
        return [int(index) for index in np.argsort(self.ranks[:, -1], kind="stable")]

    @property
    def pvalues(self) -> Floats:
        """(n_optimizers, n_optimizers), of the final losses: see `mfbo.evidence.statistics.pairwise_wilcoxon`."""
        return pairwise_wilcoxon(self.final)

    @property
    def pairs(self) -> int:
        """How many are compared, which the p-values are adjusted for."""
        return math.comb(len(self.names), 2)

    @property
    def needed(self) -> int:
        """Seeds or tasks from which on a pair can differ significantly: of n, p is 1 / 2 ** (n - 1) at least."""
        return math.ceil(1 + math.log2(self.pairs / SIGNIFICANCE_LEVEL))

    def alike(self) -> list[tuple[str, ...]]:
        """Groups of optimizers, neighbours by final rank, of which no pair differs significantly.

        The longest only; these are what a critical-difference diagram joins (Demšar 2006, with the test of Benavoli et
        al. 2016 in place of Nemenyi's).
        """
        order, pvalues = self.order, self.pvalues
        found: list[tuple[int, int]] = []
        for start in range(len(order)):
            end = start + 1
            while end < len(order) and all(
                pvalues[order[end], other] > SIGNIFICANCE_LEVEL for other in order[start:end]
            ):
                end += 1
            if end - start > 1 and not any(start >= first and end <= last for first, last in found):
                found.append((start, end))
        return [tuple(self.names[index] for index in order[start:end]) for start, end in found]


@dataclass(frozen=True, eq=False)
class Regrets:
    """Normalised regret of optimizers: 0 is the best loss known, 1 what the first configurations tried were worth.

    Attributes:
        names: of the optimizers.
        tasks: how many.
        optimum: whether the best possible loss is known in every task; else the best that any run found stands for it.
        true: whether losses are what incumbents are worth at full fidelity, in every task.
        shares: (n,), of the cost at which each task's losses are compared at last.
        band: means over tasks of means over seeds, with a 95% bootstrap interval over both: (n_optimizers, n) each.
        metric: as that of `Ranking`.
    """

    names: tuple[str, ...]
    tasks: int
    optimum: bool
    true: bool
    shares: Floats
    band: Band
    metric: str = LOSS


def ranking(found: Sequence[Evidence]) -> Ranking | None:
    """Ranks over the tasks of `found`, or over the seeds that all optimizers share where there is one task.

    None where fewer than two optimizers have two blocks in common.
    """
    names = _shared_names(found)
    shares = np.geomspace(EARLIEST_COST, 1, COST_POINTS)
    tasks = [[on(group.curves, shares * one.end) for group in _groups(one, names)] for one in found]
    if len(found) == 1:
        tasks = [[rows] for rows in _seed_blocks(found[0], shares)]  # a block a seed, resampled as tasks are
    if len(names) < 2 or len(tasks) < 2:
        return None
    losses = _mean_losses(tasks)
    seen = ~np.isnan(losses).all(axis=(0, 1))  # before that all would be last
    tasks = [[rows[..., seen] for rows in task] for task in tasks]
    band = _bootstrapped(tasks, lambda drawn: average_ranks(_mean_losses(drawn)))
    kind: Literal["tasks", "seeds"] = "tasks" if len(found) > 1 else "seeds"
    return Ranking(tuple(names), kind, _true(found), shares[seen], band, losses[:, :, -1], _metric(found))


def regrets(found: Sequence[Evidence]) -> Regrets | None:
    """Of the optimizers that were run on every task of `found`.

    None for fewer than two of them, or where no configuration is better than the first ones.
    """
    names = _shared_names(found)
    shares = np.geomspace(EARLIEST_COST, 1, COST_POINTS)
    tasks = []
    for one in found:
        curves = [curve for group in one.comparison.groups for curve in group.curves]
        known = one.comparison.optimum
        best = min(float(curve.losses.min()) for curve in curves) if known is None else known
        first = float(np.median([curve.losses[0] for curve in curves]))
        if not first > best:
            return None
        rows = [on(group.curves, shares * one.end) for group in _groups(one, names)]
        tasks.append([normalised_regret(np.where(np.isnan(row), first, row), best, first) for row in rows])
    if len(names) < 2:
        return None
    band = _bootstrapped(tasks, lambda drawn: _mean_losses(drawn).mean(axis=0))
    optimum = all(one.comparison.optimum is not None for one in found)
    return Regrets(tuple(names), len(found), optimum, _true(found), shares, band, _metric(found))


def _metric(found: Sequence[Evidence]) -> str:
    """The metric of all tasks; empty where they have several."""
    names = {one.comparison.goal.name for one in found}
    return names.pop() if len(names) == 1 else ""


def _shared_names(found: Sequence[Evidence]) -> list[str]:
    """Groups that every task has, in the order of the first."""
    names = [{group.name for group in one.comparison.groups} for one in found]
    return [group.name for group in found[0].comparison.groups if all(group.name in one for one in names)]


def _groups(found: Evidence, names: Sequence[str]) -> list[Group]:
    by_name = {group.name: group for group in found.comparison.groups}
    return [by_name[name] for name in names]


def _true(found: Sequence[Evidence]) -> bool:
    return all(one.comparison.true for one in found)


def _seed_blocks(found: Evidence, shares: Floats) -> Floats:
    """(seeds, optimizers, shares) losses, for the seeds that every optimizer was run with."""
    groups = found.comparison.groups
    seeds = [seed for seed in groups[0].seeds if all(seed in group.seeds for group in groups)]
    losses = [[group.curves[group.seeds.index(seed)].at(shares * found.end) for group in groups] for seed in seeds]
    return np.array(losses).reshape(len(seeds), len(groups), len(shares))


def _mean_losses(tasks: Sequence[Sequence[Floats]]) -> Floats:
    """(tasks, optimizers, shares): means over seeds, NaN before each of them has a loss.

    Args:
        tasks: of each, for each optimizer (seeds, shares); or one array (optimizers, shares) of a single seed.
    """
    return np.array([task[0] if len(task) == 1 else [rows.mean(axis=0) for rows in task] for task in tasks])


def _bootstrapped(tasks: Sequence[Sequence[Floats]], statistic: Callable[[Sequence[Sequence[Floats]]], Floats]) -> Band:
    """`statistic` of `tasks`, and the percentiles of it where tasks, and seeds within them, are drawn again."""
    rng = np.random.default_rng(0)

    def drawn_again(task: Sequence[Floats]) -> Sequence[Floats]:
        if len(task) == 1:  # one seed
            return task
        return [rows[rng.integers(len(rows), size=len(rows))] for rows in task]

    found = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(tasks), size=len(tasks))
        found.append(statistic([drawn_again(tasks[index]) for index in chosen]))
    tails = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, [tails, 1 - tails], axis=0)
    return Band(statistic(tasks), low, high)
