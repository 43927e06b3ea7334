"""Which trial comes next behind `smac`: asynchronous successive halving of configurations that begin at any rung.

A configuration in the best third of its rung goes on to the next, the highest rung first, and nobody waits (ASHA, Li et
al. 2020, arXiv:1810.05934). A new one begins at the lowest rung that correlates with full fidelity, by the surrogate:
where low fidelity misleads, little is spent on it. After the first results at full fidelity, some that the surrogate
suggests begin in the upper half: low rungs have told what they can of the best region after a while.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from smac import Scenario
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.runhistory import TrialInfo

from mfbo.fidelity import ETA
from mfbo.optimizers.rungs import Rungs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ConfigSpace import Configuration

FULL_RESULTS = 2  # before configurations begin higher up
UPPER_SHARE = 0.2  # of suggested configurations that begin at the highest rung, and at the one below


class Promotions(AbstractIntensifier):
    """Asks for promotions and new configurations; the budget of a trial is ``budgets[level]``.

    Args:
        scenario: SMAC's.
        budgets: of the rungs, low to full.
        eta: one of so many is promoted.
    """

    def __init__(self, scenario: Scenario, budgets: Sequence[float], eta: int = ETA) -> None:
        self._eta = eta
        self._budgets = list(budgets)
        super().__init__(scenario)

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self._configs: list[Configuration] = []
        self._known = Rungs(len(self._budgets))
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
        draws, eta = iter(self.config_generator), self._eta
        while True:
            if found := self._known.promote(eta):
                yield self._trial(self._configs[found[0]], found[1])
            elif config := next(draws, None):
                yield self._begin(config)
            elif eta == 1:
                yield None
            else:
                eta = 1  # all are known: what is left is spent on knowing them better

    def forget(self) -> None:
        """All results, for they will be told again; what was promoted stays so."""
        self._known.forget()

    def told(self, info: TrialInfo, loss: float) -> None:
        """`info` came to `loss`; infinity where it failed."""
        self._known.told(self.level_of(info), self._index[info.config], loss)

    def level_of(self, info: TrialInfo) -> int:
        """The level of a trial's budget."""
        return self._budgets.index(info.budget)

    def _begin(self, config: Configuration) -> TrialInfo:
        number = len(self._configs)
        self._index[config] = number
        self._configs.append(config)
        return self._trial(config, self._first_level(number))

    def _first_level(self, number: int) -> int:
        """Where the configuration of that number begins."""
        top, selector = len(self._budgets) - 1, self.config_selector
        low = int(selector.trusted())
        known = self._known.known(top) >= FULL_RESULTS or selector.warm
        if not selector.suggested or not (known or low):
            return low
        u = float(np.random.RandomState(np.random.SeedSequence([self._seed, number, 1]).generate_state(1)).rand())
        if u < UPPER_SHARE * (1 + low):
            return top
        return max(low, top - 1) if u < UPPER_SHARE * (2 + low) else low

    def _trial(self, config: Configuration, level: int) -> TrialInfo:
        return TrialInfo(config=config, seed=0, budget=self._budgets[level])
