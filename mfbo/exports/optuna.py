"""A run as an Optuna study in an SQLite file: ``optuna-dashboard sqlite:///FILE`` opens it.

A configuration is one trial of Optuna's; its rungs are intermediate values at steps of epochs x data. It is complete
where it came to full fidelity, failed where its last trial did, and pruned in all other cases.
"""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.evidence.curves import FULL_WORK
from mfbo.exports import needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mfbo.ledger.run import Header, Result, Run


def write(run: Run, out: Path) -> None:
    """Write the study; its name is that of the task and the optimizer.

    Raises:
        MissingExtra: Optuna is not installed.
    """
    optuna = needed("optuna", "tpe")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    header = run.header
    name = f"{header.task} {header.optimizer} seed {header.seed}"
    distributions = {entry["name"]: _distribution(optuna, entry) for entry in header.space.get("hyperparameters", [])}
    by_config: dict[str, list[Result]] = {}
    for result in run.results:
        by_config.setdefault(result.trial.key, []).append(result)
    direction = "maximize" if header.goal.maximize else "minimize"
    storage = optuna.storages.RDBStorage(f"sqlite:///{out}")
    try:
        study = optuna.create_study(study_name=name, storage=storage, direction=direction)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([header.goal.name])
        study.set_user_attr("command", header.command)
        study.add_trials([_trial(optuna, results, distributions, header) for results in by_config.values()])
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _trial(optuna: Any, results: Sequence[Result], distributions: Mapping[str, Any], header: Header) -> Any:
    last, states = results[-1].outcome, optuna.trial.TrialState
    config = results[-1].trial.config
    values = {
        round(1000 * result.outcome.rung.work): header.goal.value(result.outcome.loss)
        for result in results
        if result.outcome.loss is not None
    }
    state = states.FAIL if last.failed else states.COMPLETE if last.rung.work >= FULL_WORK else states.PRUNED
    state = states.FAIL if last.loss is None else state
    began = _moment(header.created)
    return optuna.trial.create_trial(
        state=state,
        value=header.goal.value(last.loss) if last.loss is not None and state != states.FAIL else None,
        params={name: _value(distributions[name], value) for name, value in config.items()},
        distributions={name: distributions[name] for name in config},
        intermediate_values=values,
        user_attrs={
            "fidelity": str(last.rung),
            "cost": sum(result.outcome.cost for result in results),
            "began": (began + timedelta(seconds=results[0].wall - results[0].outcome.cost)).isoformat(),
            **{str(name): float(value) for name, value in last.metrics.items()},
            **({"error": last.error} if last.error else {}),
        },
    )


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, timezone.utc)


def _value(distribution: Any, value: Any) -> Any:
    """As the distribution has it: a whole number for a float range is a float."""
    return float(value) if type(distribution).__name__ == "FloatDistribution" else value


def _distribution(optuna: Any, entry: Mapping[str, Any]) -> Any:
    """Of one hyperparameter in ConfigSpace's form."""
    kinds = optuna.distributions
    if "choices" in entry or "sequence" in entry:
        return kinds.CategoricalDistribution(tuple(entry.get("choices") or entry["sequence"]))
    if "lower" not in entry:
        return kinds.CategoricalDistribution((entry["value"],))
    kind = kinds.IntDistribution if "int" in str(entry["type"]) else kinds.FloatDistribution
    return kind(entry["lower"], entry["upper"], log=bool(entry.get("log")))
