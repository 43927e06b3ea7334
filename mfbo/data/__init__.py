"""The data of the real tasks: found, checked, decoded or tokenised once, and shared by all workers through the disk.

A data set is a folder with ``train.parquet`` and ``test.parquet`` in the hub's layout; its name is ``cifar10``,
``ag_news`` or ``imdb``. It is looked for below `data_dir`, if that is given; else below the folder that the environment
variable ``MFBO_DATA`` names, then in the cache, where `get` puts what it downloads. The cache is ``MFBO_CACHE``, else
``$XDG_CACHE_HOME/mfbo``, else ``~/.cache/mfbo``.

Every split is prepared when it is first asked for, and not before: a tuning run never touches the test split.

>>> lengths = lambda batch: [[len(text)] for text in batch]
>>> train = tokens("imdb", "length in characters", lengths)["train"]  # doctest: +SKIP
>>> train.row(0), train.labels[0]  # doctest: +SKIP
(array([1640], dtype=int32), 0)
"""

from __future__ import annotations

from mfbo.data.cache import cache_dir
from mfbo.data.images import Images, images
from mfbo.data.sources import SourceStatus, Splits, get, status
from mfbo.data.texts import Texts, Tokens, texts, tokens
from mfbo.data.words import Vocabulary, Words, build_vocabulary, word_tokens, words

__all__ = [
    "Images",
    "SourceStatus",
    "Splits",
    "Texts",
    "Tokens",
    "Vocabulary",
    "Words",
    "build_vocabulary",
    "cache_dir",
    "get",
    "images",
    "status",
    "texts",
    "tokens",
    "word_tokens",
    "words",
]
