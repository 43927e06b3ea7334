"""Does multi-fidelity tuning pay off on real data, at equal cost, the optimizer's own thinking included?

The four optimizers on `digits`, paired seeds, each run within the same cost by the clock. Runs that are there are not
repeated, so it can be interrupted.

    python experiments/digits.py
"""

from __future__ import annotations

from pathlib import Path

from answers import answer

from mfbo.study import Study

if __name__ == "__main__":
    study = Study(("digits",), ("smac", "hyperband", "random", "grid"), seeds=6, max_cost="20s")
    answer(study, Path("runs") / "digits-study", picture="digits.png")
