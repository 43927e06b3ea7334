"""Which samples are held out, and which part of the rest a data fraction means.

Both answers come from one idea. Every sample gets a random place within its own class; a split or a subset takes the
first so many places of each class. It is stratified by construction, labels sorted by class do no harm, and a subset
is contained in every larger one, because the places do not depend on the fraction.

>>> labels = np.repeat([0, 1], 50)  # sorted by class
>>> small, large = nested_subset(labels, 0.5, seed=0), nested_subset(labels, 0.8, seed=0)
>>> np.bincount(labels[small]).tolist(), np.bincount(labels[large]).tolist(), bool(np.isin(small, large).all())
([25, 25], [40, 40], True)
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfbo.errors import BadData, BadValue

Indices: TypeAlias = NDArray[np.intp]

MIN_CLASS_SAMPLES = 20  # samples a class, below which a subset says little about the class
_SPLIT, _SUBSET = 0, 1  # streams of one seed, so that a subset is no echo of the split before it


def stratified_split(labels: ArrayLike, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Hold out a part of each class.

    Args:
        labels: (n,), one class a sample, in any order.
        fraction: to hold out, in (0, 1).
        seed: the same seed and labels give the same split.

    Returns:
        (rest, held out): indices into `labels`, ascending, disjoint and together all of them. Each class has
        ``fraction`` of its samples held out, to the nearest, but at least one on either side where it has two.

    Raises:
        BadValue: the fraction is not in (0, 1).
        BadData: the labels are empty or not one-dimensional.
    """
    if not 0 < fraction < 1:
        raise BadValue(f"fraction to hold out {fraction!r}: give a number in (0, 1)")
    places, sizes = _places(labels, seed, _SPLIT)
    held = places < np.clip(np.rint(fraction * sizes), 1, np.maximum(sizes - 1, 0))
    return np.flatnonzero(~held), np.flatnonzero(held)


def nested_subset(labels: ArrayLike, fraction: float, seed: int, least: int = MIN_CLASS_SAMPLES) -> Indices:
    """The part of the training data that a data fraction stands for.

    Args:
        labels: (n,), one class a sample, in any order.
        fraction: of each class, in (0, 1]; 1 is everything.
        seed: of the run. For one seed, a subset is contained in that of every larger fraction.
        least: samples that a class keeps at any fraction, or all that it has where these are fewer.

    Returns:
        Indices into `labels`, ascending.

    Raises:
        BadValue: the fraction is not in (0, 1].
        BadData: the labels are empty or not one-dimensional.
    """
    if not 0 < fraction <= 1:
        raise BadValue(f"data fraction {fraction!r}: give a number in (0, 1]")
    places, sizes = _places(labels, seed, _SUBSET)
    return np.flatnonzero(places < np.maximum(np.rint(fraction * sizes), least))


def _places(labels: ArrayLike, seed: int, stream: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each sample its random place within its class, from 0, and the size of that class."""
    array: NDArray[Any] = np.asarray(labels)
    if array.ndim != 1 or not array.size:
        raise BadData(f"labels of shape {array.shape}: give one class a sample, and at least one sample")
    _, classes, counts = np.unique(array, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng([seed, stream]).permutation(array.size)
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    places = np.empty(array.size, dtype=np.int64)
    places[by_class] = np.arange(array.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return places, counts[classes].astype(np.int64)
