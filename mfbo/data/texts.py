"""Texts: read lazily, tokenised once, then two memory-mapped arrays a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfbo.data import cache, parquet, sources
from mfbo.errors import BadData

Encode: TypeAlias = Callable[[list[str]], Sequence[Sequence[int]]]

MAX_CHARACTERS = 100_000  # of a text that are looked at: seven times the longest review of IMDb
MAX_TOKENS = 4096  # of a text that are kept: IMDb's longest review has 2,500 words


@dataclass(frozen=True)
class Texts:
    """The texts of one split, read from the file anew at each pass.

    Attributes:
        path: the parquet file.
        layout: its columns and classes.
    """

    path: Path
    layout: parquet.Layout

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(n,)."""
        return parquet.labels(self.path, self.layout)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names; label i stands for the i-th."""
        return self.layout.classes

    def batches(self) -> Iterator[list[str]]:
        """The texts in order, a thousand at a time, each cut at `MAX_CHARACTERS`."""
        for batch in parquet.inputs(self.path, self.layout):
            yield [text[:MAX_CHARACTERS] for text in batch]

    def __iter__(self) -> Iterator[str]:
        for batch in self.batches():
            yield from batch

    def __len__(self) -> int:
        return parquet.row_count(self.path)


@dataclass(frozen=True)
class Tokens:
    """The tokens of one split.

    Attributes:
        ids: (all tokens,) int32, the texts one after the other; memory-mapped, read-only.
        offsets: (n + 1,) int64; text i is ``ids[offsets[i]:offsets[i + 1]]``. No text is empty.
        labels: (n,) int64.
        classes: names; label i stands for the i-th.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> NDArray[np.int32]:
        """The tokens of one text, at least one; a view, nothing is copied."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(n,), tokens a text."""
        return np.diff(self.offsets)

    def mapped(self, table: NDArray[np.int32]) -> Tokens:
        """Each token replaced by what `table` has in its place; the ids are then in memory, four bytes each."""
        return Tokens(table[self.ids], self.offsets, self.labels, self.classes)


def texts(name: str, data_dir: str | Path | None = None) -> sources.Splits[Texts]:
    """The raw texts by split, ``train`` and ``test``.

    Args:
        name: of the data set.
        data_dir: folder above ``NAME/train.parquet``; by default ``MFBO_DATA``, then what `get` downloaded.

    Raises:
        UnknownName: there is no such data set of texts.
        BadData: it is not there, or its files are not what they should be; texts and labels are looked at when read.
        MissingExtra: a library is not installed.
    """
    found = sources.dataset(name, "text")
    folder = sources.checked(found, data_dir)
    return sources.Splits(lambda split: Texts(folder / f"{split}.parquet", found.layout))


def tokens(
    name: str,
    encode_key: str,
    encode: Encode,
    data_dir: str | Path | None = None,
    *,
    max_tokens: int = MAX_TOKENS,
    empty: int = 0,
) -> sources.Splits[Tokens]:
    """The texts as numbers, by split; tokenised at the first use of a split and cached, for all processes.

    Args:
        name: of the data set.
        encode_key: stands for `encode` in the cache's key; it must differ where what `encode` returns does.
        encode: a list of texts -> as many sequences of token ids; called only if the cache has nothing. Texts come cut
            at `MAX_CHARACTERS`. An encoder that ends in a special token must itself cut to `max_tokens`.
        data_dir: as in `texts`.
        max_tokens: longer sequences lose what is beyond.
        empty: the one token of a text that has none.

    Raises:
        UnknownName, BadData, MissingExtra: as `texts`.
    """
    found = sources.dataset(name, "text")
    by_split = texts(name, data_dir)

    def split(which: str) -> Tokens:
        mark = cache.fingerprint(by_split[which].path)
        key = cache.entry_key(mark, "tokens", encode_key, max_tokens, empty)
        made = cache.prepared(
            f"{found.name}-{which}-tokens-{key}", mark, lambda: tokenised(by_split[which], encode, max_tokens, empty)
        )
        return Tokens(made["ids"], made["offsets"], made["labels"], found.layout.classes)

    return sources.Splits(split)


def tokenised(raw: Texts, encode: Encode, max_tokens: int, empty: int) -> dict[str, NDArray[Any]]:
    """``ids``, ``offsets`` and ``labels`` as in `Tokens`."""
    labels = raw.labels
    ids: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    for batch in raw.batches():
        rows = encode(batch)
        if len(rows) != len(batch):
            raise BadData(f"the tokeniser returned {len(rows)} sequences for {len(batch)} texts; there must be as many")
        kept = [row[:max_tokens] if len(row) else [empty] for row in rows]
        lengths.extend(map(len, kept))
        ids.append(np.concatenate([np.asarray(row, np.int32) for row in kept]))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return {"ids": np.concatenate(ids), "offsets": offsets, "labels": labels}
