"""How do the optimizers compare where the optimum is known, over many seeds?

Virtual cost, so that every machine gets the same; 30 seeds, 20 full evaluations each.

    python experiments/synthetic.py
"""

from __future__ import annotations

from pathlib import Path

from answers import answer

from mfbo.study import Study

TASKS = ("branin", "hartmann3", "hartmann6", "hartmann6-terrible", "counting-ones", "mixed")

if __name__ == "__main__":
    study = Study(TASKS, ("smac", "hyperband", "random", "grid"), seeds=30, max_cost="20x")
    answer(study, Path("runs") / "synthetic-study")
