"""Which optimizer finds the best configuration for the least cost? Optimizers x families x seeds on a virtual clock.

    MFBO_DATA=... python experiments/suite.py                                       # seven families, 3 seeds, to 16
    MFBO_DATA=... python experiments/suite.py --families taskset,xgboost --optimizers smac,asha --seeds 3 --max-cost 16
    MFBO_DATA=... python experiments/suite.py --families lcbench --seeds 10 --max-cost 32 --workers 2
    python experiments/suite.py --families synthetic
    python experiments/suite.py --tasks branin,hartmann6

Each run is a file below --out, so the same command goes on where it was left, and prints the tables when all are there.
All optimizers have the same space, rungs, seeds and clock, and continue from checkpoints; tasks differ in their seeds.
Regret is that of the incumbent at full fidelity without noise; 0 is the optimum, 1 the median random configuration.
``random-2x`` is random search at half the price; ``module:function`` is a peer in a module beside this.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import click
from suite_families import USUAL, chosen
from suite_figure import draw
from suite_runs import store
from suite_scores import speed_up, table

from mfbo.errors import BadSpace

USUAL_OPTIMIZERS = "random,random-2x,one-epoch,hyperband,asha,tpe,smac-stock,smac"


@click.command()
@click.option("--optimizers", default=USUAL_OPTIMIZERS, show_default=True)
@click.option("--families", default=USUAL, show_default=True, help="See suite_families.py.")
@click.option("--tasks", default="", help="Names with commas, in place of families.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--max-cost", default=16.0, show_default=True, help="Full evaluations of each run.")
@click.option("--out", default="runs/suite", show_default=True, type=click.Path(path_type=Path))
@click.option("--workers", default=1, show_default=True, help="Processes.")
@click.option("--against", default="smac", show_default=True, help="Whom the tests compare with.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw regret and ranks against cost.")
@click.option("--run/--no-run", default=True, help="Only what is there already.")
def main(
    *,
    optimizers: str,
    families: str,
    tasks: str,
    seeds: int,
    max_cost: float,
    out: Path,
    workers: int,
    against: str,
    figure: Path | None,
    run: bool,
) -> None:
    """Run what is missing, then print the table."""
    names, groups = optimizers.split(","), chosen(families, tasks)
    every = [task for listed in groups.values() for task in listed]
    began = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        jobs = [(out, n, t, s, max_cost) for s, t, n in product(range(seeds), every, names) if run]
        refused = set()
        for job, future in [(job, pool.submit(store, *job)) for job in jobs]:
            try:
                future.result()
            except BadSpace as error:  # a peer has no words for this space
                refused.add(f"{job[1]} leaves {job[2]} out: {error}")
    print("".join(f"{line}\n" for line in sorted(refused)))
    print(table(out, names, groups, seeds, against=against, cost=max_cost))
    if "random" in names and against != "random":
        for family, listed in groups.items():
            print(f"\n{family}: " + speed_up(out, against, "random", listed, seeds, cost=max_cost))
    if figure:
        draw(out, names, groups, seeds, cost=max_cost, bold=against, output=figure)
    print(f"\n{len(every)} tasks x {seeds} seeds, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
