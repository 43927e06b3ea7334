"""Results of an earlier run for a new one to begin with, as far as they fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfbo.constraints import feasible
from mfbo.errors import RunError
from mfbo.trial import Known, Rung

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.constraints import Constraint
    from mfbo.ledger.run import Run
    from mfbo.trial import Config

MAX_RESULTS = 2000  # results that are taken over, the last ones


def known_of(
    run: Run, space: ConfigurationSpace, rungs: Sequence[Rung], constraints: Sequence[Constraint] = ()
) -> tuple[tuple[Known, ...], str]:
    """What a new run in `space` can use of `run`, and in words what was left out.

    Losses must mean the same: the run must be of the same task, which the caller sees to. A result is left out where
    its configuration is not in the new space, where it has no loss, or where it was measured below the lowest rung.

    Args:
        run: the earlier one.
        space: of the new run.
        rungs: its ladder.
        constraints: of the new run.

    Raises:
        RunError: nothing of it fits.
    """
    found, left = [], Counter[str]()
    for result in run.results:
        outcome, config = result.outcome, result.trial.config
        if outcome.loss is None:
            left["without a loss"] += 1
        elif outcome.rung.work < rungs[0].work - 1e-9:
            left["below the lowest level"] += 1
        elif not feasible(outcome, constraints):
            left["not known to keep to the constraints"] += 1
        elif reason := _misfit(config, space):
            left[reason] += 1
        else:
            found.append(Known(config, outcome.rung, outcome.loss))
    words = ", ".join(f"{count} {reason}" for reason, count in left.most_common())
    if not found:
        raise RunError(
            f"no result of {str(run.folder)!r} fits this run ({words or 'it has no result'}); leave out the warm start"
        )
    kept = tuple(found[-MAX_RESULTS:])
    said = f"{len(kept)} of {len(run.results)} results of the earlier run are used"
    return kept, f"{said}; left out: {words}" if words else said


def _misfit(config: Config, space: ConfigurationSpace) -> str:
    """Why a configuration is not in `space`; empty if it is."""
    from ConfigSpace import Configuration

    for name, value in config.items():
        if name not in space:
            return f"with {name!r}, which is not in this space"
        if not space[name].legal_value(value):
            return f"with {name!r} outside its range"
    try:
        Configuration(space, values=config)
    except Exception:  # a value is missing, inactive or forbidden: ConfigSpace has several kinds
        return "that this space does not allow"
    return ""
