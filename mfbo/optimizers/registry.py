"""The only list of optimizers. A new one is a module of this package with a `SPEC`, and its name in `MODULES`."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from mfbo.errors import BadValue, UnknownName
from mfbo.optimizers.spec import BuildInputs, Optimizer, OptimizerSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.fidelity import Fidelity
    from mfbo.search import Search
    from mfbo.task import Task
    from mfbo.trial import Known, Rung

MODULES = (
    "smac",
    "smac_stock",
    "hyperband",
    "random_search",
    "random_2x",
    "grid",
    "asha",
    "one_epoch",
    "tpe",
)

OPTIMIZERS: dict[str, OptimizerSpec] = {
    spec.name: spec for spec in (import_module(f"mfbo.optimizers.{module}").SPEC for module in MODULES)
}
DEFAULT_OPTIMIZER = "smac"


def spec_of(name: str) -> OptimizerSpec:
    """The optimizer of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in OPTIMIZERS:
        raise UnknownName("optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name]


def names_with(feature: str) -> list[str]:
    """Names of the optimizers for which a field of `OptimizerSpec`, such as ``takes_prior``, is true."""
    return [name for name, spec in OPTIMIZERS.items() if getattr(spec, feature)]


def make(search: Search, task: Task, rungs: Sequence[Rung], earlier: Sequence[Known] = ()) -> Optimizer:
    """Build the optimizer of a search.

    Args:
        search: its optimizer, and the options that reach it.
        task: its space and grid.
        rungs: the ladder, low to full.
        earlier: results of an earlier run, for an optimizer that takes them.

    Raises:
        UnknownName: no such optimizer.
        BadSpace: the space has nothing to tune, or choices that a ledger cannot hold.
        BadValue: several objectives, for an optimizer that takes one.
    """
    spec = spec_of(search.optimizer)
    if search.objectives and not spec.takes_objectives:
        several = ", ".join(names_with("takes_objectives"))
        raise BadValue(f"{spec.name} supports one objective only; these support several: {several}")
    from mfbo.optimizers.sampling import check_space

    check_space(task.space)
    known = tuple(earlier) if spec.takes_earlier_results else ()
    used = search if spec.takes_prior else replace(search, prior=None)
    optimizer = spec.build(BuildInputs(task, list(rungs), used, known))
    if search.objectives:
        from mfbo.optimizers.parego import Scalarised

        return Scalarised(optimizer, search.objectives, search.seed, search.constraints)
    if search.subject_to:
        from mfbo.optimizers.constrained import constrained

        return constrained(optimizer, search.constraints)
    return optimizer


def ladder_of(name: str, fidelity: Fidelity, path: str | None) -> list[Rung]:
    """The rungs that an optimizer evaluates at.

    Args:
        name: one of `OPTIMIZERS`.
        fidelity: of the task.
        path: through it; the default one if None.

    Raises:
        UnknownName: no such optimizer.
    """
    return spec_of(name).rungs(fidelity.ladder(path), fidelity, 0.0)
