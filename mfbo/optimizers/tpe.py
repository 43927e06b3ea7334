"""`tpe`: Optuna's tree-structured Parzen estimator with its Hyperband pruner, the strongest common peer.

Bergstra et al. 2011 (NeurIPS); multivariate and grouped, as Optuna advises for spaces with conditions. A trial of
Optuna's climbs the ladder, and its pruner decides after each rung whether it goes on.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mfbo.errors import MissingExtra
from mfbo.fidelity import ETA
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec
from mfbo.trial import Config, Outcome, Rung, Trial, config_key

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from ConfigSpace.hyperparameters import Hyperparameter

MAX_REPEATS = 200  # suggestions without a new configuration, before the space counts as used up
PROPOSALS = 50  # of Optuna's that are forbidden or known, before a random configuration takes their place


class Tpe:
    """Asks an Optuna study; speaks in rungs where Optuna speaks in steps.

    Args:
        space: what to tune.
        rungs: the ladder, low to full; Optuna is given ``eta**index`` for each.
        seed: 0 or more.
        eta: the best 1/eta of a rung is promoted.
        random: draw at random, and keep Optuna's pruner alone.

    Raises:
        MissingExtra: Optuna is not installed.
    """

    def __init__(
        self, space: ConfigurationSpace, rungs: Sequence[Rung], seed: int, eta: int = ETA, *, random: bool = False
    ) -> None:
        try:
            self._optuna = importlib.import_module("optuna")
        except ImportError as error:
            raise MissingExtra.of("optuna", "tpe") from error
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        steps = [eta**level for level in range(len(rungs))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            tpe = partial(self._optuna.samplers.TPESampler, multivariate=True, group=True)
            sampler = (self._optuna.samplers.RandomSampler if random else tpe)(seed=seed)
        pruner = self._optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps[-1], reduction_factor=eta)
        # the pruner deals trials to its brackets by the name of the study
        self._study = self._optuna.create_study(study_name="mfbo", sampler=sampler, pruner=pruner)
        self._space, self._rungs, self._steps = space, list(rungs), steps
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._running: dict[int, Any] = {}
        self._climbing: list[tuple[Any, Config, int]] = []  # trials that go on, to which rung
        self._losses: dict[str, float | None] = {}  # the last one of each configuration
        self._asked = 0
        from mfbo.optimizers.legal import is_scarce
        from mfbo.optimizers.sampling import random_configs

        self._random = random_configs(space, seed)
        self._proposals = 3 if is_scarce(space) else PROPOSALS

    def ask(self) -> Trial | None:
        """A trial that goes on, or a new configuration; None where there is none left.

        Where Optuna suggests only what is forbidden or was suggested before, a random one is put into its queue.
        """
        if self._climbing:
            return self._trial(*self._climbing.pop(0))
        for attempt in range(MAX_REPEATS):
            if attempt >= self._proposals and not self._enqueued():
                return None
            theirs = self._study.ask()
            config = self._suggested(theirs)
            if config is None:  # forbidden
                self._study.tell(theirs, state=self._optuna.trial.TrialState.FAIL)
            elif (key := config_key(config)) in self._losses:  # suggested before
                loss = self._losses[key]
                state = self._optuna.trial.TrialState.FAIL if loss is None else None
                self._study.tell(theirs, loss, state=state)
            else:
                self._losses[key] = None
                return self._trial(theirs, config, 0)
        return None

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Report the loss of that rung; the trial ends there, or goes on to the next."""
        theirs, level, states = self._running.pop(trial.id), self._level[trial.rung], self._optuna.trial.TrialState
        if outcome.loss is None:
            self._study.tell(theirs, state=states.FAIL)
            return
        self._losses[trial.key] = outcome.loss
        theirs.report(outcome.loss, self._steps[level])
        if level + 1 == len(self._rungs):
            self._study.tell(theirs, outcome.loss)
        elif theirs.should_prune():
            self._study.tell(theirs, state=states.PRUNED)
        else:
            self._climbing.append((theirs, trial.config, level + 1))

    def pending(self) -> set[str]:
        """Those that were not pruned."""
        return {config_key(config) for _, config, _ in self._climbing}

    def remember(self, configs: Sequence[Config]) -> None:
        """Asking again takes milliseconds."""

    def _trial(self, theirs: Any, config: Config, level: int) -> Trial:
        trial = Trial(self._asked, config, self._rungs[level])
        self._asked += 1
        self._running[trial.id] = theirs
        return trial

    def _enqueued(self) -> bool:
        """Have Optuna ask for a random configuration that is new, if there is one left."""
        config = next((config for config in self._random if config_key(config) not in self._losses), None)
        if config is None:
            return False
        self._study.enqueue_trial({name: _theirs(self._space[name], value) for name, value in config.items()})
        return True

    def _suggested(self, theirs: Any) -> Config | None:
        """The configuration of Optuna's trial, parents before what they decide; None where it is forbidden."""
        from ConfigSpace import Configuration
        from ConfigSpace.exceptions import ForbiddenValueError

        from mfbo.optimizers.sampling import plain

        values: Config = {}
        for name, hyperparameter in self._space.items():
            if self._active(name, values):
                values[name] = _suggest(theirs, hyperparameter)
        try:
            return plain(Configuration(self._space, values=values))
        except ForbiddenValueError:
            return None

    def _active(self, name: str, values: Config) -> bool:
        conditions = self._space.parent_conditions_of[name]
        parents = {parent.name for parent in self._space.parents_of[name]}
        return parents <= set(values) and all(condition.satisfied_by_value(values) for condition in conditions)


def _theirs(hyperparameter: Hyperparameter, value: Any) -> Any:
    """A value as Optuna has it: what is listed by its place."""
    for name in ("choices", "sequence"):
        if hasattr(hyperparameter, name):
            return list(getattr(hyperparameter, name)).index(value)
    return value


def _suggest(theirs: Any, hyperparameter: Hyperparameter) -> Any:
    """A value, from Optuna's distribution of the same kind."""
    from ConfigSpace.hyperparameters import (
        CategoricalHyperparameter,
        Constant,
        FloatHyperparameter,
        OrdinalHyperparameter,
    )

    name = hyperparameter.name
    if isinstance(hyperparameter, Constant):
        return hyperparameter.value
    if isinstance(hyperparameter, CategoricalHyperparameter):
        return hyperparameter.choices[theirs.suggest_categorical(name, list(range(len(hyperparameter.choices))))]
    if isinstance(hyperparameter, OrdinalHyperparameter):
        return hyperparameter.sequence[theirs.suggest_int(name, 0, len(hyperparameter.sequence) - 1)]
    low, high, log = hyperparameter.lower, hyperparameter.upper, bool(getattr(hyperparameter, "log", False))
    if isinstance(hyperparameter, FloatHyperparameter):
        return theirs.suggest_float(name, float(low), float(high), log=log)
    return theirs.suggest_int(name, int(low), int(high), log=log)


def _build(inputs: BuildInputs) -> Tpe:
    return Tpe(inputs.task.space, inputs.rungs, inputs.search.seed, inputs.search.eta)


def _schedule(rungs: Sequence[Rung], eta: int) -> Tpe:
    from ConfigSpace import ConfigurationSpace

    return Tpe(ConfigurationSpace({"number": (0.0, 1.0)}), rungs, 0, eta, random=True)


SPEC = OptimizerSpec(
    name="tpe",
    description="Optuna's TPE with its Hyperband pruner (extra: tpe)",
    build=_build,
    schedule=_schedule,
    colour="#D55E00",
    marker="P",
    overhead=0.005,
)
