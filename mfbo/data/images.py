"""Images: decoded once, then one memory-mapped array a split."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfbo.data import cache, parquet, sources
from mfbo.errors import BadData

SIZE = 32  # pixels, both ways


@dataclass(frozen=True)
class Images:
    """A data set of images. Each split is decoded, or opened, when one of its attributes is first read.

    Attributes:
        classes: names; label i stands for the i-th.
    """

    classes: tuple[str, ...]
    _splits: sources.Splits[dict[str, NDArray[Any]]]

    @cached_property
    def train(self) -> NDArray[np.uint8]:
        """(n, 32, 32, 3), red, green, blue from 0 to 255; memory-mapped, read-only."""
        return self._splits["train"]["images"]

    @cached_property
    def train_labels(self) -> NDArray[np.int64]:
        """(n,), read-only."""
        return self._splits["train"]["labels"]

    @cached_property
    def test(self) -> NDArray[np.uint8]:
        """(m, 32, 32, 3), as `train`; for the final validation only."""
        return self._splits["test"]["images"]

    @cached_property
    def test_labels(self) -> NDArray[np.int64]:
        """(m,), read-only."""
        return self._splits["test"]["labels"]


def images(name: str = "cifar10", data_dir: str | Path | None = None) -> Images:
    """A data set of 32x32 colour images.

    Args:
        name: of the data set.
        data_dir: folder above ``NAME/train.parquet``; by default ``MFBO_DATA``, then what `get` downloaded.

    Raises:
        UnknownName: there is no such data set of images.
        BadData: it is not there, or its files are not what they should be; an image or a label is looked at when its
            split is first read.
        MissingExtra: a library is not installed.
    """
    found = sources.dataset(name, "image")
    folder = sources.checked(found, data_dir)

    def split(which: str) -> dict[str, NDArray[Any]]:
        path = folder / f"{which}.parquet"
        mark = cache.fingerprint(path)
        key = cache.entry_key(mark, "images", SIZE)
        return cache.prepared(f"{found.name}-{which}-images-{key}", mark, lambda: _decoded(path, found))

    return Images(found.layout.classes, sources.Splits(split))


def _decoded(path: Path, found: sources.Dataset) -> cache.Arrays:
    labels = parquet.labels(path, found.layout)
    decoder = parquet.needed("PIL.Image", found.extra)
    pixels = np.empty((len(labels), SIZE, SIZE, 3), np.uint8)
    row = 0
    for batch in parquet.inputs(path, found.layout):
        for encoded in batch:
            pixels[row] = _pixels(encoded, decoder, path, row)
            row += 1
    return {"images": pixels, "labels": labels}


def _pixels(encoded: bytes, decoder: Any, path: Path, row: int) -> NDArray[np.uint8]:
    """One image: (32, 32, 3)."""
    try:
        with decoder.open(io.BytesIO(encoded)) as image:
            width, height = image.size
            if (width, height) == (SIZE, SIZE):
                return np.asarray(image.convert("RGB"))
    except Exception as error:  # decoders raise whatever they trip over
        raise BadData(f"{str(path)!r}, row {row}: the image cannot be decoded: {error}") from error
    raise BadData(f"{str(path)!r}, row {row}: the image is {width}x{height} pixels; it must be {SIZE}x{SIZE}")
