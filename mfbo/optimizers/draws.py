"""New configurations for brackets, in groups whose random numbers follow from the seed and the group's number alone.

So a group whose configurations are remembered from a ledger can be passed over without being computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace

from mfbo.optimizers.legal import is_scarce
from mfbo.optimizers.priors import Prior
from mfbo.optimizers.sampling import TRIES, plain, random_configs
from mfbo.trial import Config, config_key

GROUP_SIZE = 4
"""Configurations drawn from one surrogate. SMAC ships 8, which did worse on branin, hartmann6 and a noisy function with
crossing curves (10 seeds, 50 full evaluations)."""

Suggest: TypeAlias = Callable[[Sequence[int], int], Iterable[Configuration]]
"""(four seeds, number drawn so far) -> a surrogate's suggestions, best first; none while it knows too little."""


class GroupedDraws:
    """Configurations of a space, none twice: those given first, then near a prior, suggested, or at random.

    Args:
        space: what to tune; its random state is used.
        seed: of the run.
        suggest: a surrogate's suggestions; None to draw at random always.
    """

    def __init__(self, space: ConfigurationSpace, seed: int, suggest: Suggest | None = None) -> None:
        self._space, self._seed, self._suggest = space, seed, suggest
        self._prior: Prior | None = None
        self._groups = 0
        self._seen: dict[str, None] = {}
        self._remembered: list[Config] = []
        self._first: list[Config] = []
        self._added: Config | None = None
        self._source = self._configs()
        self._scarce = is_scarce(space)
        self._left = random_configs(space, seed)  # where chance finds few
        self.level = 0  # at which what is drawn will begin

    def use_prior(self, prior: Prior) -> None:
        """Draw the prior first, and then near it as long as results support it."""
        self._prior = prior
        self._first.insert(0, prior.config)

    def draw_next(self, config: Config) -> None:
        """Draw this one next, in place of the one that was named so before."""
        self._first = [*(other for other in self._first if other is not self._added), config]
        self._added = config

    def begin_with(self, configs: Sequence[Config]) -> None:
        """Draw these first."""
        self._first = list(configs)

    def remember(self, configs: Sequence[Config]) -> None:
        """Configurations that will be drawn next, in order."""
        self._remembered = list(configs)

    def draw(self, level: int) -> Config | None:
        """A new configuration, which will begin at `level`; None where the space is used up."""
        self.level = level
        return next(self._source, None)

    def _configs(self) -> Iterator[Config]:
        while drawn := self._next_group():
            yield from drawn

    def _next_group(self) -> list[Config]:
        group, self._groups = self._groups, self._groups + 1
        if len(self._remembered) < GROUP_SIZE:
            self._remembered = []
            return self._draw(group)
        drawn, self._remembered = self._remembered[:GROUP_SIZE], self._remembered[GROUP_SIZE:]
        self._seen.update(dict.fromkeys(map(config_key, drawn)))
        self._first = [config for config in self._first if config_key(config) not in self._seen]
        return drawn

    def _draw(self, group: int) -> list[Config]:
        seeds = [int(seed) for seed in np.random.SeedSequence([self._seed, group]).generate_state(5)]
        self._space.seed(seeds[0])
        drawn: list[Config] = []
        while self._first and len(drawn) < GROUP_SIZE:
            self._add_new(self._first.pop(0), drawn)
        if self._prior:
            for number in range(group * GROUP_SIZE, (group + 1) * GROUP_SIZE - len(drawn)):
                near = self._prior.draw(number, self.level, incumbent=self._suggest is None)
                any(self._add_new(config, drawn) for config in near)  # the first that is new
        for config in self._suggest(seeds[1:], len(self._seen)) if self._suggest else ():
            if len(drawn) == GROUP_SIZE:
                break
            self._add_new(plain(config), drawn)
        misses = 0
        while len(drawn) < GROUP_SIZE and misses < TRIES and not self._scarce:
            misses = 0 if self._add_new(plain(self._space.sample_configuration()), drawn) else misses + 1
        while len(drawn) < GROUP_SIZE and (left := next(self._left, None)) is not None:
            self._add_new(left, drawn)
        return drawn

    def _add_new(self, config: Config, drawn: list[Config]) -> bool:
        """Append a configuration unless it was drawn before."""
        key = config_key(config)
        if key in self._seen:
            return False
        self._seen[key] = None
        drawn.append(config)
        return True
