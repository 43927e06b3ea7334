"""What is each ingredient of `smac` worth? The suite with one switched off at a time.

    MFBO_DATA=... python experiments/suite.py --families small --seeds 6 --optimizers \
        smac,ablation:without_cost,ablation:every_rung,ablation:fixed_random,ablation:without_logarithm,ablation:one_rung

Each function is an optimizer for `suite.py`; the last result is in suite.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mfbo.optimizers.smac.optimizer import CurveOptimizer
from mfbo.task import Task
from mfbo.trial import Rung


def switch(owner: object, name: str, replacement: object) -> None:
    """Put a replacement in the place of a part.

    Raises:
        AttributeError: there is no such part any more, so that nothing would be switched off.
    """
    if not hasattr(owner, name):
        raise AttributeError(f"{type(owner).__name__} has no {name!r} any more: this ablation would change nothing")
    setattr(owner, name, replacement)


def without_cost(task: Task, rungs: Sequence[Rung], seed: int) -> CurveOptimizer:
    """Expected improvement alone, whatever it costs."""
    found = CurveOptimizer(task.space, rungs, seed)
    switch(found._facade.selector._encoder, "log_cost", lambda rows: np.zeros(len(rows)))
    return found


def every_rung(task: Task, rungs: Sequence[Rung], seed: int) -> CurveOptimizer:
    """All rungs are used, whatever they tell and cost."""
    found = CurveOptimizer(task.space, rungs, seed)
    switch(found._facade.selector, "levels", lambda: list(range(len(rungs))))
    return found


def fixed_random(task: Task, rungs: Sequence[Rung], seed: int) -> CurveOptimizer:
    """Of new configurations 15% are random, whoever does better."""
    found = CurveOptimizer(task.space, rungs, seed)
    switch(found._facade.selector, "_random_share", lambda: 0.15)
    return found


def without_logarithm(task: Task, rungs: Sequence[Rung], seed: int) -> CurveOptimizer:
    """The surrogate is told losses as they are."""

    def plain(values: np.ndarray) -> np.ndarray:
        good = values[~np.isnan(values)]
        worst = 2 * good.max() - good.min() if len(good) else 0.0
        return np.where(np.isnan(values), worst, values)

    found = CurveOptimizer(task.space, rungs, seed)
    switch(found._facade.selector._encoder, "transform_response_values", plain)
    return found


def one_rung(task: Task, rungs: Sequence[Rung], seed: int) -> CurveOptimizer:
    """The surrogate is told of the highest rung that has three results alone, as SMAC's facade would have it."""
    found = CurveOptimizer(task.space, rungs, seed)
    encoder = found._facade.selector._encoder
    everything = encoder.transform

    def highest(budget_subset: None = None, first: int | None = None, level: int = 0) -> tuple[np.ndarray, np.ndarray]:
        levels = [i for i in range(len(rungs)) if encoder.count(i) >= 3]
        return everything(None, first, max([level, *levels]) if first is None else level)

    switch(encoder, "transform", highest)
    return found
