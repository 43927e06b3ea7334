"""`smac-stock`: Hyperband's brackets with the random-forest surrogate of SMAC's multi-fidelity facade.

A model in place of Hyperband's random draws is BOHB, Falkner et al. 2018 (ICML); the facade is SMAC3's, Lindauer et al.
2022 (JMLR 23:54).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

from mfbo.fidelity import ETA
from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import plain
from mfbo.optimizers.smac_stock.parts import Facade
from mfbo.trial import Config, Known, Outcome, Rung, Trial, config_key

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from smac.runhistory import TrialInfo


class BracketOptimizer:
    """Asks SMAC's facade; translates rungs to SMAC's budgets.

    Args:
        space: what to tune; a copy is taken, for its random state is used.
        rungs: the ladder, low to full; SMAC is given ``eta**index`` for each.
        seed: 0 or more.
        earlier: results of an earlier run, which the surrogate begins with; the best of them are asked first.
        prior: a configuration believed to be good, which is asked before them.
        eta: the best 1/eta of a rung is promoted.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        rungs: Sequence[Rung],
        seed: int,
        *,
        earlier: Sequence[Known] = (),
        prior: Config | None = None,
        eta: int = ETA,
    ) -> None:
        self._rungs = list(rungs)
        self._budgets = [float(eta**i) for i in range(len(rungs))]
        self._facade = Facade(deepcopy(space), self._budgets, eta, seed)
        self._running: dict[int, TrialInfo] = {}
        self._told: list[tuple[Trial, TrialInfo]] = []
        self._asked = 0
        self._facade.begin_with([(result.config, self._budget(result.rung), result.loss) for result in earlier])
        self._prior = Prior(space, prior, seed) if prior is not None else None
        if self._prior:
            self._facade.draws.use_prior(self._prior)

    def ask(self) -> Trial | None:
        """The next trial of the brackets."""
        info = self._facade.ask()
        if info is None:
            return None
        trial = Trial(self._asked, plain(info.config), self._rungs[self._budgets.index(info.budget)])
        self._running[trial.id] = info
        self._asked += 1
        return trial

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Hand the loss on; what has none is told as a failure."""
        info = self._running.pop(trial.id)
        self._told.append((trial, info))
        self._facade.add(info, outcome.loss)
        if self._prior:
            self._prior.add(trial.config, self._rungs.index(trial.rung), outcome.loss)

    def revise_losses(self, losses: Sequence[float | None]) -> None:
        """See `mfbo.optimizers.spec.RevisesLosses`."""
        if self._prior:
            self._prior.clear()
        for (trial, info), loss in zip(self._told, losses, strict=True):
            if loss is not None:
                self._facade.revise(info, loss)
            if self._prior:
                self._prior.add(trial.config, self._rungs.index(trial.rung), loss)

    def add_result(self, result: Known) -> None:
        """See `mfbo.optimizers.spec.AcceptsResults`."""
        self._facade.add_external(result.config, self._budget(result.rung), result.loss)

    def pending(self) -> set[str]:
        """Those in the present stage of a bracket."""
        return {config_key(plain(config)) for config in self._facade._intensifier.brackets.configs()}

    def remember(self, configs: Sequence[Config]) -> None:
        """See `Optimizer.remember`."""
        self._facade.draws.remember(configs)

    def _budget(self, rung: Rung) -> float:
        """That of the highest rung whose work `rung` has done."""
        return max(b for b, own in zip(self._budgets, self._rungs, strict=True) if own.work <= rung.work + 1e-9)
