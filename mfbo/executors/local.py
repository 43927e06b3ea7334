"""Workers on this machine: each trial in a process that can be killed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mfbo.executors import patience
from mfbo.executors.evaluate import TrialSetup, charged, cut
from mfbo.executors.share import shares
from mfbo.executors.slot import Slot, nap
from mfbo.executors.system import StandStill
from mfbo.executors.worker import packed, packed_name
from mfbo.fidelity import Fidelity

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.executors import Allowance
    from mfbo.task import Task
    from mfbo.trial import Outcome, Trial

POLL = 0.01  # seconds
TICK = 1.0  # seconds that `wait` takes at most where nothing happens
AWAKE = 0.5  # seconds after this process was stopped until the workers have said whether they were, too
START = 120.0  # seconds to wait for a process to import the task and its libraries
PATIENCE = 30.0  # seconds that a trial has to report after Ctrl-C; a second Ctrl-C ends it at once


class LocalExecutor:
    """Runs trials on `slots` processes of this machine.

    Args:
        task: what to run; its name, where it is not loaded here yet: `settle` has to bring it before the first trial.
        setup: of the run.
        slots: processes; each gets its share of the cores, or a GPU.
        grace: seconds that the trials in flight have to report once the limit is reached, before they are killed; of a
            limit of cost each has its share.
        interrupted: whether the user asked to stop.
        wall: what the run's clock showed when it was left.
        max_seconds: most a trial may take.
        max_bytes: most memory that a trial's processes may hold.
    """

    def __init__(
        self,
        task: Task | str,
        setup: TrialSetup,
        *,
        slots: int,
        grace: float,
        interrupted: Callable[[], bool] = lambda: False,
        wall: float = 0.0,
        max_seconds: float | None = None,
        max_bytes: float | None = None,
    ) -> None:
        self.slots = slots
        self._task = None if isinstance(task, str) else task
        self._grace = grace
        self._interrupted = interrupted
        self._began = time.monotonic() - wall
        self._ready = False
        self._still, self._awake = StandStill(), 0.0
        self._packed = packed_name(task) if isinstance(task, str) else packed(task)
        self._all = [
            Slot(
                self._packed,
                Fidelity() if self._task is None else self._task.fidelity,
                setup,
                environment=share,
                prepare=True,
                max_seconds=max_seconds,
                max_bytes=max_bytes,
            )
            for share in shares(slots)
        ]

    def runs(self, task: Task) -> bool:
        """Whether that is what the processes import."""
        return self._packed == packed(task)

    def settle(self, task: Task, setup: TrialSetup, grace: float, wall: float = 0.0) -> None:
        """From now on trials are those of a run of `task` with that setup and grace; its clock shows `wall` seconds."""
        self._task, self._grace, self._began = task, grace, time.monotonic() - wall
        for slot in self._all:
            slot.settle(setup, task.fidelity)

    def ready(self) -> None:
        """Wait until the processes have imported the task, so that no trial is charged for it."""
        self._ready = True
        for slot in self._all:
            slot.ready(START)

    @property
    def busy(self) -> int:
        """Trials in flight."""
        return sum(slot.trial is not None for slot in self._all)

    @property
    def now(self) -> float:
        """Seconds on the run's clock."""
        return time.monotonic() - self._began

    def submit(self, trial: Trial, start_epoch: int, began: float | None = None) -> None:
        """Start `trial` on a free process, which has imported the task by then."""
        if not self._ready:
            self.ready()
        next(slot for slot in self._all if slot.trial is None).submit(trial, start_epoch)

    def printed(self) -> list[tuple[Trial, str]]:
        """What trials in flight have printed last."""
        return [(slot.trial, slot.said) for slot in self._all if slot.trial is not None and slot.said]

    @property
    def paused(self) -> float:
        """Seconds that the trials in flight were stopped, in all."""
        return sum(slot.paused for slot in self._all)

    def wait(self, allowance: Allowance) -> tuple[Trial, Outcome] | None:
        """The next trial that ends; all are told to stop when the allowance is used up."""
        entered = now = time.monotonic()
        limit, until = now + allowance.wall, now + TICK
        while True:
            for slot in self._all:
                if slot.trial is not None and (outcome := slot.poll()):
                    return self._ended(slot, outcome, entered, allowance)
            now = time.monotonic()
            if self._interrupted():
                self._stop("interrupted", PATIENCE)
            elif now < self._awake:
                pass
            elif sum(slot.seconds for slot in self._all) >= allowance.cost:
                self._stop("time", patience(self._grace, self.busy))
            elif now >= limit:
                self._stop("time", patience(self._grace, 1))
            if now >= until:
                return None
            still = self._nap()
            limit, entered = limit + still, entered + still

    def abandon(self) -> list[tuple[Trial, Outcome]]:
        """End all trials in flight without waiting for anything."""
        return [(slot.last, slot.abandon()) for slot in self._all if slot.trial is not None and slot.last is not None]

    def close(self) -> None:
        """End the processes."""
        for slot in self._all:
            slot.close()

    def _nap(self) -> float:
        """A moment's sleep; seconds that this process was stopped in it, which the run's clock leaves out."""
        self._still.before()
        nap(self._all, POLL)
        if still := self._still.after(POLL):
            self._began += still
            self._awake = time.monotonic() + AWAKE
            for slot in self._all:
                slot.spare_until = self._awake
        return still

    def _stop(self, reason: str, grace: float) -> None:
        for slot in self._all:
            if slot.trial is not None:
                slot.stop(reason, grace)

    def _ended(self, slot: Slot, outcome: Outcome, entered: float, allowance: Allowance) -> tuple[Trial, Outcome]:
        """What `wait` returns, which was called at `entered`; the trial is charged until it was heard of here."""
        assert slot.last is not None
        assert self._task is not None
        if outcome.virtual:
            return slot.last, cut(self._task, outcome, allowance.cost)
        late = time.monotonic() - max(slot.freed, entered) if slot.freed else 0.0
        return slot.last, charged(outcome, outcome.cost + max(0.0, late))
