"""A result that was measured outside the run, told to a run: its optimizer is told it when the run continues."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo import space
from mfbo.errors import BadValue
from mfbo.fidelity_point import point
from mfbo.ledger.writer import Ledger
from mfbo.space import kept_space
from mfbo.trial import Known, Rung

if TYPE_CHECKING:
    from mfbo.ledger.run import Header


def tell(
    run: Path | str,
    config: Mapping[str, Any] | Path | str,
    value: float,
    *,
    epochs: int | None = None,
    data: float | None = None,
    at: Mapping[str, Any] | None = None,
    command: str = "",
) -> Known:
    """Append a result that was measured outside the run to the ledger of `run`, at no cost of its budget.

    It is never the run's incumbent, as nobody here has measured it. Where it is better than what the run knows, an
    optimizer that learns from it asks for that configuration next.

    Args:
        run: its folder.
        config: a YAML or JSON file, or names and values; every hyperparameter that is active must be there.
        value: validation loss, or the run's metric in its own sign, as the run's task measures it.
        epochs: for which it was trained; those of a full evaluation if None.
        data: fraction of the training data; that of a full evaluation if None.
        at: what else the task counts, by name, or the ``size`` of inputs; that of a full evaluation where it lacks.
        command: what the user typed, for the ledger.

    Raises:
        UnknownName, BadValue: a configuration outside the run's space, a value that is no number, a fidelity outside
            the task's.
        RunLocked: another process writes to the run.
        RunError: no such run, or a damaged one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadValue(f"value {value!r}: give a finite number, the loss or the metric of the run")
    where = "the configuration" if isinstance(config, Mapping) else repr(str(config))
    values = config if isinstance(config, Mapping) else space.read_config(config)
    with Ledger.reopen(Path(run)) as ledger:
        header = ledger.run.header
        if header.search.objectives:
            names = ", ".join(header.search.objectives)
            raise BadValue(f"this run has several objectives ({names}); one value alone is not enough")
        fitted = space.fitted(values, kept_space(header.space), where)
        known = Known(fitted, _rung(header, epochs, data, at), header.goal.loss(float(value)))
        ledger.told(known, at=datetime.now(timezone.utc).isoformat(timespec="seconds"), command=command)
    return known


def _rung(header: Header, epochs: int | None, data: float | None, at: Mapping[str, Any] | None) -> Rung:
    """The fidelity of a result, which must lie within that of the run."""
    found = point(header.fidelity, epochs, data, at)
    if found.work < header.rungs[0].work - 1e-9:
        raise BadValue(f"{found} is below the lowest level of the run, {header.rungs[0]}; give one of at least that")
    return found
