"""Do the three phases of a study pay against one? Exploration on small rungs, a narrowed space, then `smac` in it.

Both are given the same cost. A table has no unseen data, so nothing is spent on the third phase: the first two have all
of the cost between them, in the proportion that a study gives them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from mission_tasks import accuracies
from suite_families import task_of
from suite_runs import seed_of

from mfbo.evidence.statistics import wilcoxon
from mfbo.search import Search
from mfbo.study.phases import SHARES, study
from mfbo.study.spec import Study as Asked

if TYPE_CHECKING:
    from mission_overall import Study

BUDGETS = (4.0, 8.0, 16.0)  # full evaluations of all phases
LEVELS = 3  # of a task's ladder, that two may lie below half of a full evaluation


def jobs(tasks: Sequence[str], seeds: int, cost: float) -> Iterator[tuple[str, int, float]]:
    """(task, seed, budget) of each run; a study explores on two levels below half of a full evaluation at least."""
    deep = [task for task in tasks if len(task_of(f"table-{task}").fidelity.ladder()) >= LEVELS]
    return product(deep, range(seeds), [budget for budget in BUDGETS if budget <= cost])


def path_of(folder: Path, task: str, seed: int, budget: float) -> Path:
    """The file of a run."""
    return folder / "phases" / f"table-{task}-{seed}-{budget:g}.json"


def store(folder: Path, task: str, seed: int, budget: float) -> None:
    """Run both phases, and keep the accuracy at full fidelity of what they found; nothing where it is there."""
    path, name = path_of(folder, task, seed, budget), f"table-{task}"
    if path.exists():
        return
    with TemporaryDirectory() as scratch:
        search = Search("smac", seed_of(name, seed))
        asked = Asked((name,), ("smac",), 1, f"{budget / sum(SHARES.values()):g}x", search=search)
        found = study(asked, Path(scratch) / "study")
    accuracy = 1 - task_of(name).true_loss(found.lines[0].config)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(accuracy))


def section(about: Study) -> str:
    """Markdown."""
    lines = ["| task | " + " | ".join(f"{budget:g}" for budget in BUDGETS) + " |", "|---|" + "---|" * len(BUDGETS)]
    for task in about.tasks:
        cells = []
        for budget in BUDGETS:
            if budget > about.cost:
                cells.append("")
                continue
            paths = {seed: path_of(about.folder, task, seed, budget) for seed in range(about.seeds)}
            run = [seed for seed, path in paths.items() if path.exists()]
            if not run:
                cells.append("not run: too few levels")
                continue
            one = accuracies(about, task, "smac", [budget])[run, 0]
            three = [json.loads(paths[seed].read_text()) for seed in run]
            p = wilcoxon(three, one)
            cells.append(f"{np.mean(three):.3f} against {one.mean():.3f} ({len(run)} seeds, p {p:.2f})")
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return (
        "### Three phases against one\n\nMean accuracy at full fidelity of what `smac` found after an exploration and "
        "in the narrowed space, against `smac` alone for the same cost, by full evaluations (Wilcoxon, pairs of "
        "seeds):\n\n" + "\n".join(lines)
    )
