"""What `mfbo.tune`, `mfbo.plan` and `mfbo.compare` take alike: settings as keywords, and a task."""

from __future__ import annotations

from dataclasses import fields, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, TypedDict

from mfbo.errors import BadTask, UnknownName
from mfbo.search import Search, SearchOptions, keyword
from mfbo.settings import Settings
from mfbo.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class SettingsOptions(TypedDict, total=False):
    """Fields of `Settings` as keywords, and ``data_dir``."""

    device: str
    data_dir: Path | str
    options: Mapping[str, str]
    space: str
    from_scratch: bool
    workers: int | None
    scheduler: str | None
    max_trial_time: str | None
    max_trial_memory: float | None
    max_disk: float | None
    price: str | None


class RunOptions(SearchOptions, SettingsOptions, total=False):
    """Fields of `Search` and of `Settings` as keywords of `mfbo.tune`, `mfbo.plan` and `mfbo.compare`."""


def split_settings(call: Callable[..., Any], settings: Settings | None, values: dict[str, Any]) -> Settings:
    """`settings` with those of `values` that are fields of it, which are taken out of there.

    Raises:
        UnknownName: one of `values` is no keyword of `call`, in which they were given.
    """
    known = {item.name for item in fields(Settings)} | {keyword(item.name) for item in fields(Search)} | {"data_dir"}
    if unknown := [name for name in values if name not in known]:
        own = {name for name, one in signature(call).parameters.items() if one.kind != one.VAR_KEYWORD}
        raise UnknownName("keyword", unknown[0], known | own - {"self"}, f"help(mfbo.{call.__name__}) has them all")
    given = {item.name: values.pop(item.name) for item in fields(Settings) if item.name in values}
    chosen = replace(settings or Settings(), **given)
    if (folder := values.pop("data_dir", None)) is not None:
        chosen = replace(chosen, options={**chosen.options, "data_dir": str(folder)})
    return chosen


def checked_task(task: Task | str) -> Task | str:
    """`task` itself.

    Raises:
        BadTask: it is a train function; says how to make a task of it.
    """
    if callable(task) and not isinstance(task, Task):
        name = getattr(task, "__name__", "train")
        raise BadTask(f"{name!r} is a function; give mfbo.Task(NAME, SPACE, {name}, mfbo.Fidelity(epochs=(1, 27)))")
    return task
