"""An optimizer that is told of infeasible results as worse than all feasible ones; see `mfbo.constraints`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mfbo.constraints import feasible_range, missing, penalised, violation
from mfbo.errors import NoObjective
from mfbo.optimizers.spec import RevisesLosses

if TYPE_CHECKING:
    from mfbo.constraints import Constraint
    from mfbo.optimizers.spec import Optimizer
    from mfbo.trial import Config, Outcome, Trial

FURTHER = ("add_result", "grow")  # what some optimizers can beside `Optimizer`


class Constrained:
    """Tells an optimizer a loss above that of every feasible result where a constraint is broken.

    As the worst feasible loss changes, an optimizer that revises losses is told of all anew.

    Args:
        inner: the optimizer.
        constraints: of the run.
    """

    def __init__(self, inner: Optimizer, constraints: Sequence[Constraint]) -> None:
        self._inner, self._constraints = inner, tuple(constraints)
        self._told: list[tuple[float | None, float]] = []  # (loss, violation)
        self._span = (0.0, 0.0)

    def ask(self) -> Trial | None:
        """What the optimizer asks."""
        return self._inner.ask()

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Tell the outcome with the loss that its violation gives it.

        Raises:
            NoObjective: it lacks a metric of a constraint, and so did all before it.
        """
        off = violation(outcome, self._constraints) if outcome.status == "ok" else 0.0
        if off is None:
            if all(loss is None for loss, _ in self._told):
                raise NoObjective(missing(outcome, self._constraints))
            outcome, off = replace(outcome, status="invalid", loss=None), 0.0
        self._told.append((outcome.loss, off))
        losses = self._losses()
        metrics = {} if off else outcome.metrics  # a spread is not in the unit of what is added
        self._inner.tell(trial, replace(outcome, loss=losses[-1], metrics=metrics))
        if self._changed() and isinstance(self._inner, RevisesLosses):
            self._inner.revise_losses(losses)

    def pending(self) -> Collection[str] | None:
        """What the optimizer may ask again."""
        return self._inner.pending()

    def remember(self, configs: Sequence[Config]) -> None:
        """See `Optimizer.remember`."""
        self._inner.remember(configs)

    def _changed(self) -> bool:
        before, self._span = self._span, feasible_range(*self._columns())
        return before != self._span and any(off for _, off in self._told)

    def _losses(self) -> list[float | None]:
        return penalised(*self._columns())

    def _columns(self) -> tuple[list[float | None], list[float]]:
        return [loss for loss, _ in self._told], [off for _, off in self._told]


def constrained(optimizer: Optimizer, constraints: Sequence[Constraint]) -> Optimizer:
    """`optimizer` under constraints, able to do what it can without."""
    more = {name: _handing_on(name) for name in FURTHER if hasattr(optimizer, name)}
    made: Optimizer = type("Constrained", (Constrained,), more)(optimizer, constraints)
    return made


def _handing_on(name: str) -> Callable[..., object]:
    """A method that calls the optimizer's own."""
    return lambda self, *values, **options: getattr(self._inner, name)(*values, **options)
