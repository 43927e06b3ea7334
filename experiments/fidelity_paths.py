"""Which low fidelity is the better guide for its cost: fewer epochs, less data, or both?

Random configurations of `digits` are trained in full and at every rung of the three paths. Spearman's rank correlation
with the full evaluation, and what the rung costs as measured, in full evaluations; failures rank last. A trial that
goes on from a checkpoint pays only the difference, but only along epochs.

    python experiments/fidelity_paths.py

Result (2 cores of an AMD EPYC that did other work as well, which touches the costs and not the ranks; scikit-learn
1.9.1, numpy 2.4.6; 2026-11-25; 60 configurations, a full evaluation took 1.23 s):

| path | rung | work | cost | rank correlation |
|---|---|---|---|---|
| epochs | all data, 1 epoch | 0.037 | 0.064 | 0.74 |
| epochs | all data, 3 epochs | 0.111 | 0.161 | 0.89 |
| epochs | all data, 9 epochs | 0.333 | 0.376 | 0.95 |
| data | 33% of the data, 27 epochs | 0.333 | 0.677 | 0.91 |
| joint | 33% of the data, 3 epochs | 0.037 | 0.069 | 0.67 |
| joint | 50% of the data, 6 epochs | 0.111 | 0.145 | 0.88 |
| joint | 69% of the data, 13 epochs | 0.333 | 0.238 | 0.96 |

Less data alone is the worst guide for its work. Epochs alone and both together are about as good as each other; epochs
are ahead at the lowest rung, and a configuration that goes on pays only the difference there.
"""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
from scipy import stats

from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.fidelity import PATHS
from mfbo.ledger.environment import hardware, versions
from mfbo.optimizers.sampling import random_configs
from mfbo.tasks.registry import load
from mfbo.trial import Rung, Trial

CONFIGS = 60


def main() -> None:
    """Train and print."""
    task = load("digits")
    configs = list(islice(random_configs(task.space, 0), CONFIGS))

    def at(rung: Rung) -> tuple[list[float], float]:
        outcomes = [evaluate(task, Trial(i, config, rung), TrialSetup(seed=0)) for i, config in enumerate(configs)]
        losses = [math.inf if outcome.loss is None else outcome.loss for outcome in outcomes]
        return losses, float(np.mean([outcome.cost for outcome in outcomes]))

    full, cost = at(task.fidelity.full)
    print("| path | rung | work | cost | rank correlation |\n|---|---|---|---|---|")
    for path in PATHS:
        for rung in task.fidelity.ladder(path)[:-1]:
            losses, spent = at(rung)
            rho = stats.spearmanr(losses, full).statistic
            print(f"| {path} | {rung} | {rung.work:.3f} | {spent / cost:.3f} | {rho:.2f} |", flush=True)
    print(f"full evaluation: {cost:.2f} s, {CONFIGS} configurations; {hardware()}; {versions()}")


if __name__ == "__main__":
    main()
