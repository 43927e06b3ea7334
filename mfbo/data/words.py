"""Words: the tokens of models that are trained from nothing, and the vocabulary that their training rows give.

Words are numbered once, by order of appearance in their split, and cached. A vocabulary is then counted from the rows
that a trial may learn from (never the validation rows, never the test split), and turns those numbers into its own by
one table: nothing is tokenised again.

>>> word_tokens("It's <br /><br />not THAT bad: 7/10.")
["it's", 'not', 'that', 'bad', '7', '10']
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfbo.data import cache, sources
from mfbo.data.texts import MAX_TOKENS, Tokens, texts, tokenised
from mfbo.errors import BadData, BadValue
from mfbo.files.reading import read_json

PADDING, UNKNOWN = 0, 1  # ids of the first two words of every vocabulary
_SPECIAL = ("<pad>", "<unk>")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_BREAK = "<br />"  # all the markup that IMDb has


def word_tokens(text: str) -> list[str]:
    """The lower-cased words and numbers of a text, without punctuation; an apostrophe within a word stays."""
    return _WORD.findall(text.replace(_BREAK, " ").lower())


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows.

    Attributes:
        words: the first two are ``<pad>`` and ``<unk>``; the id of a word is its place.
    """

    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word -> id."""
        return {word: place for place, word in enumerate(self.words)}

    def encode(self, text: str, max_length: int = MAX_TOKENS) -> list[int]:
        """Ids of a text's first words; ``<unk>`` alone where it has none, so that there is always one."""
        get = self.ids.get
        return [get(word, UNKNOWN) for word in word_tokens(text)[:max_length]] or [UNKNOWN]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(self.words, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            BadData: the file is not there or is no vocabulary.
        """
        try:
            found = read_json(path, "vocabulary", list[str])
        except (OSError, BadValue) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BadData(f"vocabulary {str(path)!r} cannot be read: {reason}") from error
        if tuple(found[:2]) != _SPECIAL:
            raise BadData(
                f"{str(path)!r} is no vocabulary: it must be a JSON list of words that starts with <pad>, <unk>"
            )
        return cls(tuple(found))


@dataclass(frozen=True)
class Words:
    """One split as words.

    Attributes:
        tokens: ids are places in `corpus`; a text without a word is the id 0, the empty word.
        corpus: every word of the split, in order of appearance, after the empty word.
        mark: fingerprint of the file that they are from; empty where there is none.
    """

    tokens: Tokens
    corpus: tuple[str, ...]
    mark: str = ""

    def vocabulary(self, rows: ArrayLike | None = None, size: int = 20_000, min_count: int = 2) -> Vocabulary:
        """The most frequent words of some rows; what is not in `rows` has no influence on it.

        Args:
            rows: (k,), indices of the texts to learn from; None for all.
            size: of the vocabulary at most, ``<pad>`` and ``<unk>`` included.
            min_count: a word that occurs less often is left out.
        """
        counts = self._counts(rows)
        counts[0] = 0
        return _most_frequent({self.corpus[i]: int(counts[i]) for i in np.flatnonzero(counts)}, size, min_count)

    def encoded(self, vocabulary: Vocabulary) -> Tokens:
        """The tokens as ids of `vocabulary`, in memory."""
        get = vocabulary.ids.get
        return self.tokens.mapped(np.array([get(word, UNKNOWN) for word in self.corpus], np.int32))

    def _counts(self, rows: ArrayLike | None) -> NDArray[np.int64]:
        chosen = np.ones(len(self.tokens), bool)
        if rows is not None:
            chosen[:] = False
            chosen[np.asarray(rows)] = True
        ids = self.tokens.ids[np.repeat(chosen, self.tokens.lengths)]
        return np.bincount(ids, minlength=len(self.corpus)).astype(np.int64)


def build_vocabulary(raw: Iterable[str], size: int = 20_000, min_count: int = 2) -> Vocabulary:
    """The most frequent words of some texts; equally frequent ones in alphabetical order.

    Args:
        raw: texts to learn from.
        size: of the vocabulary at most, ``<pad>`` and ``<unk>`` included.
        min_count: a word that occurs less often is left out.
    """
    counts: Counter[str] = Counter()
    for text in raw:
        counts.update(word_tokens(text)[:MAX_TOKENS])
    return _most_frequent(counts, size, min_count)


def _most_frequent(counts: dict[str, int], size: int, min_count: int) -> Vocabulary:
    ordered = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
    return Vocabulary(_SPECIAL + tuple(ordered[: max(0, size - len(_SPECIAL))]))


def words(name: str, data_dir: str | Path | None = None) -> sources.Splits[Words]:
    """The words of each text by split, ``train`` and ``test``; found at the first use of a split and cached.

    Args:
        name: of the data set.
        data_dir: folder above ``NAME/train.parquet``; by default ``MFBO_DATA``, then what `get` downloaded.

    Raises:
        UnknownName, BadData, MissingExtra: as `texts`.
    """
    found = sources.dataset(name, "text")
    by_split = texts(name, data_dir)

    def split(which: str) -> Words:
        mark = cache.fingerprint(by_split[which].path)
        key = cache.entry_key(mark, "words", _WORD.pattern, MAX_TOKENS)

        def make() -> dict[str, NDArray[Any]]:
            places: dict[str, int] = {"": 0}

            def encode(batch: list[str]) -> Sequence[Sequence[int]]:
                return [[places.setdefault(w, len(places)) for w in word_tokens(text)[:MAX_TOKENS]] for text in batch]

            made = tokenised(by_split[which], encode, MAX_TOKENS, 0)
            return {**made, "corpus": np.frombuffer("\n".join(places).encode(), np.uint8)}

        made = cache.prepared(f"{found.name}-{which}-words-{key}", mark, make)
        corpus = tuple(made["corpus"].tobytes().decode().split("\n"))
        return Words(Tokens(made["ids"], made["offsets"], made["labels"], found.layout.classes), corpus, mark)

    return sources.Splits(split)
