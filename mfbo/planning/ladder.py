"""Choosing the ladder: the highest that a budget can pay for, with enough configurations below and two results on top.

A run that never comes to its highest rung has bought nothing but low fidelity, and one that compares three
configurations has searched for nothing. So the top rung is lowered until both are there, and below it there are as many
rungs as the budget allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mfbo.errors import BadValue
from mfbo.fidelity import MAX_RUNGS
from mfbo.optimizers.registry import spec_of
from mfbo.planning.simulation import RungCost, bought
from mfbo.search import Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.fidelity import Fidelity
    from mfbo.ledger.plan import Step
    from mfbo.trial import Rung

MIN_TOP_RESULTS = 2  # that a run needs at its highest rung
MIN_LOW_RESULTS = 12  # configurations that it needs at its lowest
GUIDE = "asha"  # whose counts decide, so that all optimizers of a task come to the same top
TOP_STEP = 0.8  # from one top rung that is tried to the next


@dataclass(frozen=True)
class Bounds:
    """What a ladder must keep to: what was asked, and what the task needs.

    Attributes:
        search: its path, eta, min and max fidelity; what is chosen is for its optimizer.
        data: least data fraction of a rung, that leaves each class enough samples.
        work: least work of a rung that is chosen, so that it moves a model.
    """

    search: Search = field(default_factory=Search)
    data: float = 0.0
    work: float = 0.0

    @property
    def least(self) -> float:
        """Least work of a rung, by what was asked and by the task."""
        return max(self.search.min_fidelity, self.work)

    def check(self, fidelity: Fidelity) -> None:
        """Refuse what leaves no ladder.

        Raises:
            BadValue: says why.
        """
        low, path = self.search.min_fidelity, self.search.path
        lowest = fidelity.rung(max(low, fidelity.lowest_work(path)), path)
        if low and lowest.data < self.data * (1 - 1e-9):
            raise BadValue(
                f"min fidelity {low:.3g}: its level, {lowest}, has too few samples per class; at least "
                f"{100 * self.data:.2g}% of the data is needed, a min fidelity of {self._least(fidelity):.3g}"
            )

    def _least(self, fidelity: Fidelity) -> float:
        """The least work whose rung has enough data."""
        works = [0.995**k for k in range(2000)]
        fit = [work for work in works if fidelity.rung(work, self.search.path).data >= self.data * (1 - 1e-9)]
        return min(fit, default=1.0)


def ladder(fidelity: Fidelity, bounds: Bounds, top: float, most: int = MAX_RUNGS) -> list[Rung]:
    """At most `most` rungs below and with `top`, of those within `bounds`."""
    rungs, low = fidelity.ladder(bounds.search.path, bounds.search.eta, most, top), bounds.least
    return [rung for rung in rungs if rung.work >= low * (1 - 1e-9) and rung.data >= bounds.data * (1 - 1e-9)]


def choose(fidelity: Fidelity, bounds: Bounds, price: RungCost, budget: float) -> tuple[tuple[Step, ...], str]:
    """What to run within `budget`, and what there is to say against it.

    Args:
        fidelity: of the task.
        bounds: of the ladder; whatever the optimizer, the top is the same.
        price: of a trial.
        budget: in the unit of `price`.
    """
    least: list[Rung] = []
    optimizer, eta = bounds.search.optimizer, bounds.search.eta
    for top in _tops(fidelity, bounds):
        for most in range(MAX_RUNGS, 1, -1):
            rungs = ladder(fidelity, bounds, top, most)
            if len(rungs) < min(2, most):
                continue
            least = rungs
            steps = bought(GUIDE, rungs, price, budget, eta)
            if steps[-1].trials >= MIN_TOP_RESULTS and steps[0].trials >= MIN_LOW_RESULTS:
                return bought(optimizer, _own(rungs, fidelity, bounds), price, budget, eta), ""
    rungs = least or [fidelity.rung(bounds.search.max_fidelity, bounds.search.path)]
    steps = bought(optimizer, _own(rungs, fidelity, bounds), price, budget, eta)
    return steps, _short(steps) if len(rungs) > 1 else ""


def _tops(fidelity: Fidelity, bounds: Bounds) -> list[float]:
    """Works of the top rungs to try, highest first."""
    search = bounds.search
    top, low = search.max_fidelity, max(search.min_fidelity, fidelity.lowest_work(search.path))
    found = []
    while top >= low * (1 - 1e-9):
        found.append(top)
        top *= TOP_STEP
    return found or [low]


def _own(rungs: Sequence[Rung], fidelity: Fidelity, bounds: Bounds) -> list[Rung]:
    """Of a ladder, what the optimizer evaluates at."""
    return spec_of(bounds.search.optimizer).rungs(rungs, fidelity, bounds.least)


def _short(steps: Sequence[Step]) -> str:
    low, top = steps[0], steps[-1]
    return (
        f"this budget is too small for a search: {_trials(low.trials)} at the lowest level and {top.trials} at the "
        f"highest, where a search needs at least {MIN_LOW_RESULTS} and {MIN_TOP_RESULTS}"
    )


def _trials(many: int) -> str:
    return f"{many} trial{'' if many == 1 else 's'}"
