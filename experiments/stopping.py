"""How often does `--stop-when` cost more than it says? Runs go to the end of their budget, and are judged afterwards.

    MFBO_DATA=... python experiments/stopping.py --out runs/stopping
    MFBO_DATA=... python experiments/stopping.py --out runs/stopping --no-run      # the table of what is there

Where a rule would have ended a run, what its incumbent was worth at full fidelity, without noise, is compared with that
at the end of the budget: what stopping gave away. Each run is a file below --out, so that the same command goes on.
"""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from suite_families import USUAL, chosen, task_of
from suite_runs import path_of, run, seed_of

from mfbo.evidence import gain
from mfbo.evidence.curves import FULL_WORK, anytime

BOUNDS = (0.02, 0.01, 0.005, 0.002, 0.001)
"""Of the best value so far."""


class Stop(NamedTuple):
    """Where a rule would have ended a run.

    Attributes:
        share: of the budget that was spent by then.
        said: gain that was expected of the rest, as a fraction of the best value so far.
        lost: gain that the rest had, likewise.
    """

    share: float
    said: float
    lost: float


def store(folder: Path, name: str, task_name: str, seed: int, cost: float) -> None:
    """Run, and keep results at full fidelity and what the incumbents were worth; nothing where that is there."""
    path = path_of(folder, name, task_name, seed)
    if path.exists() and json.loads(path.read_text())["cost"] == cost:
        return
    task = task_of(task_name)
    ledger = run(name, task, seed_of(task_name, seed), cost)
    curve, full, seen = anytime(ledger, task.true_loss), [], set()
    for result in ledger.results:
        outcome = result.outcome
        if outcome.status == "ok" and outcome.rung.work >= FULL_WORK and result.trial.key not in seen:
            seen.add(result.trial.key)
            full.append((result.spent, outcome.loss))
    kept = {"cost": cost, "spent": [result.spent for result in ledger.results], "full": full}
    kept |= {"costs": curve.costs.tolist(), "worths": curve.losses.tolist()}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(kept))
    aside.replace(path)


def worth(kept: dict[str, Any], spent: float) -> float:
    """Of the incumbent at that cost."""
    return float(kept["worths"][int(np.searchsorted(kept["costs"], spent, "right")) - 1])


def forecasts(kept: dict[str, Any]) -> list[Stop]:
    """What was expected after each result that a forecast can be made after, and what came."""
    found = []
    for spent in kept["spent"]:
        known = [pair for pair in kept["full"] if pair[0] <= spent]
        costs, losses = [cost for cost, _ in known], [loss for _, loss in known]
        said = gain.expected(costs, losses, spent, max(0.0, kept["cost"] - spent))
        if said is not None and spent < kept["cost"]:
            scale = max(abs(min(losses)), 1e-12)
            lost = (worth(kept, spent) - worth(kept, kept["cost"])) / scale
            found.append(Stop(spent / kept["cost"], said / scale, lost))
    return found


def row(runs: list[list[Stop]], bound: float) -> str:
    """What a rule of that bound would have done to runs with these forecasts."""
    firsts = [next((one for one in stops if one.said < bound), None) for stops in runs]
    ended = [one for one in firsts if one is not None]
    if not ended:
        return f"| {100 * bound:g}% | 0 of {len(runs)} | | | | | |"
    more, lost = sum(one.lost > bound for one in ended), [one.lost for one in ended]
    saved = sum(1 - one.share for one in ended) / len(runs)
    figures = f"{100 * np.mean(lost):.2g}% | {100 * np.median(lost):.2g}% | {100 * max(lost):.2g}% | {100 * saved:.0f}%"
    return f"| {100 * bound:g}% | {len(ended)} of {len(runs)} | {more} ({100 * more / len(ended):.0f}%) | {figures} |"


def table(runs: list[list[Stop]]) -> str:
    """Of one optimizer: a row for each bound, by the forecasts of its runs."""
    head = [
        "| gain< | ended early | cost more than said | mean lost | median | most | budget saved |",
        "|---" * 7 + "|",
    ]
    return "\n".join([*head, *(row(runs, bound) for bound in BOUNDS)]) if runs else "no runs"


def calibration(runs: list[list[Stop]]) -> str:
    """Expected and true gain of the rest at a quarter, half and three quarters of the budget, by these forecasts."""
    lines = []
    for share in (0.25, 0.5, 0.75):
        firsts = [next((one for one in stops if one.share >= share), None) for stops in runs]
        pairs = [one for one in firsts if one is not None]
        if pairs:
            above = sum(one.lost > one.said for one in pairs)
            said, lost = (float(np.median([getattr(one, what) for one in pairs])) for what in ("said", "lost"))
            lines.append(
                f"at {100 * share:.0f}% of the budget: {len(pairs)} forecasts, median {100 * said:.2g}% expected and "
                f"{100 * lost:.2g}% gained; more than expected in {above} ({100 * above / len(pairs):.0f}%)"
            )
    return "\n".join(lines)


def doubling(files: list[dict[str, Any]]) -> str:
    """How often twice the budget found a better configuration, beside the chance that a plan tells (`gain.ahead`)."""
    lines = []
    for share in (0.125, 0.25, 0.5):
        pairs = []
        for kept in files:
            once, twice = ([one for at, one in kept["full"] if at <= k * share * kept["cost"]] for k in (1, 2))
            if len(once) > 1:
                pairs.append((1 - len(once) / len(twice), min(twice) < min(once)))
        if pairs:
            told, found = np.mean(pairs, axis=0)
            lines.append(f"twice {100 * share:g}% of the budget: {100 * told:.0f}% told, better in {100 * found:.0f}%")
    return "\n".join(lines)


@click.command()
@click.option("--optimizers", default="random,smac", show_default=True)
@click.option("--families", default=USUAL, show_default=True, help="See suite_families.py.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--max-cost", default=40.0, show_default=True, help="Full evaluations of each run.")
@click.option("--out", default="runs/stopping", show_default=True, type=click.Path(path_type=Path))
@click.option("--run/--no-run", "running", default=True, help="Only what is there already.")
def main(*, optimizers: str, families: str, seeds: int, max_cost: float, out: Path, running: bool) -> None:
    """Run what is missing, then print the tables."""
    names, tasks = optimizers.split(","), [task for listed in chosen(families).values() for task in listed]
    for seed, name, task in product(range(seeds), names, tasks):
        if running:
            store(out, name, task, seed, max_cost)
    for name in names:
        paths = [path_of(out, name, task, seed) for task, seed in product(tasks, range(seeds))]
        files = [json.loads(path.read_text()) for path in paths if path.exists()]
        runs = [forecasts(kept) for kept in files]
        print(f"\n{name}\n\n{table(runs)}\n\n{calibration(runs)}\n\n{doubling(files)}")


if __name__ == "__main__":
    main()
