"""A run as a folder of SMAC3's: ``scenario.json``, ``configspace.json``, ``runhistory.json``.

DeepCAVE 1.4.1 opens it, in an environment of its own: it pins older libraries.

SMAC's budget is the work of a rung, in percent of a full evaluation. It knows costs only: a metric that is maximised is
there as its negative, called ``-val_acc``, and in its own sign beside it.
"""

from __future__ import annotations

import copy
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfbo.goal import Goal
    from mfbo.ledger.run import Run
    from mfbo.trial import Outcome


def write(run: Run, out: Path) -> None:
    """Write the folder ``out/<name>/<seed>``, as SMAC lays it out."""
    from ConfigSpace import Configuration, ConfigurationSpace
    from smac import Scenario
    from smac.runhistory import RunHistory
    from smac.runhistory.enumerations import StatusType

    logging.getLogger("smac").setLevel(logging.ERROR)
    header, goal = run.header, run.header.goal
    space = ConfigurationSpace.from_serialized_dict(copy.deepcopy(dict(header.space)))
    scenario = Scenario(
        space,
        name=re.sub(r"[^\w-]+", "-", f"{Path(header.task).name}-{header.optimizer}").strip("-")[:100] or "run",
        output_directory=out,
        deterministic=True,
        objectives=f"-{goal.name}" if goal.maximize else goal.name,
        min_budget=100 * min(rung.work for rung in header.rungs),
        max_budget=100.0,
        n_trials=max(1, len(run.results)),
        seed=header.seed,
    )
    history = RunHistory()
    worst = max((r.outcome.loss for r in run.results if r.outcome.loss is not None), default=1.0)
    for result in run.results:
        outcome = result.outcome
        history.add(
            Configuration(space, values=result.trial.config),
            cost=worst if outcome.loss is None else outcome.loss,
            time=outcome.cost,
            status=StatusType.CRASHED if outcome.loss is None else StatusType.SUCCESS,
            seed=0,
            budget=100 * outcome.rung.work,
            starttime=max(0.0, result.wall - outcome.cost),
            endtime=result.wall,
            additional_info={"status": outcome.status, **_measured(outcome, goal)},
            force_update=True,
        )
    scenario.save()
    history.save(scenario.output_directory / "runhistory.json")


def _measured(outcome: Outcome, goal: Goal) -> dict[str, float]:
    """Its metrics, that of the run among them where it is maximised."""
    own = {goal.name: goal.value(outcome.loss)} if goal.maximize and outcome.loss is not None else {}
    return {**outcome.metrics, **own}
