"""What the three phases of a study came to, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mfbo.cost.price import Price, facts
from mfbo.cost.price import kept as price_of
from mfbo.ledger.journal import DAMAGE
from mfbo.ledger.schema import number, whole

EXPLORE, NARROWED, OPTIMIZE, PHASES = "explore", "narrowed.yaml", "optimize", "phases.json"
SEEDS = 3  # trainings of a final validation


@dataclass(frozen=True)
class Line:
    """What one optimizer came to.

    Attributes:
        optimizer: its name.
        loss: of its incumbent, on the validation part.
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
    loss: float | None
    fidelity: str
    trials: int
    iterations: int | None
    cost: float
    config: dict[str, Any]
    test: dict[str, float]
    deviation: dict[str, float]
    seeds: int
    note: str


@dataclass(frozen=True)
class Phases:
    """What the three phases came to.

    Attributes:
        task: its name.
        max_cost: of all phases.
        unit: ``s`` or ``x``.
        costs: charged by phase.
        price: of an hour, as `mfbo.cost.price.Price` writes it; empty where there is none.
        seeds: trainings that each final validation was to have.
        settings: how the trials of the exploration were run.
        narrowed: a line a hyperparameter: what was cut down and why; empty where nothing could be told.
        lines: best on unseen data first; those that were not measured there by rung and validation loss.
        interrupted: whether the user stopped it.
        search: what was asked of the search and is not usual, as `mfbo.search.Search.options` has it.
    """

    task: str
    max_cost: str
    unit: str
    costs: dict[str, float]
    narrowed: tuple[str, ...]
    lines: tuple[Line, ...]
    interrupted: bool = False
    price: str = ""
    seeds: int = SEEDS
    settings: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)

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
        return price_of(vars(self)) if self.unit == "s" else None


def kept(folder: Path | str) -> Phases | None:
    """What the study in `folder` came to, as it keeps it; None where there is none that is whole."""
    try:
        found = json.loads((Path(folder) / PHASES).read_text(encoding="utf-8"))
        lines = tuple(_kept_line(line) for line in found["lines"])
        costs = {str(name): number(cost, 0) for name, cost in found["costs"].items()}
        words = tuple(map(str, found["narrowed"]))
        return Phases(
            task=str(found["task"]),
            max_cost=str(found["max_cost"]),
            unit=str(found["unit"]),
            costs=costs,
            narrowed=words,
            lines=lines,
            price=str(found.get("price") or ""),
            seeds=whole(found.get("seeds", SEEDS), 1),
            settings=dict(found.get("settings", {})),
            search=dict(found.get("search", {})),
        )
    except (OSError, *DAMAGE):
        return None


def _kept_line(line: dict[str, Any]) -> Line:
    scores = ({str(name): number(value) for name, value in line[part].items()} for part in ("test", "deviation"))
    return Line(
        optimizer=str(line["optimizer"]),
        loss=None if line["loss"] is None else number(line["loss"]),
        fidelity=str(line["fidelity"]),
        trials=whole(line["trials"]),
        iterations=None if line["iterations"] is None else whole(line["iterations"]),
        cost=number(line["cost"], 0),
        config=dict(line["config"]),
        test=next(scores),
        deviation=next(scores),
        seeds=whole(line["seeds"]),
        note=str(line["note"]),
    )
