"""The scheduling rule behind `smac`: asynchronous successive halving over the rungs in use.

A configuration in the best 1/eta of its rung goes on to the next one in use, the highest rung first, and nobody waits
(ASHA, Li et al. 2020, arXiv:1810.05934). Which rungs are in use is `levels.RungChoice`; a new configuration begins at
the lowest of them, whatever is believed of it: "The lowest rung first" in experiments/suite.md has what skipping rungs
had cost.
"""

from __future__ import annotations

from collections.abc import Sequence

from mfbo.fidelity import ETA
from mfbo.optimizers.rungs import RungResults
from mfbo.optimizers.spec import numbered
from mfbo.trial import Config, Outcome, Rung, Trial


class HalvingRule:
    """Which configuration is promoted, and where a new one begins; configurations are numbers.

    Args:
        rungs: how many.
        eta: the best 1/eta of a rung is promoted.
    """

    def __init__(self, rungs: int, eta: int = ETA) -> None:
        self.results = RungResults(rungs)
        self._eta = eta

    def grow(self, rungs: int, *, best: bool = False) -> None:
        """See `RungResults.grow`."""
        self.results.grow(rungs, best=best)

    def promote(self, levels: Sequence[int] | None = None) -> tuple[int, int] | None:
        """(number, next level of those in use, all where None); None where nothing is to be promoted now."""
        return self.results.promote(self._eta, levels)

    def exhaust(self, levels: Sequence[int] | None = None) -> tuple[int, int] | None:
        """The same where there are no new configurations any more: from now on all go to higher rungs, best first."""
        self._eta = 1
        return self.promote(levels)


class SurrogateFreeHalving:
    """The rule over numbered configurations that all begin at the lowest rung; for planning.

    Args:
        rungs: the ladder, low to full.
        eta: the best 1/eta of a rung is promoted.
    """

    def __init__(self, rungs: Sequence[Rung], eta: int) -> None:
        self._rungs = list(rungs)
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._rule = HalvingRule(len(self._rungs), eta)
        self._source = numbered()
        self._asked = 0

    def ask(self) -> Trial:
        """A promotion, or a new configuration."""
        promotion = self._rule.promote()
        number, level = promotion or (0, 0)
        config: Config = {"number": number} if promotion else next(self._source)
        self._asked += 1
        return Trial(self._asked - 1, config, self._rungs[level])

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Add the loss at that rung."""
        self._rule.results.add(self._level[trial.rung], int(trial.config["number"]), outcome.loss)
