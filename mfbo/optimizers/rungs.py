"""Results by rung, and who of them is promoted: asynchronous successive halving (Li et al. 2020, arXiv:1810.05934)."""

from __future__ import annotations

import math
from bisect import insort


class Rungs:
    """What is known at each rung of a ladder, and what has gone on from it.

    Args:
        many: rungs; 0 is the lowest.
    """

    def __init__(self, many: int) -> None:
        self._results: list[list[tuple[float, int]]] = [[] for _ in range(many)]  # (loss, number), best first
        self._promoted: list[set[int]] = [set() for _ in range(many)]

    def told(self, level: int, number: int, loss: float | None) -> None:
        """What goes by `number` came to `loss` at `level`; None or infinity where it failed."""
        insort(self._results[level], (math.inf if loss is None else loss, number))

    def known(self, level: int) -> int:
        """Results at `level`."""
        return len(self._results[level])

    def forget(self) -> None:
        """All results, for they will be told again; what was promoted stays so."""
        for results in self._results:
            results.clear()

    def promote(self, eta: int) -> tuple[int, int] | None:
        """(number, level to go on to) of the best that is among one of `eta` of its rung and has not gone on.

        The highest rung first. What failed is never promoted. None where there is nothing.
        """
        for level in range(len(self._results) - 2, -1, -1):
            results, gone = self._results[level], self._promoted[level]
            many = len(results) // eta
            for loss, number in results[:many] if many > len(gone) else ():
                if number not in gone and loss < math.inf:
                    gone.add(number)
                    return number, level + 1
        return None
