"""Bringing an optimizer back into the state that a ledger tells of, by asking and telling it all again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.environment import versions
from mfbo.errors import RunChanged
from mfbo.trial import config_key

if TYPE_CHECKING:
    from mfbo.ledger import Run
    from mfbo.optimizers import Optimizer
    from mfbo.trial import Trial


def rebuild(optimizer: Optimizer, run: Run) -> None:
    """Replay the events of `run` through a new `optimizer`.

    Raises:
        RunChanged: it asks for something else than it did.
    """
    configs = {config_key(trial.config): trial.config for trial in run.asks.values()}
    optimizer.remember(list(configs.values()))
    for kind, index in run.events:
        if kind == "ask":
            asked = optimizer.ask()
            if asked != run.asks[index]:
                raise RunChanged(_mismatch(run, run.asks[index], asked))
        else:
            result = run.results[index]
            if result.outcome.final:
                optimizer.tell(result.trial, result.outcome)


def _mismatch(run: Run, then: Trial, now: Trial | None) -> str:
    installed = versions()
    changed = [f"{name} {was} -> {installed.get(name)}" for name, was in run.header.versions.items()]
    changed = [text for text in changed if text.split()[1] != text.split()[-1]]
    text = f"optimizer {run.header.optimizer!r} asks otherwise than it did at trial {then.id}"
    detail = f" ({then.rung}: {then.config}; now {f'{now.rung}: {now.config}' if now else 'nothing'})"
    cause = f"changed since: {', '.join(changed)}" if changed else "no version has changed: is the ledger edited?"
    return f"{text}{detail}; {cause}; install those versions again, or start a new run"
