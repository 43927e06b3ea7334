"""One place for a trial: a long-lived process that can be killed in mid-call, and is replaced then."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from mfbo.executors.evaluate import MAX_ERROR_CHARACTERS, charged, reached, too_long
from mfbo.executors.forking import LOG, Start
from mfbo.executors.link import Link, await_any
from mfbo.executors.mailbox import Mailbox
from mfbo.executors.output import last_line
from mfbo.executors.scratch import Scratch
from mfbo.executors.verdict import cause, memory_of, too_much
from mfbo.executors.worker import Job
from mfbo.trial import Outcome, Report, Status

if TYPE_CHECKING:
    from typing import Any

    from mfbo.executors.evaluate import TrialSetup
    from mfbo.fidelity import Fidelity
    from mfbo.trial import Trial

MEMORY_EVERY = 0.25  # seconds between looks at a worker's memory
KILL_PATIENCE = 10.0  # seconds until a keeper has done what it was told; else it is killed itself
KILL_AGAIN = 1.0  # seconds until the worker is killed from here
STILL_PATIENCE = 60.0  # seconds for which a worker may be stopped (SIGSTOP) while this process is not
HALT_PATIENCE = 0.5  # seconds between looks at whether a keeper was stopped; with two in a row it is replaced
START_PATIENCE = 120.0  # seconds that a worker may take to import the task


def nap(slots: Sequence[Slot], seconds: float) -> None:
    """Sleep so long, or until there is something for one of `slots` to `poll`."""
    links = [slot._link for slot in slots if slot.trial is not None]
    if links:
        await_any(links, seconds)
    else:
        time.sleep(seconds)


class Slot:
    """Runs one trial at a time in a process of its own; `poll` is called until it has an outcome.

    A trial costs the time for which its slot is taken: from when it is submitted until its process is free again and
    what it has started is gone; where it took its process with it, until another one is ready. What it may take at most
    (`max_seconds`) is counted from when it began.

    Attributes:
        trial: that it runs; None while it is free.
        last: that it runs or has run last.
        spare_until: until then no limit ends a trial, as this process was stopped and perhaps the worker, too.
        freed: when that trial was over, by the monotonic clock; 0 while it is not, or where it took its process along.

    Args:
        packed: the task, for the process.
        fidelity: of the task.
        setup: of the run.
        environment: variables of the process: threads, GPU.
        directory: for the process to work in, if there is one of that name; None for that of this process.
        prepare: whether the process prepares the task, so that no trial waits for its libraries and data.
        max_seconds: a trial that takes longer is killed.
        max_bytes: so is one whose processes hold more memory.
    """

    def __init__(
        self,
        packed: bytes,
        fidelity: Fidelity,
        setup: TrialSetup,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        prepare: bool = False,
        max_seconds: float | None = None,
        max_bytes: float | None = None,
    ) -> None:
        self.trial: Trial | None = None
        self.last: Trial | None = None
        self.freed = self.spare_until = 0.0
        self._fidelity, self._setup = fidelity, setup
        self._max_seconds, self._max_bytes = max_seconds, max_bytes
        self._environment, self._directory = dict(environment or {}), directory
        self._packed, self._options = packed, dict(setup.options) if prepare else None
        self._count = 0
        self._paused, self._stopped = 0.0, None
        self._halt, self._asked = False, 0.0
        self._fresh = 0, 0.0  # number of the worker, and what it held when its first trial began
        self._open()

    @property
    def seconds(self) -> float:
        """How long the trial has had the slot, time in which it was stopped left out."""
        return self._since(*self._submitted) if self.trial is not None else 0.0

    def _since(self, began: float, paused: float, now: float | None = None) -> float:
        """Seconds since `began`, when the worker had been stopped for `paused` seconds; without those since then."""
        if now is None:
            now = time.monotonic() if self._stopped is None else self._stopped
        return max(0.0, now - began - self._paused + paused)

    @property
    def paused(self) -> float:
        """Seconds that the trial was stopped so far."""
        still = 0.0 if self._stopped is None else time.monotonic() - self._stopped
        return self._paused - self._submitted[1] + still if self.trial is not None else 0.0

    @property
    def begun(self) -> bool:
        """Whether the trial is on its way, its process being there."""
        return self.trial is not None and self._pid is not None

    @property
    def reports(self) -> tuple[Report, ...]:
        """What the trial has reported so far."""
        return self._mailbox.reports()

    @property
    def said(self) -> str:
        """What the trial has printed last."""
        return last_line(self._setup.logs, self.trial.id) if self.trial is not None else ""

    def settle(self, setup: TrialSetup, fidelity: Fidelity) -> None:
        """Run further trials with another setup; `fidelity` of the task, which may not have been known before."""
        self._setup, self._fidelity = setup, fidelity

    def ready(self, timeout: float) -> None:
        """Wait until the process has imported the task, so that no trial is charged for it; or has died of it."""
        limit = time.monotonic() + timeout
        while not (self._ready or self._settled) and time.monotonic() < limit:
            self._receive(0.1)

    def submit(self, trial: Trial, start_epoch: int) -> None:
        """Start `trial`; the slot must be free."""
        self.trial = self.last = trial
        self._start_epoch = start_epoch
        self._count += 1
        self.freed = 0.0
        self._submitted = self._began = time.monotonic(), self._paused
        self._halt, self._asked = False, time.monotonic()
        self._looked, self._pid, self._before = 0.0, None, 0.0
        self._worker: psutil.Process | None = None
        self._ending: tuple[str, float] | None = None
        self._verdict: tuple[Status, str] | None = None
        self._killed = 0.0
        self._done: Outcome | None = None
        self._dead: tuple[Status, str] | None = None
        name = f"{trial.id}-{self._count}"
        self._mailbox = Mailbox(self._folder, name)
        self._link.send(("trial", self._count, pickle.dumps(Job(self._setup, trial, start_epoch, name))))

    def stop(self, reason: str, grace: float) -> None:
        """Ask the trial to end at its next report; kill it after `grace` seconds. The first call counts."""
        if self._ending is None:
            self._ending = reason, time.monotonic() + grace
            self._link.send(("stop", reason))

    def poll(self) -> Outcome | None:
        """The outcome, once there is one; enforces the limits on the way."""
        self._receive()
        if self._done is None and self._dead is None:
            self._watch()
        outcome = self._done or (self._lost_process() if self._dead is not None else None)
        if outcome is None:
            return None
        self._mailbox.clear()
        self.trial = None
        return outcome

    def abandon(self) -> Outcome:
        """End the trial by force, without a word from the process that keeps the worker."""
        self._verdict = "stopped", "time"
        self._renew()
        outcome = self._lost_process()
        assert outcome is not None
        self.trial = None
        return outcome

    def close(self) -> None:
        """End the process, and all that it has started."""
        self._link.close()
        self._home.remove()

    def _open(self) -> None:
        """Start a keeper."""
        self._home = Scratch("slot")
        self._folder = self._home.path
        argv = tuple(sys.argv)
        scratch = self._setup.scratch
        leftovers = () if scratch is None else (scratch,)
        start = Start(self._packed, self._folder, argv, os.getpid(), self._options, leftovers)
        self._link = Link(start, self._environment, self._directory)
        self._ready = False
        self._settled = False  # whether it is known what comes after a process that has ended

    def _receive(self, timeout: float = 0.0) -> None:
        """Record what the keeper says; if it is gone itself, start another."""
        try:
            for message in self._link.messages(timeout):
                self._take(*message)
        except EOFError:
            self._renew()

    def _renew(self) -> None:
        """Another keeper in place of one that is gone or has to go."""
        self._link.close(force=True)
        self._home.remove()
        self._open()
        still, self._paused, self._stopped = self.paused, 0.0, None  # which the new one counts from its beginning
        if self.trial is not None:
            self._submitted = self._submitted[0] + still, 0.0
            self._dead = self._verdict or ("killed", "the process that keeps the worker was killed")

    def _take(self, kind: str, *values: Any) -> None:
        if kind == "ready":
            self._ready = self._settled = True
        elif kind == "paused":
            self._paused, self._stopped = values
        elif kind == "dead" and not values[2]:
            self._ready, self._settled = False, True
        if self.trial is None or kind not in ("began", "done", "dead") or values[0] != self._count:
            return
        if kind == "began":
            self._pid, self._began = values[1], (values[2], self._paused)
            with suppress(psutil.Error):
                self._worker = psutil.Process(values[1])
            self._note_memory(values[1])
        elif kind == "done":
            self.freed = values[2]
            taken = self._since(*self._submitted, now=self.freed)
            self._done = charged(pickle.loads(values[1]), taken)  # noqa: S301 - from a worker of ours
        else:
            begun, laden = self._pid is not None, values[3]
            self._dead = self._verdict or cause(values[1], begun=begun, said=self._start_log(), laden=laden)
            self._ready, self._settled = False, not values[2]

    def _watch(self) -> None:
        """Kill what is over a limit; and the keeper, if it does not do that."""
        now = time.monotonic()
        if self._verdict:
            self._insist(now)
            return
        if self._halted(now):
            self._verdict = "killed", "the process that keeps the worker was stopped"
            self._renew()
            return
        if now < self.spare_until:
            return
        begun = self._pid is not None
        seconds = self._since(*self._began)
        if self._stopped is not None and now - max(self._stopped, self.spare_until) > STILL_PATIENCE:
            self._condemn(
                "killed", f"the worker process was stopped (SIGSTOP) for {STILL_PATIENCE:g}s, the run was not"
            )
            return
        if self._max_seconds is not None and seconds > self._max_seconds + (0 if begun else START_PATIENCE):
            self._condemn("timeout", too_long(self._max_seconds))
        elif self._ending is not None and now > self._ending[1]:
            self._condemn("stopped", self._ending[0])
        elif self._max_bytes is not None and begun and now > self._looked + MEMORY_EVERY:
            self._looked = now
            if (size := memory_of(self._pid or 0)) > self._max_bytes:
                self._condemn(*too_much(size, self._before, self._max_bytes))

    def _insist(self, now: float) -> None:
        """See to it that a trial ends whose end was decided: its keeper may wait for what the worker never says."""
        if now > self._killed + KILL_PATIENCE:
            self._renew()
        elif now > self._killed + KILL_AGAIN and self._worker is not None:
            with suppress(psutil.Error):
                self._worker.kill()
            self._worker = None

    def _halted(self, now: float) -> bool:
        """Whether the keeper has stood still for a while, although this process did not."""
        if now < self._asked + HALT_PATIENCE:
            return False
        before, self._halt, self._asked = self._halt, self._link.stopped, now
        return before and self._halt

    def _note_memory(self, pid: int) -> None:
        """How much of what the worker holds as a trial begins was left by others before it."""
        if self._max_bytes is None:
            return
        size = memory_of(pid)
        if pid != self._fresh[0]:
            self._fresh = pid, size
        self._before = size - self._fresh[1]

    def _condemn(self, status: Status, error: str) -> None:
        self._verdict, self._killed = (status, error), time.monotonic()
        if (self._ready or self._pid is not None) and not self._link.stopped:
            self._link.send(("kill",))
        else:  # the keeper itself may still be starting
            self._renew()

    def _lost_process(self) -> Outcome | None:
        """What is left of a trial whose process is gone: its reports and its time; None while its slot is taken."""
        assert self.trial is not None
        assert self._dead is not None
        status, error = self._dead
        waited = self.seconds > START_PATIENCE + (self._max_seconds or 0)
        if not (self._settled or self._ending is not None or status == "stopped" or waited):
            return None
        found = Outcome(
            status=status,
            loss=None,
            rung=self.trial.rung,
            train=self.seconds,
            reports=self._mailbox.reports(),
            error=error if status != "stopped" else None,
            start_epoch=self._start_epoch,
            obstacle="" if self._pid is not None or status == "stopped" else "start",
        )
        return reached(self._fidelity, found) if status == "stopped" else found

    def _start_log(self) -> str:
        try:
            with (self._folder / LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_ERROR_CHARACTERS))
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""
