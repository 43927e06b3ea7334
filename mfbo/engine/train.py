"""One configuration, trained once: what `mfbo best --format command` repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.checkpoint import Checkpoints
from mfbo.cost.price import facts, kept
from mfbo.engine import preflight
from mfbo.engine.direction import settled
from mfbo.errors import BadTask, RunError
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.inline import run_here
from mfbo.executors.scratch import clear_up, scratch
from mfbo.exports.card import FINAL
from mfbo.exports.model import check_new, metric_option, write_folder
from mfbo.fidelity_point import point
from mfbo.goal import Goal
from mfbo.ledger.environment import hardware, versions
from mfbo.ledger.fingerprint import space_dict
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.space import fitted
from mfbo.tasks.registry import load
from mfbo.trial import Rung, Trial

if TYPE_CHECKING:
    from mfbo.cost.price import Price
    from mfbo.task import Task
    from mfbo.trial import Config, Report


@dataclass(frozen=True)
class Trained:
    """The outcome of one training.

    Attributes:
        task: its name.
        config: as it was trained.
        rung: the fidelity.
        seed: of the training.
        loss: on the validation part, or on the test split for a final training; lower is better, and the negative of
            a metric that is maximised, see `value`.
        metrics: further numbers of the same measurement.
        seconds: of training and measuring.
        folder: where the model is; None if none was written, as none was asked for or the task keeps none.
        price: of an hour; None without one.
        goal: the metric, and whether it is maximised.
    """

    task: str
    config: Config
    rung: Rung
    seed: int
    loss: float
    metrics: Mapping[str, float]
    seconds: float
    folder: Path | None
    price: Price | None = None
    goal: Goal = field(default_factory=Goal)

    @property
    def value(self) -> float:
        """Of the metric, in its own sign."""
        return self.goal.value(self.loss)

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        found = {**vars(self), "metrics": dict(self.metrics), "folder": str(self.folder) if self.folder else None}
        del found["loss"], found["goal"]
        return {**found, **self.goal.facts(self.loss), "rung": str(self.rung), **facts(self.price, self.seconds)}


def train(
    task: Task | str,
    config: Mapping[str, Any],
    *,
    seed: int = 0,
    epochs: int | None = None,
    data: float | None = None,
    at: Mapping[str, Any] | None = None,
    final: bool = False,
    settings: Settings | None = None,
    out: Path | str | None = None,
    on_report: Callable[[Report, Goal, Rung], None] | None = None,
    maximize: bool | None = None,
) -> Trained:
    """Train `config` from scratch, in this process.

    Args:
        task: a `Task`, or a name that `mfbo.tasks.registry.load` knows.
        config: names and values; what is missing is taken from the space's defaults.
        seed: of the training.
        epochs: those of a full evaluation if None.
        data: fraction of the training data; that of a full evaluation if None.
        at: what else the task counts, by name, or the ``size`` of inputs; that of a full evaluation where it lacks.
        final: train on training and validation part, and measure on the test split, as `mfbo validate` does.
        settings: device, options and space.
        out: folder for the model, new or empty; None to keep none.
        on_report: is given each report as it is made, what it is of, and the fidelity of the training.
        maximize: whether higher is better, as for `mfbo.tune`; None is as the task or the metric says.

    Raises:
        MfboError: a mistake that a person can mend, or a training that failed.
    """
    settings = settings or Settings()
    task = (load(task) if isinstance(task, str) else task).with_space(settings.space)
    preflight.settings(settings)
    search, settings = settled(task, Search(maximize=maximize), settings)
    goal = search.goal
    values = fitted(config, task.space, "the configuration", partial=True)
    if final and task.validate is None:
        raise BadTask(f"task {task.name!r} has no final validation: give Task(validate=...), or leave out --final")
    trial = Trial(0, values, point(task.fidelity, epochs, data, at, beyond=True))
    target = Path(out) if out is not None else None
    if target is not None:
        check_new(target)
    task.ready(settings.options)
    preflight.device(settings, task)
    used = replace(task, train=task.validate) if final and task.validate else task
    clear_up()
    with scratch("train") as place:
        setup = TrialSetup(seed, settings.device, settings.options, Checkpoints(place / "checkpoints"), goal=goal)
        outcome = run_here(
            used, trial, setup, on_report=on_report and (lambda report: on_report(report, goal, trial.rung))
        )
        if outcome.status != "ok" or outcome.loss is None:
            reason = (outcome.error or outcome.status).strip().splitlines()[-1]
            raise RunError(f"training {task.name!r} {outcome.status}: {reason}")
        if target is not None:
            metrics = {goal.name: goal.value(outcome.loss), **goal.others(outcome.metrics)}
            measured_on = FINAL if final else "the validation part"
            asked = metric_option(search, settings.options)
            facts = {"metrics": metrics, "metric": asked, "measured_on": measured_on, "space": settings.space}
            target = target if _write(task, trial, setup, facts, out=target) else None
    return Trained(
        task=task.name,
        config=values,
        rung=trial.rung,
        seed=seed,
        loss=outcome.loss,
        metrics=goal.others(outcome.metrics),
        seconds=outcome.cost,
        folder=target,
        price=kept(settings.price),
        goal=goal,
    )


def _write(
    task: Task,
    trial: Trial,
    setup: TrialSetup,
    facts: Mapping[str, Any],
    *,
    out: Path,
) -> bool:
    """The model's folder, if the task keeps a model."""
    assert setup.checkpoints is not None
    found = setup.checkpoints.model(trial.key, trial.rung.epochs)
    if found is None:
        return False
    described = {
        "task": task.source or task.name,
        "hyperparameters": trial.config,
        "trained": {**vars(trial.rung), "seed": setup.seed},
        "options": dict(setup.options),
        "versions": dict(versions()),
        "hardware": dict(hardware()),
        **facts,
    }
    write_folder(described, space_dict(task.space), found[1], out)
    return True
