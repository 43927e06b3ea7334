"""Hyperband's brackets: successive halving from each rung in turn (Li et al. 2018, JMLR 18:185).

A bracket is drawn one configuration at a time, and where a space runs out it ends with those it got.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)
"""A configuration, or what stands for one."""


def bracket_sizes(rungs: int, eta: int) -> list[list[int]]:
    """Configurations at each stage of each bracket; bracket k begins at level k. As in BOHB and SMAC3."""
    sizes = []
    for stages in range(rungs, 0, -1):
        first = -(-rungs * eta ** (stages - 1) // stages)  # rounded up
        sizes.append([first // eta**stage for stage in range(stages)])
    return sizes


class Bracket(Generic[C]):
    """One run of successive halving: the configurations of its present stage, and the losses told so far."""

    def __init__(self, start: int, size: int) -> None:
        self.start, self.stage, self.size = start, 0, size
        self.configs: list[C] = []
        self.asked = 0
        self.losses: dict[C, float] = {}

    @property
    def level(self) -> int:
        """The rung of the present stage."""
        return self.start + self.stage


class Brackets(Generic[C]):
    """Which configuration is evaluated next, and at which rung; the best of a stage go on when all of it is told.

    Args:
        rungs: how many.
        eta: the best 1/eta of a rung is promoted.
        draw: a new configuration that will begin at the given level; None where the space is used up.
    """

    def __init__(self, rungs: int, eta: int, draw: Callable[[int], C | None]) -> None:
        self.sizes = bracket_sizes(rungs, eta)
        self._draw = draw
        self._open: list[Bracket[C]] = []
        self._begun = 0
        self._exhausted = False

    def ask(self) -> tuple[C, int] | None:
        """(configuration, level); None where there is none until more is told, or ever."""
        while True:
            for bracket in list(self._open):
                self._promote(bracket)
                if (config := self._next_of(bracket)) is not None:
                    return config, bracket.level
            if self._exhausted:
                return None
            start = self._begun % len(self.sizes)
            self._begun += 1
            self._open.append(Bracket(start, self.sizes[start][0]))

    def tell(self, config: C, level: int, loss: float | None) -> None:
        """Add the loss of a configuration that was asked for; None where it failed."""
        for bracket in self._open:
            waiting = config in bracket.configs[: bracket.asked] and config not in bracket.losses
            if waiting and bracket.level == level:
                bracket.losses[config] = math.inf if loss is None else loss
                return

    def revise(self, config: C, level: int, loss: float) -> None:
        """Replace a loss; what was promoted stays so."""
        for bracket in self._open:
            if bracket.level == level and config in bracket.losses:
                bracket.losses[config] = loss

    def configs(self) -> list[C]:
        """Those that may still be promoted."""
        return [config for bracket in self._open for config in bracket.configs]

    def _next_of(self, bracket: Bracket[C]) -> C | None:
        if bracket.stage == 0 and bracket.asked == len(bracket.configs) < bracket.size:
            config = self._draw(bracket.start)
            if config is None:
                self._exhausted, bracket.size = True, len(bracket.configs)
                self._promote(bracket)  # all that there will ever be may be told
            else:
                bracket.configs.append(config)
        if bracket.asked < len(bracket.configs):
            bracket.asked += 1
            return bracket.configs[bracket.asked - 1]
        if not bracket.size:
            self._open.remove(bracket)
        return None

    def _promote(self, bracket: Bracket[C]) -> None:
        if not bracket.configs or len(bracket.losses) < bracket.size:
            return
        sizes = self.sizes[bracket.start]
        if bracket.stage + 1 == len(sizes):
            self._open.remove(bracket)
            return
        share = sizes[bracket.stage + 1] / sizes[bracket.stage]
        bracket.size = max(1, min(sizes[bracket.stage + 1], round(bracket.size * share)))
        ranked = sorted(bracket.configs, key=bracket.losses.__getitem__)
        bracket.configs = [config for config in ranked if bracket.losses[config] < math.inf][: bracket.size]
        bracket.size, bracket.asked, bracket.losses = len(bracket.configs), 0, {}
        bracket.stage += 1
