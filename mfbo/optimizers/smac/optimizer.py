"""`smac`: SMAC's loop around parts that learn from every rung at once.

::

    promotions.py   which trial is next: asynchronous halving               (SMAC: intensifier)
    selector.py     which configuration is new                              (SMAC: configuration selector)
    encoder.py      results as numbers                                      (SMAC: runhistory encoder)
    curve_gp.py     a Gaussian process over configuration and fidelity      (SMAC: model)
    full_ei.py      expected improvement at full fidelity, and the search   (SMAC: acquisition function, maximizer)
    points.py       configurations as rows of numbers
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from copy import deepcopy
from statistics import fmean
from typing import TYPE_CHECKING

from smac import Scenario
from smac.facade.multi_fidelity_facade import MultiFidelityFacade
from smac.runhistory import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped, unused-ignore]

from mfbo.fidelity import ETA
from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import plain
from mfbo.optimizers.smac.curve_gp import CurveProcess
from mfbo.optimizers.smac.encoder import CurveEncoder
from mfbo.optimizers.smac.full_ei import FullFidelityEI, PointSearch
from mfbo.optimizers.smac.promotions import Promotions
from mfbo.optimizers.smac.selector import CurveSelector
from mfbo.optimizers.smac_stock.parts import HUGE, QuietSMBO
from mfbo.trial import Config, Known, Outcome, Rung, Trial

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

logging.getLogger("smac").setLevel(logging.ERROR)  # it warns of its own fallbacks, which no user can act upon

THINKING = 0.05  # of the trials' own cost: where the usual thinking would take more, it thinks less
LESS = 0.25  # of the usual effort


def usual_thinking(results: int) -> float:
    """Seconds of an ask with its tell on one core of 2020 (experiments/thinking.py); a figure that replays share."""
    return 0.009 + 1.3e-5 * min(results, 1000)


class CurveFacade(MultiFidelityFacade):
    """SMAC's facade made of the parts above, for ask and tell alone."""

    def __init__(self, space: ConfigurationSpace, works: Sequence[float], seed: int, eta: int = ETA) -> None:
        budgets = [float(eta**level) for level in range(len(works))]
        scenario = Scenario(
            space, deterministic=True, crash_cost=1.0, min_budget=budgets[0], max_budget=budgets[-1], seed=seed
        )
        function = FullFidelityEI()
        self.selector = CurveSelector(scenario)
        self.promotions = Promotions(scenario, budgets, eta)
        super().__init__(
            scenario,
            target_function=None,
            model=CurveProcess(space, seed),
            acquisition_function=function,
            acquisition_maximizer=PointSearch(space, function, seed),
            initial_design=self.get_initial_design(scenario, n_configs=0),
            intensifier=self.promotions,
            runhistory_encoder=CurveEncoder(scenario, works),
            config_selector=self.selector,
            overwrite=True,
        )

    def _get_optimizer(self) -> QuietSMBO:
        return QuietSMBO(self._scenario, self._runner, self._runhistory, self._intensifier, self._overwrite)


class CurveOptimizer:
    """Asks the facade; speaks in rungs where SMAC speaks in budgets.

    Args:
        space: what to tune; a copy is taken.
        rungs: the ladder, low to full; SMAC is given ``eta**index`` for each.
        seed: 0 or more.
        known: results of an earlier run, which the surrogate begins with; the best of them are asked first.
        prior: a configuration believed in, which is asked before them.
        eta: one of so many is promoted.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        rungs: Sequence[Rung],
        seed: int,
        known: Sequence[Known] = (),
        prior: Config | None = None,
        *,
        eta: int = ETA,
    ) -> None:
        self._rungs = list(rungs)
        self._facade = CurveFacade(deepcopy(space), [rung.work for rung in rungs], seed, eta)
        self._running: dict[int, TrialInfo] = {}
        self._asked = 0
        self._costs: list[float] = []  # seconds of trials on a real clock
        self._told: list[TrialInfo] = []
        # small matrices gain nothing from more threads; they would lose much on a busy machine, and the last digits
        # would depend on their number
        self._threads = ThreadpoolController()
        if known:
            self._facade.selector.learn([(result.config, self._level(result.rung), result.loss) for result in known])
        if prior is not None:
            self._facade.selector.believe(Prior(space, prior, seed))

    def ask(self) -> Trial | None:
        """A promotion or a new configuration; None where there is neither until more is told."""
        with self._threads.limit(limits=1):
            info = self._facade.ask()
        if info is None:
            return None
        level = self._facade.promotions.level_of(info)
        trial = Trial(self._asked, plain(info.config), self._rungs[level])
        self._running[trial.id] = info
        self._facade.selector.started(trial.id, info, level)
        self._asked += 1
        return trial

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Hand loss and cost on; what has no loss is told as a failure."""
        info, loss = self._running.pop(trial.id), outcome.loss
        cost = self._facade.scenario.crash_cost if loss is None else min(max(loss, -HUGE), HUGE)
        status = StatusType.CRASHED if loss is None else StatusType.SUCCESS
        value = TrialValue(cost=cost, time=outcome.cost, status=status)
        self._facade.tell(info, value, save=False)
        self._told.append(info)
        self._facade.promotions.told(info, math.inf if loss is None else loss)
        self._facade.selector.ended(trial.id, trial.key, loss, self._price(trial.rung, outcome))
        if not outcome.virtual:
            self._costs.append(outcome.cost)
            cheap = usual_thinking(len(self._costs)) > THINKING * fmean(self._costs[-20:])
            self._facade.selector.effort = LESS if cheap else 1.0

    def retell(self, losses: Sequence[float | None]) -> None:
        """See `mfbo.optimizers.registry.Reteller`; there are no results of an earlier run then."""
        self._facade.promotions.forget()
        for info, loss in zip(self._told, losses, strict=True):
            self._facade.promotions.told(info, math.inf if loss is None else loss)
        self._facade.selector.retell(losses)

    def hear(self, known: Known) -> None:
        """See `mfbo.optimizers.registry.Hearer`."""
        self._facade.selector.hear(known.config, self._level(known.rung), known.loss)

    def pending(self) -> None:
        """Whatever was told may be among the best of its rung one day."""

    def remember(self, configs: Sequence[Config]) -> None:
        """See `Optimizer.remember`."""
        self._facade.selector.remember(configs)

    def _level(self, rung: Rung) -> int:
        """That of the highest rung whose work `rung` has done."""
        return max((level for level, own in enumerate(self._rungs) if own.work <= rung.work + 1e-9), default=0)

    def _price(self, rung: Rung, outcome: Outcome) -> float | None:
        """Seconds of a full evaluation at the rate of this trial."""
        done = rung.work * (rung.epochs - outcome.start_epoch) / rung.epochs
        return outcome.cost / done if outcome.loss is not None and done > 0 else None
