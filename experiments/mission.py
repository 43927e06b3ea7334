"""The study of the project's own tasks on their recorded curves: what pays, from which budget on?

    python experiments/mission.py --workers 2 --output experiments/mission.md   # whole
    python experiments/mission.py --tasks imdb --seeds 5 --max-cost 16             # a part, printed

Nine optimizers on each table (`mfbo.tasks.tables.recorded`), every one with the same seeds, space, rungs and virtual
clock, to 32 full evaluations. For each task: what was recorded, accuracy and macro F1 of the incumbent at full fidelity
by budget, and the full evaluations, seconds and trials until it is near the best of the table; how well each fidelity
ranks configurations as a full evaluation does, for its cost. Over the tasks: normalised regret, ranks by worth at full
fidelity with tests, cost for the quality of random search and of the grid, who cannot be told apart, and whether the
three phases of a study pay against one. The last line is the answer. Runs resume, as in `suite.py`.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import click
import mission_overall as overall
import mission_phases as phases
import mission_tasks as each
from mission_figure import draw
from suite_runs import store

from mfbo.tasks.tables import recorded as tables

OPTIMIZERS = "grid,random,random-2x,tpe,hyperband,asha,one-epoch,smac-stock,smac"
TASKS = ("imdb", "agnews", "cifar10")
SEEDS = 30


@click.command()
@click.option("--tasks", default="", help="Names with commas; the default is all of the three that are recorded.")
@click.option("--optimizers", default=OPTIMIZERS, show_default=True)
@click.option("--seeds", default=SEEDS, show_default=True)
@click.option("--max-cost", default=32.0, show_default=True, help="Full evaluations of each run.")
@click.option("--out", default="runs/mission", show_default=True, type=click.Path(path_type=Path))
@click.option("--workers", default=1, show_default=True, help="Processes.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Markdown, with a figure beside it; else it is printed."
)
def main(
    *, tasks: str, optimizers: str, seeds: int, max_cost: float, out: Path, workers: int, output: Path | None
) -> None:
    """Run what is missing, then print or write."""
    complete = tables.complete()
    chosen = tasks.split(",") if tasks else [name for name in TASKS if name in complete]
    if not chosen:
        raise click.ClickException("no recording is complete enough; go on with experiments/record.py")
    names = optimizers.split(",")
    with ProcessPoolExecutor(workers) as pool:
        every = product(range(seeds), chosen, names)
        jobs = [pool.submit(store, out, name, f"table-{task}", seed, max_cost) for seed, task, name in every]
        jobs += [pool.submit(phases.store, out, *job) for job in phases.jobs(chosen, seeds, max_cost)]
        for job in jobs:
            job.result()
    study = overall.Study(out, tuple(chosen), tuple(names), seeds, max_cost)
    text = "\n\n".join([overall.head(study), *(each.section(study, task) for task in chosen), overall.section(study)])
    if output is None:
        click.echo(text)
        return
    draw(study, output.with_suffix(".png"))
    output.write_text(text + "\n")


if __name__ == "__main__":
    main()
