"""`hyperband`: Hyperband's brackets of random configurations (Li et al. 2018, JMLR 18:185)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mfbo.fidelity import ETA
from mfbo.optimizers.brackets import Brackets
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec, numbered
from mfbo.trial import Config, Outcome, Rung, Trial, config_key

if TYPE_CHECKING:
    from mfbo.optimizers.priors import Prior


class Hyperband:
    """Asks for the trials of brackets.

    Args:
        draw: a new configuration that will begin at the given level; None where the space is used up.
        rungs: the ladder, low to full.
        prior: is told the results, where `draw` draws near it.
        eta: the best 1/eta of a rung is promoted.
    """

    def __init__(
        self,
        draw: Callable[[int], Config | None],
        rungs: Sequence[Rung],
        prior: Prior | None = None,
        eta: int = ETA,
    ) -> None:
        self._draw, self._rungs, self._prior = draw, list(rungs), prior
        self._level = {rung: level for level, rung in enumerate(self._rungs)}
        self._brackets: Brackets[int] = Brackets(len(self._rungs), eta, self._begin)
        self._configs: list[Config] = []  # brackets know them by their index
        self._running: dict[int, int] = {}
        self._told: list[tuple[Trial, int]] = []
        self._asked = 0

    def ask(self) -> Trial | None:
        """The next trial of the brackets; None where there is none until more is told, or ever."""
        found = self._brackets.ask()
        if found is None:
            return None
        index, level = found
        trial = Trial(self._asked, self._configs[index], self._rungs[level])
        self._running[trial.id] = index
        self._asked += 1
        return trial

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Add the loss; what failed is worse than anything, and goes no further."""
        index = self._running.pop(trial.id)
        self._told.append((trial, index))
        self._brackets.tell(index, self._level[trial.rung], outcome.loss)
        if self._prior:
            self._prior.add(trial.config, self._level[trial.rung], outcome.loss)

    def revise_losses(self, losses: Sequence[float | None]) -> None:
        """See `mfbo.optimizers.spec.RevisesLosses`."""
        if self._prior:
            self._prior.clear()
        for (trial, index), loss in zip(self._told, losses, strict=True):
            level = self._level[trial.rung]
            if loss is not None:
                self._brackets.revise(index, level, loss)
            if self._prior:
                self._prior.add(trial.config, level, loss)

    def pending(self) -> set[str]:
        """Those in the present stage of a bracket."""
        return {config_key(self._configs[index]) for index in self._brackets.configs()}

    def remember(self, configs: Sequence[Config]) -> None:
        """Drawing them again costs little."""

    def _begin(self, level: int) -> int | None:
        """The index of a new configuration that begins at `level`."""
        config = self._draw(level)
        if config is None:
            return None
        self._configs.append(config)
        return len(self._configs) - 1


def _build(inputs: BuildInputs) -> Hyperband:
    from copy import deepcopy

    from mfbo.optimizers.draws import GroupedDraws
    from mfbo.optimizers.priors import Prior

    space, seed = inputs.task.space, inputs.search.seed
    draws = GroupedDraws(deepcopy(space), seed)
    prior = None if inputs.prior is None else Prior(space, inputs.prior, seed)
    if prior:
        draws.use_prior(prior)
    return Hyperband(draws.draw, inputs.rungs, prior, inputs.search.eta)


def schedule(rungs: Sequence[Rung], eta: int) -> Hyperband:
    """The brackets over numbered configurations, for planning."""
    source = numbered()
    return Hyperband(lambda level: next(source), rungs, eta=eta)


SPEC = OptimizerSpec(
    name="hyperband",
    description="Hyperband's brackets of random configurations",
    build=_build,
    schedule=schedule,
    colour="#E69F00",
    marker="s",
    takes_prior=True,
    takes_objectives=True,
)
