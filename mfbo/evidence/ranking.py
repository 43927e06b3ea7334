"""Which optimizers are ahead, over all tasks, or over the seeds of the only one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mfbo.evidence.curves import on
from mfbo.evidence.statistics import average_ranks, pairwise_wilcoxon
from mfbo.evidence.summary import LEVEL

if TYPE_CHECKING:
    from mfbo.evidence.curves import Floats
    from mfbo.evidence.summary import Evidence

POINTS = 120
EARLIEST = 0.01  # of the cost at which losses are compared at last


@dataclass(frozen=True, eq=False)
class Ranking:
    """Average ranks of the optimizers that were run in every block; 1 is best.

    Attributes:
        names: of the optimizers.
        kind: what a block is: ``tasks``, of which the mean over seeds counts, or ``seeds`` of one task.
        shares: (n,), of the cost at which each task's losses are compared at last.
        ranks: (n_optimizers, n).
        final: (n_blocks, n_optimizers), losses in the end.
    """

    names: tuple[str, ...]
    kind: Literal["tasks", "seeds"]
    shares: Floats
    ranks: Floats
    final: Floats

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
        """Seeds or tasks without which no pair can differ at `LEVEL`: n of them have p = 1 / 2 ** (n - 1) at least."""
        return math.ceil(1 + math.log2(self.pairs / LEVEL))

    def alike(self) -> list[tuple[str, ...]]:
        """Groups of optimizers, neighbours by final rank, of which no pair differs by more than chance at `LEVEL`.

        The longest only; these are what a critical-difference diagram joins (Demšar 2006, with the test of Benavoli et
        al. 2016 in place of Nemenyi's).
        """
        order, pvalues = self.order, self.pvalues
        found: list[tuple[int, int]] = []
        for start in range(len(order)):
            end = start + 1
            while end < len(order) and all(pvalues[order[end], other] > LEVEL for other in order[start:end]):
                end += 1
            if end - start > 1 and not any(start >= first and end <= last for first, last in found):
                found.append((start, end))
        return [tuple(self.names[index] for index in order[start:end]) for start, end in found]


def ranking(found: Sequence[Evidence]) -> Ranking | None:
    """Ranks over the tasks of `found`, or over the seeds that all optimizers share where there is one task.

    None where fewer than two optimizers have two blocks in common.
    """
    shares = np.geomspace(EARLIEST, 1, POINTS)
    rows = [_means(one, shares) for one in found]
    names = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    if len(found) == 1:
        names, losses = _by_seed(found[0], shares)
    else:
        losses = np.array([[row[name] for name in names] for row in rows])
    if len(names) < 2 or len(losses) < 2:
        return None
    seen = ~np.isnan(losses).all(axis=(0, 1))  # before that all would be last
    kind: Literal["tasks", "seeds"] = "tasks" if len(found) > 1 else "seeds"
    return Ranking(tuple(names), kind, shares[seen], average_ranks(losses[:, :, seen]), losses[:, :, -1])


def _means(found: Evidence, shares: Floats) -> dict[str, Floats]:
    """Mean loss of each optimizer at `shares` of the cost; NaN before each of its seeds has one."""
    return {group.name: on(group.curves, shares * found.end).mean(axis=0) for group in found.comparison.groups}


def _by_seed(found: Evidence, shares: Floats) -> tuple[list[str], Floats]:
    """(seeds, optimizers, shares) losses, for the seeds that every optimizer was run with."""
    groups = found.comparison.groups
    seeds = [seed for seed in groups[0].seeds if all(seed in group.seeds for group in groups)]
    losses = [[group.curves[group.seeds.index(seed)].at(shares * found.end) for group in groups] for seed in seeds]
    return [group.name for group in groups], np.array(losses).reshape(len(seeds), len(groups), len(shares))
