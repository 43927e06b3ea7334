"""`smac` as an optimizer of mfbo: it asks the facade, and translates rungs to SMAC's budgets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

from ConfigSpace import Configuration
from smac import Scenario
from smac.facade.multi_fidelity_facade import MultiFidelityFacade
from smac.runhistory import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped, unused-ignore]

from mfbo.average import averaged, spread_of
from mfbo.fidelity import ETA
from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import plain
from mfbo.optimizers.smac.curve_gp import CurveProcess
from mfbo.optimizers.smac.encoder import CurveEncoder
from mfbo.optimizers.smac.full_ei import FullFidelityEI, PointSearch
from mfbo.optimizers.smac.history import ResultHistory
from mfbo.optimizers.smac.intensifier import Promotions
from mfbo.optimizers.smac.selector import CurveSelector
from mfbo.optimizers.smac_stock.parts import QuietSMBO, bounded
from mfbo.trial import Config, Known, Outcome, Rung, Trial

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

logging.getLogger("smac").setLevel(logging.ERROR)  # it warns of its own fallbacks, which no user can act upon


class CurveSMBO(QuietSMBO):
    """SMAC's loop over a history that remembers the order of the results."""

    history_class = ResultHistory


class CurveFacade(MultiFidelityFacade):
    """SMAC's facade made of our parts, for ask and tell alone; see `mfbo.optimizers.smac`."""

    def __init__(
        self, space: ConfigurationSpace, budgets: Sequence[float], works: Sequence[float], seed: int, eta: int = ETA
    ) -> None:
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
            runhistory_encoder=CurveEncoder(scenario, budgets, works),
            config_selector=self.selector,
            overwrite=True,
        )

    def _get_optimizer(self) -> CurveSMBO:
        return CurveSMBO(self._scenario, self._runner, self._runhistory, self._intensifier, self._overwrite)

    def add_external(self, values: Config, budget: float, loss: float) -> None:
        """Add a result that was not asked for to the history."""
        history, config = self._runhistory, Configuration(self._scenario.configspace, values=values)
        seed = history.external_seed(history.config_ids.get(config))
        history.add(config, cost=bounded(loss), seed=seed, budget=budget)


class CurveOptimizer:
    """Asks the facade; translates rungs to SMAC's budgets.

    Args:
        space: what to tune; a copy is taken.
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
        earlier: Sequence[Known] = (),
        prior: Config | None = None,
        *,
        eta: int = ETA,
    ) -> None:
        self._rungs, self._eta = list(rungs), eta
        self._budgets = [float(eta**level) for level in range(len(rungs))]
        self._facade = CurveFacade(deepcopy(space), self._budgets, [rung.work for rung in rungs], seed, eta)
        self._running: dict[int, TrialInfo] = {}
        self._asked = 0
        # small matrices gain nothing from more threads; they would lose much on a busy machine, and the last digits
        # would depend on their number
        self._threads = ThreadpoolController()
        for result in earlier:
            self._facade.add_external(result.config, self._budgets[self._level(result.rung)], result.loss)
        if earlier:
            self._facade.selector.begin_with_best()
        if prior is not None:
            self._facade.selector.use_prior(Prior(space, prior, seed))

    def ask(self) -> Trial | None:
        """A promotion or a new configuration; None where there is neither until more is told."""
        with self._threads.limit(limits=1):
            info = self._facade.ask()
        if info is None:
            return None
        trial = Trial(self._asked, plain(info.config), self._rungs[self._budgets.index(info.budget)])
        self._running[trial.id] = info
        self._asked += 1
        return trial

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Hand loss and cost to SMAC's history; what has no loss is told as a failure, or as out of memory."""
        rung, start = trial.rung, outcome.start_epoch
        facts: dict[str, object] = {"work": rung.work * (rung.epochs - start) / rung.epochs, "virtual": outcome.virtual}
        facts |= {"memory": outcome.status == "memory", "spread": spread_of(outcome), "averaged": averaged(outcome)}
        self._facade.tell(self._running.pop(trial.id), self._value(outcome.loss, outcome.cost, facts), save=False)

    def grow(self, rungs: Sequence[Rung], *, best: bool = False) -> None:
        """See `mfbo.optimizers.spec.GrowsLadder`."""
        self._rungs = list(rungs)
        self._budgets = [float(self._eta**level) for level in range(len(rungs))]
        self._facade.promotions.grow(self._budgets, best=best)
        self._facade.selector.grow(self._budgets, [rung.work for rung in rungs])

    def revise_losses(self, losses: Sequence[float | None]) -> None:
        """See `mfbo.optimizers.spec.RevisesLosses`; there are no results of an earlier run then."""
        history = self._facade.runhistory
        for key, loss in zip(list(history.result_keys), losses, strict=True):
            before = history[key]
            info = TrialInfo(history.get_config(key.config_id), seed=key.seed, budget=key.budget)
            self._facade.tell(info, self._value(loss, before.time, before.additional_info), save=False)

    def add_result(self, result: Known) -> None:
        """See `mfbo.optimizers.spec.AcceptsResults`."""
        level = self._level(result.rung)
        self._facade.selector.draw_if_best(result.config, level, result.loss)
        self._facade.add_external(result.config, self._budgets[level], result.loss)

    def pending(self) -> None:
        """Whatever was told may be among the best of its rung one day."""

    def remember(self, configs: Sequence[Config]) -> None:
        """See `Optimizer.remember`."""
        self._facade.selector.remember(configs)

    def _value(self, loss: float | None, seconds: float, facts: dict[str, object]) -> TrialValue:
        """A result as SMAC's history keeps it."""
        cost = self._facade.scenario.crash_cost if loss is None else bounded(loss)
        failed = StatusType.MEMORYOUT if facts.get("memory") else StatusType.CRASHED
        status = failed if loss is None else StatusType.SUCCESS
        return TrialValue(cost=cost, time=seconds, status=status, additional_info=facts)

    def _level(self, rung: Rung) -> int:
        """That of the highest rung whose work `rung` has done."""
        return max((level for level, own in enumerate(self._rungs) if own.work <= rung.work + 1e-9), default=0)
