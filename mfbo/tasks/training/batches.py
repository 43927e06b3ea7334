"""Batches of images and texts, cut out of arrays that lie on the device; nothing here goes sample by sample in Python.

An epoch's order, crops and flips are drawn at once from the generator that is passed in, so they follow from its seed,
and a trial that is continued in mid-epoch draws the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mfbo.data import Tokens
from mfbo.data.splits import Indices
from mfbo.tasks.training.device import resident

_POOL = 32  # batches that are sorted by length together: enough to pad little, few enough to mix well


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        inputs: of the model, each with one row a sample; on the device, but for the lengths of texts.
        labels: (b,) int64, on the device.
    """

    inputs: tuple[torch.Tensor, ...]
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def split(self, size: int) -> Iterator[Batch]:
        """Parts of at most `size` samples."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Batch(tuple(tensor[part] for tensor in self.inputs), self.labels[part])


class Epoch(Protocol):
    """One pass: batch i, for i from 0."""

    def __getitem__(self, i: int) -> Batch: ...

    def done(self, i: int) -> float:
        """The part of the pass that is done after batch i, by what the batches cost."""


class Batches(Protocol):
    """Samples with labels, to learn from or to judge by."""

    def __len__(self) -> int: ...

    def epoch(self, size: int, rng: np.random.Generator) -> Epoch:
        """One pass in random order, ``ceil(n / size)`` batches."""

    def ordered(self, size: int) -> Iterator[Batch]:
        """All samples once, as they are, `size` at a time."""


class ImageBatches:
    """Images as (b, 3, side, side) float32 in channels_last, normalised.

    Args:
        images: (n, side, side, 3) uint8.
        labels: (n,).
        device: that the model is on.
        mean: of red, green and blue, from 0 to 255; it is subtracted.
        std: what is then divided by.
        flip: half of them are mirrored left to right at each epoch.
        crop: pixels of black on each side, out of which a window of the old size is cut; 0 for none.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        device: torch.device,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        flip: bool = False,
        crop: int = 0,
    ) -> None:
        self._device, self._flip, self._crop = device, flip, crop
        home = resident(images.nbytes * 2, device)
        pixels = torch.from_numpy(np.array(images)).to(home)  # a copy: the cache is mapped read-only
        self._pixels = torch.nn.functional.pad(pixels, (0, 0, crop, crop, crop, crop)) if crop else pixels
        self._labels = torch.from_numpy(np.array(labels)).to(home)
        self._side = images.shape[1]
        self._mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self._scale = 1 / torch.tensor(std, device=device).view(1, 3, 1, 1)

    def __len__(self) -> int:
        return len(self._labels)

    def epoch(self, size: int, rng: np.random.Generator) -> Epoch:
        """One pass, augmented."""
        n, home = len(self), self._labels.device
        order, corner = rng.permutation(n), rng.integers(0, 2 * self._crop + 1, (2, n))
        mirrored = rng.random(n) < 0.5 if self._flip else np.zeros(n, bool)
        drawn = (torch.from_numpy(array).to(home) for array in (order, corner[0], corner[1], mirrored))
        return _ImageEpoch(self, size, *drawn)

    def ordered(self, size: int) -> Iterator[Batch]:
        """The images without augmentation."""
        inside = slice(self._crop, self._crop + self._side)
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield self.batch(self._pixels[rows, inside, inside], self._labels[rows])

    def batch(self, pixels: torch.Tensor, labels: torch.Tensor) -> Batch:
        """(b, side, side, 3) uint8 as the model's input."""
        pixels = pixels.to(self._device, non_blocking=True).permute(0, 3, 1, 2)  # its strides are channels_last now
        return Batch(((pixels - self._mean) * self._scale,), labels.to(self._device, non_blocking=True))

    def cut(self, rows: torch.Tensor, top: torch.Tensor, left: torch.Tensor, mirrored: torch.Tensor) -> Batch:
        """Those rows, each with its own window: one gather for the whole batch."""
        places = torch.arange(self._side, device=rows.device)
        across = torch.where(mirrored[:, None], places.flip(0), places) + left[:, None]
        down = places + top[:, None]
        pixels = self._pixels[rows[:, None, None], down[:, :, None], across[:, None, :]]
        return self.batch(pixels, self._labels[rows])


def resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(n, side, side, 3) of (n, s, s, 3): a mean over the pixels that each one stands for."""
    if images.shape[1] == side:
        return images
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float()
    small = nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    return np.asarray(small.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy())


class _ImageEpoch:
    def __init__(self, of: ImageBatches, size: int, *drawn: torch.Tensor) -> None:
        self._of, self._size, self._drawn = of, size, drawn

    def __getitem__(self, i: int) -> Batch:
        part = slice(i * self._size, (i + 1) * self._size)
        return self._of.cut(*(array[part] for array in self._drawn))

    def done(self, i: int) -> float:
        return min(1.0, (i + 1) * self._size / len(self._of))


class FeatureBatches:
    """Features that are computed once, (b, width) float32; an epoch goes over them several times.

    Args:
        features: (n, width).
        labels: (n,).
        device: that the model is on.
        passes: over the features in an epoch: a head on features learns in many cheap steps.
    """

    def __init__(
        self, features: torch.Tensor, labels: NDArray[np.int64], device: torch.device, passes: int = 1
    ) -> None:
        self._features = features.to(device)
        self._labels = torch.from_numpy(np.array(labels)).to(device)
        self._passes = passes

    def __len__(self) -> int:
        return len(self._labels) * self._passes

    def epoch(self, size: int, rng: np.random.Generator) -> Epoch:
        """All passes, each in its own order."""
        n = len(self._labels)
        order = np.concatenate([rng.permutation(n) for _ in range(self._passes)])
        return _FeatureEpoch(self, size, torch.from_numpy(order).to(self._labels.device))

    def ordered(self, size: int) -> Iterator[Batch]:
        """One pass."""
        for start in range(0, len(self._labels), size):
            yield self.batch(torch.arange(start, min(start + size, len(self._labels)), device=self._labels.device))

    def batch(self, rows: torch.Tensor) -> Batch:
        """Those rows."""
        return Batch((self._features[rows],), self._labels[rows])


class _FeatureEpoch:
    def __init__(self, of: FeatureBatches, size: int, order: torch.Tensor) -> None:
        self._of, self._size, self._order = of, size, order

    def __getitem__(self, i: int) -> Batch:
        return self._of.batch(self._order[i * self._size : (i + 1) * self._size])

    def done(self, i: int) -> float:
        return min(1.0, (i + 1) * self._size / len(self._of))


class TextBatches:
    """Texts as (ids, mask, lengths): (b, longest) int64 and bool on the device, (b,) int64 on the CPU.

    A batch is padded to its own longest text, and batches are made of texts of similar length.

    Args:
        tokens: of a whole split.
        rows: (n,) which of its texts.
        max_length: tokens that are read of a text.
        device: that the model is on.
        padding: id that fills up.
        closed: the last token of a text stands for its end, so a text that is cut keeps it.
        tail: a text that is cut keeps its end, not its beginning.
    """

    def __init__(
        self,
        tokens: Tokens,
        rows: Indices,
        max_length: int,
        device: torch.device,
        *,
        padding: int = 0,
        closed: bool = False,
        tail: bool = False,
    ) -> None:
        self._device, self._padding = device, padding
        self._lengths = np.minimum(tokens.lengths[rows], max_length)
        ends = np.cumsum(self._lengths)
        starts = ends - self._lengths
        first = tokens.offsets[rows + 1] - self._lengths if tail else tokens.offsets[rows]
        taken = np.arange(ends[-1]) + np.repeat(first - starts, self._lengths)
        if closed:
            taken[ends - 1] = tokens.offsets[rows + 1] - 1
        ids = tokens.ids[taken]
        home = resident(ids.nbytes, device)
        self._ids = torch.from_numpy(np.array(ids)).to(home)
        self._starts = torch.from_numpy(starts).to(home)
        self._labels = torch.from_numpy(tokens.labels[rows]).to(home)

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,), tokens that are read of each."""
        return self._lengths

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,)."""
        return np.asarray(self._labels.cpu().numpy())

    def epoch(self, size: int, rng: np.random.Generator) -> Epoch:
        """One pass; batches are sorted inside, longest text first, and come in random order."""
        order = rng.permutation(len(self))
        pools = [order[start : start + _POOL * size] for start in range(0, len(order), _POOL * size)]
        ordered = [pool[np.argsort(-self._lengths[pool], kind="stable")] for pool in pools]
        groups = [pool[start : start + size] for pool in ordered for start in range(0, len(pool), size)]
        groups = [groups[i] for i in rng.permutation(len(groups))]
        cells = np.cumsum([len(group) * max(1, self._lengths[group[0]]) for group in groups])  # the padded ones too
        return _TextEpoch(self, groups, cells / cells[-1])

    def ordered(self, size: int) -> Iterator[Batch]:
        """All texts, longest first."""
        order = np.argsort(-self._lengths, kind="stable")
        for start in range(0, len(order), size):
            yield self.batch(order[start : start + size])

    def batch(self, rows: Indices) -> Batch:
        """Those texts, padded to the longest: one gather for the whole batch."""
        home, lengths = self._ids.device, torch.from_numpy(self._lengths[rows])
        chosen = torch.from_numpy(rows).to(home, non_blocking=True)
        places = torch.arange(int(self._lengths[rows].max()), device=home)
        mask = places < lengths.to(home, non_blocking=True)[:, None]
        ids = self._ids[torch.where(mask, self._starts[chosen][:, None] + places, 0)]
        ids = ids.long().masked_fill(~mask, self._padding)
        device = self._device
        return Batch((ids.to(device), mask.to(device), lengths), self._labels[chosen].to(device))


class _TextEpoch:
    def __init__(self, of: TextBatches, groups: list[Indices], done: NDArray[np.float64]) -> None:
        self._of, self._groups, self._done = of, groups, done

    def __getitem__(self, i: int) -> Batch:
        return self._of.batch(self._groups[i])

    def done(self, i: int) -> float:
        return float(self._done[i])
