"""Which trial comes next behind `smac`: asynchronous successive halving of configurations that begin at any rung.

A configuration in the best third of its rung goes on to the next, the highest rung first, and nobody waits (ASHA, Li et
al. 2020, arXiv:1810.05934). A new one begins at the lowest rung. Once results at full fidelity are in, some that the
surrogate suggests begin higher up, two of five in the upper half: what low rungs can tell of the best region is told
after a while, and where they mislead, that is how it shows.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from smac import Scenario
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.runhistory import TrialInfo

from mfbo.fidelity import ETA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ConfigSpace import Configuration

FULL_RESULTS = 2  # at full fidelity, before configurations begin higher up
LOW_SHARE = 0.6  # of suggested configurations that begin at the lowest rung even then


class Promotions(AbstractIntensifier):
    """Asks for promotions and new configurations; the budget of a trial is ``budgets[level]``.

    Args:
        scenario: SMAC's.
        budgets: of the rungs, low to full.
    """

    def __init__(self, scenario: Scenario, budgets: Sequence[float]) -> None:
        self._budgets = list(budgets)
        super().__init__(scenario)

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self._configs: list[Configuration] = []
        self._results: list[list[tuple[float, int]]] = [[] for _ in self._budgets]  # (loss, configuration), best first
        self._promoted: list[set[int]] = [set() for _ in self._budgets]
        self._index: dict[Configuration, int] = {}

    @property
    def uses_seeds(self) -> bool:
        """SMAC's: a trial has a seed, always 0."""
        return True

    @property
    def uses_budgets(self) -> bool:
        """SMAC's: a trial has a budget."""
        return True

    @property
    def uses_instances(self) -> bool:
        """SMAC's: there are none."""
        return False

    @property
    def uses_cutoffs(self) -> bool:
        """SMAC's: there are none."""
        return False

    def __iter__(self) -> Iterator[TrialInfo | None]:
        """Trials; None where there is none until more is told, or ever."""
        draws, fraction = iter(self.config_generator), 1 / ETA
        while True:
            if found := self._promotion(fraction):
                yield found
            elif config := next(draws, None):
                yield self._begin(config)
            elif fraction == 1:
                yield None
            else:
                fraction = 1  # all are known: what is left is spent on knowing them better

    def told(self, info: TrialInfo, loss: float) -> None:
        """`info` came to `loss`; infinity where it failed."""
        insort(self._results[self.level_of(info)], (loss, self._index[info.config]))

    def level_of(self, info: TrialInfo) -> int:
        """The level of a trial's budget."""
        return self._budgets.index(info.budget)

    def _promotion(self, fraction: float) -> TrialInfo | None:
        """The best one that has a result, is in that fraction of its rung, and has not gone on; highest rung first."""
        for level in range(len(self._budgets) - 2, -1, -1):
            results, gone = self._results[level], self._promoted[level]
            first = int(len(results) * fraction + 1e-9)
            if first <= len(gone):
                continue
            for loss, config in results[:first]:
                if config not in gone and loss < math.inf:
                    gone.add(config)
                    return self._trial(self._configs[config], level + 1)
        return None

    def _begin(self, config: Configuration) -> TrialInfo:
        number = len(self._configs)
        self._index[config] = number
        self._configs.append(config)
        return self._trial(config, self._first_level(number))

    def _first_level(self, number: int) -> int:
        """Where the configuration of that number begins."""
        top = len(self._budgets) - 1
        if not self.config_selector.suggested or len(self._results[top]) < FULL_RESULTS:
            return 0
        u = float(np.random.RandomState(np.random.SeedSequence([self._seed, number, 1]).generate_state(1)).rand())
        if u < LOW_SHARE:
            return 0
        return top if u >= (1 + LOW_SHARE) / 2 else max(top - 1, min(top, 1))

    def _trial(self, config: Configuration, level: int) -> TrialInfo:
        return TrialInfo(config=config, seed=0, budget=self._budgets[level])
