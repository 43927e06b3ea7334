"""Checkpoints of a run, filed by configuration, so that a promoted one goes on where it stopped.

``ROOT/<configuration key>/epoch-00009/`` holds whatever the train function wrote. A checkpoint is written aside and
renamed when it is complete: a full disk or a kill in mid-write leaves the previous one as it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "epoch-"


class Checkpoints:
    """The checkpoints below one folder; the folder is made at the first save."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, key: str, below: int) -> tuple[int, Path] | None:
        """The newest complete checkpoint of configuration `key` with fewer than `below` epochs: (epochs, folder)."""
        found = [(epoch, path) for epoch, path in self._all(key) if epoch < below]
        return max(found) if found else None

    @contextmanager
    def save(self, key: str, epoch: int) -> Iterator[Path]:
        """A folder to write into; on leaving it becomes the checkpoint after `epoch` epochs, older ones go.

        Raises:
            OSError: the disk is full or the folder cannot be written; the older checkpoint is still there.
        """
        home = self.root / key
        aside = home / f".{_PREFIX}{epoch:05d}.{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            yield aside
            for file in aside.rglob("*"):
                if file.is_file():
                    _sync(file)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        target = home / f"{_PREFIX}{epoch:05d}"
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
        _sync(home)
        for older, path in self._all(key):
            if older < epoch:
                shutil.rmtree(path, ignore_errors=True)

    def drop(self, key: str) -> None:
        """Delete all checkpoints of configuration `key`."""
        shutil.rmtree(self.root / key, ignore_errors=True)

    def keys(self) -> list[str]:
        """The configurations that have a folder here."""
        return sorted(path.name for path in self.root.iterdir()) if self.root.is_dir() else []

    def _all(self, key: str) -> list[tuple[int, Path]]:
        home = self.root / key
        names = home.glob(f"{_PREFIX}*") if home.is_dir() else []
        return [(int(path.name.removeprefix(_PREFIX)), path) for path in names]


def _sync(path: Path) -> None:
    """Have the system write `path` to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
