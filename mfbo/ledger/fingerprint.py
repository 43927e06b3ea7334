"""What makes a run the same run: its task's space, fidelity and source, and how to tell what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mfbo.errors import RunChanged
from mfbo.tasks.registry import own_file

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.ledger.run import Header
    from mfbo.task import Task
    from mfbo.trial import Rung


def space_dict(space: ConfigurationSpace) -> dict[str, Any]:
    """The space in ConfigSpace's own JSON form."""
    return dict(json.loads(json.dumps(space.to_serialized_dict(), default=lambda value: value.item())))  # np.arange's


def digest(value: object) -> str:
    """Sixteen hexadecimal digits of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def source_hash(name: str) -> str:
    """Of the user's own file in ``path/file.py:task``, or the script in a command; empty where there is none."""
    file = own_file(name)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file is not None and file.is_file() else ""


def check_file(header: Header) -> None:
    """Make sure, before it is run, that the user's own file is still what the run began with; if there is one here.

    Raises:
        RunChanged: it is not.
    """
    if found := source_hash(header.task):
        _refuse(header, [_file_of(header)] if found != header.source_hash else [])


def check_unchanged(header: Header, task: Task) -> None:
    """Make sure that `task` is still what the run began with.

    Raises:
        RunChanged: it is not; names what changed.
    """
    changes = []
    space = space_dict(task.space)
    if digest(space) != header.space_hash:
        changes.append(f"the space ({_difference(header.space, space)})")
    was, now = (
        ", ".join(
            f"{name} {span}" for name, span in [*one.counts.items(), ("data", one.data_range), ("size", one.size_range)]
        )
        for one in (header.fidelity, task.fidelity)
    )
    if was != now:
        changes.append(f"the fidelity (was {was}, is {now})")
    goal = header.goal
    if task.maximize is not None and task.maximize != goal.maximize:
        changes.append(f"its direction (the run is after {goal.option})")
    elif task.metric and task.metric != goal.name:
        changes.append(f"its metric (was {goal.name!r}, is {task.metric!r})")
    full = task.fidelity.full
    if over := [rung for rung in header.rungs if _beyond(rung, full)]:
        changes.append(f"the fidelity (a rung of the run is {over[0]}, full is {full})")
    if source_hash(header.task) != header.source_hash:
        changes.append(_file_of(header))
    _refuse(header, changes)


def _beyond(rung: Rung, full: Rung) -> bool:
    """Whether a rung has more of anything than a full evaluation."""
    return rung.data > full.data or any(number > full.counts.get(name, number) for name, number in rung.counts.items())


def _file_of(header: Header) -> str:
    return f"the file {str(own_file(header.task) or header.task)!r}"


def _refuse(header: Header, changes: list[str]) -> None:
    if changes:
        fix = "put it back, start a new run, or give --accept-changes if results stay comparable"
        raise RunChanged(f"task {header.task!r} has changed since this run began: {' and '.join(changes)}; {fix}")


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old = {entry["name"]: entry for entry in before.get("hyperparameters", [])}
    new = {entry["name"]: entry for entry in after.get("hyperparameters", [])}
    words = [f"{name} is gone" for name in old if name not in new]
    words += [f"{name} is new" for name in new if name not in old]
    words += [f"{name}: {_parts(old[name], new[name])}" for name in old if name in new and old[name] != new[name]]
    return "; ".join(words) or "its conditions or forbidden parts"


def _parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in names)
