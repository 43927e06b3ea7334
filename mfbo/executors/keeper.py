"""The process that keeps a worker: it starts it, ends it with all that it has started, and replaces it at once.

::

    run ── keeper ┬─ template     has imported the task, and does nothing but fork workers
                  ├─ worker       runs one trial after the other
                  └─ orphans      of trials: the keeper becomes their parent when theirs is gone, and ends them

The keeper runs nobody else's code, so it answers whatever a trial does. It ends when the run does, however that comes
about, and leaves no process and no temporary file. Where the import of the task has started threads, or the system is
not Linux, forking after it would not be safe: the process that has imported the task is then the worker itself, and a
spare one is made ready beside it.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from mfbo.adapters.process import LINUX
from mfbo.executors.forking import NUMBER, SIGNALS, Start, become
from mfbo.executors.shared import Shared
from mfbo.executors.system import StandStill, adopt_orphans, is_stopped, kill_trees, wake_without_parent
from mfbo.files.plain import remove

TICK = 0.1  # seconds between looks at whether the run is still there
FORK_PATIENCE = 30.0  # seconds that the template has to fork a worker
FORK_LOOK = 0.5  # seconds between looks at whether it was stopped meanwhile


@dataclass(eq=False)
class Child:
    """A process that is a worker, or may become one.

    Attributes:
        pid: its number.
        link: to it.
        ready: whether it has imported and prepared the task.
        trial: number of the trial that it runs.
        stopped: when it was stopped, by the monotonic clock; None while it runs.
        laden: whether a trial that it has run before left threads in it, which may end it.
    """

    pid: int
    link: Connection[Any, Any]
    ready: bool = False
    trial: int | None = None
    stopped: float | None = None
    laden: bool = False


class Keeper:
    """See above.

    Args:
        run: link to the run.
        start: what a worker lives in.
    """

    def __init__(self, run: Connection[Any, Any], start: Start) -> None:
        self._run, self._start = run, start
        self._shared = Shared()
        self._still = StandStill()
        self._worker: Child | None = None
        self._spare: Child | None = None
        self._template: Child | None = None
        self._control: socket.socket | None = None  # to the template
        self._forks = adopt_orphans() and LINUX
        self._queued: tuple[int, bytes] | None = None
        self._woken, self._wake = os.pipe()

    def live(self) -> None:
        """Serve the run until it is gone."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        wake_without_parent()
        signal.signal(signal.SIGTSTP, self._halt)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._replace()
        with suppress(EOFError, OSError):
            while os.getppid() == self._start.run:
                self._turn()
        orderly = os.getppid() == self._start.run
        kill_trees()
        for folder in (self._start.folder, *(() if orderly else self._start.leftovers)):
            remove(folder)

    def _halt(self, number: int, frame: object) -> None:
        """Ctrl-Z, which reaches the run and this process: stop what is kept, too, until the run goes on."""
        self._signal_all(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        for child in self._children():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)

    def _turn(self) -> None:
        """Wait for whatever comes first, and see to it."""
        links = {child.link: child for child in self._children() if not child.link.closed}
        self._still.before()
        ready = wait([self._run, self._woken, *links], TICK)
        self._pause(self._still.after(TICK))
        for source in ready:
            if source is self._run:
                self._send(*self._run.recv())
            elif source == self._woken:
                os.read(self._woken, 1000)
            else:
                self._receive(links[source])  # type: ignore[index]
        for child in self._children():
            self._look(child)

    def _children(self) -> list[Child]:
        return [child for child in (self._worker, self._spare, self._template) if child is not None]

    def _send(self, kind: str, *values: Any) -> None:
        """What the run wants."""
        if kind == "trial":
            self._shared.reason = None
            self._queued = (values[0], values[1])
            if self._worker is None:
                self._replace()
            self._give()
        elif kind == "stop":
            self._shared.reason = values[0]
        elif kind == "kill":
            _kill(self._worker or self._template)

    def _receive(self, child: Child) -> None:
        """What a child says; one that says nonsense ends."""
        try:
            kind, *values = child.link.recv()
        except Exception:  # its end, or what a trial has written where it should not
            child.link.close()
            _kill(child)
            return
        if kind == "template":
            self._template, self._worker = child, None
            self._replace()
        elif kind == "alone":
            self._forks = False
        elif kind == "ready":
            child.ready = True
            self._welcome(child)
        elif kind == "began":
            self._run.send(("began", child.trial, child.pid, values[0]))
        elif kind == "done":
            number, child.trial = child.trial, None
            child.laden = child.laden or values[2]
            self._look(child)  # it may have been stopped until a moment ago
            kill_trees(spared=[each.pid for each in self._children()])
            if values[1]:
                self._retire(child)
            self._run.send(("done", number, values[0], time.monotonic()))

    def _retire(self, child: Child) -> None:
        """End a worker that its trial has changed, so that the next trial is not run by it, and have another one."""
        _kill(child)
        with suppress(ChildProcessError):
            os.waitpid(child.pid, 0)
        child.link.close()
        if child is self._worker:
            self._worker = None
            self._replace()

    def _welcome(self, child: Child) -> None:
        """A worker is ready; one that cannot be forked again gets another one beside it."""
        if child is not self._worker:
            return
        self._run.send(("ready",))
        self._give()
        if not self._forks and self._spare is None:
            self._spare = self._fork(template=False)

    def _give(self) -> None:
        """Give the worker the trial that waits for it."""
        if self._worker is None or not self._worker.ready or self._queued is None:
            return
        (number, job), self._queued = self._queued, None
        self._worker.trial = number
        with suppress(OSError):  # it is gone, which will be noticed
            self._worker.link.send(("trial", job))

    def _look(self, child: Child) -> None:
        """Notice that a child has ended, was stopped or goes on."""
        while True:
            try:
                pid, status = os.waitpid(child.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:  # nobody's fault of ours, and it is gone
                pid, status = child.pid, 0
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                child.stopped = time.monotonic()
                self._say_paused(child)
            elif os.WIFCONTINUED(status):
                began, child.stopped = child.stopped or time.monotonic(), None
                self._pause(time.monotonic() - began if child is self._worker else 0.0)
                self._say_paused(child)
            else:
                self._ended(child, os.waitstatus_to_exitcode(status))
                return

    def _ended(self, child: Child, code: int) -> None:
        """Record the end of a child, and replace it, unless it would end again before its first trial."""
        if child is self._worker and child.stopped is not None:  # it ended while it stood still
            began, child.stopped = child.stopped, None
            self._pause(time.monotonic() - began)
        while child is self._worker and not child.link.closed and child.link.poll():
            self._receive(child)  # what it had said before
        child.link.close()
        if child is self._template:
            self._template = None
            self._drop_control()
        elif child is self._spare:
            self._spare = None
        elif child is self._worker:
            self._worker = None
            kill_trees(spared=[each.pid for each in self._children()])
            number = child.trial
            again = number is not None
            if not again and self._queued is not None:
                (number, _), self._queued = self._queued, None
            if again:
                self._replace()
            self._run.send(("dead", number, code, again, child.laden))

    def _replace(self) -> None:
        """Have a worker: the spare one, one of the template's, or a new one."""
        if self._spare is not None:
            self._worker, self._spare = self._spare, None
            if self._worker.ready:
                self._welcome(self._worker)
        elif self._template is None or not self._fork_by_template():
            self._worker = self._fork(template=self._forks)

    def _fork(self, *, template: bool) -> Child:
        """A new child, which imports the task, and may then become the template."""
        ours, theirs = Pipe()
        control = socket.socketpair() if template else None
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTSTP):
                signal.signal(number, signal.SIG_DFL)
            for mine in (self._run, ours, *(child.link for child in self._children())):
                mine.close()
            for descriptor in (self._woken, self._wake):
                os.close(descriptor)
            if control:
                control[0].close()
            try:
                become(theirs, control and control[1], self._start, self._shared)
            finally:
                os._exit(1)
        theirs.close()
        if control:
            self._drop_control()
            self._control = control[0]
            control[1].close()
        return Child(pid, ours)

    def _fork_by_template(self) -> bool:
        """Have the template fork a worker; whether it did."""
        assert self._control is not None
        ours, theirs = Pipe()
        try:
            self._control.settimeout(FORK_LOOK)
            socket.send_fds(self._control, [b"w"], [theirs.fileno()])
            told = self._told_by_template(time.monotonic() + FORK_PATIENCE)
        except OSError:
            told = b""
        theirs.close()
        if len(told) < NUMBER.size:
            _kill(self._template)
            self._template = None
            return False
        self._worker = Child(int(NUMBER.unpack(told)[0]), ours)
        return True

    def _told_by_template(self, limit: float) -> bytes:
        """What it answers; nothing where it does not, or was stopped, as it may be for ever."""
        assert self._control is not None
        assert self._template is not None
        while time.monotonic() < limit:
            with suppress(TimeoutError):
                return self._control.recv(NUMBER.size)
            if is_stopped(self._template.pid):
                break
        return b""

    def _drop_control(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def _pause(self, seconds: float) -> None:
        """Let the trial's clock stand still so long."""
        if seconds > 0:
            self._shared.paused += seconds
            if self._worker is not None:
                self._say_paused(self._worker)

    def _say_paused(self, child: Child) -> None:
        if child is self._worker:
            self._run.send(("paused", self._shared.paused, child.stopped))


def _kill(child: Child | None) -> None:
    if child is not None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)


def main(descriptor: int) -> None:
    """Keep a worker for the run at the other end of `descriptor`."""
    link: Connection[Any, Any] = Connection(descriptor)
    start: Start = link.recv()
    Keeper(link, start).live()
