"""Does multi-fidelity tuning pay off on real data, at equal cost?

The four optimizers on `digits`, paired seeds, 20 full evaluations each. Counted so, a run is the same on every machine,
whatever else that does; the optimizers' own thinking is not in it (`mfbo show` has it beside the training). Runs that
are there are not repeated.

    python experiments/digits.py

Result (AMD EPYC, Python 3.11, scikit-learn 1.9.1, smac 2.4.1; 2026-11-25; 10 seeds), validation error:

=========  ===============  =============  =================
optimizer  at 20x           at random's    speed-up (95%)
=========  ===============  =============  =================
smac       0.0203 ± 0.0019  10/10 at 4.7x  2.5 (1.6 to 7)
grid       0.0244 ± 0.0024  8/10 at 7.0x   1.8 (0 to 4.5)
hyperband  0.0251 ± 0.0024  6/10 at 5.1x   1.8 (0 to 3.5)
random     0.0283 ± 0.0028  4/10
=========  ===============  =============  =================

With 434 validation images an error of one image is 0.0023; smac against random: p = 0.088 after Holm's correction. A
speed-up of 0 in an interval is a resample in which the mean did not get there. On the test split, each incumbent
trained anew three times: grid 0.0221 ± 0.0025, smac 0.0233 ± 0.0039, random 0.0273 ± 0.0031, hyperband 0.0407 ± 0.0188
(the choice of one run of ten failed in two of its three trainings), none of them significantly different.
"""

from __future__ import annotations

from pathlib import Path

from answers import answer, unseen

from mfbo.settings import Settings
from mfbo.study.spec import Study

if __name__ == "__main__":
    optimizers = ("smac", "hyperband", "random", "grid")
    study = Study(("digits",), optimizers, seeds=10, max_cost="20x", settings=Settings(workers=0))
    answer(study, Path("runs") / "digits-study", picture="digits.png")
    unseen(Path("runs") / "digits-study")
