"""Several objectives: what they are called, and what a result is worth in each.

A name is a metric that the task's train function returns, such as ``size``, or one of `BUILT_IN`; with ``max:`` before
it, it is maximised. `values` are as they are compared, lower is better in all of them; people see `shown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfbo.errors import BadValue
from mfbo.goal import LOSS, Goal, check_direction, split

if TYPE_CHECKING:
    from mfbo.trial import Outcome

BUILT_IN = {
    LOSS: "validation loss",
    "cost": "seconds of training from nothing to that rung",
    "latency": "seconds of one pass over what the model is measured on",
}
SCALES = ("cost", "latency", "size")
"""Those that are compared by their logarithm: half of it is worth the same wherever one begins."""


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """The objectives as they are asked for; none where there is but the loss.

    Raises:
        BadValue: an empty name, or one twice.
    """
    found = tuple(name.strip() for name in names)
    bare = [split(name)[0] for name in found]
    if "" in bare or len(set(bare)) < len(bare):
        raise BadValue(f"objectives {','.join(found)!r}: name each once, such as {LOSS},size")
    return () if found == (LOSS,) else found


def directed(names: Sequence[str], goal: Goal) -> tuple[str, ...]:
    """The objectives of a run that is after `goal`, which they may name; in them it is `LOSS`.

    Raises:
        BadValue: it is not among them, has another direction there, or one that sounds maximised has none.
    """
    if not names:
        return ()
    found = []
    for name in names:
        bare, maximize = split(name)
        if bare in (LOSS, goal.name):
            if maximize not in (None, goal.maximize):
                raise BadValue(f"objective {name!r}: this run is after {goal.option}; name it so, or alone")
            found.append(LOSS)
            continue
        check_direction(bare, maximize)
        found.append(f"max:{bare}" if maximize else bare)
    said = ",".join(names)
    if LOSS not in found:
        raise BadValue(f"objectives {said!r}: {goal.name!r} must be one of them, such as {goal.name},{said}")
    if len(set(found)) < len(found):
        raise BadValue(f"objectives {said!r}: name each once")
    return () if found == [LOSS] else tuple(found)


def shown(name: str, value: float, goal: Goal) -> float:
    """A value of `values` in the user's own sign."""
    if name == LOSS:
        return goal.value(value)
    bare, maximize = split(name)
    return Goal(bare, bool(maximize)).value(value)


def title(name: str, goal: Goal) -> str:
    """What the user calls an objective."""
    return goal.name if name == LOSS else split(name)[0]


def value(outcome: Outcome, name: str) -> float | None:
    """The value of a trial in one objective; None where it has no such value."""
    if name == LOSS:
        return outcome.loss
    name, maximize = split(name)
    if maximize:
        found = value(outcome, name)
        return None if found is None else 0.0 - found
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
    lacking = next(split(name)[0] for name in names if value(outcome, name) is None)
    known = dict.fromkeys([*(name for name in BUILT_IN if value(outcome, name) is not None), *outcome.metrics])
    return f"objective {lacking!r}: the task reports no such metric; choose from: {', '.join(known)}"
