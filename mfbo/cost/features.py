"""Configurations as rows of numbers for a linear model."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfbo.optimizers.sampling import sample

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.trial import Config

Floats: TypeAlias = NDArray[np.float64]
SAMPLE_SIZE = 64  # configurations that stand for a space


class Encoder:
    """Numbers and ordinals as z and z² (z from -1 to 1 on their own scale), categories as one column each.

    Every column has a mean of about 0 over the space. What is inactive counts as its default.

    Args:
        space: what is tuned; its random state is not touched.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self._space = space
        self._parts = [(name, part, len(getattr(part, "choices", ()))) for name, part in dict(space).items()]
        self.size = sum(count or 2 for _, _, count in self._parts)
        self._sample: Floats | None = None

    def features(self, config: Config) -> Floats:
        """(size,), of one configuration."""
        row: list[float] = []
        for name, part, count in self._parts:
            place = _vector(part, config.get(name, part.default_value))
            if count:
                row += [float(place == i) - 1 / count for i in range(count)]
            else:
                z = 2 * place / _span(part) - 1
                row += [z, z * z - 1 / 3]
        return np.array(row)

    def sample(self) -> Floats:
        """(n, size), of random configurations, always the same."""
        if self._sample is None:
            space = deepcopy(self._space)
            space.seed(0)
            drawn = sample(space, SAMPLE_SIZE)
            self._sample = np.array([self.features(dict(config)) for config in drawn])
        return self._sample


def _vector(part: Any, value: object) -> float:
    """The place of a value in ConfigSpace's own form; that of the default where the space does not know it."""
    try:
        return float(part.to_vector(value))
    except (KeyError, TypeError, ValueError):
        return float(part.to_vector(part.default_value))


def _span(part: Any) -> float:
    """Largest place: an ordinal's are counted, a number's go to 1."""
    return max(1.0, len(getattr(part, "sequence", ())) - 1.0)
