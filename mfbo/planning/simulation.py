"""What a budget buys at each rung: how many trials an optimizer runs there until the money is gone.

Nothing is drawn or trained: of each optimizer this follows the rule by which configurations are begun and promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from mfbo.ledger.plan import Step

if TYPE_CHECKING:
    from mfbo.trial import Rung

Price: TypeAlias = Callable[["Rung", int], float]
"""(rung, first epoch) -> cost of a trial, in the unit of the budget."""

MOST = 3000  # trials that are followed; a larger budget buys the same in proportion
FULL_RESULTS, UPPER = 2, 5  # behind `smac`: after so many full results, two of so many configurations begin high up
SINGLE = ("random", "random-2x", "grid")


def bought(optimizer: str, rungs: Sequence[Rung], price: Price, budget: float, eta: int) -> tuple[Step, ...]:
    """What `budget` buys.

    Args:
        optimizer: one of `mfbo.optimizers.registry.OPTIMIZERS`.
        rungs: its ladder, low to high.
        price: of a trial; one that goes on pays the difference.
        budget: in the unit of `price`.
        eta: one of so many is promoted.
    """
    spent, trials = [0.0] * len(rungs), [0] * len(rungs)
    left, followed = budget, 0
    for level, start in _trials(optimizer, rungs, eta):
        cost = price(rungs[level], start)
        if cost > left or cost <= 0 or followed == MOST:
            break
        left -= cost
        followed += 1
        spent[level] += cost
        trials[level] += 1
    scale = budget / (budget - left) if followed == MOST else 1.0
    return tuple(
        Step(rung, cost / many if many else price(rung, _behind(rungs, level)), round(many * scale))
        for level, (rung, cost, many) in enumerate(zip(rungs, spent, trials, strict=True))
    )


def _behind(rungs: Sequence[Rung], level: int) -> int:
    """Epochs that a configuration promoted to `level` has behind it; 0 where it starts from scratch."""
    before = rungs[level - 1].epochs if level else 0
    return before if before < rungs[level].epochs else 0


def _trials(optimizer: str, rungs: Sequence[Rung], eta: int) -> Iterator[tuple[int, int]]:
    """(level, first epoch) of one trial after the other, without an end."""
    if len(rungs) == 1 or optimizer in SINGLE:
        return ((len(rungs) - 1, 0) for _ in count())
    if optimizer == "one-epoch":
        return _one_epoch(rungs)
    if optimizer in ("hyperband", "smac-stock"):
        return _brackets(rungs, eta)
    return _asynchronous(rungs, eta, upper=optimizer == "smac")


def _one_epoch(rungs: Sequence[Rung]) -> Iterator[tuple[int, int]]:
    """As in `mfbo.optimizers.one_epoch`."""
    every = max(1, round(rungs[-1].work / rungs[0].work) - 1)
    for number in count(1):
        yield 0, 0
        if number % every == 0:
            yield len(rungs) - 1, _behind(rungs, len(rungs) - 1)


def _brackets(rungs: Sequence[Rung], eta: int) -> Iterator[tuple[int, int]]:
    """Hyperband's: each begins at another rung, with about the same cost."""
    most = len(rungs) - 1
    for number in count():
        first = number % len(rungs)
        many = -(-(most + 1) * eta ** (most - first) // (most - first + 1))
        for level in range(first, len(rungs)):
            start = 0 if level == first else _behind(rungs, level)
            yield from ((level, start) for _ in range(max(1, many // eta ** (level - first))))


def _asynchronous(rungs: Sequence[Rung], eta: int, *, upper: bool) -> Iterator[tuple[int, int]]:
    """As in `mfbo.optimizers.asha`; with `upper`, some configurations begin high up, as behind `smac`."""
    results, gone = [0] * len(rungs), [0] * len(rungs)
    top, begun = len(rungs) - 1, 0
    while True:
        level = next((k for k in range(top - 1, -1, -1) if results[k] // eta > gone[k]), None)
        if level is None:
            begun += 1
            level, start = _first(begun, top) if upper and results[top] >= FULL_RESULTS else 0, 0
        else:
            gone[level] += 1
            level, start = level + 1, _behind(rungs, level + 1)
        results[level] += 1
        yield level, start


def _first(number: int, top: int) -> int:
    """Where a configuration of `smac` begins once there are full results: one in `UPPER` at each of the two highest."""
    return {0: top, 1: max(0, top - 1)}.get(number % UPPER, 0)
