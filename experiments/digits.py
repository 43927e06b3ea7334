"""Does multi-fidelity tuning pay off on real data, at equal cost?

The four optimizers on `digits`, paired seeds, 20 full evaluations each. Counted so, a run is the same on every machine,
whatever else that does; the optimizers' own thinking is not in it (`mfbo show` has it beside the training). Runs that
are there are not repeated.

    python experiments/digits.py
"""

from __future__ import annotations

from pathlib import Path

from answers import answer

from mfbo.settings import Settings
from mfbo.study import Study

if __name__ == "__main__":
    optimizers = ("smac", "hyperband", "random", "grid")
    study = Study(("digits",), optimizers, seeds=10, max_cost="20x", settings=Settings(workers=0))
    answer(study, Path("runs") / "digits-study", picture="digits.png")
