"""Trains one row of the recording, and writes down each measurement; see record.py.

A measurement is taken where the task itself measures: after each epoch (on small subsets less often: the real tasks
measure when as many samples were learnt as are judged), and at the end of each rung, after the step size's decay. A
rung goes on from the checkpoint of the one before, as a promoted configuration does, so its seconds are those that
were not paid before.
"""

from __future__ import annotations

import atexit
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from record_design import Plan, Row

from mfbo.checkpoint import Checkpoints
from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.task import Task
from mfbo.trial import Rung, Trial

JUDGED = {"digits": ("mfbo.tasks.digits", "error_of")}  # the function that measures, by task
MEMORY = Path("/dev/shm")  # checkpoints of a row are gone with it; no disk is to wait for
TORCH = ("mfbo.tasks.training.loop", "measure")


@dataclass
class Measured:
    """One measurement; seconds are those since the rung began, and those of this evaluation.

    Attributes:
        data: fraction.
        epoch: epochs done.
        end: whether a rung ends here; the step size has then decayed to zero.
        loss: validation error, NaN where the model overflowed.
        accuracy: on the validation part.
        macro_f1: on the validation part.
        train_cpu: seconds of processor time until here, without evaluations, the start included.
        train_wall: the same by the clock.
        eval_cpu: seconds of processor time of this evaluation.
        eval_wall: the same by the clock.
    """

    data: float
    epoch: int
    end: bool
    loss: float
    accuracy: float
    macro_f1: float
    train_cpu: float
    train_wall: float
    eval_cpu: float
    eval_wall: float


class Watch:
    """Stands in for the function that measures, and notes what it finds and when.

    Args:
        measure: the task's own.
        scores: (what it returned, what it was given) -> (loss, accuracy, macro F1); what that takes is nobody's time.
    """

    def __init__(self, measure: Callable[..., Any], scores: Callable[..., tuple[float, float, float]]) -> None:
        self._measure, self._scores = measure, scores
        self.found: list[dict[str, float]] = []
        self.given: tuple[Any, ...] = ()
        self.begin()

    def begin(self) -> None:
        """A rung begins now."""
        self.found = []
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        self._other_cpu = self._other_wall = 0.0  # what was no training since

    def __call__(self, *given: Any) -> Any:
        """Measure, and note it."""
        cpu, wall = time.process_time(), time.perf_counter()
        self.given = given
        result = self._measure(*given)
        eval_cpu, eval_wall = time.process_time() - cpu, time.perf_counter() - wall
        loss, accuracy, macro_f1 = self._scores(result, *given)
        self.found.append(
            {
                "loss": loss,
                "accuracy": accuracy,
                "macro_f1": macro_f1,
                "train_cpu": cpu - self._cpu - self._other_cpu,
                "train_wall": wall - self._wall - self._other_wall,
                "eval_cpu": eval_cpu,
                "eval_wall": eval_wall,
            }
        )
        self._other_cpu += time.process_time() - cpu
        self._other_wall += time.perf_counter() - wall
        return result


@contextmanager
def watching(task: str) -> Iterator[Watch]:
    """Have the task's own measurements noted; reports of a trial carry losses alone, so the function is replaced."""
    import importlib

    where, name = JUDGED.get(task, TORCH)
    module = importlib.import_module(where)
    original = getattr(module, name)

    def torch_scores(scores: Any, *_given: Any) -> tuple[float, float, float]:
        return scores.loss, scores.accuracy, scores.macro_f1

    def digits_scores(error: float, model: Any, judge: Any) -> tuple[float, float, float]:
        from sklearn.metrics import f1_score

        if np.isnan(error):
            return error, error, error
        return error, 1 - error, float(f1_score(judge.y, model.predict(judge.x), average="macro", zero_division=0))

    watch = Watch(original, digits_scores if task in JUDGED else torch_scores)
    replaced = {name: watch}
    if task not in JUDGED:
        replaced["FIRST_INTERIM"] = math.inf  # measurements by the clock, of which there are more on a busy machine
    before = {key: getattr(module, key) for key in replaced}
    vars(module).update(replaced)
    try:
        yield watch
    finally:
        vars(module).update(before)


def record(task: Task, plan: Plan, row: Row, device: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Train `row` at each data fraction; what its file holds."""
    began, cpu = time.perf_counter(), time.process_time()
    measured: list[Measured] = []
    status, test = "ok", None
    passes: list[tuple[int, int]] = []
    with watching(task.name) as watch:
        for data in plan.data:
            with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
                setup = TrialSetup(row.seed, device, options, Checkpoints(Path(scratch)))
                found, status = _rungs(task, plan, row, data=data, setup=setup, watch=watch)
                measured += found
                passes.append(a_pass(task.name, row, data, watch))
                if data == 1 and status == "ok":
                    test = _test(task.name, plan, row, Path(scratch))
    return {
        "kind": row.kind,
        "config": row.config,
        "seed": row.seed,
        "status": status,
        "test_accuracy": test,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - began,
        "passes": passes,
        "measured": [asdict(each) for each in measured],
    }


def _rungs(
    task: Task, plan: Plan, row: Row, *, data: float, setup: TrialSetup, watch: Watch
) -> tuple[list[Measured], str]:
    """All measurements at a data fraction until the training diverges, and how it ended."""
    found: list[Measured] = []
    for number, end in enumerate(plan.ends):
        watch.begin()
        trial = Trial(number, row.config | plan.fixed, rung_of(task, plan, end, data))
        outcome = evaluate(task, trial, setup)
        if outcome.status not in ("ok", "diverged"):
            raise RuntimeError(outcome.error or outcome.status)
        epochs = [report.epoch for report in outcome.reports]
        for epoch, values in zip([*epochs, *[end] * len(watch.found)], watch.found, strict=False):
            found.append(Measured(data=data, epoch=epoch, end=epoch == end, **values))
        if outcome.status == "diverged":
            return found, "diverged"
    return found, "ok"


def a_pass(task: str, row: Row, data: float, watch: Watch | None = None) -> tuple[int, int]:
    """(samples, steps) of an epoch: what its seconds were spent on, whatever the machine."""
    if task == "digits":
        from mfbo.data.splits import nested_subset
        from mfbo.tasks.digits import split

        samples = len(nested_subset(split(row.seed)[0].y, data, row.seed))
        size = int(row.config["batch_size"])
    elif watch is None or not watch.given:  # it diverged before it was measured
        return 0, 0
    else:
        job = watch.given[0]
        samples, size = len(job.learn), job.batch_size
    return samples, math.ceil(samples / min(size, samples))


def rung_of(task: Task, plan: Plan, epochs: int, data: float) -> Rung:
    """What the task trains for a rung of the recording."""
    part = data * plan.share
    return Rung(epochs, part, task.fidelity.work(epochs, part, plan.size), plan.size)


def _test(task: str, plan: Plan, row: Row, scratch: Path) -> float:
    """Accuracy of the model that training left, on (a part of) the test split, by the code that comes with a model."""
    import importlib

    model = next(scratch.rglob("epoch-*"))
    predict = importlib.import_module(f"mfbo.tasks.predict.{task}").predict
    if task == "digits":
        import json

        from mfbo.tasks.digits import split

        (model / "model").mkdir()
        shutil.move(model / "mlp.npz", model / "model" / "mlp.npz")
        (model / "config.json").write_text(json.dumps({"hyperparameters": row.config}))
        judge = split(row.seed)[2]
        return float(np.mean([digit for digit, _ in predict(model, judge.x * 16)] == judge.y))
    inputs, labels = _test_samples(task, plan.test)
    found = [label for label, _ in predict(model / "model", list(inputs))]
    return float(np.mean([a == b for a, b in zip(found, labels, strict=True)]))


@lru_cache(maxsize=1)
def _test_samples(task: str, count: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts, or files of pictures, spread evenly over the test split, and their classes."""
    if task == "cifar10":
        from PIL import Image

        from mfbo.data import images

        found = images("cifar10")
        rows = _spread(len(found.test_labels), count)
        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for row in rows:
            Image.fromarray(np.asarray(found.test[row])).save(folder / f"{row}.png")
        paths = tuple(str(folder / f"{row}.png") for row in rows)
        return paths, tuple(found.classes[label] for label in found.test_labels[rows])
    from mfbo.data.texts import texts

    raw = texts({"agnews": "ag_news"}.get(task, task))["test"]
    rows = _spread(len(raw), count)
    every = list(raw)
    return tuple(every[row] for row in rows), tuple(raw.classes[label] for label in raw.labels[rows])


def _spread(total: int, count: int | None) -> list[int]:
    """So many rows of a split, evenly over it."""
    return np.linspace(0, total - 1, min(total, count or total)).round().astype(int).tolist()
