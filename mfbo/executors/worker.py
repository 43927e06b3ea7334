"""What goes on inside a worker process: it imports a task once, then runs one trial after another."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.adapters.process import kill_all
from mfbo.executors.evaluate import Setting, evaluate
from mfbo.executors.mailbox import Mailbox, stopper
from mfbo.tasks.registry import user_file

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


@dataclass(frozen=True)
class Surroundings:
    """What a worker process lives in.

    Attributes:
        environment: variables to set: its share of threads, its GPU.
        parent: the process that it must not outlive.
        directory: to work in, if there is one of that name; None to stay.
    """

    environment: Mapping[str, str]
    parent: int
    directory: Path | None = None


class Elsewhere:
    """Stands for the space in a worker, which draws nothing from it, and so need not spend seconds on its library."""

    def sample_configuration(self) -> None:
        """Not here."""
        raise NotImplementedError("the space of the task is in the process of the run")


def packed(task: Task, *, travels: bool = False) -> bytes:
    """`task` for another process: the name that it was loaded by, or the task itself, functions included.

    Args:
        task: what to run.
        travels: the process may be on another machine, so a user's file goes along as text. There it is imported from
            the same path if that holds the same, else from a copy: what it imports from beside it is then missing.

    Raises:
        BadTask: it cannot be sent to another process.
    """
    file = user_file(task.source)
    if file is not None and travels:
        source = f"{file.resolve()}:{task.source.rpartition(':')[2]}"
        return b"f" + json.dumps([source, file.read_text(encoding="utf-8")]).encode()
    if task.source:
        return b"n" + task.source.encode()
    import cloudpickle

    from mfbo.errors import BadTask

    needed = replace(task, space=Elsewhere(), spaces={}, grid=None, validate=None, true_loss=None)
    try:
        return b"p" + bytes(cloudpickle.dumps(needed))
    except Exception as error:  # a lock, an open file ...: whatever the task's function holds on to
        text = f"task {task.name!r} cannot be sent to a worker process: {type(error).__name__}: {error}"
        raise BadTask(f"{text}; make it loadable as path/to/file.py:name, or use workers=0") from error


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
    return _tasks[content]


def _arrived(sent: list[str], folder: Path) -> str:
    """The name to load a user's file by, here."""
    source, text = sent
    file, _, name = source.rpartition(":")
    with contextlib.suppress(OSError, UnicodeError):
        if Path(file).read_text(encoding="utf-8") == text:
            return source
    copy = folder / Path(file).name
    copy.write_text(text, encoding="utf-8")
    return f"{copy}:{name}"


def begin(surroundings: Surroundings) -> None:
    """First thing in a worker: its share of the machine; and it must not outlive the run."""
    os.environ.update(surroundings.environment)
    if surroundings.directory is not None and surroundings.directory.is_dir():
        os.chdir(surroundings.directory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the terminal; the run decides
    threading.Thread(target=_follow, args=(surroundings.parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    kill_all()  # a trial looks for the run as well, but may not have come to it
    os._exit(1)


def warm_up(content: bytes, folder: Path, options: Mapping[str, str] | None) -> None:
    """Import the task before the first trial needs it, and prepare it if there are `options`.

    What goes wrong here will go wrong there, and be told.
    """
    with contextlib.suppress(Exception):
        task = unpacked(content, folder)
        if options is not None and task.prepare:
            task.prepare(options)
        if torch := sys.modules.get("torch"):
            torch.optim.SGD([torch.zeros(1)], lr=0.0)  # at the first optimizer, PyTorch imports a good deal more


def work(job: Job) -> Outcome:
    """Run a trial."""
    task = unpacked(job.task, job.folder)
    mailbox = Mailbox(job.folder, job.name)
    mailbox.begin()
    stop = stopper(mailbox, os.getppid())
    return evaluate(task, job.trial, job.setting, stop, job.start_epoch, heard=mailbox.report)
