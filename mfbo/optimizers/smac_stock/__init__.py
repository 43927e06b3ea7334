"""`smac-stock`: SMAC's multi-fidelity facade, mended where ask and tell need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.optimizers import hyperband
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec

if TYPE_CHECKING:
    from mfbo.optimizers.smac_stock.optimizer import BracketOptimizer


def _build(inputs: BuildInputs) -> BracketOptimizer:
    from mfbo.optimizers.smac_stock.optimizer import BracketOptimizer

    return BracketOptimizer(
        inputs.task.space,
        inputs.rungs,
        inputs.search.seed,
        earlier=inputs.earlier,
        prior=inputs.prior,
        eta=inputs.search.eta,
    )


SPEC = OptimizerSpec(
    name="smac-stock",
    description="SMAC3's multi-fidelity facade: Hyperband brackets over a random-forest surrogate",
    build=_build,
    schedule=hyperband.schedule,
    colour="#117733",
    marker="d",
    takes_prior=True,
    takes_earlier_results=True,
    takes_objectives=True,
    overhead=0.02,
)
