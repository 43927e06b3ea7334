"""The final validation: the incumbent, trained anew on all that is not the test split, and measured on that."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from mfbo.checkpoint import Checkpoints
from mfbo.cost.price import Price, facts, of_run
from mfbo.errors import BadTask, BadValue, RunError
from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.exports.model import BEST, FINAL, best_of, write_model
from mfbo.goal import Goal
from mfbo.ledger.journal import read
from mfbo.ledger.records import DAMAGE
from mfbo.ledger.run import Run
from mfbo.task import Task
from mfbo.tasks.registry import load
from mfbo.tasks.training.setup import MEASUREMENT
from mfbo.trial import Config, Rung, Trial


@dataclass(frozen=True)
class Score:
    """One training, and what the test split says of it.

    Attributes:
        seed: of the training.
        loss: on the test split, lower is better; the negative of a metric that is maximised, see `measured`.
        metrics: ``accuracy``, ``macro_f1`` and whatever else the task measures.
        confusion: samples by true class (rows) and predicted class (columns); None where the task keeps none.
        train: seconds of training.
        evaluation: seconds of measuring.
        goal: the metric of the run, and whether it is maximised.
    """

    seed: int
    loss: float
    metrics: dict[str, float]
    confusion: tuple[tuple[int, ...], ...] | None
    train: float
    evaluation: float
    goal: Goal = field(default_factory=Goal)

    @property
    def measured(self) -> dict[str, float]:
        """The metric of the run, in its own sign, and the others."""
        return {self.goal.name: self.goal.value(self.loss), **self.goal.others(self.metrics)}


@dataclass(frozen=True)
class Validation:
    """What the final validation found.

    Attributes:
        task: its name.
        config: of the incumbent.
        rung: full fidelity.
        scores: one a seed.
        folder: where the first seed's model is; None if it was not written.
        price: of an hour, as the run keeps it; None without one.
        goal: the metric of the run, and whether it is maximised.
    """

    task: str
    config: Config
    rung: Rung
    scores: tuple[Score, ...]
    folder: Path | None
    price: Price | None = None
    goal: Goal = field(default_factory=Goal)

    @property
    def names(self) -> list[str]:
        """Of what was measured, that of the run first."""
        return list(self.scores[0].measured)

    def mean(self, metric: str) -> float:
        """Of one of `names` over the seeds."""
        return statistics.fmean(self._values(metric))

    def deviation(self, metric: str) -> float:
        """Standard deviation (n - 1) over the seeds; 0 for one seed."""
        values = self._values(metric)
        return statistics.stdev(values) if len(values) > 1 else 0.0

    @property
    def confusion(self) -> list[list[int]] | None:
        """Summed over the seeds: true classes in rows, predicted ones in columns."""
        kept = [score.confusion for score in self.scores if score.confusion is not None]
        return [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*kept, strict=True)] or None

    @property
    def seconds(self) -> float:
        """Of training and measuring, all seeds together."""
        return sum(score.train + score.evaluation for score in self.scores)

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        names = self.names
        return {
            "task": self.task,
            "config": self.config,
            "fidelity": str(self.rung),
            "seeds": [score.seed for score in self.scores],
            "mean": {name: self.mean(name) for name in names},
            "deviation": {name: self.deviation(name) for name in names},
            "confusion": self.confusion,
            "seconds": self.seconds,
            **facts(self.price, self.seconds),
            "metric": self.goal.name,
            "maximize": self.goal.maximize,
            "scores": [self._plain(score) for score in self.scores],
            "folder": str(self.folder) if self.folder else None,
        }

    def _values(self, metric: str) -> list[float]:
        return [score.measured[metric] for score in self.scores]

    def _plain(self, score: Score) -> dict[str, Any]:
        """A score with what was measured in the user's own sign."""
        found = asdict(score)
        del found["loss"], found["goal"]
        return {"seed": found.pop("seed"), **self.goal.facts(score.loss), **found}


def validate(
    run: Run | Path | str,
    seeds: int = 3,
    *,
    out: Path | str | None = None,
    device: str | None = None,
    task: Task | None = None,
    seconds: float | None = None,
    have: Sequence[Score] = (),
    on_score: Callable[[Score], None] = lambda score: None,
) -> Validation:
    """Train the incumbent from scratch at full fidelity on training and validation part; measure on the test split.

    The model of the first seed is written into a folder: the choice must not depend on the test split.

    Args:
        run: folder of a run, or a run as read.
        seeds: how many trainings; they have the run's seed and those that follow it.
        out: folder to write; ``RUN/best`` if None, which is replaced; nothing is written for a run in memory.
        device: None for the run's.
        task: for a run of a `Task` object, which no name leads to.
        seconds: limit; a training in flight then is ended at its next report, and does not count. None for no limit.
        have: scores of this configuration that are there already; what is missing is trained.
        on_score: is given each score as it comes.

    Raises:
        BadValue: of `seeds`, or `out` has something in it.
        BadTask: the task has no final validation.
        RunError: no such run, it has no result, a training failed, or none came to its end within the limit.
        BadData, MissingExtra: the task cannot be trained here.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise BadValue(f"seeds {seeds!r}: give a whole number, 1 or more")
    run = read(run) if not isinstance(run, Run) else run
    best = best_of(run)
    task = task or load(run.header.task)
    if task.validate is None:
        raise BadTask(f"task {task.name!r} has no final validation: give Task(validate=...), see docs of mfbo.Task")
    target = Path(out) if out is not None else run.folder / BEST if run.folder else None
    if out is not None and target is not None and target.exists() and any(target.iterdir()):
        raise BadValue(f"{str(target)!r} is not empty; name a new folder")
    options = dict(run.header.settings.options)
    task.ready(options)
    trial, final = Trial(best.trial.id, best.trial.config, task.fidelity.full), replace(task, train=task.validate)
    setup = TrialSetup(run.header.seed, device or run.header.settings.device, options, goal=run.header.goal)
    with tempfile.TemporaryDirectory(prefix="mfbo-validate-", dir=run.folder) as scratch:
        scores, first = list(have), None
        missing = [seed for seed in range(setup.seed, setup.seed + seeds) if seed not in {s.seed for s in have}]
        try:
            for score, folder in _trainings(final, trial, setup, missing, seconds=seconds, scratch=Path(scratch)):
                scores.append(score)
                on_score(score)
                first = first or folder
                if folder is not None and folder != first:
                    shutil.rmtree(folder)
        finally:  # Ctrl-C, too, leaves the model that there is
            if target is not None and first is not None:
                if out is None:
                    shutil.rmtree(target, ignore_errors=True)
                facts, seed = _facts(scores), missing[0]
                write_model(run, best, target, first, rung=trial.rung, seed=seed, facts=facts)
        if not scores:
            raise RunError(f"no training of the final validation finished in {seconds:.3g}s; give more time")
    written = target if first is not None else None
    return Validation(task.name, best.trial.config, trial.rung, tuple(scores), written, of_run(run), run.header.goal)


def _trainings(
    task: Task, trial: Trial, setup: TrialSetup, seeds: Sequence[int], *, seconds: float | None, scratch: Path
) -> Iterator[tuple[Score, Path | None]]:
    """One a seed, until the time is up."""
    began = time.monotonic()
    for seed in seeds:
        left = None if seconds is None else seconds - (time.monotonic() - began)
        own = replace(setup, seed=seed, checkpoints=Checkpoints(scratch / str(seed)))
        found = _one(task, trial, own, left)
        if found is None:
            return
        yield found


def kept(run: Run, config: Config) -> Validation | None:
    """The last validation of `config`, as the folder of the model in ``RUN/best`` keeps it; None where there is none.

    What was not kept, times and the confusion of single seeds, is 0 and None.
    """
    if run.folder is None:
        return None
    folder = run.folder / BEST
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if found["hyperparameters"] != config:
            return None
        rows = msgspec.convert(found["all_seeds"], list[dict[str, float]])
        goal = run.header.goal
        scores = [Score(int(row.pop("seed")), goal.loss(row.pop(goal.name)), row, None, 0.0, 0.0, goal) for row in rows]
        rung = msgspec.convert(found["trained"], Rung)
        return Validation(run.header.task, config, rung, tuple(scores), folder, goal=goal) if scores else None
    except (OSError, *DAMAGE):
        return None


def _one(task: Task, trial: Trial, setup: TrialSetup, seconds: float | None) -> tuple[Score, Path | None] | None:
    """Train once: the score, and the folder with the model where the task leaves one; None if it took too long."""

    def stop(elapsed: float) -> str | None:
        return "time" if seconds is not None and elapsed > seconds else None

    outcome = evaluate(task, trial, setup, stop)
    if outcome.status == "stopped":
        return None
    if outcome.status != "ok" or outcome.loss is None:
        reason = (outcome.error or outcome.status).strip().splitlines()[-1]
        raise RunError(f"validation of task {task.name!r} with seed {setup.seed} {outcome.status}: {reason}")
    assert setup.checkpoints is not None
    found = setup.checkpoints.model(trial.key, trial.rung.epochs)
    folder = found[1] if found else None
    confusion = None
    if folder is not None and (folder / MEASUREMENT).is_file():
        rows = json.loads((folder / MEASUREMENT).read_text(encoding="utf-8")).get("confusion")
        confusion = tuple(tuple(row) for row in rows) if rows else None
    metrics = dict(outcome.metrics)
    score = Score(setup.seed, outcome.loss, metrics, confusion, outcome.train, outcome.evaluation, goal=setup.goal)
    return score, folder


def _facts(scores: Sequence[Score]) -> dict[str, Any]:
    """What goes into the model's description: the first seed is its own, the others show the spread."""
    first = scores[0]
    return {
        "measured_on": FINAL,
        "metrics": {**first.measured, "seconds": first.train},
        "confusion": [list(row) for row in first.confusion] if first.confusion else None,
        "all_seeds": [{"seed": score.seed, **score.measured} for score in scores],
    }
