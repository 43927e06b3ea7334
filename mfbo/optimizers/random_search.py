"""`random`: random search, every trial at full fidelity."""

from __future__ import annotations

from mfbo.optimizers.full_fidelity import FullFidelity, schedule
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec, top_rung


def _build(inputs: BuildInputs) -> FullFidelity:
    from mfbo.optimizers.sampling import random_configs

    return FullFidelity(random_configs(inputs.task.space, inputs.search.seed), inputs.rungs[-1])


SPEC = OptimizerSpec(
    name="random",
    description="random search, every trial at full fidelity",
    build=_build,
    schedule=schedule,
    colour="#000000",
    marker="^",
    rungs=top_rung,
    takes_objectives=True,
)
