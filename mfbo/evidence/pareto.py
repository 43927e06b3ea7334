"""The Pareto front: configurations of which no other is as good in every objective and better in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.constraints import feasible
from mfbo.goal import LOSS
from mfbo.objectives import values

if TYPE_CHECKING:
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Rung

Losses = Sequence[float]


def front(points: Sequence[Losses]) -> list[int]:
    """Places of the points that none dominates, by their first value and then the next; of equals the first.

    >>> front([(1, 9), (2, 4), (3, 5), (2, 4), (7, 1)])
    [0, 1, 4]
    """
    order = sorted(range(len(points)), key=lambda i: (*points[i], i))
    kept: list[int] = []
    for i in order:  # whatever dominates a point stands before it
        if not any(all(a <= b for a, b in zip(points[j], points[i], strict=True)) for j in kept):
            kept.append(i)
    return kept


def hypervolume(points: Sequence[Losses], reference: Losses) -> float:
    """Volume between the points and `reference`: what is dominated and better than it. More is better.

    >>> hypervolume([(1, 3), (2, 1)], reference=(4, 4))
    7.0
    """
    inside = [point for point in points if all(a < b for a, b in zip(point, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - min(point[0] for point in inside))
    total, edges = 0.0, sorted({point[-1] for point in inside})
    for low, high in zip(edges, [*edges[1:], reference[-1]], strict=True):  # slices of the last objective
        layer = [point[:-1] for point in inside if point[-1] <= low]
        total += (high - low) * hypervolume(layer, reference[:-1])
    return float(total)


@dataclass(frozen=True)
class Front:
    """What a run with several objectives has found.

    Attributes:
        names: of the objectives.
        rung: the highest at which a trial has all of their values; only those there are compared.
        members: (result, values) on the front, lowest loss first; all of them keep to the run's constraints.
        others: the same for those that it dominates.
    """

    names: tuple[str, ...]
    rung: Rung
    members: tuple[tuple[Result, tuple[float, ...]], ...]
    others: tuple[tuple[Result, tuple[float, ...]], ...]

    @property
    def single(self) -> str:
        """Where the front is one configuration: a sentence that says so; else empty."""
        if len(self.members) > 1:
            return ""
        if not self.others:
            return "It is the only configuration with all objectives there, so there is nothing to trade off yet."
        return f"It is best in every objective among {len(self.others) + 1}, so there is nothing to trade off."


def front_of(run: Run) -> Front | None:
    """The front of a run; None where it has one objective only, or no result that has all values."""
    names = tuple(run.header.search.objectives)
    kept = run.header.search.constraints
    done = [result for result in run.results if not kept or feasible(result.outcome, kept)]
    found = [(result, known) for result in done if (known := values(result.outcome, names))]
    if not names or not found:
        return None
    top = max((result.outcome.rung for result, _ in found), key=lambda rung: rung.work)
    there = [(result, known) for result, known in found if result.outcome.rung.work >= top.work - 1e-9]
    first = names.index(LOSS)
    best = sorted(front([known for _, known in there]), key=lambda i: there[i][1][first])
    members = tuple(there[i] for i in best)
    return Front(names, top, members, tuple(pair for i, pair in enumerate(there) if i not in best))
