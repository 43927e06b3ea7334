"""Choosing the ladder: the highest that a budget can pay for, with enough configurations below and two results on top.

A run that never comes to its highest rung has bought nothing but low fidelity, and one that compares three
configurations has searched for nothing. So the top rung is lowered until both are there, and below it there are as many
rungs as the budget allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.errors import BadValue
from mfbo.fidelity import ETA, MAX_RUNGS
from mfbo.planning.simulation import Price, bought

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.fidelity import Fidelity
    from mfbo.ledger.plan import Step
    from mfbo.trial import Rung

ON_TOP = 2  # results that a run needs at its highest rung
ENOUGH = 12  # configurations that it needs at its lowest
GUIDE = "asha"  # whose counts decide, so that all optimizers of a task come to the same top
STEP = 0.8  # from one top rung that is tried to the next


@dataclass(frozen=True)
class Bounds:
    """What a ladder must keep to.

    Attributes:
        path: through the fidelity; None for the task's default.
        eta: factor between rungs.
        low: least work of a rung; 0 for no bound.
        high: most work of a rung.
        data: least data fraction of a rung, that leaves each class enough samples.
        work: least work of a rung that is chosen, so that it moves a model.
    """

    path: str | None = None
    eta: int = ETA
    low: float = 0.0
    high: float = 1.0
    data: float = 0.0
    work: float = 0.0

    @property
    def least(self) -> float:
        """Least work of a rung, by both."""
        return max(self.low, self.work)

    @property
    def given(self) -> dict[str, float]:
        """The ends that are not the usual ones, as `mfbo.tune` takes them."""
        ends = ("min_fidelity", self.low, 0.0), ("max_fidelity", self.high, 1.0)
        return {name: end for name, end, usual in ends if end != usual}

    def check(self, fidelity: Fidelity) -> None:
        """Refuse what leaves no ladder.

        Raises:
            BadValue: says why.
        """
        if isinstance(self.eta, bool) or not isinstance(self.eta, int) or not 2 <= self.eta <= 100:
            raise BadValue(f"eta {self.eta!r}: give a whole number from 2 to 100")
        for name, value in (("min", self.low), ("max", self.high)):
            if not 0 <= value <= 1:
                raise BadValue(f"{name} fidelity {value!r}: give a fraction of a full evaluation, from 0 to 1")
        if self.low > self.high:
            raise BadValue(f"min fidelity {self.low:.3g} is above max fidelity {self.high:.3g}; give less")
        lowest = fidelity.rung(max(self.low, fidelity.lowest_work(self.path)), self.path)
        if self.low and lowest.data < self.data * (1 - 1e-9):
            raise BadValue(
                f"min fidelity {self.low:.3g}: its level, {lowest}, has too few samples per class; at least "
                f"{100 * self.data:.2g}% of the data is needed, a min fidelity of {self._least(fidelity):.3g}"
            )

    def _least(self, fidelity: Fidelity) -> float:
        """The least work whose rung has enough data."""
        works = [0.995**k for k in range(2000)]
        fit = [work for work in works if fidelity.rung(work, self.path).data >= self.data * (1 - 1e-9)]
        return min(fit, default=1.0)


def ladder(fidelity: Fidelity, bounds: Bounds, top: float, most: int = MAX_RUNGS) -> list[Rung]:
    """At most so many rungs below and with `top`, of those within `bounds`."""
    rungs, low = fidelity.ladder(bounds.path, bounds.eta, most, top), bounds.least
    return [rung for rung in rungs if rung.work >= low * (1 - 1e-9) and rung.data >= bounds.data * (1 - 1e-9)]


def choose(
    fidelity: Fidelity, bounds: Bounds, optimizer: str, price: Price, budget: float
) -> tuple[tuple[Step, ...], str]:
    """What to run within `budget`, and what there is to say against it.

    Args:
        fidelity: of the task.
        bounds: of the ladder.
        optimizer: one of `mfbo.optimizers.registry.OPTIMIZERS`; all of them get the same top.
        price: of a trial.
        budget: in the unit of `price`.
    """
    least: list[Rung] = []
    for top in _tops(fidelity, bounds):
        for most in range(MAX_RUNGS, 1, -1):
            rungs = ladder(fidelity, bounds, top, most)
            if len(rungs) < min(2, most):
                continue
            least = rungs
            steps = bought(GUIDE, rungs, price, budget, bounds.eta)
            if steps[-1].trials >= ON_TOP and steps[0].trials >= ENOUGH:
                return bought(optimizer, _own(optimizer, rungs, fidelity, bounds), price, budget, bounds.eta), ""
    rungs = least or [fidelity.rung(bounds.high, bounds.path)]
    steps = bought(optimizer, _own(optimizer, rungs, fidelity, bounds), price, budget, bounds.eta)
    return steps, _short(steps) if len(rungs) > 1 else ""


def _tops(fidelity: Fidelity, bounds: Bounds) -> list[float]:
    """Works of the top rungs to try, highest first."""
    top, low = bounds.high, max(bounds.low, fidelity.lowest_work(bounds.path))
    found = []
    while top >= low * (1 - 1e-9):
        found.append(top)
        top *= STEP
    return found or [low]


def _own(optimizer: str, rungs: Sequence[Rung], fidelity: Fidelity, bounds: Bounds) -> list[Rung]:
    """Of a ladder, what the optimizer evaluates at; see `mfbo.optimizers.registry.ladder_of`."""
    from mfbo.optimizers.registry import rungs_of

    return rungs_of(optimizer, rungs, fidelity, bounds.least)


def _short(steps: Sequence[Step]) -> str:
    low, top = steps[0], steps[-1]
    return (
        f"this budget is too small for a search: {low.trials} trials at the lowest level and {top.trials} at the "
        f"highest, where a search needs at least {ENOUGH} and {ON_TOP}"
    )
