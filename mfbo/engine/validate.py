"""The final validation: the incumbent, trained anew on all that is not the test split, and measured on that."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mfbo.checkpoint import Checkpoints
from mfbo.cost.price import Price, facts, of_run
from mfbo.engine.loading import task_of
from mfbo.errors import BadTask, BadValue, RunError
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.inline import run_here
from mfbo.executors.scratch import clear_up, scratch
from mfbo.exports.card import FINAL
from mfbo.exports.model import BEST, Described, best_of, check_new, read_measurement, write_model
from mfbo.files.plain import remove
from mfbo.files.reading import read_json
from mfbo.goal import Goal
from mfbo.ledger.journal import check_links, read
from mfbo.ledger.run import Run
from mfbo.task import Task
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
    accept_changes: bool = False,
    note: Callable[[str], None] = lambda text: None,
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
        accept_changes: train although task or space have changed since the run began.
        note: is told whose code is run, before it is.

    Raises:
        RunChanged: task or space are not those of the run; nothing was run.
        BadValue: of `seeds`, or `out` has something in it.
        BadTask: the task has no final validation.
        RunError: no such run, it has no result, a training failed, or none came to its end within the limit.
        BadData, MissingExtra: the task cannot be trained here.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise BadValue(f"seeds {seeds!r}: give a whole number, 1 or more")
    run = read(run) if not isinstance(run, Run) else run
    best = best_of(run)
    target = _target(run, out)
    task = task_of(run.header, note, task=task, accept_changes=accept_changes)
    if task.validate is None:
        raise BadTask(f"task {task.name!r} has no final validation: give Task(validate=...), see docs of mfbo.Task")
    options = dict(run.header.settings.options)
    task.ready(options)
    trial, final = Trial(best.trial.id, best.trial.config, task.fidelity.full), replace(task, train=task.validate)
    setup = TrialSetup(run.header.seed, device or run.header.settings.device, options, goal=run.header.goal)
    clear_up(run.folder)
    with scratch("validate", run.folder) as place:
        scores, first = list(have), None
        missing = [seed for seed in range(setup.seed, setup.seed + seeds) if seed not in {s.seed for s in have}]
        try:
            for score, folder in _trainings(final, trial, setup, missing, seconds=seconds, scratch=place):
                scores.append(score)
                on_score(score)
                first = first or folder
                if folder is not None and folder != first:
                    remove(folder)
        finally:  # Ctrl-C, too, leaves the model that there is
            if target is not None and first is not None:
                if out is None:
                    remove(target)
                facts, seed = _facts(scores), missing[0]
                write_model(run, best, target, first, rung=trial.rung, seed=seed, facts=facts)
        if not scores:
            raise RunError(f"no training of the final validation finished in {seconds:.3g}s; give more time")
    written = target if first is not None else None
    return Validation(task.name, best.trial.config, trial.rung, tuple(scores), written, of_run(run), run.header.goal)


def _target(run: Run, out: Path | str | None) -> Path | None:
    """Where the model goes; None for a run in memory.

    Raises:
        BadValue: there is something already.
        RunError: the run's folder holds a link.
    """
    if run.folder is not None:
        check_links(run.folder)
    if out is None:
        return run.folder / BEST if run.folder else None
    check_new(Path(out))
    return Path(out)


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
        found = read_json(folder / "config.json", "file", Described)
        if found["hyperparameters"] != config:
            return None
        rows, goal = found["all_seeds"], run.header.goal
        scores = [Score(int(row.pop("seed")), goal.loss(row.pop(goal.name)), row, None, 0.0, 0.0, goal) for row in rows]
        trained = found["trained"]
        return Validation(run.header.task, config, trained, tuple(scores), folder, goal=goal) if scores else None
    except (OSError, BadValue, KeyError, ValueError, OverflowError):
        return None


def _one(task: Task, trial: Trial, setup: TrialSetup, seconds: float | None) -> tuple[Score, Path | None] | None:
    """Train once: the score, and the folder with the model where the task leaves one; None if it took too long."""

    def stop(elapsed: float) -> str | None:
        return "time" if seconds is not None and elapsed > seconds else None

    outcome = run_here(task, trial, setup, stop)
    if outcome.status == "stopped":
        return None
    if outcome.status != "ok" or outcome.loss is None:
        reason = (outcome.error or outcome.status).strip().splitlines()[-1]
        raise RunError(f"validation of task {task.name!r} with seed {setup.seed} {outcome.status}: {reason}")
    assert setup.checkpoints is not None
    found = setup.checkpoints.model(trial.key, trial.rung.epochs)
    folder = found[1] if found else None
    rows = read_measurement(folder).get("confusion") if folder is not None else None
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
