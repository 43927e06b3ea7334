"""Trials and outcomes as the JSON of a ledger, and back; what comes back is checked, as a file may be damaged."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias, get_args

from mfbo.trial import Config, Known, Outcome, Report, Rung, Status, Trial

Record: TypeAlias = dict[str, Any]
STATUSES = frozenset(get_args(Status))
MOST = sys.float_info.max


def number(value: Any, least: float = -MOST) -> float:
    """A finite number of at least `least`.

    Raises:
        ValueError: it is none.
    """
    if type(value) not in (float, int) or not least <= value <= MOST:
        raise ValueError(f"{_short(value)} is no number that can stand here")
    return float(value)


def whole(value: Any, least: int = 0) -> int:
    """An integer of at least `least`.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or value < least:
        raise ValueError(f"{_short(value)} is no whole number of {least} or more")
    return value


def rung_of(record: Mapping[str, Any]) -> Rung:
    """The rung that `dataclasses.asdict` made `record` of; errors as in `outcome_of`."""
    size = number(record.get("size", 1.0), 0)
    return Rung(whole(record["epochs"]), number(record["data"], 0), number(record["work"], 0), size)


def rung_record(rung: Rung) -> Record:
    """What `rung_of` reads; the size of inputs that are whole goes without saying."""
    record = asdict(rung)
    return record if rung.size != 1 else {name: value for name, value in record.items() if name != "size"}


def epochs_of(value: Any) -> float:
    """Epochs of a report: whole ones, or with the fraction of one that was begun; errors as in `number`."""
    return value if type(value) is int and value >= 0 else number(value, 0)


def trial_of(record: Record) -> Trial:
    """The trial of an ``ask`` record; errors as in `outcome_of`."""
    return Trial(whole(record["trial"]), config_of(record["config"]), rung_of(record["rung"]))


def config_of(record: Mapping[str, Any]) -> Config:
    """A configuration; errors as in `outcome_of`."""
    config = dict(record)
    for value in config.values():
        if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{_short(value)} is no value of a hyperparameter")
    return config


def known_of(record: Record) -> Known:
    """A result from elsewhere, in the header; errors as in `outcome_of`."""
    trial = trial_of({"trial": 0, **record})
    return Known(trial.config, trial.rung, number(record["loss"]))


def known_record(known: Known) -> Record:
    """What `known_of` reads."""
    return {**known._asdict(), "rung": rung_record(known.rung)}


def outcome_of(record: Record) -> Outcome:
    """The outcome of a ``result`` record.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is damaged.
    """
    if record["status"] not in STATUSES:
        raise ValueError(f"{_short(record['status'])} is no status")
    error = record["error"]
    return Outcome(
        status=record["status"],
        loss=None if record["loss"] is None else number(record["loss"]),
        rung=rung_of(record["rung"]),
        train=number(record["cost"]["train"], 0),
        evaluation=number(record["cost"]["evaluation"], 0),
        metrics={str(name): number(value) for name, value in record["metrics"].items()},
        reports=tuple(
            Report(epochs_of(epoch), number(loss), number(cost, 0)) for epoch, loss, cost in record["reports"]
        ),
        error=None if error is None else str(error),
        virtual=bool(record["virtual"]),
        start_epoch=whole(record["start_epoch"]),
    )


def outcome_record(outcome: Outcome) -> Record:
    """What `outcome_of` reads; the cost of the optimizer is the ledger's to add."""
    return {
        "status": outcome.status,
        "loss": outcome.loss,
        "rung": rung_record(outcome.rung),
        "cost": {"train": outcome.train, "evaluation": outcome.evaluation},
        "metrics": dict(outcome.metrics),
        "reports": [[report.epoch, report.loss, report.cost] for report in outcome.reports],
        "error": outcome.error,
        "virtual": outcome.virtual,
        "start_epoch": outcome.start_epoch,
    }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
