"""Several objectives as one: ParEGO, around an optimizer that knows of one loss only.

Knowles 2006 (IEEE Trans. Evol. Comput. 10:1), as SMAC3 has it: the augmented Chebyshev norm of the scaled objectives,
under weights that change. Here they change after every `RESULTS_PER_WEIGHTS` results, and then the losses of all
earlier results are replaced by those under the new weights, so that losses under different weights are never compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from ConfigSpace import ConfigurationSpace
from smac import Scenario
from smac.multi_objective.parego import ParEGO
from smac.utils.multi_objective import normalize_costs

from mfbo.constraints import missing as missing_constraint
from mfbo.constraints import penalised, violation
from mfbo.errors import NoObjective
from mfbo.objectives import SCALES, missing, values
from mfbo.optimizers.spec import RevisesLosses

if TYPE_CHECKING:
    from mfbo.constraints import Constraint
    from mfbo.optimizers.spec import Optimizer
    from mfbo.trial import Config, Outcome, Trial

RESULTS_PER_WEIGHTS = 4
SCALE_RESULTS = 8  # at a rung, before it sets the scales alone
MIN_LOG_VALUE = 1e-12  # smaller values count as this on a logarithmic scale


class Scalarised:
    """Tells an optimizer one loss in place of several objectives.

    Args:
        inner: the optimizer; where it learns from losses it must be a `RevisesLosses`.
        names: of the objectives.
        seed: of the run; the weights follow from it and from the number of results.
        constraints: of the run; what breaks one is told as worse than all that keep to them, under any weights.
    """

    def __init__(
        self, inner: Optimizer, names: Sequence[str], seed: int, constraints: Sequence[Constraint] = ()
    ) -> None:
        self._inner, self._names, self._constraints = inner, tuple(names), tuple(constraints)
        scenario = Scenario(ConfigurationSpace({"x": (0.0, 1.0)}), objectives=list(names), seed=seed)
        self._weigh = ParEGO(scenario, seed=seed)
        self._weigh.update_on_iteration_start()
        self._told: list[tuple[float, tuple[float, ...] | None]] = []  # (work, scaled values), None for a failure
        self._violations: list[float] = []

    def ask(self) -> Trial | None:
        """What the optimizer asks."""
        return self._inner.ask()

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Tell what the outcome comes to under the present weights.

        Raises:
            NoObjective: it lacks an objective or a metric of a constraint, and so did all before it.
        """
        found = values(outcome, self._names)
        off = violation(outcome, self._constraints) if found is not None else 0.0
        if off is None:
            if all(known is None for _, known in self._told):
                raise NoObjective(missing_constraint(outcome, self._constraints))
            found, off = None, 0.0
        if found is None and outcome.loss is not None and all(known is None for _, known in self._told):
            raise NoObjective(missing(outcome, self._names))
        scaled = None if found is None else tuple(map(_scaled, self._names, found))
        self._told.append((trial.rung.work, scaled))
        self._violations.append(off)
        losses = self._losses()
        self._inner.tell(trial, replace(outcome, loss=losses[-1], metrics={}))  # a spread is not in this unit
        if len(self._told) % RESULTS_PER_WEIGHTS == 0:
            self._weigh.update_on_iteration_start()
            if isinstance(self._inner, RevisesLosses):
                self._inner.revise_losses(self._losses())

    def pending(self) -> Collection[str] | None:
        """What the optimizer may ask again."""
        return self._inner.pending()

    def remember(self, configs: Sequence[Config]) -> None:
        """See `Optimizer.remember`."""
        self._inner.remember(configs)

    def _losses(self) -> list[float | None]:
        """All that was told, in order, under the present weights and scales."""
        bounds = self._bounds()
        found = [None if v is None else float(self._weigh(normalize_costs(list(v), bounds))) for _, v in self._told]
        return penalised(found, self._violations)

    def _bounds(self) -> list[tuple[float, float]]:
        """For each objective the best value and the median: one unit of it. At the highest rung that has enough."""
        told = [(work, found) for work, found in self._told if found is not None]
        works = sorted({work for work, _ in told}, reverse=True)
        enough = [work for work in works if sum(at == work for at, _ in told) >= SCALE_RESULTS]
        chosen = [found for work, found in told if not enough or work == enough[0]]
        return [(min(column), median(column)) for column in zip(*chosen, strict=True)]


def _scaled(name: str, found: float) -> float:
    """A value on the scale on which it is compared."""
    return math.log(max(found, MIN_LOG_VALUE)) if name in SCALES else found
