"""The study of the project's own tasks on their recorded curves: what pays, from which budget on?

    python experiments/mission.py                              # all that is recorded, 30 seeds, to 32 full evaluations
    python experiments/mission.py --tasks digits --seeds 5 --max-cost 16 --workers 2

For each task in ``experiments/recorded``: accuracy of the incumbent at full fidelity by optimizer and budget; full
evaluations until it is within 1% of the best recorded accuracy, and how many of the runs come there; how much less
`smac` costs than random search and than the grid for what these have at the end; and, from the curves alone, how well
each fidelity ranks configurations as a full evaluation does, for its cost. Runs resume, as in `suite.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import click
import numpy as np
import suite_recorded
from recording import Floats
from scipy.stats import spearmanr
from suite_families import scale
from suite_runs import store
from suite_scores import CHECKPOINTS, regrets, speed_up

OPTIMIZERS = "grid,random,random-2x,tpe,hyperband,asha,one-epoch,smac-stock,smac"
NEAR = 0.01  # of the best accuracy
EARLY = 6.0  # full evaluations in which nine runs of ten are to come near


@click.command()
@click.option("--tasks", default="", help="Names with commas; the default is all that is complete enough.")
@click.option("--optimizers", default=OPTIMIZERS, show_default=True)
@click.option("--seeds", default=30, show_default=True)
@click.option("--max-cost", default=32.0, show_default=True, help="Full evaluations of each run.")
@click.option("--out", default="runs/mission", show_default=True, type=click.Path(path_type=Path))
@click.option("--workers", default=1, show_default=True, help="Processes.")
def main(*, tasks: str, optimizers: str, seeds: int, max_cost: float, out: Path, workers: int) -> None:
    """Run what is missing, then print."""
    recorded = tasks.split(",") if tasks else suite_recorded.complete()
    if not recorded:
        raise click.ClickException("no recording is complete enough; go on with experiments/record.py")
    names = optimizers.split(",")
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            (out, name, f"table-{task}", seed, max_cost) for seed, task, name in product(range(seeds), recorded, names)
        ]
        for future in [pool.submit(store, *job) for job in jobs]:
            future.result()
    for task in recorded:
        click.echo("\n\n".join([about(task), qualities(out, task, names, seeds, max_cost), paths(task)]) + "\n")
        for baseline in ("random", "grid"):
            if baseline in names and "smac" in names:
                click.echo(speed_up(out, "smac", baseline, [f"table-{task}"], seeds, cost=max_cost) + "\n")


def about(task: str) -> str:
    """What the table is."""
    found = suite_recorded.recorded(task)
    plan, rows = found.about["plan"], len(found.configs)
    size = f", {plan['samples']} training samples" if plan["samples"] else ""
    made = f"{found.about['hardware']['cpu']}, {found.about['date']}"
    return (
        f"## {task}: {rows} of {found.about['planned']} planned trainings{size}, {found.epochs} epochs ({made})\n\n"
        f"Two training seeds differ by {found.noise:.3f} in the error of a full evaluation (standard deviation), which "
        f"takes {np.mean([found.costs(row, -1)[-1] for row in range(rows)]):.1f} s of processor time on average."
    )


def qualities(out: Path, task: str, names: Sequence[str], seeds: int, cost: float) -> str:
    """Markdown: mean accuracy at full fidelity by budget, and how soon runs come near the best."""
    points = [at for at in CHECKPOINTS if at <= cost]
    head = [f"{at:g}" for at in points] + [f"within {NEAR:.0%}", f"of these by {EARLY:g}"]
    lines = ["| optimizer | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
    grid = np.geomspace(0.05, cost, 400)
    for name in names:
        accuracy = accuracies(out, task, name, seeds, points)
        near = accuracies(out, task, name, seeds, grid.tolist()) >= (1 - NEAR) * best(out, task)
        reached = np.array([_first(row, grid) for row in near])
        cells = [f"{value:.3f}" for value in accuracy.mean(axis=0)]
        middle = np.median(reached)
        cells += ["not by half" if np.isinf(middle) else f"{middle:.1f}", f"{np.mean(reached <= EARLY):.0%}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    text = f"Mean accuracy on the validation part by full evaluations spent (best recorded: {best(out, task):.3f})"
    return f"{text}, full evaluations until half of the runs are near it, and how many are early:\n\n" + "\n".join(
        lines
    )


def accuracies(out: Path, task: str, name: str, seeds: int, costs: Sequence[float]) -> Floats:
    """(seeds, costs): of the incumbent at full fidelity, without noise; the median configuration's before the first."""
    optimum, median = scale(out, f"table-{task}")
    regret = regrets(out, name, [f"table-{task}"], seeds, costs)[0]
    return 1 - np.minimum(1.0, optimum + regret * (median - optimum))


def best(out: Path, task: str) -> float:
    """The best recorded accuracy."""
    return 1 - scale(out, f"table-{task}")[0]


def paths(task: str) -> str:
    """Markdown: Spearman's rank correlation with a full evaluation, and the cost, by fraction and epochs."""
    found = suite_recorded.recorded(task)
    first = np.flatnonzero(found.seeds == 0)
    last = _ranked(found.ended[first, -1, -1])
    epochs = sorted({max(1, round(found.epochs * 3.0**-k)) for k in range(4)})
    full = np.mean([found.costs(row, -1)[-1] for row in first])
    lines = [
        "Rank correlation with a full evaluation, and the cost as a part of one:",
        "",
        "| data | " + " | ".join(f"{epoch} epochs" for epoch in epochs) + " |",
        "|---|" + "---|" * len(epochs),
    ]
    for place, fraction in enumerate(found.data):
        cells = []
        for epoch in epochs:
            told = spearmanr(_ranked(found.ended[first, place, epoch - 1]), last).statistic
            cost = np.mean([found.costs(row, place)[epoch - 1] for row in first]) / full
            cells.append(f"{told:.2f} for {cost:.3f}")
        lines.append(f"| {fraction:.0%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ranked(losses: Floats) -> Floats:
    """What diverged is the worst."""
    return np.where(np.isnan(losses), np.inf, losses)


def _first(near: Floats, costs: Floats) -> float:
    """The cost from which on a run stays near; infinite if it does not end there."""
    if not near[-1]:
        return np.inf
    away = np.flatnonzero(~near)
    return float(costs[away[-1] + 1]) if len(away) else float(costs[0])


if __name__ == "__main__":
    main()
