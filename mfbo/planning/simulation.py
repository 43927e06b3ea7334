"""What a budget buys at each rung: how many trials an optimizer runs there until the money is gone.

Nothing is trained. The optimizer's own scheduling rule (`OptimizerSpec.schedule`) asks for the trials and is told
simulated losses, which order configurations the same at every rung.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from mfbo.ledger.plan import Step
from mfbo.optimizers.registry import spec_of
from mfbo.trial import Outcome

if TYPE_CHECKING:
    from mfbo.trial import Rung

RungCost: TypeAlias = Callable[["Rung", int], float]
"""(rung, first epoch) -> cost of a trial, in the unit of the budget."""

MAX_SIMULATED_TRIALS = 1000  # a larger budget buys the same in proportion
GOLDEN = 0.6180339887498949  # its multiples modulo 1 are evenly spread in any order: losses without a trend


def bought(optimizer: str, rungs: Sequence[Rung], price: RungCost, budget: float, eta: int) -> tuple[Step, ...]:
    """What `budget` buys.

    Args:
        optimizer: one of `mfbo.optimizers.registry.OPTIMIZERS`.
        rungs: its ladder, low to high.
        price: of a trial; one that is continued pays the difference.
        budget: in the unit of `price`.
        eta: the best 1/eta of a rung is promoted.

    Raises:
        UnknownName: no such optimizer.
    """
    schedule = spec_of(optimizer).schedule(rungs, eta)
    spent, trials = dict.fromkeys(rungs, 0.0), dict.fromkeys(rungs, 0)
    reached: dict[tuple[object, ...], int] = {}  # epochs of each configuration
    losses: dict[tuple[object, ...], float] = {}
    left, simulated = budget, 0
    while simulated < MAX_SIMULATED_TRIALS and (trial := schedule.ask()) is not None:
        rung, key = trial.rung, tuple(trial.config.values())
        start = reached.get(key, 0) if reached.get(key, 0) < rung.epochs else 0
        cost = price(rung, start)
        if cost > left or cost <= 0:
            break
        left -= cost
        simulated += 1
        spent[rung] += cost
        trials[rung] += 1
        reached[key] = rung.epochs
        loss = losses.setdefault(key, len(losses) * GOLDEN % 1)
        schedule.tell(trial, Outcome("ok", loss, rung, train=cost, start_epoch=start, virtual=True))
    scale = budget / (budget - left) if simulated == MAX_SIMULATED_TRIALS else 1.0
    steps = []
    for level, rung in enumerate(rungs):
        below = rungs[level - 1].epochs if level else 0
        alone = price(rung, below if below < rung.epochs else 0)
        mean = spent[rung] / trials[rung] if trials[rung] else alone
        steps.append(Step(rung, mean, round(trials[rung] * scale)))
    return tuple(steps)
