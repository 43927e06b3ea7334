"""A plan: the rungs that a budget can pay for, and what it is expected to buy. A ledger keeps it in its header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from mfbo.trial import Amount, Config, Count, Pace, Rung


@dataclass(frozen=True)
class Probe:
    """A short training, to see what things cost here.

    Attributes:
        config: what was trained.
        rung: at which fidelity, as far as it came.
        pace: how fast it went.
        closing: seconds after the last evaluation, most of them for the checkpoint; 0 where it did not come so far.
    """

    config: Config
    rung: Rung
    pace: Pace
    closing: Amount = 0.0


@dataclass(frozen=True)
class Step:
    """A rung of a plan.

    Attributes:
        rung: the fidelity.
        cost: of a trial there, a mean over those that begin there and those that go on; in the plan's unit.
        trials: how many the budget is expected to pay for.
    """

    rung: Rung
    cost: Amount
    trials: Count


@dataclass(frozen=True, repr=False)
class Plan:
    """What a budget is expected to buy.

    Attributes:
        steps: low to high; empty where nothing is known of what trials cost.
        budget: in `unit`, the probes included.
        unit: ``s`` seconds or ``x`` full evaluations.
        full: cost of a full evaluation, in `unit`; 0 where it is not known.
        epochs: of a full evaluation.
        twice: what twice the budget would buy.
        spent: seconds charged for the probes.
        wall: seconds by the clock that they took.
        probes: what they found.
        workers: trials at a time.
        note: why nothing was measured, or why the budget is too small; empty where there is nothing to say.
        bound: whether costs are lower bounds, because the probe was stopped before it told of its progress.
        further: what a full evaluation counts beside epochs.
    """

    steps: tuple[Step, ...]
    budget: Amount
    unit: Literal["s", "x"]
    full: Amount
    epochs: Annotated[int, Meta(ge=1)]
    twice: tuple[Step, ...] = ()
    spent: Amount = 0.0
    wall: Amount = 0.0
    probes: tuple[Probe, ...] = ()
    workers: Annotated[int, Meta(ge=1)] = 1
    note: str = ""
    bound: bool = False
    further: tuple[tuple[str, Count], ...] = ()

    def __repr__(self) -> str:
        levels = ", ".join(f"{step.trials} trials at {percent(step.rung.work)}" for step in self.steps)
        return f"<Plan: {self.budget:.4g}{self.unit} buys {levels or 'an unknown number of trials'}>"

    @property
    def measured(self) -> bool:
        """Whether its costs were measured, so that another run here can be planned by them."""
        return bool(self.probes)

    @property
    def lowered(self) -> bool:
        """Whether the highest rung is less than a full evaluation."""
        return bool(self.steps) and self.steps[-1].rung.work < 1 - 1e-9

    def step(self, rung: Rung) -> Step | None:
        """Of that rung; None where it has none."""
        return next((step for step in self.steps if step.rung == rung), None)


def percent(work: float) -> str:
    """Work as a fraction of a full evaluation, two digits: 100 would come out as ``1e+02``."""
    return f"{100 * work:.2g}%" if work < 0.995 else "100%"
