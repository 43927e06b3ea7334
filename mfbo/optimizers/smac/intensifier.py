"""`HalvingRule` as SMAC's intensifier: it asks for promotions and new configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ConfigSpace import Configuration
from smac import Scenario
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.runhistory import TrialInfo

from mfbo.fidelity import ETA
from mfbo.optimizers.smac.halving import HalvingRule


class Promotions(AbstractIntensifier):
    """Asks for trials; the budget of one is ``budgets[level]``.

    Args:
        scenario: SMAC's.
        budgets: of the rungs, low to full.
        eta: the best 1/eta of a rung is promoted.
    """

    uses_seeds = True  # 0 for a trial of the run
    uses_budgets = True
    uses_instances = False
    uses_cutoffs = False

    def __init__(self, scenario: Scenario, budgets: Sequence[float], eta: int = ETA) -> None:
        self._eta = eta
        self._budgets = list(budgets)
        super().__init__(scenario)

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self._configs: list[Configuration] = []
        self._numbers: dict[int, int] = {}  # by SMAC's id of the configuration
        self._rule = HalvingRule(len(self._budgets), self._eta)
        self._read, self._version = 0, 0

    def __iter__(self) -> Iterator[TrialInfo | None]:
        """Trials; None where there is none until more is told, or ever."""
        while True:
            self._read_results()
            levels = self.config_selector.levels()
            if found := self._rule.promote(levels):
                yield self._trial(self._configs[found[0]], found[1])
            elif config := next(self.config_generator, None):
                number = len(self._configs)
                self._configs.append(config)
                yield self._trial(config, levels[0])
                self._numbers[config.config_id] = number  # SMAC gives the id when it notes that the trial runs
            elif found := self._rule.exhaust(self.config_selector.levels()):
                yield self._trial(self._configs[found[0]], found[1])
            else:
                yield None

    def grow(self, budgets: Sequence[float], *, best: bool = False) -> None:
        """Have these rungs: those so far, and some above them; `best` goes to the highest next."""
        self._budgets = list(budgets)
        self._rule.grow(len(budgets), best=best)

    def level_of(self, info: TrialInfo) -> int:
        """The level of a trial's budget."""
        return self._budgets.index(info.budget)

    def _read_results(self) -> None:
        """What SMAC's history has got of the run's own trials since the last time; all of it where losses changed."""
        history = self.runhistory
        if history.version != self._version:
            self._rule.results.clear()
            self._read, self._version = 0, history.version
        for key in history.result_keys[self._read :]:
            if key.seed == 0:
                level = self._budgets.index(key.budget)
                self._rule.results.add(level, self._numbers[key.config_id], history.loss(key))
        self._read = len(history.result_keys)

    def _trial(self, config: Configuration, level: int) -> TrialInfo:
        return TrialInfo(config=config, seed=0, budget=self._budgets[level])
