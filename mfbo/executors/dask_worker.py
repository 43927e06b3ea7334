"""A Dask worker as a run sees it: whether it is ready, what it is doing, what has become of its trial."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mfbo.executors.evaluate import charged
from mfbo.executors.remote import RemoteSlot
from mfbo.ledger.environment import versions
from mfbo.trial import Outcome, Report

if TYPE_CHECKING:
    from mfbo.executors.remote import SlotFacts, SlotSpec, Update
    from mfbo.trial import Trial

PATIENCE = 1.0  # seconds that a call waits for something new; so often a trial is known to be alive
ANSWER = 10.0  # seconds for a worker to answer what it can answer at once
GONE = (OSError, RuntimeError, TimeoutError, ValueError)  # what a call to a worker that is gone ends with


class DaskWorker:
    """One Dask worker, with a slot for trials on it.

    Args:
        client: connected to the scheduler.
        address: of the worker.
        spec: what all trials of the run have in common.
    """

    def __init__(self, client: Any, address: str, spec: SlotSpec) -> None:
        self.address = address
        self._client = client
        self.ready = self.gone = False
        self.shares = False
        self.problem: str | None = None
        self.trial: Trial | None = None
        self.last: Trial | None = None
        self.said = ""  # what the trial has printed last
        self._key = f"mfbo-{uuid4().hex}"
        self._opening = client.submit(
            RemoteSlot, spec, workers=[address], allow_other_workers=False, actor=True, pure=False, key=self._key
        )
        self._actor: Any = None
        self._facts: Any = None
        self._update: Any = None
        self._start_epoch = 0
        self._reports: list[Report] = []
        self._submitted = self._seconds = self._overdue = self._paused = 0.0

    def open(self) -> bool:
        """Whether its state has changed: it has become `ready`, or has a `problem` and never will be."""
        if self.ready or self.gone or self.problem or not (self._facts or self._opening).done():
            return False
        try:
            if self._facts is None:
                with self._client.as_current():  # an actor belongs to the client that it first meets
                    self._actor = self._opening.result()
                    self._facts = self._actor.facts()
                return False
            facts: SlotFacts = self._facts.result()
        except Exception as error:  # whatever goes wrong over there, such as a library that is not installed
            self.problem = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            return True
        if facts.version != (here := versions().get("mfbo")):
            self.problem = f"it has mfbo {facts.version}, the run {here}; install the same"
        else:
            self.ready, self.shares = True, facts.shares
        return True

    @property
    def seconds(self) -> float:
        """How long its trial has had the worker, messages included; time in which it was stopped left out."""
        return max(0.0, time.monotonic() - self._submitted - self._paused) if self.trial is not None else 0.0

    @property
    def paused(self) -> float:
        """Seconds that its trial was stopped."""
        return self._paused if self.trial is not None else 0.0

    def submit(self, trial: Trial, start_epoch: int) -> None:
        """Start `trial`; the worker must be ready and free."""
        self.trial = self.last = trial
        self._start_epoch, self.said = start_epoch, ""
        self._reports = []
        self._submitted = time.monotonic()
        self._seconds = self._overdue = self._paused = 0.0
        self._update = self._call("start", trial, start_epoch, PATIENCE)

    def stop(self, reason: str, grace: float) -> None:
        """Ask the trial to end at its next report; kill it after `grace` seconds. The first call counts."""
        if not self._overdue:
            self._overdue = time.monotonic() + grace + ANSWER
            self._call("stop", reason, grace)

    def poll(self) -> Outcome | None:
        """The outcome, once there is one."""
        if self._overdue and time.monotonic() > self._overdue:
            return self.lost("does not answer")
        if self._update is not None and not self._update.done():
            return None
        try:
            assert self._update is not None, "it cannot be called"
            update: Update = self._update.result()
        except Exception as error:  # its machine, its connection or its process is gone
            return self.lost(f"was lost ({type(error).__name__}: {error})")
        if update.outcome is not None:
            self.trial = None
            messages = max(0.0, time.monotonic() - self._submitted - update.taken)
            return charged(update.outcome, update.outcome.cost + messages)
        self._paused, self._seconds, self.said = update.paused, update.seconds, update.said
        self._reports += update.reports
        self._update = self._call("update", len(self._reports), PATIENCE)
        return None

    def skip(self, seconds: float) -> None:
        """Leave out time in which the run itself was stopped."""
        self._submitted += seconds

    def lost(self, what: str) -> Outcome:
        """What is known of a trial whose worker is gone: its curve, and how long it is known to have run."""
        assert self.trial is not None
        seconds = min(self.seconds, self._seconds + PATIENCE)  # then it should have been heard of again
        rung, self.trial = self.trial.rung, None
        self.ready, self.gone = False, True
        return Outcome(
            status="lost",
            loss=None,
            rung=rung,
            train=seconds,
            reports=tuple(self._reports),
            error=f"worker {self.address} {what}",
            start_epoch=self._start_epoch,
        )

    def close(self) -> None:
        """End the slot, and with it its process; waits for nothing."""
        if self._actor is not None:
            self._call("close")
        self._actor = self._facts = self._update = None
        self._opening.release()

    def _call(self, method: str, *values: Any) -> Any:
        """A call to the worker, on its way; None where that is known to be gone."""
        try:
            return getattr(self._actor, method)(*values)
        except GONE:
            return None
