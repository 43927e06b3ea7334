"""`grid`: grid search in shuffled order, every trial at full fidelity."""

from __future__ import annotations

from mfbo.optimizers.full_fidelity import FullFidelity, schedule
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec, top_rung


def _build(inputs: BuildInputs) -> FullFidelity:
    from mfbo.optimizers.sampling import grid_configs

    task = inputs.task
    return FullFidelity(grid_configs(task.space, task.grid or {}, inputs.search.seed), inputs.rungs[-1])


SPEC = OptimizerSpec(
    name="grid",
    description="grid search in shuffled order, every trial at full fidelity",
    build=_build,
    schedule=schedule,
    colour="#CC79A7",
    marker="D",
    rungs=top_rung,
    takes_objectives=True,
)
