"""How large what is read may be: a file of a few bytes can claim, or unfold to, more than any memory holds.

What a file claims is looked at before anything of it is unfolded, and said with its limit in one line.
"""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mfbo.errors import BadData

MAX_ARRAY_BYTES = 4 * 2**30  # of all arrays in one file: a model's weights and the moments of its optimizer
MAX_MEMBERS = 10_000  # arrays in one file
MAX_HEADER_BYTES = 10_000  # of an array: its type and shape


def read_npz(path: Path, max_bytes: int = MAX_ARRAY_BYTES) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file, by name; nothing in it is executed.

    Args:
        path: of the file; no link is followed.
        max_bytes: that all arrays together may have in memory.

    Raises:
        BadData: they claim to have more, or the file is no such archive.
        OSError: it cannot be read.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if len(members) > MAX_MEMBERS:
                    raise BadData(f"{str(path)!r} has {len(members)} arrays; at most {MAX_MEMBERS} are read")
                claimed = 0
                for member in members:
                    with archive.open(member) as inner:
                        claimed += max(member.file_size, npy_bytes(inner))
                refuse_more(claimed, max_bytes, path, "its arrays")
            file.seek(0)
            with np.load(file, allow_pickle=False) as saved:
                return {name: saved[name] for name in saved.files}
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadData(f"{str(path)!r} is damaged: {' '.join(str(error).split())[:200]}") from error


def npy_bytes(file: IO[bytes]) -> int:
    """Bytes in memory of the array whose ``.npy`` header is next in `file`, as that claims.

    Raises:
        ValueError: it is no such header, or one of Python objects.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file, max_header_size=MAX_HEADER_BYTES)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    return math.prod(shape) * kind.itemsize


def refuse_more(claimed: float, allowed: float, path: Path, what: str) -> None:
    """Refuse what is larger than it may be.

    Raises:
        BadData: it is; with both sizes.
    """
    if claimed > allowed:
        raise BadData(f"{str(path)!r}: {what} would take {_size(claimed)} of memory; at most {_size(allowed)} are read")


def _size(size: float) -> str:
    unit, name = next(((unit, name) for unit, name in ((2**30, "GiB"), (2**20, "MiB")) if size >= unit), (1024, "KiB"))
    return f"{size / unit:.3g} {name}"
