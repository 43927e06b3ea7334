"""What goes on inside a worker process: it imports a task once, then runs one trial after another."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.executors.evaluate import Setting, evaluate
from mfbo.executors.mailbox import Mailbox, stopper

if TYPE_CHECKING:
    from mfbo.task import Task
    from mfbo.trial import Outcome, Trial

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_tasks: dict[bytes, Task] = {}


@dataclass(frozen=True)
class Job:
    """What a worker needs to know to run a trial.

    Attributes:
        task: see `packed`.
        setting: of the run.
        trial: what to run.
        start_epoch: for stateless tasks.
        folder: of the mailboxes.
        name: of the trial's mailbox.
    """

    task: bytes
    setting: Setting
    trial: Trial
    start_epoch: int
    folder: Path
    name: str


def packed(task: Task) -> bytes:
    """`task` for another process: the name that it was loaded by, or the task itself, functions included.

    Raises:
        BadTask: it cannot be sent to another process.
    """
    if task.source:
        return b"n" + task.source.encode()
    import cloudpickle

    from mfbo.errors import BadTask

    try:
        return b"p" + bytes(cloudpickle.dumps(task))
    except Exception as error:  # a lock, an open file ...: whatever the task's function holds on to
        text = f"task {task.name!r} cannot be sent to a worker process: {type(error).__name__}: {error}"
        raise BadTask(f"{text}; make it loadable as path/to/file.py:name, or use workers=0") from error


def unpacked(content: bytes) -> Task:
    """The task that `packed` stood for; loaded once in a process."""
    if content not in _tasks:
        if content[:1] == b"n":
            from mfbo.task import load

            _tasks[content] = load(content[1:].decode())
        else:
            import cloudpickle

            _tasks[content] = cloudpickle.loads(content[1:])  # from the run itself, not from a file
    return _tasks[content]


def begin(environment: Mapping[str, str], parent: int) -> None:
    """First thing in a worker: its share of the machine; and it must not outlive the run."""
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the terminal; the run decides
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def warm_up(task: bytes) -> None:
    """Import the task before the first trial needs it; what goes wrong here will go wrong there, and be told."""
    with contextlib.suppress(Exception):
        unpacked(task)


def work(job: Job) -> Outcome:
    """Run a trial."""
    task = unpacked(job.task)
    mailbox = Mailbox(job.folder, job.name)
    mailbox.begin()
    stop = stopper(mailbox, os.getppid())
    return evaluate(task, job.trial, job.setting, stop, job.start_epoch, heard=mailbox.report)
