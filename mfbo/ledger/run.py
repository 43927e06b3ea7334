"""A run: what it is, what it may use, and all that has happened in it. The ledger keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from mfbo.budget import Budget, duration
from mfbo.errors import BadCost, BadValue
from mfbo.fidelity import Fidelity
from mfbo.goal import Goal
from mfbo.ledger.plan import Plan, Step
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.trial import Config, Known, Outcome, Rung, Trial, Value

GAIN = "gain"  # status of a run that `Search.stop_when` has ended
STATUS_WORDS = {  # of why a run ended, for people
    "budget": "budget spent",
    "trials": "trial limit reached",
    "wall": "time limit reached",
    "exhausted": "nothing left to try",
    GAIN: "no more gain expected",
    "failed": "failed: no trial succeeded",
    "killed": "stopped at once",
}


@dataclass(frozen=True)
class Limits:
    """What a run may use; None is no limit.

    Attributes:
        max_cost: seconds or full evaluations.
        max_trials: finished trials.
        max_wall: seconds by the clock.
    """

    max_cost: Budget | None = None
    max_trials: Annotated[int, Meta(ge=1)] | None = None
    max_wall: Budget | None = None

    @staticmethod
    def of(max_cost: str | float | None = None, max_trials: int | None = None, max_wall: str | None = None) -> Limits:
        """Limits as people give them; a number is a cost in seconds.

        Raises:
            BadCost: an amount that cannot be read, or a time in full evaluations.
            BadValue: fewer than one trial.
        """
        if max_trials is not None and max_trials < 1:
            raise BadValue(f"max trials {max_trials}: give 1 or more")
        cost = max_cost if max_cost is None or isinstance(max_cost, str) else duration(float(max_cost))
        wall = None if max_wall is None else Budget.parse(max_wall, "max wall")
        if wall is not None and wall.unit != "s":
            raise BadCost(f"max wall {max_wall!r}: give a duration such as 45s, 90m or 2h")
        return Limits(None if cost is None else Budget.parse(cost, "max cost"), max_trials, wall)

    @property
    def unit(self) -> Literal["s", "x"]:
        """In which cost is charged: seconds, where there is no limit of it."""
        return self.max_cost.unit if self.max_cost else "s"


@dataclass(frozen=True)
class Header:
    """What a run is: enough to check that it is the same and to do it again.

    Attributes:
        task: name that `mfbo.tasks.registry.load` takes.
        search: what was asked of the search; its path and its prior are those of the task.
        limits: those that it began with.
        fidelity: what the task can be cut down to.
        rungs: the ladder, low to full.
        space: the configuration space, in ConfigSpace's own JSON form.
        space_hash: of `space`.
        source_hash: of the user's task file; empty for installed tasks.
        grid: the task's own values for grid search; None for every other optimizer.
        full_cost: virtual seconds of a full evaluation, for surrogates.
        optimum: the best possible loss, where known.
        settings: how trials are run.
        known: results of an earlier run that the optimizer began with.
        versions: of Python, mfbo and the libraries that results depend on.
        hardware: machine, cores, memory, accelerator.
        command: what the user typed.
        created: date and time, ISO 8601 with time zone.
        grows: whether the ladder may grow during the run.
        plan: what the limits were expected to buy, and what was spent to find out; None where nobody asked.
        own_loop: whether its trials run in a user's own loop, by `mfbo.Session`.
    """

    task: str
    search: Search
    limits: Limits
    fidelity: Fidelity
    rungs: tuple[Rung, ...]
    space: Mapping[str, Any]
    space_hash: str
    source_hash: str = ""
    grid: Mapping[str, list[Value]] | None = None
    full_cost: Annotated[float, Meta(gt=0)] | None = None
    optimum: float | None = None
    settings: Settings = field(default_factory=Settings)
    known: tuple[Known, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str | int | float] = field(default_factory=dict)
    command: str = ""
    created: str = ""
    plan: Plan | None = None
    grows: bool = False
    own_loop: bool = False

    @property
    def optimizer(self) -> str:
        """Its name."""
        return self.search.optimizer

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.search.seed

    @property
    def goal(self) -> Goal:
        """What it is after: the metric, and whether it is maximised; losses are turned back by it."""
        return self.search.goal

    @property
    def prior(self) -> Config | None:
        """The configuration believed in, which the optimizer began with."""
        prior = self.search.prior
        return prior if isinstance(prior, dict) else None


@dataclass(frozen=True)
class Result:
    """A trial, what became of it, and what it cost.

    Attributes:
        trial: what was asked.
        outcome: what came back.
        overhead: seconds of the run itself since the last result: optimizer, ledger, display; 0 on a virtual clock.
        spent: what the run had charged after this result, in the unit of its budget.
        at: the same in seconds: cost of all trials and of the optimizer so far.
        wall: seconds that the run's clock showed when it came in.
    """

    trial: Trial
    outcome: Outcome
    overhead: float
    spent: float
    at: float
    wall: float = 0.0


@dataclass
class Run:
    """A ledger as read.

    Attributes:
        folder: where it lies; None in memory.
        header: what the run is.
        limits: those in force now.
        results: in the order in which they came in.
        asks: every trial asked, by id.
        told: results measured outside the run that the optimizer was told; they cost nothing.
        planned: what the whole budget buys by the newest plan; that of the header until there is another.
        ladders: those that the run had before its ladder grew to that of the header, in order.
        events: ``("ask", id)``, ``("result", index)``, ``("told", index)`` and ``("ladder", index)`` or ``("ladder for
            the best", index)``, after which the ladder is `ladder` of the next index, in order, to replay an optimizer
            with.
        ended: why the run ended; None while it runs or after a kill.
        waived: whether its rule to stop by has ended it once: who resumes it then goes on without.
        torn: bytes of an incomplete last line.
        spent: charged so far, in the unit of the budget.
        seconds: cost so far in seconds, optimizer included.
        wall: seconds that the run's clock has shown, interruptions left out.
        check: checksum of the last line, to which the next is chained; empty in memory.
    """

    header: Header
    limits: Limits
    folder: Path | None = None
    results: list[Result] = field(default_factory=list)
    asks: dict[int, Trial] = field(default_factory=dict)
    told: list[Known] = field(default_factory=list)
    planned: tuple[Step, ...] = ()
    ladders: list[tuple[Rung, ...]] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    ended: str | None = None
    waived: bool = False
    torn: int = 0
    spent: float = 0.0
    seconds: float = 0.0
    wall: float = 0.0
    check: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.header.plan is not None and not self.planned:
            self.planned = self.header.plan.steps
        if self.header.plan is not None and not self.events:
            self.spent, self.seconds, self.wall = self.header.plan.spent, self.header.plan.spent, self.header.plan.wall

    @property
    def finished(self) -> bool:
        """Whether it has ended; not while it runs, or where it was interrupted or killed."""
        return self.ended not in (None, "interrupted")

    @property
    def open(self) -> list[Trial]:
        """Trials that were asked and have no final result: in flight at a kill, stopped before their end, or lost."""
        closed = {result.trial.id for result in self.results if result.outcome.final}
        return [trial for id_, trial in self.asks.items() if id_ not in closed]

    def add_ask(self, trial: Trial) -> None:
        """Record an ask."""
        self.asks[trial.id] = trial
        self.events.append(("ask", trial.id))

    def add_result(self, result: Result) -> None:
        """Record a result."""
        self.events.append(("result", len(self.results)))
        self.results.append(result)
        self.spent, self.seconds, self.wall = result.spent, result.at, result.wall

    def add_ladder(self, rungs: tuple[Rung, ...], *, best: bool = False) -> None:
        """The ladder has these rungs from now on; where `best`, the best goes to the highest next."""
        self.events.append(("ladder for the best" if best else "ladder", len(self.ladders)))
        self.ladders.append(self.header.rungs)
        self.header = replace(self.header, rungs=rungs)

    def ladder(self, index: int) -> tuple[Rung, ...]:
        """The ladder after it had grown so many times; 0 is that which the run began with."""
        return self.ladders[index] if index < len(self.ladders) else self.header.rungs

    def add_told(self, known: Known) -> None:
        """Record a result that was measured outside the run."""
        self.events.append(("told", len(self.told)))
        self.told.append(known)

    def add_end(self, status: str, overhead: float, charge: float) -> None:
        """Record the end, and of overhead that led to no result."""
        self.ended = status
        self.waived = self.waived or status == GAIN
        self.spent += charge
        self.seconds += overhead
