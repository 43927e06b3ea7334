"""What ``mfbo ls`` prints: a line for each run below a folder."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from mfbo.display.tables import one_line, plain_table
from mfbo.display.text import PATH, amount, budget, clean, number, rung_words
from mfbo.errors import MfboError, RunNotFound
from mfbo.evidence.curves import incumbent
from mfbo.goal import Goal
from mfbo.ledger.journal import COMMAND, FILE, announced_command, in_use, read

STATES = {"killed": "stopped at once", **dict.fromkeys(("budget", "trials", "wall", "exhausted", "gain"), "finished")}
"""Why a run ended: its state in the table; every other reason stands for itself."""
MIN_WIDTHS = {"task": 8, "optimizer": 9, "state": 12}  # columns that stay readable beside a long path
PREPARED = "being prepared"  # state of a run whose ledger is not there yet
NOT_SEARCHED = ("checkpoints", "best", "logs")  # folders inside a run, which hold no runs
MAX_FOLDERS = 20_000  # that are looked into, nearest first; a whole disk would take minutes
MAX_SEARCH = 5.0  # seconds that looking for runs takes at most, where folders are slow to read
MAX_RUNS = 1000  # that are read, nearest first


@dataclass(frozen=True)
class ListedRun:
    """A run in a few words.

    Attributes:
        folder: of the run.
        task, optimizer: names; empty where the ledger cannot be read.
        seed: of the run; None where the ledger cannot be read.
        state: ``running``, ``finished``, ``not finished``, ``interrupted``, ``failed``, or the fault of the ledger.
        damaged: whether the ledger cannot be read.
        kept: whether there is a ledger at all; not where the run was killed before, or is being prepared.
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
    kept: bool = True
    loss: float | None = None
    fidelity: str = ""
    cost: str = ""
    goal: Goal = field(default_factory=Goal)


def listed(folder: Path) -> tuple[list[ListedRun], str]:
    """The runs in `folder` and below it, by path, and what was left out, in words; empty where nothing was.

    One that cannot be read has the reason as its state.
    """
    found, whole = _runs(folder)
    said = "there are more folders than could be looked into: name one nearer to the runs"
    return [_listed(one) for one in sorted(found)], "" if whole else said


def _runs(folder: Path) -> tuple[list[Path], bool]:
    """Folders with a ledger, or with the command of a run that was killed before, and whether all were looked into.

    Links are not followed, and no other disk's folder is entered, as that of ``/proc``.
    """
    found: list[Path] = []
    waiting, looked = deque([folder]), 0
    disk = folder.stat().st_dev
    until = time.monotonic() + MAX_SEARCH
    while waiting and looked < MAX_FOLDERS and len(found) < MAX_RUNS and time.monotonic() < until:
        where, looked = waiting.popleft(), looked + 1
        with suppress(OSError), os.scandir(where) as entries:
            inside = list(entries)
            names = {entry.name for entry in inside}
            if FILE in names or (COMMAND in names and announced_command(where)):
                found.append(where)
            inner = [entry for entry in inside if entry.name not in NOT_SEARCHED and not entry.name.startswith(".")]
            waiting += [
                Path(entry.path)
                for entry in inner
                if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_dev == disk
            ]
    return found, not waiting


def _listed(folder: Path) -> ListedRun:
    try:
        run = read(folder)
    except RunNotFound as error:
        reason = PREPARED if in_use(folder, COMMAND) else str(error).removeprefix(f"{folder}: ")
        return ListedRun(str(folder), state=clean(reason, PATH), kept=False)
    except (MfboError, OSError) as error:
        reason = str(error).removeprefix(f"{str(folder / FILE)!r}: ")
        return ListedRun(str(folder), state=clean(reason.removeprefix(f"{folder}: "), PATH), damaged=True)
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
    lost = [run for run in runs if not run.kept and run.state != PREPARED]
    for run in runs:
        style = "red" if run.damaged else "cyan" if run.state in ("running", PREPARED) else ""
        names = [Text(_below(run, folder)), one_line(run.task), one_line(run.optimizer)]
        words = "damaged" if run.damaged else "nothing kept" if run in lost else run.state
        state = one_line(words, style)
        seed, best = "" if run.seed is None else number(run.seed), ""
        if run.loss is not None:
            name = "" if run.goal == Goal() else f"{clean(run.goal.name, 20)} "
            best = name + number(run.goal.value(run.loss))
        found.add_row(*names, Text(seed), state, Text(best), Text(run.cost))
    found.columns[0].no_wrap, found.columns[0].overflow = False, "fold"  # a path is never cut
    faulty = [run for run in runs if run.damaged or run in lost]
    faults = [Text(f"{_below(run, folder)}: {run.state}", "red" if run.damaged else "") for run in faulty]
    head = f"{len(runs)} run{'' if len(runs) == 1 else 's'} in {clean(folder, PATH)}"
    return Group(Text(head, "bold"), found, *faults)


def _below(run: ListedRun, folder: Path) -> str:
    return clean(Path(run.folder).relative_to(folder), PATH)


def to_dict(run: ListedRun) -> dict[str, Any]:
    """For ``--json``."""
    found = asdict(run)
    del found["goal"], found["loss"]
    return found | run.goal.facts(run.loss)
