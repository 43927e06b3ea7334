"""`one-epoch`: every configuration is trained for one epoch, and the best of them in full.

Egele et al. 2023 (ESANN, arXiv:2307.15422) found this simple rule hard to beat. They name the number of configurations
beforehand; here the best one that was not yet trained in full is, whenever the first epochs since the last have cost
as much as that will. So half of the cost goes to either, whenever the budget ends.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mfbo.optimizers.spec import BuildInputs, OptimizerSpec, numbered
from mfbo.trial import Config, Outcome, Rung, Trial, config_key

if TYPE_CHECKING:
    from mfbo.fidelity import Fidelity


class OneEpoch:
    """Random configurations at the first rung, and in between the best one at the last.

    Args:
        source: new configurations.
        rungs: the first, of one epoch, and the full one; the same where there is but one.
    """

    def __init__(self, source: Iterator[Config], rungs: Sequence[Rung]) -> None:
        self._source, self._first, self._full = source, rungs[0], rungs[-1]
        self._every = max(1, round(self._full.work / self._first.work) - 1)
        self._waiting: list[tuple[float, int]] = []  # (loss after one epoch, trial), best first
        self._configs: list[Config] = []
        self._told = self._due = 0

    def ask(self) -> Trial | None:
        """The best configuration in full where it is its turn, else a new one; None where there is neither."""
        turn = self._due > 0 and self._waiting
        config = None if turn else next(self._source, None)
        if config is not None:
            return self._trial(config, self._first)
        if not self._waiting:
            return None
        self._due -= 1
        return self._trial(self._configs[self._waiting.pop(0)[1]], self._full)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Note a loss after one epoch; what failed is not trained in full."""
        if trial.rung != self._first or self._first == self._full:
            return
        self._told += 1
        self._due += self._told % self._every == 0
        if outcome.loss is not None and outcome.loss < math.inf:
            insort(self._waiting, (outcome.loss, trial.id))

    def pending(self) -> set[str]:
        """Those that are not yet trained in full."""
        return {config_key(self._configs[number]) for _, number in self._waiting}

    def remember(self, configs: Sequence[Config]) -> None:
        """Drawing them again costs nothing."""

    def _trial(self, config: Config, rung: Rung) -> Trial:
        self._configs.append(config)
        return Trial(len(self._configs) - 1, config, rung)


def _build(inputs: BuildInputs) -> OneEpoch:
    from mfbo.optimizers.sampling import random_configs

    return OneEpoch(random_configs(inputs.task.space, inputs.search.seed), inputs.rungs)


def _first_and_full(ladder: Sequence[Rung], fidelity: Fidelity, least: float) -> list[Rung]:
    """One epoch of the full evaluation's data, or as many epochs as `least` takes, and the full evaluation.

    Where even one epoch is a full evaluation, the ladder's lowest rung stands in for it.
    """
    data = ladder[-1].data
    epochs = max(fidelity.epoch_range[0], math.ceil(least / fidelity.work(1, data) * (1 - 1e-9)))
    first = fidelity.at(epochs, data)
    lowest = first if first.work < ladder[-1].work else ladder[0]
    return [lowest, ladder[-1]] if lowest.work < ladder[-1].work else list(ladder)


SPEC = OptimizerSpec(
    name="one-epoch",
    description="random configurations for one epoch, in between the best of them in full",
    build=_build,
    schedule=lambda rungs, eta: OneEpoch(numbered(), rungs),
    colour="#56B4E9",
    marker=">",
    rungs=_first_and_full,
)
