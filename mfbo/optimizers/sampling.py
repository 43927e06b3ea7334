"""Drawing configurations from a space: at random, or from a grid; never one twice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.hyperparameters import CategoricalHyperparameter, Constant, Hyperparameter, OrdinalHyperparameter
from ConfigSpace.util import deactivate_inactive_hyperparameters

from mfbo.errors import BadSpace
from mfbo.trial import Config, Value, config_key

BATCH = 64
TRIES = 200  # draws without a new configuration, before a space counts as used up
MOST = 1_000_000  # points of a grid that are visited at most
POINTS = {1: 10, 2: 5, 3: 5}  # values a numeric hyperparameter gets on a grid, by their number; else 3


def plain(config: Configuration) -> Config:
    """Its values as plain Python, so that they survive JSON; inactive hyperparameters are absent."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in dict(config).items()}


def beats(loss: float, level: float, known: Sequence[tuple[float, float]]) -> bool:
    """Whether a result is better than all of `known`, (level, loss), at its level or above; or than any, if none is."""
    rivals = [other for at, other in known if at >= level] or [other for _, other in known]
    return loss < min(rivals, default=math.inf)


def check_space(space: ConfigurationSpace) -> None:
    """Refuse what no optimizer or ledger can deal with.

    Raises:
        BadSpace: there is nothing to tune, or a choice is a list, a tuple or an object.
    """
    if len(space) == 0:
        raise BadSpace("the space has no hyperparameters; there is nothing to tune")
    for name, hyperparameter in space.items():
        for value in _listed(hyperparameter) or []:
            if not isinstance(value, bool | int | float | str | None):
                raise BadSpace(f"choice {value!r} of {name!r}: give a number, a word, True, False or None")


def random_configs(space: ConfigurationSpace, seed: int) -> Iterator[Config]:
    """Different configurations, uniformly from `space` (on their log scales), until it is used up."""
    space = deepcopy(space)
    space.seed(seed)
    seen: set[str] = set()
    misses = 0
    while misses < TRIES:
        for sampled in space.sample_configuration(BATCH):
            config = plain(sampled)
            key = config_key(config)
            misses += 1
            if key not in seen:
                seen.add(key)
                misses = 0
                yield config


def grid_configs(space: ConfigurationSpace, given: Mapping[str, Sequence[Value]], seed: int) -> Iterator[Config]:
    """The grid of `space` in a shuffled order.

    Args:
        space: categories and constants are taken as they are, numbers spread over their range, ends included.
        given: values to use instead, by hyperparameter.
        seed: of the order.

    Raises:
        BadSpace: `given` names what is not in the space, or a value outside its range.
    """
    axes = grid_axes(space, given)
    size = math.prod(len(values) for values in axes.values())
    seen: set[str] = set()
    for index in _shuffled(size, random.Random(seed)):
        config = _point(space, axes, index)
        if config is None or (key := config_key(config)) in seen:
            continue
        seen.add(key)
        yield config


def _shuffled(size: int, rng: random.Random) -> Iterator[int]:
    """The numbers below `size` in a random order; `MOST` of them where there are more."""
    if size <= MOST:
        yield from rng.sample(range(size), size)
        return
    seen: set[int] = set()
    while len(seen) < MOST:
        index = rng.randrange(size)
        if index not in seen:
            seen.add(index)
            yield index


def grid_axes(space: ConfigurationSpace, given: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
    """The values of each hyperparameter on the grid; see `grid_configs`."""
    for name in given:
        if name not in space:
            raise BadSpace(f"grid names {name!r}, which is not in the space; there are: {', '.join(space)}")
    numeric = [h for h in space.values() if not isinstance(h, CategoricalHyperparameter | OrdinalHyperparameter)]
    points = POINTS.get(len(numeric), 3)
    axes: dict[str, list[Value]] = {}
    for name, hyperparameter in space.items():
        values = list(given[name]) if name in given else _spread(hyperparameter, points)
        wrong = [value for value in values if not hyperparameter.legal_value(value)]
        if wrong:
            raise BadSpace(f"grid value {wrong[0]!r} of {name!r} is outside the space: {hyperparameter}".strip())
        axes[name] = values
    return axes


def _listed(hyperparameter: Hyperparameter) -> list[Value] | None:
    """The values of a hyperparameter that lists them."""
    if isinstance(hyperparameter, Constant):
        return [hyperparameter.value]
    if isinstance(hyperparameter, CategoricalHyperparameter):
        return list(hyperparameter.choices)
    return list(hyperparameter.sequence) if isinstance(hyperparameter, OrdinalHyperparameter) else None


def _spread(hyperparameter: Hyperparameter, points: int) -> list[Value]:
    if (listed := _listed(hyperparameter)) is not None:
        return listed
    values = [hyperparameter.to_value(i / (points - 1)) for i in range(points)]
    numbers = [value.item() if hasattr(value, "item") else value for value in values]
    return list(dict.fromkeys(numbers))


def _point(space: ConfigurationSpace, axes: Mapping[str, Sequence[Value]], index: int) -> Config | None:
    """The grid's point of that number, without its inactive hyperparameters; None where it is forbidden."""
    values: Config = {}
    for name, choices in axes.items():
        index, position = divmod(index, len(choices))
        values[name] = choices[position]
    try:
        return plain(deactivate_inactive_hyperparameters(values, space))
    except ForbiddenValueError:
        return None
