"""What goes on inside a worker process: it imports a task once, then runs one trial after another."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mfbo.executors.evaluate import TrialSetup, evaluate, never_began
from mfbo.executors.mailbox import Mailbox
from mfbo.executors.output import into
from mfbo.executors.system import Condition, busy_threads, end_children, left_threads
from mfbo.tasks.registry import user_file
from mfbo.tasks.source_file import importable, kept_text, share_main

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mfbo.executors.forking import Start
    from mfbo.executors.shared import Shared
    from mfbo.task import Task
    from mfbo.trial import Outcome, Trial

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_tasks: dict[bytes, Task] = {}


@dataclass(frozen=True)
class Job:
    """What a worker needs to know to run a trial.

    Attributes:
        setup: of the run.
        trial: what to run.
        start_epoch: for stateless tasks.
        name: of the trial's mailbox.
    """

    setup: TrialSetup
    trial: Trial
    start_epoch: int
    name: str


class Elsewhere:
    """Stands for the space in a worker, which draws nothing from it, and so need not spend seconds on its library."""

    def sample_configuration(self) -> None:
        """Not here."""
        raise NotImplementedError("the space of the task is in the process of the run")


def packed(task: Task) -> bytes:
    """`task` for another process: the name that it was loaded by, or the task itself, functions included.

    Raises:
        BadTask: it cannot be sent to another process.
    """
    if task.source:
        return packed_name(task.source)
    import cloudpickle

    from mfbo.errors import BadTask

    needed = replace(task, space=Elsewhere(), spaces={}, grid=None, validate=None, true_loss=None)
    try:
        return b"p" + bytes(cloudpickle.dumps(needed))
    except Exception as error:  # a lock, an open file ...: whatever the task's function holds on to
        text = f"task {task.name!r} cannot be sent to a worker process: {type(error).__name__}: {error}"
        raise BadTask(f"{text}; make it loadable as path/to/file.py:name, or use workers=0") from error


def packed_name(name: str) -> bytes:
    """The task of that name for another process, whether it was loaded here yet or not.

    A user's file goes along as the text that was imported here: what a run trains does not change when somebody edits
    the file, and a worker on another machine may not have it.

    Raises:
        OSError: the file cannot be read.
    """
    file = user_file(name)
    if file is None:
        return b"n" + name.encode()
    source = f"{file.resolve()}:{name.rpartition(':')[2]}"
    return b"f" + json.dumps([source, kept_text(file).decode("utf-8", "surrogateescape")]).encode()


def unpacked(content: bytes, folder: Path) -> Task:
    """The task that `packed` stood for, loaded once in a process; `folder` is for files that it came with."""
    if content not in _tasks:
        from mfbo.tasks.registry import load

        if content[:1] == b"n":
            _tasks[content] = load(content[1:].decode())
        elif content[:1] == b"f":
            _tasks[content] = load(_arrived(json.loads(content[1:]), folder))
        else:
            import cloudpickle

            _tasks[content] = cloudpickle.loads(content[1:])  # from the run itself, not from a file
            share_main(_tasks[content], content, folder)
    return _tasks[content]


def _arrived(sent: list[str], folder: Path) -> str:
    """The name to load a user's file by, here: by its own path, where there is a file, else as a copy."""
    source, text = sent
    raw = text.encode("utf-8", "surrogateescape")
    path, _, name = source.rpartition(":")
    file = Path(path)
    if not file.is_file():
        file = folder / file.name
        file.write_bytes(raw)
    importable(file, raw, folder / "modules")
    return f"{file}:{name}"


class Worker:
    """Runs the trials that come over its link, one at a time.

    Args:
        link: to the keeper.
        start: what it lives in.
        shared: memory in common with the keeper.
    """

    def __init__(self, link: Connection[Any, Any], start: Start, shared: Shared) -> None:
        self._link, self._start, self._shared = link, start, shared
        self._home = Path.cwd()

    def serve(self) -> NoReturn:
        """Until the keeper ends it."""
        os.environ["TMPDIR"] = str(self._start.folder / "tmp")  # of trials and what they start: it goes with the run
        self._make_temporary()
        self._warm_up()
        self._link.send(("ready",))
        while True:
            _, content = self._link.recv()
            job: Job = pickle.loads(content)  # noqa: S301 - from the run
            self._make_temporary()
            before, threads = Condition(), [thread.native_id for thread in threading.enumerate()]
            outcome = self._run(job)
            os.chdir(self._home)
            end_children()
            left = left_threads(threads)
            worn = not before.restored() or busy_threads(left)
            self._link.send(("done", pickle.dumps(outcome), worn, bool(left)))

    def _make_temporary(self) -> None:
        """The place for temporary files, which a trial may have deleted."""
        tempfile.tempdir = None
        (self._start.folder / "tmp").mkdir(parents=True, exist_ok=True)

    def _warm_up(self) -> None:
        """Prepare the task before the first trial needs it; what goes wrong here will go wrong there, and be told."""
        with contextlib.suppress(BaseException):
            task = unpacked(self._start.task, self._start.folder)
            if self._start.options is not None:
                task.ready(self._start.options)
            if torch := sys.modules.get("torch"):
                torch.optim.SGD([torch.zeros(1)], lr=0.0)  # at the first optimizer, PyTorch imports a good deal more

    def _run(self, job: Job) -> Outcome:
        try:
            task = unpacked(self._start.task, self._start.folder)
        except BaseException as problem:
            return never_began(job.trial, problem)
        mailbox = Mailbox(self._start.folder, job.name)
        self._link.send(("began", time.monotonic()))
        with into(job.setup.logs, job.trial.id):
            return evaluate(
                task,
                job.trial,
                job.setup,
                lambda elapsed: self._shared.reason,
                job.start_epoch,
                on_report=mailbox.report,
                clock=self._shared.clock,
            )
