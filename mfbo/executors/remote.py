"""What lives on a Dask worker while a run uses it: an actor with a slot, whose process can be killed.

Beside ``distributed``'s own thread, one thread watches the slot; so a trial is held to its limits here even while no
word comes from the run. When the run ends, or dies, the scheduler releases the actor, and the process ends with it.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.executors.slot import Slot, nap
from mfbo.executors.system import short_of
from mfbo.executors.worker import THREADS
from mfbo.ledger.environment import versions

if TYPE_CHECKING:
    from mfbo.executors.evaluate import TrialSetup
    from mfbo.fidelity import Fidelity
    from mfbo.trial import Outcome, Report, Trial

START = 120.0  # seconds to wait for a process to import the task
POLL = 0.01  # seconds between looks at the process, and at what is new
TOKEN = ".mfbo-token"  # noqa: S105 - it opens nothing


@dataclass(frozen=True)
class SlotSpec:
    """What all trials of a run have in common, for a slot on another machine.

    Attributes:
        task: see `mfbo.executors.worker.packed`.
        fidelity: of the task.
        setup: of the run, with absolute paths.
        token: what the run has written into the file `TOKEN` beside its checkpoints.
        directory: in which the run works.
        max_seconds: most a trial may take.
        max_bytes: most memory that a trial's processes may hold.
    """

    task: bytes
    fidelity: Fidelity
    setup: TrialSetup
    token: str
    directory: Path
    max_seconds: float | None
    max_bytes: float | None


@dataclass(frozen=True)
class SlotFacts:
    """What a run must know of a slot on another machine.

    Attributes:
        version: of mfbo there.
        shares: whether it sees the checkpoints of the run; if not, its trials start from scratch.
    """

    version: str | None
    shares: bool


@dataclass(frozen=True)
class Update:
    """The state of a trial on another machine.

    Attributes:
        seconds: how long it has had the slot, time in which it was stopped left out.
        reports: new ones.
        outcome: once it is over.
        paused: seconds that it was stopped.
        said: what it has printed last.
        taken: once it is over, how long it has had the slot by the clock.
    """

    seconds: float
    reports: tuple[Report, ...]
    outcome: Outcome | None
    paused: float = 0.0
    said: str = ""
    taken: float = 0.0


class Watched:
    """A slot and the thread that watches it; every method may be called from any thread."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._lock = threading.Lock()
        self._ended: Outcome | None = None
        self._began = self._taken = 0.0
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="mfbo-watch", daemon=True).start()

    def start(self, trial: Trial, start_epoch: int) -> None:
        """Start `trial`."""
        with self._lock:
            self._ended, self._began = None, time.monotonic()
            self._slot.submit(trial, start_epoch)

    def stop(self, reason: str, grace: float) -> None:
        """As `Slot.stop`."""
        with self._lock:
            if self._slot.trial is not None:
                self._slot.stop(reason, grace)

    def update(self, after: int) -> Update:
        """What there is now, without the first `after` reports."""
        with self._lock:
            if self._ended is not None:
                return Update(0.0, (), self._ended, taken=self._taken)
            reports = self._slot.reports if self._slot.trial is not None else ()
            return Update(self._slot.seconds, reports[after:], None, self._slot.paused)

    def said(self) -> str:
        """What the trial has printed last."""
        with self._lock:
            return self._slot.said

    def close(self) -> None:
        """End the process."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            nap([self._slot], POLL)
            with self._lock:
                if self._slot.trial is not None:
                    self._ended = self._slot.poll()
                    self._taken = (self._slot.freed or time.monotonic()) - self._began
        self._slot.close()  # not under the lock: it may take a while, and the Dask worker must not wait for it


class RemoteSlot:
    """The actor. Its async methods run in the Dask worker's event loop, so a long one is in nobody's way."""

    def __init__(self, spec: SlotSpec) -> None:
        from distributed import get_worker

        self._shares = _shares(spec)
        setup = spec.setup if self._shares else replace(spec.setup, checkpoints=None)
        slot = Slot(
            spec.task,
            spec.fidelity,
            setup,
            environment=dict.fromkeys(THREADS, str(get_worker().state.nthreads)),
            directory=spec.directory,
            prepare=True,
            max_seconds=spec.max_seconds,
            max_bytes=spec.max_bytes,
        )
        slot.ready(START)
        self._watched = Watched(slot)
        weakref.finalize(self, self._watched.close)

    async def facts(self) -> SlotFacts:
        """What the run must know."""
        return SlotFacts(versions().get("mfbo"), self._shares)

    async def start(self, trial: Trial, start_epoch: int, patience: float) -> Update:
        """Start `trial`; its first `update`."""
        self._watched.start(trial, start_epoch)
        return await self.update(0, patience)

    async def update(self, after: int, patience: float) -> Update:
        """What is new beyond the first `after` reports, as soon as there is something, or after `patience` seconds."""
        began = time.monotonic()
        while True:
            update, waited = self._watched.update(after), time.monotonic() - began
            if update.reports or update.outcome or waited >= patience:
                return replace(update, said=self._watched.said())
            await asyncio.sleep(short_of(waited))

    async def stop(self, reason: str, grace: float) -> None:
        """Ask the trial to end at its next report; kill it after `grace` seconds."""
        self._watched.stop(reason, grace)

    async def close(self) -> None:
        """End the process."""
        self._watched.close()


def _shares(spec: SlotSpec) -> bool:
    """Whether the folder of the run's checkpoints is on a path that this machine shares with it."""
    if spec.setup.checkpoints is None:
        return False
    home = spec.setup.checkpoints.root.parent
    try:
        return (home / TOKEN).read_text(encoding="utf-8") == spec.token and os.access(home, os.W_OK)
    except OSError:
        return False
