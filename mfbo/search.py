"""What a search is asked to do, in one object: it is made once, handed on whole, and kept whole in the ledger.

A further option is a field of `Search`, the same keyword in `SearchOptions`, and an option of the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mfbo import constraints
from mfbo.constraints import Constraint
from mfbo.errors import BadValue, UnknownName
from mfbo.fidelity import ETA
from mfbo.goal import LOSS, SCORE, Goal, said
from mfbo.objectives import checked
from mfbo.stop_rule import StopRule
from mfbo.trial import Config

if TYPE_CHECKING:
    from typing_extensions import Unpack

KEYWORDS = {"path": "fidelity"}
"""What `tune` and the command line call a field, where that is not its own name."""


class SearchOptions(TypedDict, total=False):
    """The fields of `Search` as keywords of `mfbo.tune`, `mfbo.plan` and `mfbo.compare`, and as people give them."""

    optimizer: str
    seed: int
    fidelity: str | None
    eta: int
    min_fidelity: float
    max_fidelity: float
    prior: Mapping[str, Any] | Path | str | None
    objectives: Sequence[str]
    metric: str | None
    maximize: bool | None
    subject_to: Sequence[str] | str
    stop_when: str | None


@dataclass(frozen=True)
class Search:
    """What a search is asked to do.

    Attributes:
        optimizer: see `mfbo.optimizers.registry.OPTIMIZERS`.
        seed: 0 or more; the same seed proposes the same configurations on a virtual clock.
        path: through the fidelity: ``epochs``, ``data``, ``joint``, or another name of what the task counts; the
            task's default if None.
        eta: factor between rungs; the best 1/eta of a rung's configurations is promoted.
        min_fidelity: no rung below this fraction of a full evaluation.
        max_fidelity: no rung above it.
        prior: a configuration believed in, which is tried first and drawn near to as long as it holds: ``default``, a
            YAML file, or names and values; what is missing in it is taken from the space's defaults. In the ledger of
            a run it is the whole configuration.
        objectives: several at once, ``loss`` or the metric among them; none for that alone; see `mfbo.objectives`.
        metric: what is tuned, by its name, with ``max:`` or ``min:`` before it where that is said here; what the task
            calls it if None. In the ledger of a run it is the name alone.
        maximize: whether higher is better; None is as the task says, else lower.
        subject_to: constraints on metrics of the task, such as ``latency<=5ms``; see `mfbo.constraints`.
        stop_when: ends the run before its limits, such as ``gain<0.1%``; see `mfbo.stop_rule`. None for never.

    Raises:
        BadValue: a value outside what is allowed.
    """

    optimizer: str = "smac"
    seed: int = 0
    path: str | None = None
    eta: int = ETA
    min_fidelity: float = 0.0
    max_fidelity: float = 1.0
    prior: Config | str | None = None
    objectives: tuple[str, ...] = ()
    metric: str | None = None
    maximize: bool | None = None
    subject_to: tuple[str, ...] = ()
    stop_when: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise BadValue(f"seed {self.seed!r}: give an integer from 0 to {2**32 - 1}")
        if self.path is not None and not isinstance(self.path, str):  # the task knows which there are
            raise BadValue(f"fidelity {self.path!r}: give the name of a path, such as epochs, data or joint")
        if isinstance(self.eta, bool) or not isinstance(self.eta, int) or not 2 <= self.eta <= 100:
            raise BadValue(f"eta {self.eta!r}: give a whole number from 2 to 100")
        for name, value in (("min", self.min_fidelity), ("max", self.max_fidelity)):
            if not 0 <= value <= 1:
                raise BadValue(f"{name} fidelity {value!r}: give a fraction of a full evaluation, from 0 to 1")
        if self.min_fidelity > self.max_fidelity:
            low, high = f"{self.min_fidelity:.3g}", f"{self.max_fidelity:.3g}"
            raise BadValue(f"min fidelity {low} is above max fidelity {high}; give less")
        object.__setattr__(self, "objectives", checked(self.objectives))
        object.__setattr__(self, "subject_to", constraints.checked(self.subject_to))
        if self.stop_when is not None:
            object.__setattr__(self, "stop_when", StopRule.parse(self.stop_when).text)
            if self.objectives:
                raise BadValue(
                    f"stop when {self.stop_when!r}: of several objectives no single gain is told; leave it out"
                )
        if self.metric is not None:
            said(self.metric, self.maximize)

    @property
    def goal(self) -> Goal:
        """What it is after: the metric, and its direction."""
        name, maximize = said(self.metric or "", self.maximize)
        return Goal(name or (SCORE if maximize else LOSS), bool(maximize))

    @staticmethod
    def of(search: Search | None = None, **options: Unpack[SearchOptions]) -> Search:
        """`search` with the options that people give beside it.

        Raises:
            UnknownName: no such option.
            BadValue: as `Search`.
        """
        names = {keyword(item.name): item.name for item in fields(Search)}
        if unknown := [name for name in options if name not in names]:
            raise UnknownName("option of the search", unknown[0], names)
        values: dict[str, Any] = {names[name]: value for name, value in options.items()}
        if isinstance(prior := values.get("prior"), Path | Mapping):
            values["prior"] = str(prior) if isinstance(prior, Path) else dict(prior)
        return replace(search or Search(), **values)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Those of `subject_to`."""
        return tuple(Constraint.parse(text).of(self.goal) for text in self.subject_to)

    @property
    def stop_rule(self) -> StopRule | None:
        """That of `stop_when`."""
        return None if self.stop_when is None else StopRule.parse(self.stop_when)

    def options(self) -> dict[str, Any]:
        """What is asked beside optimizer and seed and is not the default, by the keywords of `mfbo.tune`."""
        items = [item for item in fields(self) if item.name not in ("optimizer", "seed")]
        given = [(keyword(item.name), getattr(self, item.name), item.default) for item in items]
        return {name: value for name, value, default in given if value != default}

    def differences(self, other: Search) -> dict[str, tuple[Any, Any]]:
        """The values of both where they differ, by the keywords of `mfbo.tune`."""
        names = [item.name for item in fields(self)]
        pairs = {keyword(name): (getattr(self, name), getattr(other, name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def keyword(field: str) -> str:
    """What `mfbo.tune` and the command line call a field of `Search`."""
    return KEYWORDS.get(field, field)
