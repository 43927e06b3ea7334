"""Which checkpoints of a run are kept, and which no rung can need any more."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from mfbo.checkpoint import Checkpoints
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial


DEFAULT_BYTES = 2e9  # of checkpoints


class Retention:
    """Deletes the checkpoints that no rung can need any more; the incumbent's and that of the best at the top are kept.

    Args:
        checkpoints: those of the run.
        top_epochs: of the highest rung; a configuration that has been there goes no further.
        max_bytes: if all of them take more, those with the worst losses go first; of trials in flight none. None is
            `DEFAULT_BYTES`, beside which there is room for what the next promotion from each rung begins with.
    """

    def __init__(self, checkpoints: Checkpoints, top_epochs: int, max_bytes: float | None = None) -> None:
        self._checkpoints = checkpoints
        self._top = top_epochs
        self._max_bytes, self._spares = (DEFAULT_BYTES, True) if max_bytes is None else (max_bytes, False)
        self._done: set[str] = set()
        self._losses: dict[str, tuple[float, float]] = {}
        self._flying: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._changed: set[str] = set()

    def read(self, run: Run) -> None:
        """Record the results of a resumed run, and of the trials that it left open."""
        for result in run.results:
            self._note(result)
        self._flying = {trial.key for trial in run.open}

    def epochs(self, trial: Trial) -> int:
        """Epochs that the configuration of `trial`, which is about to start, has behind it."""
        self._flying.add(trial.key)
        found = self._checkpoints.find(trial.key, below=trial.rung.epochs)
        return found[0] if found else 0

    def after(
        self,
        result: Result,
        best: Result | None,
        pending: Collection[str] | None = None,
        highest: Result | None = None,
    ) -> None:
        """Delete what `result` has made useless.

        Args:
            result: that has come in.
            best: the incumbent now.
            pending: keys of the configurations that may still go on, beside those in flight; None for all.
            highest: the best at the highest rung, which may become the incumbent again.
        """
        self._note(result)
        self._changed.add(result.trial.key)
        if result.outcome.final:  # else it continues, perhaps from where it began
            self._flying.discard(result.trial.key)
            self._checkpoints.trim(result.trial.key)
        keep = {kept.trial.key for kept in (best, highest) if kept}
        if pending is not None:
            self._done.update(self._losses.keys() - self._flying - set(pending))
        for key in [key for key in self._done if key not in keep]:
            self._checkpoints.drop(key)
            self._done.discard(key)
            self._losses.pop(key, None)
        self._shrink(keep, self._max_bytes)

    def _note(self, result: Result) -> None:
        outcome, key = result.outcome, result.trial.key
        if outcome.failed or (outcome.status == "ok" and outcome.rung.epochs >= self._top):
            self._done.add(key)
        if outcome.loss is not None:
            self._losses[key] = (outcome.rung.work, -outcome.loss)

    def _shrink(self, keep: set[str], most: float) -> None:
        """Drop from the lowest rung and the worst loss upwards."""
        sizes = self._measured()
        spared = keep | self._flying
        if self._spares:
            next_up = self._next_up() - spared
            most += sum(sizes.get(key, 0) for key in next_up)
            spared |= next_up
        known = [key for key in sizes if key in self._losses and key not in spared]
        for key in sorted(known, key=self._losses.__getitem__):
            if sum(sizes.values()) <= most:
                return
            self._checkpoints.drop(key)
            sizes.pop(key)

    def _measured(self) -> dict[str, int]:
        """Bytes by configuration; only what may have changed since the last time is looked at."""
        there = set(self._checkpoints.keys())
        changed = self._changed | self._flying | (there - self._sizes.keys())
        self._sizes = {
            key: _size(self._checkpoints.root / key) if key in changed else self._sizes[key] for key in there
        }
        self._changed = set()
        return self._sizes

    def _next_up(self) -> set[str]:
        """The best configuration at each fidelity, of those that have not gone beyond it."""
        best: dict[float, tuple[float, str]] = {}
        for key, (work, merit) in self._losses.items():
            best[work] = max(best.get(work, (merit, key)), (merit, key))
        return {key for _, key in best.values()}


def _size(folder: Path) -> int:
    """Bytes in it, at any depth; a trial in flight may be writing, renaming and deleting there meanwhile."""
    total, waiting = 0, [str(folder)]
    for home in waiting:
        with suppress(OSError), os.scandir(home) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += Path(entry.path).lstat().st_size
    return total
