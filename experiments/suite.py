"""Which optimizer finds the best configuration for the least cost? Optimizers x tasks x seeds on a virtual clock.

    MFBO_DATA=... python experiments/suite.py                    # 6 instances of LCBench, 8 seeds, 16 full evaluations
    MFBO_DATA=... python experiments/suite.py --tasks lcbench --seeds 10 --cost 32 --workers 2
    python experiments/suite.py --tasks synthetic

Each run is a file below --out, so the same command goes on where it was left, and prints the table when all are there.
All optimizers have the same space, rungs, seeds and clock, and continue from checkpoints. Regret is that of the
incumbent (the best at the highest rung so far) at full fidelity without noise; 0 is the optimum, 1 the median random
configuration. ``random-2x`` is random search at half the price; ``module:function`` is a peer in a module beside this.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import click
from suite_figure import draw
from suite_runs import LARGE, SMALL, SYNTHETIC, store
from suite_scores import speed_up, table

GROUPS = {"small": SMALL, "lcbench": LARGE, "synthetic": SYNTHETIC}
USUAL = "random,random-2x,one-epoch,hyperband,asha,tpe,smac-stock,smac"


@click.command()
@click.option("--optimizers", default=USUAL, show_default=True)
@click.option("--tasks", default="small", show_default=True, help="small, lcbench, synthetic, or names with commas.")
@click.option("--seeds", default=8, show_default=True)
@click.option("--cost", default=16.0, show_default=True, help="Full evaluations of each run.")
@click.option("--out", default="runs/suite", show_default=True, type=click.Path(path_type=Path))
@click.option("--workers", default=1, show_default=True, help="Processes.")
@click.option("--against", default="smac", show_default=True, help="Whom the tests compare with.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw regret and ranks against cost.")
@click.option("--run/--no-run", default=True, help="Only what is there already.")
def main(
    *,
    optimizers: str,
    tasks: str,
    seeds: int,
    cost: float,
    out: Path,
    workers: int,
    against: str,
    figure: Path | None,
    run: bool,
) -> None:
    """Run what is missing, then print the table."""
    names, chosen = optimizers.split(","), GROUPS.get(tasks) or tasks.split(",")
    began = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        jobs = [(out, n, t, s, cost) for n, t, s in product(names, chosen, range(seeds)) if run]
        for future in [pool.submit(store, *job) for job in jobs]:
            future.result()
    print(table(out, names, chosen, seeds, against))
    if "random" in names and against != "random":
        print("\n" + speed_up(out, against, "random", chosen, seeds))
    if figure:
        draw(out, names, chosen, seeds, bold=against, output=figure)
    print(f"\n{len(chosen)} tasks x {seeds} seeds, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
