"""Where a data set is: the names, the folders that are looked into, the download, and what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from mfbo.data import cache, hub
from mfbo.data.parquet import Layout, check, needed, row_count
from mfbo.errors import BadData, MfboError, UnknownName

T = TypeVar("T")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Dataset:
    """One of the data sets that mfbo knows.

    Attributes:
        name: folder and name.
        hub: its repository on the Hugging Face hub.
        layout: column names and classes, those of the hub.
        extra: the extra that its task needs.
    """

    name: str
    hub: str
    layout: Layout
    extra: str


_OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DATASETS: dict[str, Dataset] = {
    found.name: found
    for found in (
        Dataset("cifar10", "uoft-cs/cifar10", Layout("img", "image", _OBJECTS), "vision"),
        Dataset(
            "ag_news", "fancyzhx/ag_news", Layout("text", "text", ("World", "Sports", "Business", "Sci/Tech")), "text"
        ),
        Dataset("imdb", "stanfordnlp/imdb", Layout("text", "text", ("neg", "pos")), "text"),
    )
}
_ALIASES = {"agnews": "ag_news"}


class Splits(Mapping[str, T], Generic[T]):
    """``train`` and ``test``, each made when it is first asked for, so that tuning does not touch the test split."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._made: dict[str, T] = {}

    def __getitem__(self, split: str) -> T:
        if split not in SPLITS:
            raise KeyError(split)
        if split not in self._made:
            self._made[split] = self._make(split)
        return self._made[split]

    def __iter__(self) -> Iterator[str]:
        return iter(SPLITS)

    def __len__(self) -> int:
        return len(SPLITS)


@dataclass(frozen=True)
class SourceStatus:
    """What is known of one data set.

    Attributes:
        name: of the data set.
        where: the folder that it was found in; None where there is none.
        rows: rows by split; empty where the files cannot be read.
        prepared: the splits that are decoded or tokenised in the cache, such as ``("train",)``.
        bytes: of its files and of what is prepared from them.
        problem: why it cannot be used, in one line; else empty.
    """

    name: str
    where: Path | None
    rows: Mapping[str, int]
    prepared: tuple[str, ...]
    bytes: int
    problem: str = ""


def dataset(name: str, kind: str | None = None) -> Dataset:
    """The data set of that name, and of that kind (``image`` or ``text``) where one is given.

    Raises:
        UnknownName: there is none.
    """
    known = {key: found for key, found in DATASETS.items() if kind in (None, found.layout.kind)}
    if _ALIASES.get(name, name) not in known:
        raise UnknownName("data set", name, known)
    return known[_ALIASES.get(name, name)]


def find(found: Dataset, data_dir: str | Path | None = None) -> Path:
    """The folder that holds both parquet files of a data set.

    Raises:
        BadData: there is none; the message has where it was looked for, and the two ways to get it.
    """
    places = _places(found, data_dir)
    for folder in places:
        if all((folder / f"{split}.parquet").is_file() for split in SPLITS):
            return folder
    looked = " and ".join(repr(str(folder)) for folder in places)
    raise BadData(
        f"no data set {found.name!r}: no train.parquet and test.parquet in {looked}; "
        f"download it with 'mfbo data get {found.name}', or name the folder above a copy in the layout of "
        f"{found.hub} with --data-dir or MFBO_DATA"
    )


def checked(found: Dataset, data_dir: str | Path | None = None) -> Path:
    """Like `find`; both files are parquet with the columns of the hub and at least one row.

    Raises:
        BadData: they are not, or there are none.
    """
    folder = find(found, data_dir)
    for split in SPLITS:
        check(folder / f"{split}.parquet", found.layout, found.extra)
    return folder


def get(name: str) -> Path:
    """Download a data set from the hub into the cache, unless it is there already, and return its folder.

    Raises:
        UnknownName: there is no such data set.
        BadData: the hub cannot be reached, or the disk is full.
        MissingExtra: `datasets` is not installed.
    """
    found = dataset(name)
    folder = _downloads() / found.name
    if all((folder / f"{split}.parquet").is_file() for split in SPLITS):
        return checked(found, folder.parent)
    client = needed("datasets", found.extra)
    try:
        if reason := hub.unreachable():
            raise ConnectionError(reason)
        folder.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            aside = folder / f".{split}.{os.getpid()}.parquet"
            client.load_dataset(found.hub, split=split).to_parquet(str(aside))
            aside.replace(folder / f"{split}.parquet")
    except Exception as error:  # the hub's client raises whatever its own clients do
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadData(
            f"cannot download {found.hub} from the Hugging Face hub: {reason}; without a network, name the folder "
            f"above {found.name}/train.parquet and {found.name}/test.parquet with --data-dir or MFBO_DATA"
        ) from error
    finally:
        for left in folder.glob(f".*.{os.getpid()}.parquet"):
            left.unlink(missing_ok=True)
    return checked(found, folder.parent)


def status(data_dir: str | Path | None = None) -> list[SourceStatus]:
    """One row a data set; never raises over data that is missing or bad, but says so in the row."""
    return [_status(found, data_dir) for found in DATASETS.values()]


def _status(found: Dataset, data_dir: str | Path | None) -> SourceStatus:
    where, rows, size, problem = None, {}, 0, ""
    marks: dict[str, str] = {}
    try:
        where = find(found, data_dir)
        for split in SPLITS:
            path = where / f"{split}.parquet"
            size += path.stat().st_size
            check(path, found.layout, found.extra)
            rows[split] = row_count(path)
            marks[split] = cache.fingerprint(path)
    except (MfboError, OSError) as error:
        problem = str(error)
    ready = [
        (split, size_of)
        for split, mark in marks.items()
        for name, source, size_of in cache.entries()
        if source == mark and name.startswith(f"{found.name}-{split}-")
    ]
    return SourceStatus(
        name=found.name,
        where=where,
        rows=rows,
        prepared=tuple(split for split in SPLITS if split in dict(ready)),
        bytes=size + sum(size_of for _, size_of in ready),
        problem=problem,
    )


def _downloads() -> Path:
    return cache.cache_dir() / "data"


def _places(found: Dataset, data_dir: str | Path | None) -> list[Path]:
    if data_dir is not None:
        return [Path(data_dir).expanduser() / found.name]
    own = os.environ.get("MFBO_DATA")
    return [Path(root).expanduser() / found.name for root in (own, _downloads()) if root]
