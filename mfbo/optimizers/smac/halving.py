"""The scheduling rule behind `smac`: asynchronous successive halving of configurations that begin at any rung.

A configuration in the best 1/eta of its rung goes on to the next, the highest rung first, and nobody waits (ASHA, Li et
al. 2020, arXiv:1810.05934). A new one begins at the lowest rung that correlates with full fidelity, by the surrogate:
where low fidelity misleads, little is spent on it. After the first results at full fidelity, some that the surrogate
suggests begin in the upper half: low rungs have told what they can of the best region after a while.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from mfbo.fidelity import ETA
from mfbo.optimizers.rungs import RungResults
from mfbo.optimizers.spec import numbered
from mfbo.trial import Config, Outcome, Rung, Trial

FULL_RESULTS = 2
"""Results at full fidelity before configurations begin higher up. Not varied on its own; see `UPPER_SHARE`."""

UPPER_SHARE = 0.2
"""Of suggested configurations, the share that begins at the highest rung, and at the one below. 6 instances of LCBench,
4 seeds: regret at 16 is 0.057 with it and 0.085 without (experiments/suite.md)."""

RANDOM_SHARE = 0.15
"""Of new configurations, always drawn at random. Set on 6 instances of LCBench."""

FIRST_SUGGESTION = 8
"""Results before the surrogate suggests configurations. Set on 6 instances of LCBench."""


class HalvingRule:
    """Which configuration is promoted, and where a new one begins; configurations are numbers.

    Args:
        rungs: how many.
        eta: one of so many is promoted.
    """

    def __init__(self, rungs: int, eta: int = ETA) -> None:
        self.results = RungResults(rungs)
        self._top, self._eta = rungs - 1, eta

    def grow(self, rungs: int) -> None:
        """Have so many rungs; the new ones are above the others."""
        self.results.grow(rungs)
        self._top = rungs - 1

    def promote(self) -> tuple[int, int] | None:
        """(number, next level); None where nothing is to be promoted now."""
        return self.results.promote(self._eta)

    def exhaust(self) -> tuple[int, int] | None:
        """The same where there are no new configurations any more: from now on all go to higher rungs, best first."""
        self._eta = 1
        return self.promote()

    def first_level(self, u: float, lowest: int, *, informed: bool) -> int:
        """Where a configuration that a surrogate suggests begins.

        Args:
            u: uniform random number from 0 to 1.
            lowest: level that correlates with full fidelity.
            informed: whether the surrogate knows enough of the upper half without results of this run.
        """
        if not (lowest or informed or self.results.count(self._top) >= FULL_RESULTS):
            return lowest
        if u < UPPER_SHARE * (1 + lowest):
            return self._top
        return max(lowest, self._top - 1) if u < UPPER_SHARE * (2 + lowest) else lowest


class SurrogateFreeHalving:
    """The rule over numbered configurations, as many of them called suggestions as in a run; for planning.

    Args:
        rungs: the ladder, low to full.
        eta: one of so many is promoted.
    """

    def __init__(self, rungs: Sequence[Rung], eta: int) -> None:
        self._rungs = list(rungs)
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._rule = HalvingRule(len(self._rungs), eta)
        self._source = numbered()
        self._configs: list[Config] = []  # by trial
        self._first: dict[int, int] = {}
        self._random = random.Random(0)
        self._results = 0

    def ask(self) -> Trial:
        """A promotion, or a new configuration."""
        if found := self._rule.promote():
            number, level = found
            return self._trial({"number": number}, level)
        suggested = self._results >= FIRST_SUGGESTION and self._random.random() >= RANDOM_SHARE
        level = self._rule.first_level(self._random.random(), 0, informed=False) if suggested else 0
        return self._trial(next(self._source), level)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Add the loss at that rung."""
        self._results += 1
        self._rule.results.add(self._level[trial.rung], int(trial.config["number"]), outcome.loss)

    def _trial(self, config: Config, level: int) -> Trial:
        self._configs.append(config)
        return Trial(len(self._configs) - 1, config, self._rungs[level])
