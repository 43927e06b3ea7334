"""What a run refuses before anything is written: limits that make no sense, or that buy nothing."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.budget import Budget
from mfbo.cost.price import Price
from mfbo.errors import BadCost, BadValue, UnknownName
from mfbo.ledger.run import Limits

if TYPE_CHECKING:
    from mfbo.ledger.run import Run
    from mfbo.settings import Settings
    from mfbo.task import Task
    from mfbo.trial import Rung


def limits(limits: Limits) -> None:
    """Limits that make sense."""
    if limits == Limits():
        raise BadCost(
            "no limit given; give a cost such as --max-cost 2h (max_cost in Python), or --max-trials, or --max-wall"
        )


def settings(settings: Settings) -> None:
    """Settings that make sense."""
    if settings.workers is not None and settings.workers < 0:
        raise BadValue(f"workers {settings.workers}: give 1 or more, or 0 to run trials in this process")
    if settings.scheduler is not None:
        _scheduler(settings.scheduler, settings.workers)
    if settings.max_trial_time is not None and Budget.parse(settings.max_trial_time, "max trial time").unit != "s":
        raise BadCost(f"max trial time {settings.max_trial_time!r}: give a duration such as 45s, 90m or 2h")
    for name, value in (("memory", settings.max_trial_memory), ("disk", settings.max_disk)):
        if value is not None and not 0 < value < math.inf:
            raise BadValue(f"max {name} {value!r}: give a number of GiB above 0")
    if settings.price is not None:
        Price.parse(settings.price)
    if settings.device not in ("auto", "cpu", "cuda", "mps"):
        raise UnknownName("device", settings.device, ("auto", "cpu", "cuda", "mps"))


def device(settings: Settings, task: Task) -> None:
    """A device that is there, of a task that trains here with PyTorch."""
    torch = task.warm_up is not None or "torch" in sys.modules
    if settings.scheduler is None and settings.device in ("cuda", "mps") and torch:
        from mfbo.tasks.training.device import device_of

        device_of(settings.device)


def _scheduler(scheduler: str, workers: int | None) -> None:
    """A scheduler that may be there, and workers that may be used."""
    if not re.fullmatch(r"[a-z]+://.+", scheduler) and not Path(scheduler).is_file():
        raise BadValue(f"scheduler {scheduler!r}: give tcp://host:port, or a scheduler file that exists")
    if workers == 0:
        raise BadValue("workers 0 runs trials in this process, which a scheduler cannot do; give 1 or more, or none")


def same_unit(before: Limits, after: Limits) -> None:
    """What has been charged in one unit cannot be continued in the other."""
    if after.unit != before.unit:
        kind = "full evaluations, such as 40x" if before.unit == "x" else "time, such as 4h"
        text = f"max cost {str(after.max_cost)!r}: this run is charged in {kind}"
        raise BadCost(f"{text}; give the new limit in the same unit")


def affordable(limits: Limits, task: Task, rungs: list[Rung], optimizer: str) -> None:
    """Refuse a budget that is known not to buy the cheapest trial."""
    if limits.max_cost is None:
        return
    budget, lowest = limits.max_cost, rungs[0]
    need = cheapest(task, lowest, budget.unit)
    if need is None:
        return
    if budget.amount < need.amount * (1 - 1e-9):
        text = f"max cost {str(budget)!r} is less than the cheapest trial of {optimizer!r}"
        raise BadCost(f"{text}: {lowest} costs {need.amount:.3g}{need.unit}; give at least that")


def cheapest(task: Task, lowest: Rung, unit: str) -> Budget | None:
    """What a trial at the lowest rung costs in that unit; None where that is not known beforehand."""
    if unit == "x":
        return Budget(lowest.work, "x")
    return Budget(lowest.work * task.full_cost, "s") if task.full_cost else None


def nothing_learned(run: Run) -> bool:
    """Whether no trial got to a report, and none failed either."""
    return all(not result.outcome.final and result.outcome.loss is None for result in run.results)


def too_little(run: Run, remedy: str) -> str:
    """What to say where `nothing_learned` within the budget; `remedy` is what a user can do."""
    spent = sum(result.outcome.cost for result in run.results)
    return (
        f"the cheapest trial ({run.header.rungs[0]}) gave no report in {spent:.3g}s, so there is no result, and what "
        f"more would buy cannot be told; {remedy}, or have the task report within its epochs (context.report)"
    )
