"""What the study says over all tasks: regret, ranks, tests, speed-ups, and the answer in one line; see mission.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mission_phases import section as phases
from mission_tasks import accuracies, default
from suite_scores import CHECKPOINTS, geometric, regrets, speed_up, table

from mfbo.evidence.statistics import average_ranks, holm, pairwise_wilcoxon, wilcoxon
from mfbo.ledger.environment import hardware, versions

BASELINES = ("random", "grid")
LEVEL = 0.05
DECIDED_AT = (2.0, 16.0)  # full evaluations at which optimizers are told apart


@dataclass(frozen=True)
class Study:
    """What was run.

    Attributes:
        folder: of the runs.
        tasks: names, without ``table-``.
        names: of the optimizers.
        seeds: of each.
        cost: full evaluations of a run.
    """

    folder: Path
    tasks: tuple[str, ...]
    names: tuple[str, ...]
    seeds: int
    cost: float

    @property
    def listed(self) -> list[str]:
        """Names of the tasks as the registry has them."""
        return [f"table-{task}" for task in self.tasks]


def head(study: Study) -> str:
    """What was run, on what."""
    cpu = hardware()["cpu"]
    return (
        "# What pays on the project's own tasks, and from which budget on?\n\n"
        f"Made by `experiments/mission.py`: {len(study.names)} optimizers, {study.seeds} seeds, {study.cost:g} full "
        f"evaluations a run, on recorded learning curves ({cpu}; {versions()['smac']} of smac). Costs are in full "
        "evaluations of a table's own size: small trainings, recorded once. What holds for them need not hold for "
        "trainings of the whole data sets.\n\n"
        "![Accuracy against cost by task](mission.png)"
    )


def section(study: Study) -> str:
    """Markdown."""
    parts = [
        "## All tasks",
        _scores(study),
    ]
    if "smac" in study.names:
        present = [name for name in BASELINES if name in study.names]
        parts += [
            "\n".join(
                f"- {speed_up(study.folder, 'smac', name, study.listed, study.seeds, cost=at)}"
                for name in present
                for at in _points(study)[-2:]
            ),
            "`smac` begins with the task's default configuration, the others do not: a factor above the number of full "
            "evaluations of that comparison says that the default alone is as good as what the baseline ends with, and "
            "nothing of the search.",
            against_random(study),
        ]
    parts.append("\n".join(f"- At {at:g}: {alike(study, at)}" for at in DECIDED_AT if at <= study.cost))
    if "smac" in study.names and study.cost >= 4:
        parts.append(phases(study))
    return "\n\n".join([*parts, answer(study)])


def _scores(study: Study) -> str:
    """Regret and ranks; of one family the worst is no news."""
    found = table(study.folder, study.names, {"recorded": study.listed}, study.seeds, against="smac", cost=study.cost)
    return found.split("\n\n### Worst")[0]


def blocks(study: Study, at: float) -> np.ndarray:
    """(tasks x seeds, optimizers), regrets at a cost."""
    found = np.array([regrets(study.folder, name, study.listed, study.seeds, [at])[:, :, 0] for name in study.names])
    return found.reshape(len(study.names), -1).T


def alike(study: Study, at: float) -> str:
    """Groups of neighbours by rank of which no pair differs: what a critical-difference diagram joins."""
    values = blocks(study, at)
    ranks, pvalues = average_ranks(values[:, :, None])[:, 0], pairwise_wilcoxon(values)
    order = list(np.argsort(ranks, kind="stable"))
    groups: list[tuple[int, int]] = []
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and all(pvalues[order[end], other] > LEVEL for other in order[start:end]):
            end += 1
        if end - start > 1 and not any(start >= first and end <= last for first, last in groups):
            groups.append((start, end))
    ranked = ", ".join(f"{study.names[i]} {ranks[i]:.2f}" for i in order)
    pairs = len(order) * (len(order) - 1) // 2
    needed = int(np.ceil(1 + np.log2(pairs / LEVEL)))
    joined = "; ".join("{" + ", ".join(study.names[i] for i in order[a:b]) + "}" for a, b in groups)
    few = f"; of {len(values)} runs each no pair can be, it takes {needed}" if len(values) < needed else ""
    return f"average ranks {ranked}; not told apart: {joined or 'none'}{few}"


def against_random(study: Study) -> str:
    """Markdown: `smac` against random search at each budget, on each task."""
    if "random" not in study.names:
        return ""
    points = _points(study)
    lines = ["| task | " + " | ".join(f"{at:g}" for at in points) + " |", "|---|" + "---|" * len(points)]
    ours, theirs = (regrets(study.folder, name, study.listed, study.seeds, points) for name in ("smac", "random"))
    for task, one, other in zip(study.tasks, ours, theirs, strict=True):
        adjusted = holm([wilcoxon(one[:, k], other[:, k]) for k in range(len(points))])
        cells = [
            f"{one[:, k].mean():.2f} to {other[:, k].mean():.2f}{'*' if adjusted[k] < LEVEL else ''}"
            for k in range(len(points))
        ]
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return (
        "Mean regret of `smac` to that of random search by full evaluations (* Wilcoxon over pairs of seeds, adjusted "
        "by Holm, under 5%):\n\n" + "\n".join(lines)
    )


def answer(study: Study) -> str:
    """Where it pays: the least budget from which on `smac` has less regret than each baseline, over tasks and seeds."""
    if "smac" not in study.names or "random" not in study.names:
        return ""
    points = _points(study)
    found = {name: geometric(regrets(study.folder, name, study.listed, study.seeds, points)) for name in study.names}
    said = []
    for name in [name for name in (*BASELINES, "random-2x") if name in study.names]:
        values = [blocks_of(study, "smac", name, at) for at in points]
        sure = [wilcoxon(*pair) < LEVEL and pair[0].mean() < pair[1].mean() for pair in values]
        since = next((at for k, at in enumerate(points) if all(sure[k:])), None)
        where = f"from {since:g} full evaluations on" if since else f"at no budget for sure up to {points[-1]:g}"
        said.append(f"{name} {where}")
    said.append(f"the default, not tuned, {_beyond_default(study, points)}")
    leaders = ", ".join(f"{min(found, key=lambda name: found[name][k])} at {at:g}" for k, at in enumerate(points))
    return (
        f"**Answer**: over {len(study.tasks)} task(s) and {study.seeds} seeds `smac` is ahead of {'; of '.join(said)}. "
        f"The least regret has {leaders}."
    )


def _beyond_default(study: Study, points: list[float]) -> str:
    """From which budget on `smac` is better than the configuration that it begins with."""
    sure = []
    for at in points:
        gains = [accuracies(study, task, "smac", [at])[:, 0] - default(task)[0] for task in study.tasks]
        flat = np.concatenate(gains)
        sure.append(wilcoxon(flat, np.zeros(len(flat))) < LEVEL and flat.mean() > 0)
    since = next((at for k, at in enumerate(points) if all(sure[k:])), None)
    return f"from {since:g} full evaluations on" if since else "at no budget for sure"


def blocks_of(study: Study, one: str, other: str, at: float) -> tuple[np.ndarray, np.ndarray]:
    """(tasks x seeds,) regrets of two optimizers at a cost."""
    values = [regrets(study.folder, name, study.listed, study.seeds, [at]).ravel() for name in (one, other)]
    return values[0], values[1]


def _points(study: Study) -> list[float]:
    return [at for at in CHECKPOINTS if at <= study.cost]
