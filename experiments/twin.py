"""Does a run that is killed again and again end as its undisturbed twin does?

    python experiments/twin.py

A task on a virtual clock, with checkpoints: its state is a chain of numbers, one an epoch. Each run is killed ten times
with SIGKILL and resumed: eight times at a random moment, twice in the middle of writing a checkpoint. Same results
means all of them: losses, learning curves, costs, the epochs that each trial began with. About four minutes.

| optimizer | kills | in a checkpoint | trials | same asks | same results | same incumbent |
|-----------|-------|-----------------|--------|-----------|--------------|----------------|
| smac      |    10 |               2 |     86 | yes       | yes          | yes            |
| hyperband |    10 |               2 |     63 | yes       | yes          | yes            |
| asha      |    10 |               2 |    116 | yes       | yes          | yes            |

2 cores of an Intel Xeon that did other work as well (load 6 to 13), 23.5 GiB, Linux; python 3.11.7, smac 2.4.1,
ConfigSpace 1.2.2, distributed 2026.8.0, pebble 5.2.3.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ConfigSpace import ConfigurationSpace
from table import Table, footer, judged

import mfbo
from mfbo.ledger.journal import FILE, read
from mfbo.trial import Config, Measurement, Rung

COST = "8x"
SECONDS = 0.004  # that an epoch really takes, so that a kill can come in between
DEADLY = "die-in-save"  # a file of that name: the next checkpoint is the process's last


def train(config: Config, fidelity: Rung, context: mfbo.Context) -> Measurement:
    """A chain of numbers, one an epoch: wrong where one was lost, repeated or taken from another configuration."""
    state = config["x"]
    if context.checkpoint is not None:
        state = json.loads((context.checkpoint / "state.json").read_text())
    for epoch in range(context.start_epoch, fidelity.epochs):
        time.sleep(SECONDS)
        state = (3.99 * state * (1 - state) + config["x"]) / 2
        context.report(_loss(config, state, epoch + 1), cost=0.1 * (epoch + 1 - context.start_epoch))
    with context.save(fidelity.epochs) as folder:
        text = json.dumps(state)
        deadly = Path(DEADLY)
        if deadly.exists():
            deadly.unlink()
            (folder / "state.json").write_text(text[: len(text) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / "state.json").write_text(text)
    return Measurement(_loss(config, state, fidelity.epochs), cost=0.1 * (fidelity.epochs - context.start_epoch))


def _loss(config: Config, state: float, epochs: int) -> float:
    return (float(config["x"]) - 0.3) ** 2 + (0.1 + state / 100) / epochs


space = ConfigurationSpace({"x": (0.01, 0.99)})
task = mfbo.Task("chain", space, train, mfbo.Fidelity(epochs=(1, 27)), full_cost=2.7)


def command(*words: str) -> list[str]:
    """``mfbo`` with the same interpreter."""
    return [sys.executable, "-m", "mfbo", *words, "--quiet"]


def begin(folder: Path, optimizer: str) -> list[str]:
    """The command that starts the run."""
    return command(
        "tune", f"{Path(__file__).resolve()}:task", "--max-cost", COST, "--optimizer", optimizer, "--out", str(folder)
    )


def finished(folder: Path) -> int:
    """Results in the ledger so far."""
    path = folder / FILE
    return path.read_bytes().count(b'"record":"result"') if path.exists() else 0


def killed(folder: Path, optimizer: str, kills: int, in_checkpoint: int, seed: int) -> mfbo.TuneResult:
    """A run that is killed so many times at random moments, some of them in the middle of a checkpoint.

    Each time it is left alone until it has a few results more than before, and for a random moment then.
    """
    draw = random.Random(seed)
    deadly = set(draw.sample(range(kills), in_checkpoint))
    for number in range(kills):
        words = command("resume", str(folder)) if folder.exists() else begin(folder, optimizer)
        goal = finished(folder) + draw.randint(1, 5)
        process = subprocess.Popen(words, cwd=folder.parent, stderr=subprocess.DEVNULL)
        while finished(folder) < goal and process.poll() is None:
            time.sleep(0.002)
        if number in deadly:
            (folder.parent / DEADLY).touch()
        else:
            time.sleep(draw.uniform(0, 20 * SECONDS))
            process.kill()
        if process.wait(timeout=60) != -signal.SIGKILL:
            raise RuntimeError(f"the run ended before kill {number + 1} of {kills}")
    return mfbo.resume(folder, task=replace(task, source=read(folder).header.task))


def main() -> None:
    """Measure and print; exit code 1 if a twin differs."""
    table = Table("optimizer", "kills", "in a checkpoint", "trials", "same asks", "same results", "same incumbent")
    good = True
    for optimizer in ("smac", "hyperband", "asha"):
        with tempfile.TemporaryDirectory() as name:
            alone = mfbo.tune(task, COST, optimizer=optimizer, out=Path(name) / "alone")
            result = killed(Path(name) / "killed", optimizer, 10, 2, seed=1)
        run = result.ledger
        same = run.asks == alone.ledger.asks, run.results == alone.ledger.results, result.best == alone.best
        good &= all(same)
        table.row(optimizer, 10, 2, alone.trials, *("yes" if yes else "NO" for yes in same))
    footer()
    judged(good)


if __name__ == "__main__":
    main()
