"""Results by rung, and which are promoted: asynchronous successive halving (Li et al. 2020, arXiv:1810.05934)."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence


class RungResults:
    """The results at each rung of a ladder, and which configurations were promoted from it.

    Args:
        rungs: how many; level 0 is the lowest.
    """

    def __init__(self, rungs: int) -> None:
        self._results: list[list[tuple[float, int]]] = [[] for _ in range(rungs)]  # (loss, number), best first
        self._promoted: list[set[int]] = [set() for _ in range(rungs)]
        self._best_is_due = False

    def grow(self, rungs: int, *, best: bool = False) -> None:
        """Use `rungs` rungs; new ones are above the others, and those that go were never promoted to.

        Args:
            rungs: how many.
            best: the best of the highest level that has results is promoted next, to the highest.
        """
        self._best_is_due = best
        del self._results[rungs:], self._promoted[rungs:]
        self._results += [[] for _ in range(rungs - len(self._results))]
        self._promoted += [set() for _ in range(rungs - len(self._promoted))]

    def add(self, level: int, number: int, loss: float | None) -> None:
        """Add the loss of configuration `number` at `level`; None or infinity where it failed."""
        insort(self._results[level], (math.inf if loss is None else loss, number))

    def count(self, level: int) -> int:
        """Results at `level`."""
        return len(self._results[level])

    def clear(self) -> None:
        """Remove all results, which will be added again; what was promoted stays so."""
        for results in self._results:
            results.clear()

    def promote(self, eta: int, levels: Sequence[int] | None = None) -> tuple[int, int] | None:
        """(number, next level) of the best configuration in the best 1/eta of its rung that was not promoted yet.

        The highest rung first. What failed is never promoted. None where there is nothing.

        Args:
            eta: the best 1/eta of a rung is promoted.
            levels: those to promote to, the highest among them; all where None.
        """
        if self._best_is_due:
            self._best_is_due = False
            if found := self._best_below_top():
                self._promoted[found[0]].add(found[1])
                return found[1], len(self._results) - 1
        for level in range(len(self._results) - 2, -1, -1):
            results, promoted = self._results[level], self._promoted[level]
            promotable = len(results) // eta
            for loss, number in results[:promotable] if promotable > len(promoted) else ():
                if number in promoted or loss == math.inf:
                    continue
                promoted.add(number)
                return number, level + 1 if levels is None else min(at for at in levels if at > level)
        return None

    def _best_below_top(self) -> tuple[int, int] | None:
        """(level, number) of the best at the highest level below the top where one has not failed."""
        for level in range(len(self._results) - 2, -1, -1):
            if self._results[level] and (best := self._results[level][0])[0] < math.inf:
                return level, best[1]
        return None
