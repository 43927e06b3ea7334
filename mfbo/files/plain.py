"""Files and folders that anybody may have made: only plain ones are read or copied, and no link is followed.

A link in a folder that was handed on leads wherever its maker likes, such as to a private key of the reader, which an
export would copy and a run would write to. A pipe or a device would be read for ever.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mfbo.errors import BadValue

MAX_ENTRIES = 1_000_000  # files and folders that are looked at in one folder
MAX_LEVELS = 100  # of folders within one another: what goes down a call a level comes to the end of Python's calls
LEVELS_AT_ONCE = 10  # of folders: with names of 255 characters, a path of so many is not too long for the system
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_plain(path: Path, max_bytes: int) -> bytes:
    """The content of a plain file.

    Raises:
        OSError: it is not there, or cannot be read.
        BadValue: it is a link, a pipe, a folder or a device, or has more than `max_bytes`; without its name.
    """
    if path.is_symlink():
        raise BadValue("it is a link; put the file itself there")
    handle = os.open(path, _FLAGS)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadValue("it is no plain file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise BadValue(f"it has more than {max_bytes / 2**20:.4g} MiB")
    return content


def check_plain(folder: Path, *, shared: bool = True) -> None:
    """Make sure that a folder holds plain files and folders only.

    Args:
        folder: may be reached by a link itself; nothing in it may be one.
        shared: whether a file may have another name outside `folder` (a hard link).

    Raises:
        BadValue: it does not (the first that is something else is named), or has more files or levels than the bounds.
    """
    names: dict[tuple[int, int], tuple[int, int, Path]] = {}  # files with several names: seen here, in all, the first
    for count, (path, found) in enumerate(_entries(folder)):
        if count >= MAX_ENTRIES:
            raise BadValue(f"{str(folder)!r} has more than {MAX_ENTRIES} files")
        if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
            kind = "a link" if stat.S_ISLNK(found.st_mode) else "no plain file"
            raise BadValue(f"{str(path)!r} is {kind}, which is neither followed nor copied; put the file itself there")
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            key = found.st_dev, found.st_ino
            seen, _, first = names.get(key, (0, 0, path))
            names[key] = seen + 1, found.st_nlink, first
    outside = next((first for seen, all_, first in names.values() if seen < all_), None)
    if outside is not None and not shared:
        raise BadValue(
            f"{str(outside)!r} is a hard link: another name of a file that lies elsewhere; put a copy there (cp)"
        )


def copy_plain(source: Path, target: Path, *, without: Collection[str] = ()) -> None:
    """Copy what is in `source`, plain files and folders only, into `target`, which may be there.

    Args:
        source: a folder, and no link to one.
        target: files of the same names in it are written over.
        without: names of files that are left out, at any depth.

    Raises:
        BadValue: there is something else in it; nothing was copied.
        OSError: it cannot be read or written.
    """
    if source.is_symlink():
        raise BadValue(f"{str(source)!r} is a link, which is not followed; put the folder itself there")
    check_plain(source, shared=False)
    target.mkdir(parents=True, exist_ok=True)
    for path, found in _entries(source):
        if path.name in without:
            continue
        copy = target / path.relative_to(source)
        if stat.S_ISDIR(found.st_mode):
            copy.mkdir(exist_ok=True)
        else:
            _copy_file(path, copy)


def _copy_file(path: Path, copy: Path) -> None:
    """As `shutil.copyfile`; what has become a link since it was looked at is an error."""
    with os.fdopen(os.open(path, _FLAGS), "rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target)
        os.fchmod(target.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode) | stat.S_IWUSR)


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All below `folder`, each folder before what is in it; no link is followed, what goes meanwhile is passed over."""
    waiting = [(folder, 0)]
    while waiting:
        home, level = waiting.pop()
        if level > MAX_LEVELS:
            raise BadValue(f"{str(folder)!r} has more than {MAX_LEVELS} levels of folders")
        with os.scandir(home) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield Path(entry.path), state
            if stat.S_ISDIR(state.st_mode):
                waiting.append((Path(entry.path), level + 1))


def remove(folder: Path) -> None:
    """Delete a folder with all that is in it, at any depth, as far as that can be done; no link is followed."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # Python before 3.13: a call a level
        _flatten(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _flatten(folder: Path) -> None:
    """Move what lies deep below `folder` right into it, a few levels at a time."""
    count = itertools.count()
    waiting = [(folder, 0)]
    for home, level in waiting:
        for path in _folders_in(home):
            if level < LEVELS_AT_ONCE:
                waiting.append((path, level + 1))
                continue
            with suppress(OSError):
                waiting.append((path.rename(folder / f"{secrets.token_hex(8)}-{next(count)}"), 1))


def _folders_in(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as found:
        return [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    return []


def replace_text(path: Path, text: str) -> None:
    """Write a text file of ours, whole or not at all; a link of that name is replaced, not followed.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(handle, 0o666 & ~_umask())
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def sync(path: Path) -> None:
    """Have the system write a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
