"""Several objectives: what they are called, and what a result is worth in each. Lower is better in all of them.

A name is a metric that the task's train function returns, such as ``size``, or one of `BUILT_IN`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfbo.errors import BadValue

if TYPE_CHECKING:
    from mfbo.trial import Outcome

LOSS = "loss"
BUILT_IN = {
    LOSS: "validation loss",
    "cost": "seconds of training from nothing to that rung",
    "latency": "seconds of one pass over what the model is measured on",
}
SCALES = ("cost", "latency", "size")
"""Those that are compared by their logarithm: half of it is worth the same wherever one begins."""


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """The objectives of a run; none where there is but the loss.

    Raises:
        BadValue: no loss among them, an empty name, or one twice.
    """
    found = tuple(name.strip() for name in names)
    if not found or found == (LOSS,):
        return ()
    said = ",".join(found)
    if LOSS not in found:
        raise BadValue(f"objectives {said!r}: {LOSS!r} must be one of them, such as {LOSS},{said}")
    if "" in found or len(set(found)) < len(found):
        raise BadValue(f"objectives {said!r}: name each once, such as {LOSS},size")
    return found


def value(outcome: Outcome, name: str) -> float | None:
    """The value of a trial in one objective; None where it has no such value."""
    if name == LOSS:
        return outcome.loss
    if name in outcome.metrics:
        return outcome.metrics[name]
    if name == "cost":
        done = (outcome.rung.epochs - outcome.start_epoch) / outcome.rung.epochs
        return outcome.train / done if done > 0 else None
    if name == "latency" and outcome.evaluation > 0 and outcome.reports:
        return outcome.evaluation / len(outcome.reports)
    return None


def values(outcome: Outcome, names: Sequence[str]) -> tuple[float, ...] | None:
    """The same in all objectives; None where one is missing, or the trial has not ended."""
    if outcome.status != "ok":
        return None
    found = [value(outcome, name) for name in names]
    return None if None in found else tuple(one for one in found if one is not None)


def missing(outcome: Outcome, names: Sequence[str]) -> str:
    """What to say where a trial has not all of the values."""
    lacking = next(name for name in names if value(outcome, name) is None)
    known = dict.fromkeys([*(name for name in BUILT_IN if value(outcome, name) is not None), *outcome.metrics])
    return f"objective {lacking!r}: the task reports no such metric; choose from: {', '.join(known)}"
