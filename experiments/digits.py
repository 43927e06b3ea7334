"""Does multi-fidelity tuning pay off on real data, at equal cost, the optimizer's own thinking included?

The four optimizers on `digits`, paired seeds, each run within the same cost by the clock. Runs that are there are not
repeated, so it can be interrupted.

    python experiments/digits.py
"""

from __future__ import annotations

from pathlib import Path

import mfbo
from mfbo.analysis.runs import anytime
from mfbo.ledger import FILE

OPTIMIZERS = ("smac", "hyperband", "random", "grid")
SEEDS = range(10)
COST = "30s"
HERE = Path(__file__).parent


def main() -> None:
    """Run what is missing, then draw."""
    folders = []
    for seed in SEEDS:
        for optimizer in OPTIMIZERS:
            folder = Path("runs") / "digits-study" / f"{optimizer}-s{seed}"
            folders.append(str(folder))
            if not (folder / FILE).exists():
                result = mfbo.tune("digits", COST, optimizer=optimizer, seed=seed, out=folder)
                best = result.best
                print(f"{optimizer:10} seed {seed}: {result.trials:4} trials, best {best.loss if best else None}")
    anytime(tuple(folders), HERE / "digits.png")


if __name__ == "__main__":
    main()
