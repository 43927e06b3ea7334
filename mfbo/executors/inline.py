"""Trials in this process: one at a time on a real clock, any number of simulated workers on a virtual one."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.util import Finalize, get_temp_dir
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.executors.alarm import alarm
from mfbo.executors.evaluate import TrialSetup, charged, cut, evaluate, too_long
from mfbo.executors.output import hushed, on_stderr
from mfbo.executors.scratch import Scratch, scratch
from mfbo.executors.system import Heartbeat, adopt_orphans, children, end_children
from mfbo.tasks.registry import user_file
from mfbo.tasks.source_file import share

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.executors import Allowance
    from mfbo.task import Task
    from mfbo.trial import Outcome, Report, Trial


@dataclass
class _Flight:
    """A trial in flight; `outcome` is known at once on a virtual clock."""

    trial: Trial
    start_epoch: int
    began: float
    outcome: Outcome | None = None

    @property
    def ends(self) -> float:
        return self.began + (self.outcome.cost if self.outcome else 0.0)


class InlineExecutor:
    """Runs trials where `wait` is called.

    A trial whose measurement carries a cost takes that long on the executor's virtual clock; where several are in
    flight, they end in the order in which simulated workers would have ended them.

    Args:
        task: what to run.
        setup: of the run.
        slots: simulated workers; a task on a real clock needs 1.
        interrupted: whether the user asked to stop.
        wall: what the run's clock showed when it was left; 0 for a new run.
        virtual: whether that clock is a virtual one.
        grace: seconds that a trial has to report once a limit is reached, before it is stopped in mid-call.
        max_seconds: a trial that takes longer is stopped in mid-call, where that can be done.
        said: is told what a trial prints, line by line.
    """

    def __init__(
        self,
        task: Task,
        setup: TrialSetup,
        *,
        slots: int = 1,
        interrupted: Callable[[], bool] = lambda: False,
        wall: float = 0.0,
        virtual: bool = False,
        grace: float = 1.0,
        max_seconds: float | None = None,
        said: Callable[[Trial, str], None] = lambda trial, line: None,
    ) -> None:
        self._said = said
        self._grace = grace
        self._max_seconds = math.inf if max_seconds is None else max_seconds
        self._heartbeat = None if task.simulated else Heartbeat()
        self._home = ExitStack()
        self.slots = slots
        self._task = task
        self._setup = setup
        self._interrupted = interrupted
        self._flights: list[_Flight] = []
        self._began = time.perf_counter() - wall
        self._clock: float | None = wall if virtual else None
        if not task.simulated:
            self._share()

    @property
    def busy(self) -> int:
        """Trials in flight."""
        return len(self._flights)

    @property
    def now(self) -> float:
        """Seconds on the run's clock, virtual once a trial had a virtual cost."""
        return time.perf_counter() - self._began - self.paused if self._clock is None else self._clock

    def ready(self) -> None:
        """Import what the first trial would wait for."""
        if self._heartbeat is not None and self._task.warm_up:
            with suppress(Exception):  # it will fail in the first trial as well, and be told
                self._task.warm_up()

    def submit(self, trial: Trial, start_epoch: int, began: float | None = None) -> None:
        """Take `trial`; it runs at the next `wait`."""
        if began is None or self._clock is None:
            began = self._clock or 0.0
        self._flights.append(_Flight(trial, start_epoch, began))

    def wait(self, allowance: Allowance) -> tuple[Trial, Outcome]:
        """Run what was submitted; the trial that ends first."""
        for flight in self._flights:
            if flight.outcome is None:
                flight.outcome = self._run(flight, min(allowance.cost, allowance.wall))
                if flight.outcome.virtual and self._clock is None:
                    self._clock = 0.0
        if self._clock is None:
            flight = self._flights.pop(0)
            assert flight.outcome is not None
            return flight.trial, flight.outcome
        return self._next(allowance)

    def printed(self) -> list[tuple[Trial, str]]:
        """None: it is told while they print it."""
        return []

    @property
    def paused(self) -> float:
        """Seconds that this process was stopped, in all."""
        return self._heartbeat.paused if self._heartbeat else 0.0

    def abandon(self) -> list[tuple[Trial, Outcome]]:
        """Nothing runs while this is called."""
        return []

    def close(self) -> None:
        """End what trials have left."""
        if self._heartbeat:
            self._heartbeat.close()
        self._home.close()

    def _run(self, flight: _Flight, seconds: float) -> Outcome:
        late = False

        def stop(elapsed: float) -> str | None:
            nonlocal late
            if self._interrupted():
                return "interrupted"
            late = late or elapsed >= self._max_seconds
            return "time" if self._clock is None and (late or elapsed >= seconds) else None

        task, setup, trial, start_epoch = self._task, self._setup, flight.trial, flight.start_epoch
        said = partial(self._said, trial)
        if self._heartbeat is None:
            with hushed(setup.logs, trial.id, whole=False, said=said):
                return evaluate(task, trial, setup, stop, start_epoch, ends=self._interrupted)
        clock = self._heartbeat.clock
        began, before = clock(), children()
        last = min(seconds + self._grace, self._max_seconds)
        with (
            hushed(setup.logs, trial.id, whole=True, said=said),
            _temporary(self._folder),
            alarm(last, lambda: clock() - began),
        ):
            outcome = evaluate(task, trial, setup, stop, start_epoch, clock=clock, ends=self._interrupted)
        end_children(spared=before)
        if outcome.status == "stopped" and not self._interrupted() and (late or outcome.cost >= self._max_seconds):
            error = too_long(self._max_seconds)
            outcome = replace(outcome, status="timeout", loss=None, rung=trial.rung, error=error)
        return charged(outcome, clock() - began)

    def _share(self) -> None:
        """Let processes that trials start import the task's file, and end with them."""
        if adopt_orphans():
            self._home.callback(adopt_orphans, 0)
        keep_temporary()
        self._folder = self._home.enter_context(scratch("trials"))
        if (file := user_file(self._task.source)) is not None:
            path = list(sys.path)
            share(file, self._folder)
            self._home.callback(sys.path.__setitem__, slice(None), path)

    def _next(self, allowance: Allowance) -> tuple[Trial, Outcome]:
        """The earliest end; or, if money or time is gone before it, one of those in flight, cut there."""
        clock = self._clock or 0.0
        first = min(self._flights, key=lambda flight: flight.ends)
        elapsed = sum(clock - flight.began for flight in self._flights)
        gone = clock + min((allowance.cost - elapsed) / len(self._flights), allowance.wall)
        self._flights.remove(first)
        assert first.outcome is not None
        self._clock = max(clock, min(first.ends, gone))
        if first.ends <= gone or math.isclose(first.ends, gone):
            return first.trial, first.outcome
        return first.trial, cut(self._task, first.outcome, max(0.0, self._clock - first.began))


_process: list[Scratch] = []  # of this process, until its end


def keep_temporary() -> None:
    """Have the temporary folder of `multiprocessing`, which lasts as long as this process, where it is cleared up."""
    if not _process:
        _process.append(Scratch("process"))
        Finalize(None, _process[0].remove, exitpriority=-1000)  # after its own
        with _temporary(_process[0].path):
            get_temp_dir()


def run_here(
    task: Task,
    trial: Trial,
    setup: TrialSetup,
    stop: Callable[[float], str | None] | None = None,
    *,
    on_report: Callable[[Report], None] | None = None,
) -> Outcome:
    """Run one trial in this process, as `evaluate` does; it prints to standard error, and leaves no process behind."""
    before, heartbeat = children(), Heartbeat()
    adopted = adopt_orphans()
    try:
        with on_stderr():
            return evaluate(task, trial, setup, stop, on_report=on_report, clock=heartbeat.clock, ends=lambda: True)
    finally:
        heartbeat.close()
        end_children(spared=before)
        if adopted:
            adopt_orphans(0)


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Let temporary files of this process, and of those that it starts, be made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)  # a trial may have deleted it
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        if variable is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = variable
