"""How often does a report say that multi-fidelity paid off, or did not, where there is nothing to tell?

Random search is compared with itself, paired seeds, 20 trials a run, losses uniform to the power of one half; one of
the two is called smac. Nominally each answer errs in 2.5% of comparisons.

    python experiments/false_answers.py [SEEDS COMPARISONS]

Result (smac 2.4.1, scipy 1.17.1; 2026-11-26):

=====  ===========  =====================  ======================
seeds  comparisons  "yes", "likely" below  "no", "unlikely" below
                    six seeds              six seeds
=====  ===========  =====================  ======================
3      300          9 (3.0%)               9 (3.0%)
6      400          12 (3.0%)              13 (3.2%)
10     150          4 (2.7%)               9 (6.0%)
=====  ===========  =====================  ======================

Before, "no" was said wherever the interval of the speed-up lay below 1: 11% of 600 comparisons of six seeds. The
baseline has come to its own final loss by definition, the other has not.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.evidence.comparison import side_by_side
from mfbo.evidence.payoff import payoff
from mfbo.evidence.summary import summarize
from mfbo.ledger.run import Run
from mfbo.search import Search
from mfbo.trial import Config, Rung

HERE = mfbo.Settings(workers=0)
TRIALS = 20


def train(config: Config, rung: Rung, context: mfbo.Context) -> mfbo.Measurement:
    """A loss that the configuration draws, at a cost of one."""
    return mfbo.Measurement(float(config["x"]) ** 0.5, cost=1.0)


TASK = mfbo.Task("noise", ConfigurationSpace({"x": (0.0, 1.0)}), train, stateless=True, full_cost=1.0)


def run(optimizer: str, seed: int, draw: int) -> Run:
    """One random search under that name."""
    found = mfbo.tune(TASK, f"{TRIALS}s", optimizer="random", seed=draw, settings=HERE).ledger
    return replace(found, header=replace(found.header, search=Search(optimizer, seed)))


def main() -> None:
    """Print how often each answer is given."""
    seeds, comparisons = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (6, 400)
    draws = iter(np.random.default_rng(seeds).choice(10**7, 2 * seeds * comparisons, replace=False).tolist())
    answers: Counter[str] = Counter()
    for _ in range(comparisons):
        runs = [run(name, seed, next(draws)) for name in ("smac", "random") for seed in range(seeds)]
        answers[payoff(summarize(side_by_side(runs))).answer] += 1
    print(f"{seeds} seeds, {comparisons} comparisons: {dict(answers.most_common())}")


if __name__ == "__main__":
    main()
