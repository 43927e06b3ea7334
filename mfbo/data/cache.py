"""The cache on disk: named arrays, prepared once, memory-mapped by every process that asks.

An entry is the folder ``CACHE/prepared/NAME-<hash>`` with one ``.npy`` file an array and a ``meta.json`` that lists
their sizes and checksums. It is written aside under a lock and renamed when complete: of two processes that want the
same entry one prepares it and the other takes it over. What is damaged is prepared again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfbo.data.bounds import npy_bytes
from mfbo.errors import BadData, BadValue
from mfbo.files.reading import read_json

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

_FORMAT = 1  # raised when what is prepared from the same source changes
_CHUNK = 1 << 22  # bytes read at a time for a checksum


def cache_dir() -> Path:
    """``MFBO_CACHE``, else ``$XDG_CACHE_HOME/mfbo``, else ``~/.cache/mfbo``; it need not exist."""
    if own := os.environ.get("MFBO_CACHE"):
        return Path(own).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "mfbo"


def fingerprint(path: Path) -> str:
    """Sixteen hexadecimal digits of a file's content; a file that did not change is read once a process."""
    stat = path.stat()
    return _content_hash(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _content_hash(path: Path, _size: int, _changed: int) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()[:16]


def entry_key(*parts: object) -> str:
    """Sixteen hexadecimal digits that stand for these parts, in this order."""
    return hashlib.sha256(json.dumps([_FORMAT, *map(str, parts)]).encode()).hexdigest()[:16]


def prepared(name: str, source: str, make: Callable[[], Arrays]) -> dict[str, NDArray[Any]]:
    """The arrays of one entry, memory-mapped and read-only; prepared by `make` if they are not there yet.

    Args:
        name: of the entry's folder, unique for what `make` returns.
        source: fingerprint of what it is made from, for `entries`.
        make: called at most once among all processes that ask at the same time.

    Raises:
        BadData: the cache cannot be written; what `make` raises passes.
    """
    root = cache_dir() / "prepared"
    folder = root / name
    if (found := _opened(folder)) is not None:
        return found
    with _locked(root, name):
        if (found := _opened(folder)) is not None:
            return found
        arrays = make()
        with _reporting(root):
            _write(root / f".{name}", folder, source, arrays)
        found = _opened(folder)
    if found is None:
        raise BadData(f"cache {str(folder)!r} does not read back as it was written; set MFBO_CACHE to another disk")
    return found


def entries() -> list[tuple[str, str, int]]:
    """(name, source, bytes) of every complete entry."""
    found = []
    for path in sorted((cache_dir() / "prepared").glob("*/meta.json")):
        with contextlib.suppress(OSError, BadValue, ValueError, KeyError, TypeError, AttributeError):
            meta = read_json(path, "cache", dict[str, Any])
            found.append(
                (path.parent.name, str(meta["source"]), sum(item["bytes"] for item in meta["arrays"].values()))
            )
    return found


def _write(aside: Path, folder: Path, source: str, arrays: Arrays) -> None:
    """Write `arrays` into `aside`, have them on the disk, and rename it to `folder`."""
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        listed = {}
        for key, array in arrays.items():
            path = aside / f"{key}.npy"
            with path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            listed[key] = {"bytes": path.stat().st_size, "crc32": _crc32(path)}
        with (aside / "meta.json").open("w") as text:
            json.dump({"source": source, "arrays": listed}, text)
            text.flush()
            os.fsync(text.fileno())
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one; who has it mapped keeps its pages
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _opened(folder: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a complete and undamaged entry, else None."""
    try:
        meta = read_json(folder / "meta.json", "cache", dict[str, Any])
        found = {}
        for key, item in meta["arrays"].items():
            path = folder / f"{key}.npy"
            stat = path.stat()
            if stat.st_size != item["bytes"] or _checksum(path, stat.st_size, stat.st_mtime_ns) != item["crc32"]:
                return None
            found[key] = _mapped(path)
    except (OSError, BadValue, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found


def _mapped(path: Path) -> NDArray[Any]:
    """One array, memory-mapped; an empty one cannot be mapped and is read."""
    with path.open("rb") as file:
        claimed = npy_bytes(file)
        if claimed != path.stat().st_size - file.tell():
            raise ValueError(f"its header claims {claimed} bytes")
    if claimed:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    array.flags.writeable = False
    return array


@lru_cache(maxsize=256)
def _checksum(path: Path, _size: int, _changed: int) -> int:
    return _crc32(path)


def _crc32(path: Path) -> int:
    value = 0
    for chunk in _chunks(path):
        value = zlib.crc32(chunk, value)
    return value


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


@contextlib.contextmanager
def _locked(root: Path, name: str) -> Iterator[None]:
    """Hold the entry's lock; the system lets go of it when the process dies."""
    with _reporting(root):
        root.mkdir(parents=True, exist_ok=True)
        file = (root / f".{name}.lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _reporting(root: Path) -> Iterator[None]:
    """A disk that is full or read-only, in one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadData(
            f"cannot write the cache {str(root)!r}: {reason}; set MFBO_CACHE to a folder with room"
        ) from error
