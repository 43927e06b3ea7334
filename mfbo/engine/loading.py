"""The task of a run that is there already: its code is run only if it is still what the run began with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mfbo.adapters.command import is_command
from mfbo.engine import trusted_commands
from mfbo.ledger import fingerprint
from mfbo.space import is_space_file, kept_space
from mfbo.tasks.registry import load, own_code

if TYPE_CHECKING:
    from mfbo.ledger.run import Header
    from mfbo.task import Task


def task_of(
    header: Header, note: Callable[[str], None], *, task: Task | None = None, accept_changes: bool = False
) -> Task:
    """The task of a run, in the run's space.

    Args:
        header: of the run.
        note: is told whose code is run, before it is.
        task: for a run of a `Task` object, which no name leads to.
        accept_changes: take it although it has changed since, or is a command that nobody has typed here.

    Raises:
        RunChanged: task or space are not those of the run; a changed file, or such a command, was not run.
        UnknownName, BadTask, MissingExtra: as `mfbo.tasks.registry.load`.
    """
    if task is None:
        if not accept_changes:
            check_code(header)
        say_whose(header.task, note)
        task = load(header.task)
    task = _with_space(task, header)
    if not accept_changes:
        fingerprint.check_unchanged(header, task)
    return task


def check_code(header: Header) -> None:
    """Make sure, before it is run, that the code which a run names is what the run began with.

    Raises:
        RunChanged: the file is another one, or it is a command that nobody has typed here.
    """
    trusted_commands.check(header.task)
    fingerprint.check_file(header)


def say_whose(name: str, note: Callable[[str], None]) -> None:
    """Say what code that comes not from mfbo is about to be run for the task `name`, if there is some."""
    if said := own_code(name):
        note(said)


def _with_space(task: Task, header: Header) -> Task:
    """One that came from a file is in the ledger."""
    name = header.settings.space
    if not (is_space_file(name) or is_command(header.task)):
        return task.with_space(name)
    return task.on(kept_space(header.space))
