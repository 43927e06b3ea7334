"""What ``mfbo ls`` prints: a line for each run below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from mfbo.display.tables import one_line, plain_table
from mfbo.display.text import PATH, amount, budget, clean, number, rung_words
from mfbo.errors import MfboError
from mfbo.evidence.curves import incumbent
from mfbo.goal import Goal
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.writer import in_use

STATES = {"killed": "stopped at once", **dict.fromkeys(("budget", "trials", "wall", "exhausted"), "finished")}
"""Why a run ended: its state in the table; every other reason stands for itself."""
MIN_WIDTHS = {"task": 8, "optimizer": 9, "state": 12}  # columns that stay readable beside a long path
NOT_SEARCHED = ("checkpoints", "best", "logs")  # folders inside a run, which hold no runs


@dataclass(frozen=True)
class ListedRun:
    """A run in a few words.

    Attributes:
        folder: of the run.
        task, optimizer: names; empty where the ledger cannot be read.
        seed: of the run; None where the ledger cannot be read.
        state: ``running``, ``finished``, ``not finished``, ``interrupted``, ``failed``, or the fault of the ledger.
        damaged: whether the ledger cannot be read.
        loss: of the incumbent; None without one.
        goal: the metric of the run, and whether it is maximised.
        fidelity: of the incumbent; empty without one.
        cost: so far and of the limit, in words.
    """

    folder: str
    task: str = ""
    optimizer: str = ""
    seed: int | None = None
    state: str = ""
    damaged: bool = False
    loss: float | None = None
    fidelity: str = ""
    cost: str = ""
    goal: Goal = field(default_factory=Goal)


def listed(folder: Path) -> list[ListedRun]:
    """The runs in `folder` and below it, by path; one that cannot be read has the reason as its state."""
    return [_listed(found) for found in _runs(folder)]


def _runs(folder: Path) -> Iterator[Path]:
    """Folders with a ledger; links are not followed."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in NOT_SEARCHED and not name.startswith("."))
        if FILE in names:
            yield Path(where)


def _listed(folder: Path) -> ListedRun:
    try:
        run = read(folder)
    except (MfboError, OSError) as error:
        reason = str(error).removeprefix(f"{str(folder / FILE)!r}: ")
        return ListedRun(str(folder), state=clean(reason), damaged=True)
    header, best, limit = run.header, incumbent(run), budget(run.limits)
    running = run.ended is None and in_use(folder)
    return ListedRun(
        str(folder),
        clean(header.task),
        clean(header.optimizer),
        header.seed,
        "running" if running else STATES.get(run.ended or "", clean(run.ended or "not finished", 40)),
        loss=best.outcome.loss if best else None,
        fidelity=rung_words(best.outcome.rung) if best else "",
        cost=amount(run.spent, limit.unit if limit else "s") + (f" of {limit}" if limit else ""),
        goal=header.goal,
    )


def table(runs: Sequence[ListedRun], folder: Path) -> Group:
    """A row for each run, by its path below `folder`; then what is wrong with those that cannot be read."""
    found = plain_table("run", "task", "optimizer", "seed", "state", "best", "cost", widths=MIN_WIDTHS)
    for run in runs:
        style = "red" if run.damaged else "cyan" if run.state == "running" else ""
        names = [Text(_below(run, folder)), one_line(run.task), one_line(run.optimizer)]
        state = one_line("damaged" if run.damaged else run.state, style)
        seed, best = "" if run.seed is None else number(run.seed), ""
        if run.loss is not None:
            name = "" if run.goal == Goal() else f"{clean(run.goal.name, 20)} "
            best = name + number(run.goal.value(run.loss))
        found.add_row(*names, Text(seed), state, Text(best), Text(run.cost))
    found.columns[0].no_wrap, found.columns[0].overflow = False, "fold"  # a path is never cut
    damaged = [Text(f"{_below(run, folder)}: {run.state}", "red") for run in runs if run.damaged]
    head = f"{len(runs)} run{'' if len(runs) == 1 else 's'} in {clean(folder, PATH)}"
    return Group(Text(head, "bold"), found, *damaged)


def _below(run: ListedRun, folder: Path) -> str:
    return clean(Path(run.folder).relative_to(folder), PATH)


def to_dict(run: ListedRun) -> dict[str, Any]:
    """For ``--json``."""
    found = asdict(run)
    del found["goal"], found["loss"]
    return found | run.goal.facts(run.loss)
