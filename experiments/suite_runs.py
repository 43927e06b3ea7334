"""Runs of the suite: one optimizer, task and seed on a virtual clock; each is a file, so that a suite resumes."""

from __future__ import annotations

import importlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

from suite_families import task_of

from mfbo.cost.meter import Meter
from mfbo.engine.loop import Loop
from mfbo.evidence.curves import anytime, changes, improvements
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.inline import InlineExecutor
from mfbo.ledger.observer import Observer
from mfbo.ledger.run import Header, Limits, Run
from mfbo.ledger.writer import Ledger
from mfbo.optimizers.registry import OPTIMIZERS, ladder_of, make
from mfbo.optimizers.spec import Optimizer
from mfbo.search import Search
from mfbo.task import Task
from mfbo.tasks.tables.recorded import MACRO_F1, Training


def optimizer_of(name: str, task: Task, seed: int) -> tuple[Optimizer, list[Any]]:
    """(optimizer, its rungs): one of mfbo's, or a peer's adapter.

    A name with a colon is ``module:function``, called with the task, its ladder and the seed.
    """
    module, _, function = name.partition(":")
    if function:
        rungs = task.fidelity.ladder()
        return getattr(importlib.import_module(module), function)(task, rungs, seed), rungs
    rungs = ladder_of(name, task.fidelity, None)
    return make(Search(name, seed), task, rungs), rungs


def run(name: str, task: Task, seed: int, cost: float, workers: int = 1) -> Run:
    """The ledger of one run until `cost` full evaluations are charged."""
    optimizer, rungs = optimizer_of(name, task, seed)
    limits = Limits.of(f"{cost:g}x")
    header = Header(
        task=task.name,
        search=Search(name, seed, task.fidelity.default_path),
        limits=limits,
        fidelity=task.fidelity,
        rungs=tuple(rungs),
        space={},
        space_hash="",
        full_cost=task.full_cost,
        optimum=task.optimum,
    )
    meter = Meter(task, limits)
    executor = InlineExecutor(task, TrialSetup(seed), slots=workers, virtual=True)
    with Ledger.create(header, None) as ledger:
        loop = Loop(
            task=task,
            optimizer=optimizer,
            executor=executor,
            ledger=ledger,
            meter=meter,
            observer=Observer(),
            interrupted=lambda: False,
            retention=None,
        )
        ledger.end(loop.run())
    return ledger.run


def trajectory(name: str, task: Task, seed: int, cost: float) -> dict[str, Any]:
    """What the incumbent was worth at full fidelity without noise: costs in full evaluations, and losses.

    ``smac@8`` is `smac` with eight simulated workers; its costs are eight times what the clock showed.
    """
    name, _, many = name.partition("@")
    factor = OPTIMIZERS[name].cost_share if name in OPTIMIZERS else 1.0  # peers have names of their own
    workers = int(many or 1)
    ledger = run(name, task, seed, cost * factor, round(workers * factor))
    if many:
        found = improvements(ledger)
        costs = [result.wall * workers / task.full_cost for result in found]
        losses = [task.true_loss(result.trial.config) for result in found]
    else:
        curve = anytime(ledger, task.true_loss)
        costs, losses = [at / factor for at in curve.costs.tolist()], curve.losses.tolist()
    found = {"costs": costs, "losses": losses, "trials": len(ledger.results)}
    return found if many else {**found, **_more(ledger, task, factor)}


def _more(ledger: Run, task: Task, factor: float) -> dict[str, Any]:
    """Of each incumbent the trial that found it, and its macro F1 where that is known."""
    places = {id(result): place for place, result in enumerate(ledger.results, start=1)}
    numbers = iter([places[id(came)] for came, _ in changes(ledger)])  # `anytime` asks once for each, in order
    more = {"iterations": [round(at / factor) for at in anytime(ledger, lambda _: next(numbers)).losses.tolist()]}
    if isinstance(task.train, Training):
        full = task.train.full
        more["macro_f1"] = anytime(ledger, lambda config: float(full(config)[MACRO_F1])).losses.tolist()
    return more


def path_of(folder: Path, name: str, task: str, seed: int) -> Path:
    """The file of a run."""
    return folder / name.replace(":", ".") / f"{task}-{seed}.json"


def seed_of(task: str, seed: int) -> int:
    """The seed of a task's run; tasks have different ones, so that one bad first draw does not count everywhere."""
    return zlib.crc32(f"{task} {seed}".encode()) % 2**31


def store(folder: Path, name: str, task: str, seed: int, cost: float) -> None:
    """Run, and keep the trajectory; nothing where it is there already, up to that cost."""
    path, drawn = path_of(folder, name, task, seed), seed_of(task, seed)
    if path.exists():
        known = json.loads(path.read_text())
        if known["cost"] >= cost and known.get("seed") == drawn:
            return
    found = {"cost": cost, "seed": drawn, **trajectory(name, task_of(task), drawn, cost)}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(found))
    aside.replace(path)
