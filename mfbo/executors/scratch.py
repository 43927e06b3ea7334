"""Temporary folders of ours, which the next start clears up where their process was killed before it could.

Each has a file that its process holds locked; the system lets go of it when that process ends, however it ends. Nothing
else tells surely that a folder is nobody's: a process number is used again, and a folder may be shared by machines.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mfbo.files.plain import remove

PREFIX = "mfbo-"
LOCK = ".in-use"


class Scratch:
    """A temporary folder.

    Args:
        kind: what it is for, a part of its name.
        within: where it is to lie; None for the system's place.

    Attributes:
        path: of it.
    """

    def __init__(self, kind: str, within: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-", dir=within))
        aside = self.path / f"{LOCK}.new"
        self._handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks: the folder stays after a kill
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            aside.rename(self.path / LOCK)  # locked before anybody looks for it

    def remove(self) -> None:
        """Delete it, with all that is in it."""
        remove(self.path)
        with suppress(OSError):
            os.close(self._handle)


@contextmanager
def scratch(kind: str, within: Path | None = None) -> Iterator[Path]:
    """A temporary folder while the block runs."""
    made = Scratch(kind, within)
    try:
        yield made.path
    finally:
        made.remove()


def clear_up(within: Path | None = None) -> None:
    """Delete the temporary folders of processes that have ended without doing so.

    Args:
        within: where they lie; None for the system's place.
    """
    place = within or Path(tempfile.gettempdir())
    with suppress(OSError):
        for path in place.glob(f"{PREFIX}*/{LOCK}"):
            with suppress(OSError):
                if path.parent.lstat().st_uid == os.getuid() and not path.parent.is_symlink():
                    _remove_if_free(path)


def _remove_if_free(lock: Path) -> None:
    """Delete the folder of `lock` if nobody holds it."""
    handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(lock.parent)
    finally:
        os.close(handle)
