"""What a run is after, settled before it begins: the metric that was asked for, and what the task says of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mfbo.adapters.command import METRIC, is_command
from mfbo.cost.price import SIGNS, kept
from mfbo.errors import BadValue
from mfbo.goal import check_direction, name_of, said
from mfbo.objectives import directed

if TYPE_CHECKING:
    from mfbo.goal import Goal
    from mfbo.search import Search
    from mfbo.settings import Settings
    from mfbo.task import Task


def settled(task: Task, search: Search, settings: Settings) -> tuple[Search, Settings]:
    """The search with its metric by name alone and its direction, and settings without a direction in theirs.

    Raises:
        BadValue: the metric, the direction or an objective contradict each other or the task, or a metric that is
            called like a maximised one has no direction.
    """
    kept = settings.options.get("metric")
    pattern, maximize = said(kept or search.metric or task.metric, search.maximize)
    if kept and search.metric and search.metric not in (kept, name_of(pattern)):
        raise BadValue(f"metric {search.metric!r} and option metric {kept!r} are not the same; give one of them")
    name = name_of(pattern)
    if search.metric:  # with a direction of its own, perhaps
        _, maximize = said(search.metric, maximize)
    asked, maximize = maximize, _as_the_task_says(task, name, maximize)
    command = is_command(task.source)
    if command and maximize and not pattern:
        raise BadValue(f"no metric is named, so {METRIC!r} would be maximized; name one: --metric max:val_acc")
    check_direction(name, maximize)
    found = replace(search, metric=name or None, maximize=maximize or asked)
    if command and pattern:
        settings = replace(settings, options={**settings.options, "metric": pattern})
    elif kept:
        settings = replace(settings, options={**settings.options, "metric": name})
    _check_price(search, settings)
    return replace(found, objectives=directed(search.objectives, found.goal)), settings


def _check_price(search: Search, settings: Settings) -> None:
    """A rule to stop by that is in money needs a price in that currency."""
    rule, price = search.stop_rule, kept(settings.price)
    if rule is None or not rule.money:
        return
    currency = SIGNS.get(rule.money, rule.money.upper())
    if price is None:
        raise BadValue(f"stop when {rule.text!r} is in money, which needs a price; add one such as --price 0.90/h")
    if price.currency and price.currency != currency:
        raise BadValue(f"stop when {rule.text!r}: the price is in {price.currency}; give the gain in it too")


def goal_of(task: Task, search: Search, settings: Settings) -> Goal:
    """What a run of that search would be after.

    Raises:
        BadValue: as `settled`.
    """
    return settled(task, search, settings)[0].goal


def _as_the_task_says(task: Task, name: str, maximize: bool | None) -> bool | None:
    """The direction that was asked for, or the task's own where it has one."""
    if task.installed and not task.metric and name:
        raise BadValue(f"task {task.name!r} measures its own loss, not {name!r}; leave out --metric")
    if task.metric and name != task.metric:
        raise BadValue(f"task {task.name!r} measures {task.metric!r}, not {name!r}; leave out the metric")
    if None in (maximize, task.maximize) or maximize == task.maximize:
        return task.maximize if maximize is None else maximize
    own, other = ("maximized", "minimize") if task.maximize else ("minimized", "maximize")
    raise BadValue(
        f"task {task.name!r} says that its {task.metric or ('score' if task.maximize else 'loss')} is to be {own}; "
        f"leave out {other}"
    )
