"""`asha`: asynchronous successive halving, which never waits for a rung to fill up.

Li et al. 2020 (MLSys, arXiv:1810.05934), with random configurations that all begin at the lowest rung.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mfbo.fidelity import ETA
from mfbo.optimizers.rungs import RungResults
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec, numbered
from mfbo.trial import Config, Outcome, Rung, Trial

if TYPE_CHECKING:
    from mfbo.optimizers.priors import Prior


class Asha:
    """Promotes whatever is in the best part of its rung, highest rung first; else draws a new configuration.

    Args:
        source: new configurations.
        rungs: the ladder, low to full.
        prior: is told the results, where `source` draws near it.
        eta: the best 1/eta of a rung is promoted.
    """

    def __init__(
        self, source: Iterator[Config], rungs: Sequence[Rung], prior: Prior | None = None, eta: int = ETA
    ) -> None:
        self._source, self._rungs, self._prior, self._eta = source, list(rungs), prior, eta
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._results = RungResults(len(self._rungs))
        self._configs: list[Config] = []
        self._told: list[Trial] = []

    def ask(self) -> Trial | None:
        """A promotion, or a new configuration; None where there is neither until more is told."""
        if promotion := self._promotion(self._eta):
            return promotion
        if (config := next(self._source, None)) is not None:
            return self._trial(config, 0)
        return self._promotion(1)  # the space is used up: evaluate what there is at higher rungs

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Note the loss at that rung; what failed is worse than anything, and goes no further."""
        self._told.append(trial)
        self._note(trial, outcome.loss)

    def revise_losses(self, losses: Sequence[float | None]) -> None:
        """See `mfbo.optimizers.spec.RevisesLosses`."""
        self._results.clear()
        if self._prior:
            self._prior.clear()
        for trial, loss in zip(self._told, losses, strict=True):
            self._note(trial, loss)

    def grow(self, rungs: Sequence[Rung], *, best: bool = False) -> None:
        """See `mfbo.optimizers.spec.GrowsLadder`."""
        self._rungs = list(rungs)
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._results.grow(len(self._rungs), best=best)

    def _note(self, trial: Trial, loss: float | None) -> None:
        level = self._level[trial.rung]
        self._results.add(level, trial.id, loss)
        if self._prior:
            self._prior.add(trial.config, level, loss)

    def pending(self) -> None:
        """Whatever was told may be among the best of its rung one day."""

    def remember(self, configs: Sequence[Config]) -> None:
        """Drawing them again costs nothing."""

    def _promotion(self, eta: int) -> Trial | None:
        found = self._results.promote(eta)
        return self._trial(self._configs[found[0]], found[1]) if found else None

    def _trial(self, config: Config, level: int) -> Trial:
        self._configs.append(config)
        return Trial(len(self._configs) - 1, config, self._rungs[level])


def _build(inputs: BuildInputs) -> Asha:
    from mfbo.optimizers.priors import Prior, near
    from mfbo.optimizers.sampling import random_configs

    space, seed = inputs.task.space, inputs.search.seed
    source = random_configs(space, seed)
    if inputs.prior is None:
        return Asha(source, inputs.rungs, eta=inputs.search.eta)
    prior = Prior(space, inputs.prior, seed)
    return Asha(near(prior, source), inputs.rungs, prior, inputs.search.eta)


SPEC = OptimizerSpec(
    name="asha",
    description="asynchronous successive halving of random configurations",
    build=_build,
    schedule=lambda rungs, eta: Asha(numbered(), rungs, eta=eta),
    colour="#009E73",
    marker="v",
    takes_prior=True,
    takes_objectives=True,
    grows=True,
)
