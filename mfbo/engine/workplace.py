"""Where a run is trained, from the measurement before it to its end: one set of workers, one folder, one Ctrl-C.

The workers begin to import the task at once, while data and plan are made; those that have measured what a trial costs
run the trials, and what they have trained then is gone on with.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mfbo.checkpoint import Checkpoints
from mfbo.engine.interrupt import Interrupt
from mfbo.executors import choice
from mfbo.executors.scratch import scratch
from mfbo.files.plain import remove
from mfbo.planning.probe import CHECKPOINTS, Bench
from mfbo.trial import config_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Self

    from mfbo.executors.local import LocalExecutor
    from mfbo.ledger.run import Header
    from mfbo.settings import Settings
    from mfbo.task import Task
    from mfbo.trial import Config, Rung

MEASURED_FOLDER = ".measured"  # folder in that of a run, for what is trained before there is a ledger


class Workplace:
    """To be entered where the work begins.

    Attributes:
        interrupt: whether the user asked to stop.
        workers: that have begun to import the task; None where trials run elsewhere.

    Args:
        folder: of the run; None for one that is kept in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.interrupt = Interrupt()
        self.workers: LocalExecutor | None = None
        self._folder = folder
        self._scratch: Path | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @property
    def scratch(self) -> Path:
        """A folder for what is trained before there is a ledger, which goes with the workplace."""
        if self._scratch is None:
            if self._folder is None:
                self._scratch = self._stack.enter_context(scratch("run"))
            else:
                self._scratch = self._folder / MEASURED_FOLDER
                remove(self._scratch)  # of a run that was killed
                self._stack.callback(_remove, self._scratch, whole=not self._folder.exists())
        return self._scratch

    @contextmanager
    def undone_by_errors(self) -> Iterator[Self]:
        """Where the block ends by an error, nothing is left of what was measured in it."""
        try:
            yield self
        except BaseException:
            self._stack.close()
            raise

    def listen(self) -> None:
        """From now on Ctrl-C asks the run to end in order."""
        self._stack.enter_context(self.interrupt)

    def begin(self, task: Task | str, settings: Settings) -> None:
        """Have workers of this machine import the task, if they do not yet; a user's file while it is imported here.

        Raises:
            BadValue, BadTask: trials cannot be sent to them.
        """
        if self.workers is not None:
            if not isinstance(task, str) and not task.simulated and self.workers.runs(task):
                return
            self._dismiss()
        self.workers = choice.begin_early(task, settings, self.scratch, self.interrupt)
        if self.workers is not None:
            self._stack.callback(self._dismiss)

    def _dismiss(self) -> None:
        if self.workers is not None:
            self.workers.close()
        self.workers = None

    def bench(self, configs: Callable[[], Sequence[Config]]) -> Bench:
        """For the measurement before the run, which is to train these configurations."""
        return Bench(self.scratch, self.workers, configs)

    @property
    def checkpoints(self) -> Checkpoints:
        """Those of the run."""
        return Checkpoints((self._folder or self.scratch) / CHECKPOINTS)

    def settle(self, header: Header, *, keep: bool) -> None:
        """The run's ledger is there: what was trained before it belongs to the run, or is not to be kept.

        Trials can go on from what was trained as they are at the lowest level, for less long. A checkpoint of as many
        epochs, or on less data, would pass for one of theirs, and the model that they leave for the older one.
        """
        measured = Checkpoints(self.scratch / CHECKPOINTS)
        lowest, probes = header.rungs[0], header.plan.probes if header.plan else ()
        alike = {config_key(probe.config) for probe in probes if _alike(probe.rung, lowest)}
        for key in [*measured.keys()]:
            if not keep or key not in alike or measured.newest(key) >= lowest.epochs:
                measured.drop(key)
        if keep and self._folder is not None and measured.root.is_dir():
            measured.root.rename(self._folder / CHECKPOINTS)


def _alike(one: Rung, other: Rung) -> bool:
    """Whether both have the same data and the same inputs, and all else but the epochs."""
    sizes = (one.data, other.data), (one.size, other.size)
    return one.further == other.further and all(math.isclose(*pair, rel_tol=1e-6) for pair in sizes)


def _remove(scratch: Path, *, whole: bool) -> None:
    """Remove what was measured, and with `whole` the folder that it lies in, where nothing else came to lie there."""
    remove(scratch)
    if whole:
        with suppress(OSError):
            scratch.parent.rmdir()
