"""What a finished or interrupted run has to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.cost.price import facts, of_run
from mfbo.engine.repeats import last_line, place_of
from mfbo.evidence.curves import incumbent
from mfbo.evidence.feasibility import none_feasible
from mfbo.goal import Goal
from mfbo.ledger.run import STATUS_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mfbo.ledger.run import Run
    from mfbo.trial import Config, Rung


@dataclass(frozen=True)
class Best:
    """The incumbent.

    Attributes:
        config: hyperparameter values.
        loss: validation loss, lower is better; the negative of a metric that is maximised, see `value`.
        fidelity: the rung at which it was measured; `str` says it in words.
        metrics: further numbers of the same measurement.
        cost_at: what the run had charged when it was found, in the unit of the budget.
        trial: number of its trial.
        goal: the metric of the run, and whether it is maximised.
    """

    config: Config
    loss: float
    fidelity: Rung
    metrics: Mapping[str, float]
    cost_at: float
    trial: int
    goal: Goal = field(default_factory=Goal)

    @property
    def value(self) -> float:
        """Of the run's metric, in its own sign: 0.94 of an accuracy."""
        return self.goal.value(self.loss)


@dataclass(frozen=True, repr=False)
class TuneResult:
    """A run.

    Attributes:
        task, optimizer, seed: what was run.
        status: why it ended: ``budget``, ``trials``, ``wall``, ``exhausted`` (nothing left to try),
            ``gain`` (`mfbo.Search.stop_when`), ``interrupted``,
            ``failed`` (no trial succeeded).
        cost: charged, in `unit`.
        unit: ``s`` seconds or ``x`` full evaluations.
        max_cost: the limit, in `unit`; None without one.
        trials: how many ended, partial ones not counted.
        best: the incumbent; None where no trial gave a loss.
        run: folder; None in memory.
        ledger: everything that happened.
    """

    task: str
    optimizer: str
    seed: int
    status: str
    cost: float
    unit: str
    max_cost: float | None
    trials: int
    best: Best | None
    run: Path | None
    ledger: Run

    @property
    def goal(self) -> Goal:
        """The metric, and whether it is maximised."""
        return self.ledger.header.goal

    @property
    def first_error(self) -> str:
        """What the first trial that failed said; empty where none did."""
        return next((entry.outcome.error for entry in self.ledger.results if entry.outcome.error), "")

    @property
    def failure(self) -> str:
        """What to say where there is no best: none is feasible, or the error and the user's line of it, then all."""
        if said := none_feasible(self.ledger):
            return said
        error = self.first_error
        if "\n" not in error.strip():
            return f"no trial of {self.trials} succeeded; the first error: {error.strip()}"
        place, last = place_of(error), last_line(error)
        where = f", in {place}" if place else ""
        return f"no trial of {self.trials} succeeded; the first error: {last}{where}\n{error}"

    def __repr__(self) -> str:
        best = f"best {self.goal.name}={self.best.value:.4g} at {self.best.fidelity}" if self.best else "no result"
        spent = f"cost={self.cost:.4g}{self.unit}"
        status = STATUS_WORDS.get(self.status, self.status)
        return f"<TuneResult {self.task} with {self.optimizer}: {best}, {self.trials} trials, {spent}, {status}>"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        status = STATUS_WORDS.get(self.status, self.status)
        rows = {"task": self.task, "optimizer": self.optimizer, "status": status, "trials": self.trials}
        rows |= {"cost": f"{self.cost:.4g}{self.unit}", "run": self.run or "in memory"}
        if self.best:
            rows |= {f"best {self.goal.name}": f"{self.best.value:.4g} ({self.best.fidelity})", **self.best.config}
        cells = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows.items()
        )
        return f"<table>{cells}</table>"

    def to_dict(self) -> dict[str, Any]:
        """The object that ``mfbo tune --json`` prints: of the best, ``value`` is that of ``metric`` in its own sign."""
        best = self.best and {
            "config": self.best.config,
            **self.goal.facts(self.best.loss),
            "fidelity": str(self.best.fidelity),
            "metrics": dict(self.best.metrics),
            "cost_at": self.best.cost_at,
        }
        return {
            "task": self.task,
            "optimizer": self.optimizer,
            "seed": self.seed,
            "max_cost": self.max_cost,
            "cost": self.cost,
            "unit": self.unit,
            "trials": self.trials,
            "status": self.status,
            **facts(of_run(self.ledger), self.ledger.seconds),
            "run": str(self.run) if self.run else None,
            "best": best,
        }


def result_of(run: Run) -> TuneResult:
    """What `run` has to show, finished or not."""
    budget = run.limits.max_cost
    found = incumbent(run)
    best = None
    if found is not None and found.outcome.loss is not None:
        outcome = found.outcome
        loss = float(found.outcome.loss)
        goal = run.header.goal
        best = Best(found.trial.config, loss, outcome.rung, outcome.metrics, found.spent, found.trial.id, goal)
    return TuneResult(
        task=run.header.task,
        optimizer=run.header.optimizer,
        seed=run.header.seed,
        status=run.ended or "unfinished",
        cost=run.spent,
        unit=run.limits.unit,
        max_cost=budget.amount if budget else None,
        trials=sum(result.outcome.final for result in run.results),
        best=best,
        run=run.folder,
        ledger=run,
    )
