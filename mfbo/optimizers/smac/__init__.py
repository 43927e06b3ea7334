"""`smac`, the default: SMAC's multi-fidelity facade with parts of our own, which learn from every rung at once.

| part | SMAC's | ours |
|---|---|---|
| facade, loop | wiring, `ask`, `tell` (`MultiFidelityFacade`, `SMBO`) | no files, no incumbent (`QuietSMBO`) |
| record of results | `RunHistory` | the order of the tells, no passes over all of it (`history.ResultHistory`) |
| encoder | the interface | configurations as rows, losses on a log scale, costs (`encoder.CurveEncoder`) |
| model | the interface | one Gaussian process over configuration and fidelity (`curve_gp.CurveProcess`) |
| acquisition function | the interface | expected improvement at full fidelity and its cost (`full_ei.FullFidelityEI`) |
| acquisition maximizer | the interface | a search over many rows at a time (`full_ei.PointSearch`) |
| configuration selector | the interface | default, random, prior, surrogate (`selector.CurveSelector`) |
| intensifier | the interface | asynchronous halving, rung by rung (`intensifier.Promotions`, `halving.HalvingRule`) |
| configurations | `ConfigSpace` | |

Every result is kept once, in SMAC's run history; encoder, selector and intensifier read it there. What a field of that
record cannot say by itself:

- ``cost`` must be finite: a failure has the scenario's crash cost there, and is known by the status ``CRASHED``.
- the key is configuration, seed and budget: results from outside the run get seeds from 1 on, so that they stand beside
  the run's own, whose seed is 0.
- ``time`` is the cost of the trial; what it continued from and whether the clock was virtual are in `additional_info`.
- its order is that of the asks: `ResultHistory.result_keys` has that of the tells, and `version` rises where losses are
  replaced.

Not in it, as they are no results: which configurations were promoted (`HalvingRule`) and drawn (`CurveSelector`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfbo.optimizers.smac.halving import SurrogateFreeHalving
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec

if TYPE_CHECKING:
    from mfbo.optimizers.smac.optimizer import CurveOptimizer
    from mfbo.trial import Rung


def _build(inputs: BuildInputs) -> CurveOptimizer:
    from mfbo.optimizers.smac.optimizer import CurveOptimizer

    return CurveOptimizer(
        inputs.task.space, inputs.rungs, inputs.search.seed, inputs.earlier, inputs.prior, eta=inputs.search.eta
    )


def _schedule(rungs: Sequence[Rung], eta: int) -> SurrogateFreeHalving:
    return SurrogateFreeHalving(rungs, eta)


SPEC = OptimizerSpec(
    name="smac",
    description="SMAC3 with asynchronous halving, and one Gaussian process over configuration and fidelity",
    build=_build,
    schedule=_schedule,
    colour="#0072B2",
    marker="o",
    takes_prior=True,
    takes_earlier_results=True,
    takes_objectives=True,
    grows=True,
    overhead=0.02,
)
