"""Does an adapter of `peers` say what its library means? To be run in each peer's own environment.

    python experiments/peer_checks.py dehb

On tasks with numbers and categories, to 8 full evaluations: legal configurations, all rungs in use, promoted ones with
the very values they had below, no question twice, the same asks for the same seed and others for another, and failures
that are not asked again. Prints a line a task; exit code 1 where one does not hold.
"""

from __future__ import annotations

import sys
from collections import Counter

import click
from ConfigSpace import Configuration
from ConfigSpace.exceptions import (
    ActiveHyperparameterNotSetError,
    IllegalValueError,
    InactiveHyperparameterSetError,
)
from suite_runs import optimizer_of, run

from mfbo.ledger.run import Run
from mfbo.task import Task
from mfbo.tasks.registry import load
from mfbo.trial import Outcome

TASKS = ("branin", "hartmann3", "counting-ones")
COST = 8.0


def faults(name: str, task: Task) -> list[str]:
    """What does not hold of peer `name` on `task`."""
    found = run(name, task, 0, COST)
    again, other = run(name, task, 0, COST), run(name, task, 1, COST)
    asks = list(found.asks.values())
    promoted = [key for key, count in Counter(ask.key for ask in asks).items() if count > 1]
    checks = {
        "an illegal configuration": all(_legal(task, each) for each in (found, other)),
        "a rung that is never used": {ask.rung for ask in asks} == set(found.header.rungs),
        "nothing promoted": bool(promoted),
        "the same question twice": len({(ask.key, ask.rung) for ask in asks}) == len(asks),
        "other asks for the same seed": found.asks == again.asks,
        "the same asks for another seed": found.asks != other.asks,
        "failures not survived": _survives(name, task),
    }
    return [fault for fault, holds in checks.items() if not holds]


def _legal(task: Task, found: Run) -> bool:
    for ask in found.asks.values():
        try:
            Configuration(task.space, values=ask.config)
        except (IllegalValueError, ActiveHyperparameterNotSetError, InactiveHyperparameterSetError):
            return False
    return True


def _survives(name: str, task: Task) -> bool:
    """Whether each second trial may fail: those are not asked again."""
    optimizer, _ = optimizer_of(name, task, 0)
    failed: set[str] = set()
    for number in range(60):
        trial = optimizer.ask()
        if trial is None or trial.key in failed:
            return False
        loss = None if number % 2 else float(number)
        failed |= {trial.key} if loss is None else set()
        optimizer.tell(trial, Outcome("failed" if loss is None else "ok", loss, trial.rung, train=1.0))
    return True


@click.command()
@click.argument("peer")
def main(peer: str) -> None:
    """Check the adapter of that name in `peers`."""
    bad = False
    for name in TASKS:
        found = faults(f"peers:{peer}", load(name))
        bad = bad or bool(found)
        print(f"{peer} on {name}: {', '.join(found) or 'all well'}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
