"""What the synthetic tasks share: a train function made of two formulas, and noise that is always the same.

The noise of a trial follows from its configuration, its data fraction, the seed of the run and the epoch, through
SHAKE-256: every process, machine and version of Python and NumPy draws the same (NumPy promises that of no generator).
One call of the hash gives a whole curve, and a longer curve begins with the shorter one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfbo.context import Context
from mfbo.trial import Config, Measurement, Rung, config_key

Floats: TypeAlias = NDArray[np.float64]


class Formula(Protocol):
    """A synthetic loss; a class or a module."""

    def losses(self, config: Config, rung: Rung, seed: int, /) -> Floats:
        """(rung.epochs,), the loss after each epoch, given the seed of the run."""

    def at_full(self, config: Config, /) -> float:
        """The loss at full fidelity without noise."""


@dataclass(frozen=True)
class Curves:
    """A train function that reads its learning curve and its cost off formulas, and so continues from any epoch.

    Attributes:
        losses: (configuration, rung, seed of the run) -> (rung.epochs,), the loss after each epoch.
        costs: (configuration, rung) -> (rung.epochs,), virtual seconds from scratch until the end of each epoch.
    """

    losses: Callable[[Config, Rung, int], Floats]
    costs: Callable[[Config, Rung], Floats]

    def __call__(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Report each epoch after ``context.start_epoch``, and charge for these alone.

        Raises:
            TrialStopped: from ``context.report``: the time is up.
        """
        losses = self.losses(config, rung, context.seed).tolist()
        costs = self.costs(config, rung).tolist()
        start = context.start_epoch
        paid = costs[start - 1] if start else 0.0
        for epoch in range(start, rung.epochs):
            context.report(losses[epoch], epoch=epoch + 1, cost=costs[epoch] - paid)
        return Measurement(losses[-1], cost=costs[-1] - paid)


@dataclass(frozen=True)
class EvenCost:
    """Every epoch costs the same, in every configuration: a full evaluation is 1 virtual second.

    Attributes:
        epochs: of a full evaluation.
    """

    epochs: int

    def __call__(self, _config: Config, rung: Rung) -> Floats:
        """(rung.epochs,), virtual seconds from scratch."""
        return epochs_of(rung) * (rung.data / self.epochs)


def epochs_of(rung: Rung) -> Floats:
    """1, 2, ... until the epochs of `rung`."""
    return np.arange(1.0, rung.epochs + 1)


def uniforms(config: Config, rung: Rung, seed: int, each: int) -> Floats:
    """Numbers in [0, 1) that belong to this configuration, data fraction and seed: (rung.epochs, each)."""
    # six digits: a fraction that another machine's logarithm rounds differently draws the same
    name = f"{config_key(config)} {rung.data:.6f} {seed}"
    drawn = np.frombuffer(hashlib.shake_256(name.encode()).digest(8 * rung.epochs * each), dtype="<u8")
    found: Floats = ((drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(rung.epochs, each)
    return found


def normals(config: Config, rung: Rung, seed: int) -> Floats:
    """Standard normal numbers, one an epoch: (rung.epochs,); Box and Muller 1958."""
    radius, angle = uniforms(config, rung, seed, 2).T
    found: Floats = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
    return found
