"""The result of a study's three phases, and the file that keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mfbo.cost.price import Price, facts
from mfbo.cost.price import kept as price_of
from mfbo.errors import BadValue
from mfbo.files.reading import read_json
from mfbo.goal import Goal
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.trial import Amount, Config, Count

EXPLORE, NARROWED, OPTIMIZE, PHASES = "explore", "narrowed.yaml", "optimize", "phases.json"
SEEDS = 3  # trainings of a final validation


@dataclass(frozen=True)
class StudyLine:
    """The result of one optimizer.

    Attributes:
        optimizer: its name.
        value: of the metric, of its incumbent, on the validation part; in the metric's own sign.
        fidelity: at which that was measured.
        trials: finished ones.
        iterations: trials until within 1% of the final best.
        cost: charged for its optimization.
        config: its incumbent.
        test: means over the seeds on the test split, such as ``accuracy`` and ``macro_f1``; empty where it was not
            measured.
        deviation: standard deviations of these; 0 for one seed.
        seeds: trainings that were measured.
        note: why there are fewer than were asked for; else empty.
    """

    optimizer: str
    value: float | None
    fidelity: str
    trials: Count
    iterations: Count | None
    cost: Amount
    config: Config
    test: dict[str, float]
    deviation: dict[str, float]
    seeds: Count
    note: str


@dataclass(frozen=True)
class Phases:
    """The result of the three phases.

    Attributes:
        task: its name.
        max_cost: of all phases.
        unit: ``s`` or ``x``.
        costs: charged by phase.
        seeds: trainings that each final validation was to have.
        settings: how the trials of the exploration were run.
        narrowed: a line a hyperparameter: what was cut down and why; empty where nothing could be told.
        lines: best on unseen data first; those that were not measured there by rung and validation loss.
        interrupted: whether the user stopped it.
        search: what was asked of all runs.
        goal: the metric of all runs, and whether it is maximised.
    """

    task: str
    max_cost: str
    unit: Literal["s", "x"]
    costs: dict[str, Amount]
    narrowed: tuple[str, ...]
    lines: tuple[StudyLine, ...]
    interrupted: bool = False
    seeds: Annotated[int, Meta(ge=1)] = SEEDS
    settings: Settings = field(default_factory=Settings)
    search: Search = field(default_factory=Search)
    goal: Goal = field(default_factory=Goal)

    def to_dict(self) -> dict[str, Any]:
        """For ``--json`` and ``phases.json``; money is that of all phases together."""
        return {**asdict(self), **facts(self.paid, self.total)}

    @property
    def total(self) -> float:
        """Charged in all phases, in `unit`."""
        return sum(self.costs.values())

    @property
    def paid(self) -> Price | None:
        """What its costs are paid with; None without a price, or where they are no time."""
        return price_of(self.settings.price) if self.unit == "s" else None


def kept(folder: Path | str) -> Phases | None:
    """The result of the study in `folder`, as it keeps it; None where there is none that is whole."""
    try:
        found = read_json(Path(folder) / PHASES, "file", dict[str, Any])
        for line in found["lines"]:
            if "loss" in line:  # as it was called before metrics had names
                line["value"] = line.pop("loss")
        return msgspec.convert(found, Phases)
    except (OSError, BadValue, msgspec.ValidationError, LookupError, TypeError, AttributeError):
        return None
