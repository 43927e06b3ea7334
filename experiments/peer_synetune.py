"""Syne Tune's multi-fidelity schedulers behind mfbo's ask and tell; see `peers`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import FloatHyperparameter, Hyperparameter, OrdinalHyperparameter
from peer_base import Dice, choices, decoded, refuse, single
from syne_tune import config_space as theirs_space
from syne_tune.backend.trial_status import Trial as TheirTrial
from syne_tune.optimizer.scheduler import SchedulerDecision

from mfbo.fidelity import ETA
from mfbo.trial import Config, Rung

LOSS, TIME = "loss", "resource"


class SyneTune:
    """Does for a scheduler what Syne Tune's `Tuner` does: a trial reports at each rung, and is stopped or goes on.

    Args:
        scheduler: a class of ``syne_tune.optimizer.baselines``.
        space: what to tune; flat.
        rungs: the ladder, low to full; Syne Tune is given ``eta**level``.
        seed: 0 or more.

    Raises:
        BadSpace: the space has conditions or forbidden clauses.
    """

    def __init__(self, scheduler: Any, space: ConfigurationSpace, rungs: Sequence[Rung], seed: int) -> None:
        refuse("Syne Tune", space, conditions=False)
        self._space, self._rungs, self._dice = space, list(rungs), Dice(seed)
        domains = {name: _domain(h) for name, h in space.items() if not single(h)}
        most = ETA ** (len(rungs) - 1)
        self._scheduler = scheduler(
            domains, LOSS, TIME, most, random_seed=seed, grace_period=1, reduction_factor=ETA, do_minimize=True
        )
        self._climbing: deque[tuple[TheirTrial, Config, int]] = deque()
        self._begun = 0

    def suggest(self) -> tuple[Any, Config, int]:
        """A trial that goes on, or a new one."""
        if self._climbing:
            return self._climbing.popleft()
        with self._dice.own():
            suggested = self._scheduler.suggest()
            trial = TheirTrial(self._begun, suggested.config, datetime.now())
            self._begun += 1
            self._scheduler.on_trial_add(trial)
        return trial, decoded(self._space, suggested.config), 0

    def report(self, theirs: Any, config: Config, level: int, loss: float | None) -> None:
        """At the last rung the trial is complete; below, the scheduler decides."""
        with self._dice.own():
            if loss is None:
                self._scheduler.on_trial_error(theirs)
                return
            result = {LOSS: loss, TIME: ETA**level}
            if level + 1 == len(self._rungs):
                self._scheduler.on_trial_complete(theirs, result)
            elif self._scheduler.on_trial_result(theirs, result) == SchedulerDecision.CONTINUE:
                self._climbing.append((theirs, config, level + 1))
            else:
                self._scheduler.on_trial_remove(theirs)


def _domain(hyperparameter: Hyperparameter) -> Any:
    """Syne Tune's domain of the same kind; listed values by their index."""
    listed = choices(hyperparameter)
    if listed is not None:
        if isinstance(hyperparameter, OrdinalHyperparameter):
            return theirs_space.ordinal(list(range(len(listed))), kind="equal")
        return theirs_space.choice(list(range(len(listed))))
    low, high, log = hyperparameter.lower, hyperparameter.upper, bool(hyperparameter.log)
    if isinstance(hyperparameter, FloatHyperparameter):
        return (theirs_space.loguniform if log else theirs_space.uniform)(float(low), float(high))
    return (theirs_space.lograndint if log else theirs_space.randint)(int(low), int(high))
