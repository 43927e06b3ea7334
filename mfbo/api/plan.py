"""`mfbo.plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mfbo.api.progress import shown
from mfbo.api.settings import RunOptions, checked_task, split_settings
from mfbo.engine import tune as engine
from mfbo.search import Search

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mfbo.ledger.observer import Observer
    from mfbo.ledger.plan import Plan
    from mfbo.settings import Settings
    from mfbo.task import Task


def plan(
    task: Task | str,
    max_cost: str | float | None = None,
    *,
    max_wall: str | None = None,
    progress: bool = True,
    observer: Observer | None = None,
    search: Search | None = None,
    settings: Settings | None = None,
    **asked: Unpack[RunOptions],
) -> Plan | None:
    """What a budget would buy, and at which rungs; None where the user stopped it.

    >>> planned = plan("branin", "9x", optimizer="asha", progress=False)
    >>> planned.steps[-1].rung.epochs
    27

    Args:
        task: as for `mfbo.tune`.
        max_cost: the same.
        max_wall: the same.
        progress: show what is measured, and the plan.
        observer: is told what is done, and what the user should know.
        search: the same.
        settings: the same.
        asked: the same.

    Raises:
        MfboError: as `mfbo.tune`.
    """
    values: dict[str, Any] = dict(asked)
    chosen, watching = split_settings(plan, settings, values), shown(progress, observer)
    found = engine.plan(
        checked_task(task), max_cost, max_wall=max_wall, search=search, settings=chosen, observer=watching, **values
    )
    if found is not None:
        watching.on_plan(found, chosen.price)
    return found
