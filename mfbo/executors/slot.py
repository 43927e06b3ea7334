"""One place for a trial: a long-lived process that can be killed in mid-call, and is replaced then."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from pebble import ProcessExpired, ProcessPool

from mfbo.executors.evaluate import reached
from mfbo.executors.mailbox import Mailbox
from mfbo.executors.spawn import Context
from mfbo.executors.worker import Job, Surroundings, begin, warm_up, work
from mfbo.trial import Outcome, Report, Status

if TYPE_CHECKING:
    from mfbo.executors.evaluate import Setting
    from mfbo.fidelity import Fidelity
    from mfbo.trial import Trial

MEMORY_EVERY = 0.25  # seconds between looks at a worker's memory


class Slot:
    """Runs one trial at a time in a process of its own; `poll` is called until it has an outcome.

    Args:
        packed: the task, for the process.
        fidelity: of the task.
        setting: of the run.
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
        setting: Setting,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        prepare: bool = False,
        max_seconds: float | None = None,
        max_bytes: float | None = None,
    ) -> None:
        self.trial: Trial | None = None
        self.last: Trial | None = None
        self._packed, self._fidelity, self._setting = packed, fidelity, setting
        self._max_seconds, self._max_bytes = max_seconds, max_bytes
        self._folder = Path(tempfile.mkdtemp(prefix="mfbo-slot-"))
        surroundings = Surroundings(dict(environment or {}), os.getpid(), directory)
        self._pool = ProcessPool(max_workers=1, initializer=begin, initargs=(surroundings,), context=Context())
        self._warm = self._pool.schedule(
            warm_up, args=[packed, self._folder, dict(setting.options) if prepare else None]
        )
        self._count = 0
        self._killed = 0.0
        self._ending: tuple[str, float] | None = None
        self._verdict: tuple[Status, str] | None = None

    @property
    def seconds(self) -> float:
        """How long the trial has run; 0 while the process still starts."""
        began = self._mailbox.began if self.trial is not None else 0.0
        return (self._killed or time.monotonic()) - began if began else 0.0

    @property
    def reports(self) -> tuple[Report, ...]:
        """What the trial has reported so far."""
        return self._mailbox.reports()

    def ready(self, timeout: float) -> None:
        """Wait until the process has imported the task, so that no trial is charged for it."""
        with suppress(Exception, CancelledError):
            self._warm.result(timeout=timeout)

    def submit(self, trial: Trial, start_epoch: int) -> None:
        """Start `trial`; the slot must be free."""
        self.trial = self.last = trial
        self._start_epoch = start_epoch
        self._count += 1
        self._looked = self._killed = 0.0
        self._ending = self._verdict = None
        name = f"{trial.id}-{self._count}"
        self._mailbox = Mailbox(self._folder, name)
        job = Job(self._packed, self._setting, trial, start_epoch, self._folder, name)
        self._future = self._pool.schedule(work, args=[job])

    def stop(self, reason: str, grace: float) -> None:
        """Ask the trial to end at its next report; kill it after `grace` seconds. The first call counts."""
        if self._ending is None:
            self._ending = reason, time.monotonic() + grace
            self._mailbox.stop(reason)

    def poll(self) -> Outcome | None:
        """The outcome, once there is one; enforces the limits on the way."""
        if not self._future.done():
            self._watch()
            return None
        outcome = self._outcome()
        self._mailbox.clear()
        self.trial = None
        return outcome

    def close(self) -> None:
        """End the process."""
        if self.trial is not None:
            self._kill()
        self._pool.stop()
        self._pool.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _watch(self) -> None:
        """Notice the beginning, and kill what is over a limit."""
        if self._verdict:
            return
        now = time.monotonic()
        if self._mailbox.pid is None:
            self._mailbox.reports()
            if self._mailbox.pid is None and (self._ending is None or now <= self._ending[1]):
                return
        if self._max_seconds is not None and self.seconds > self._max_seconds:
            self._condemn("timeout", f"the trial took longer than {self._max_seconds:g}s (--max-trial-time)")
        elif self._ending is not None and now > self._ending[1]:
            self._condemn("stopped", self._ending[0])
        elif self._max_bytes is not None and now > self._looked + MEMORY_EVERY:
            self._looked = now
            if (size := self._memory()) > self._max_bytes:
                text = f"the trial held {size / 2**30:.2f} GiB, more than {self._max_bytes / 2**30:.2f}"
                self._condemn("memory", f"{text} (--max-trial-memory)")

    def _condemn(self, status: Status, error: str) -> None:
        self._verdict = status, error
        self._kill()

    def _processes(self) -> list[Any]:
        """The worker and what it has started; nothing while it is not known which process it is."""
        if self._mailbox.pid is None:
            return []
        try:
            worker = psutil.Process(self._mailbox.pid)
            return [*worker.children(recursive=True), worker]
        except psutil.Error:
            return []

    def _memory(self) -> float:
        total = 0.0
        for process in self._processes():
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        return total

    def _kill(self) -> None:
        """At once; the pool starts another process by itself."""
        self._mailbox.reports()
        self._killed = self._killed or time.monotonic()
        for process in self._processes():
            try:
                process.kill()
            except psutil.Error:
                continue
        if self._mailbox.pid is None:
            self._future.cancel()

    def _outcome(self) -> Outcome:
        try:
            outcome: Outcome = self._future.result()
        except ProcessExpired as error:
            return self._dead(*(self._verdict or _cause(error.exitcode)))
        except (Exception, CancelledError) as error:
            if self._verdict:
                return self._dead(*self._verdict)
            return self._dead("failed", f"{type(error).__name__}: {error}")
        return outcome

    def _dead(self, status: Status, error: str) -> Outcome:
        """What is left of a trial whose process is gone: its reports and its time."""
        assert self.trial is not None
        reports = self._mailbox.reports()
        found = Outcome(
            status=status,
            loss=None,
            rung=self.trial.rung,
            train=self.seconds,
            reports=reports,
            error=error if status != "stopped" else None,
            start_epoch=self._start_epoch,
        )
        return reached(self._fidelity, found) if status == "stopped" else found


def _cause(code: int | None) -> tuple[Status, str]:
    """Status and text for a process that ended by itself with exit code `code`, negative for a signal."""
    if code is None or code >= 0:
        return "exited", f"the worker process ended in mid-trial with exit code {code}"
    name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
    if -code == signal.SIGKILL:
        return "killed", f"the worker process was killed ({name}); the system does so when memory runs out"
    return "crashed", f"the worker process crashed ({name})"
