"""Checkpoints of a run, filed by configuration, so that a promoted one continues where it stopped.

``ROOT/<configuration key>/epoch-00009/`` holds whatever the train function wrote. A checkpoint is written aside and
renamed when it is complete, and renamed before it is deleted: a full disk or a kill at any moment leaves whole ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mfbo.errors import BadValue
from mfbo.files.plain import check_plain, remove, sync

MODEL = "model"  # folder in a checkpoint with the model alone, where there is more
ALONE = ".model-only"  # marks a checkpoint that training cannot continue from
MEASURED = "measured.json"  # what folds or repeats of a configuration have measured, which is no model
_PREFIX = "epoch-"


class Checkpoints:
    """The checkpoints below one folder; the folder is made at the first save."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()  # a trial may change the working directory

    def find(self, key: str, below: int) -> tuple[int, Path] | None:
        """The newest checkpoint of `key` to continue from, with fewer than `below` epochs: (epochs, folder)."""
        found = [(epoch, path) for epoch, path in self._all(key) if epoch < below and not (path / ALONE).exists()]
        return max(found) if found else None

    def newest(self, key: str) -> int:
        """Epochs of the newest checkpoint of `key`; 0 where it has none."""
        return max((epoch for epoch, _ in self._all(key)), default=0)

    def model(self, key: str, epochs: int) -> tuple[int, Path] | None:
        """The newest one with a model of at most so many epochs: (epochs, folder)."""
        there = [(epoch, path) for epoch, path in self._all(key) if epoch <= epochs]
        found = [
            (epoch, path)
            for epoch, path in there
            if any(inner.name not in (ALONE, MEASURED) for inner in path.iterdir())
        ]
        return max(found) if found else None

    @contextmanager
    def save(self, key: str, epoch: int, keep: int | None = None) -> Iterator[Path]:
        """A folder to write into; on leaving it becomes the checkpoint after `epoch` epochs, older ones go.

        Args:
            key: of the configuration.
            epoch: done.
            keep: the one after so many epochs stays until `trim`: a trial began there, and would have to again if the
                run were killed before its result counts.

        Raises:
            OSError: the disk is full or the folder cannot be written; the older checkpoint is still there.
            BadValue: something else than plain files and folders was written, such as a link: nobody would follow it.
        """
        home = self.root / key
        aside = home / f".{_PREFIX}{epoch:05d}.{os.getpid()}"
        remove(aside)
        aside.mkdir(parents=True)
        try:
            yield aside
            check_plain(aside)
            for path in (*aside.rglob("*"), aside):
                sync(path)
        except BaseException:
            remove(aside)
            raise
        target = home / f"{_PREFIX}{epoch:05d}"
        _remove(target)
        aside.rename(target)
        sync(home)
        self._drop_below(key, epoch, keep)
        for path in home.glob(f".{_PREFIX}*"):  # of processes that were killed: a configuration has one writer
            remove(path)

    def check(self) -> None:
        """Make sure that all of them hold plain files and folders only, wherever they come from.

        Raises:
            BadValue: there is a link, a pipe or a device.
        """
        for path in (self.root, *(self.root / key for key in self.keys())):
            if path.is_symlink():
                raise BadValue(f"{str(path)!r} is a link, which is not followed; put the folder itself there")
        for key in self.keys():
            for path in (self.root / key).glob(f"{_PREFIX}*"):
                if path.is_symlink() or not path.is_dir():
                    raise BadValue(f"{str(path)!r} is no folder; delete it")
                check_plain(path)

    def trim(self, key: str) -> None:
        """Delete all checkpoints of configuration `key` but the newest."""
        if found := self._all(key):
            self._drop_below(key, max(found)[0], None)

    def drop(self, key: str) -> None:
        """Delete all checkpoints of configuration `key`."""
        for _, path in self._all(key):
            _remove(path)
        remove(self.root / key)

    def keys(self) -> list[str]:
        """The configurations that have a folder here."""
        return sorted(path.name for path in self.root.iterdir()) if self.root.is_dir() else []

    def _drop_below(self, key: str, epoch: int, keep: int | None) -> None:
        for older, path in self._all(key):
            if older < epoch and older != keep:
                _remove(path)

    def _all(self, key: str) -> list[tuple[int, Path]]:
        home = self.root / key
        if self.root.is_symlink() or home.is_symlink():
            return []
        found = [(path.name.removeprefix(_PREFIX), path) for path in home.glob(f"{_PREFIX}*") if not path.is_symlink()]
        return [(int(epoch), path) for epoch, path in found if epoch.isdecimal()]


def _remove(path: Path) -> None:
    """Delete `path`; out of sight first, as half a checkpoint would be taken for a whole one after a kill."""
    if path.exists():
        gone = path.with_name(f".{path.name}.gone")
        remove(gone)
        path.rename(gone)
        remove(gone)
