"""NePS's multi-fidelity algorithms behind mfbo's ask and tell; see `peers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import neps
import torch
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import FloatHyperparameter, Hyperparameter, OrdinalHyperparameter
from peer_base import Dice, choices, decoded, refuse, single

from mfbo.fidelity import ETA
from mfbo.trial import Config, Rung

FIDELITY = "mfbo_fidelity"


class Neps:
    """NePS's own `AskAndTell`.

    Args:
        algorithm: makes one of ``neps.algorithms`` of a pipeline space.
        space: what to tune; flat.
        rungs: the ladder, low to full; NePS is given ``eta**level``.
        seed: 0 or more.
        priors: whether NePS is told the space's defaults as its user's belief, with its default confidence.

    Raises:
        BadSpace: the space has conditions or forbidden clauses.
    """

    def __init__(
        self,
        algorithm: Callable[[Any], Any],
        space: ConfigurationSpace,
        rungs: Sequence[Rung],
        seed: int,
        *,
        priors: bool,
    ) -> None:
        refuse("NePS", space, conditions=False)
        self._space, self._dice = space, Dice(seed, torch)
        domains = {name: _domain(h, priors) for name, h in space.items() if not single(h)}
        domains[FIDELITY] = neps.IntegerFidelity(lower=1, upper=ETA ** (len(rungs) - 1))
        optimizer = algorithm(type("Space", (neps.PipelineSpace,), domains)())
        assert dict(optimizer.rung_to_fid) == {level: ETA**level for level in range(len(rungs))}
        self._neps = neps.AskAndTell(optimizer)
        self._levels = {fidelity: level for level, fidelity in optimizer.rung_to_fid.items()}

    def suggest(self) -> tuple[Any, Config, int]:
        """NePS's next trial."""
        with self._dice.own():
            trial = self._neps.ask()
        return trial, decoded(self._space, trial.config), self._levels[trial.config[FIDELITY]]

    def report(self, theirs: Any, config: Config, level: int, loss: float | None) -> None:
        """A failure is told as the exception that NePS would have caught."""
        with self._dice.own():
            self._neps.tell(theirs, RuntimeError("the trial failed") if loss is None else float(loss))


def _domain(hyperparameter: Hyperparameter, priors: bool) -> Any:
    """NePS's domain of the same kind; listed values by their index."""
    listed = choices(hyperparameter)
    default = hyperparameter.default_value
    if listed is not None:
        belief = {"prior": listed.index(default), "prior_confidence": "medium"} if priors else {}
        if isinstance(hyperparameter, OrdinalHyperparameter):
            return neps.Integer(0, len(listed) - 1, **belief)
        return neps.Categorical(tuple(range(len(listed))), **belief)
    low, high, log = hyperparameter.lower, hyperparameter.upper, bool(hyperparameter.log)
    if isinstance(hyperparameter, FloatHyperparameter):
        belief = {"prior": float(default), "prior_confidence": "medium"} if priors else {}
        return neps.Float(float(low), float(high), log=log, **belief)
    belief = {"prior": int(default), "prior_confidence": "medium"} if priors else {}
    return neps.Integer(int(low), int(high), log=log, **belief)
