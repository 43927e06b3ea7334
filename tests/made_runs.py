"""Runs made up result by result, for tests of what is computed from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mfbo.fidelity import Fidelity
from mfbo.ledger.run import Header, Limits, Run
from mfbo.ledger.writer import Ledger
from mfbo.search import Search, SearchOptions
from mfbo.trial import Outcome, Rung, Trial

RUNGS = (Rung(1, 1.0, 1 / 27), Rung(3, 1.0, 3 / 27), Rung(9, 1.0, 9 / 27), Rung(27, 1.0, 1.0))
FULL = RUNGS[-1]
HEADER = Header(
    task="made",
    search=Search("random", path="epochs"),
    limits=Limits.of("100s"),
    fidelity=Fidelity((1, 27), (1.0, 1.0)),
    rungs=RUNGS,
    space={"hyperparameters": [{"name": "x", "type": "uniform_int"}]},
    space_hash="0" * 16,
)


def at(epochs: int) -> Rung:
    """The fidelity of so many epochs, on the ladder or between its rungs."""
    return Rung(epochs, 1.0, epochs / 27)


def made_header(**facts) -> Header:
    """One with these facts, among which options of the search may be."""
    options = {name: facts.pop(name) for name in SearchOptions.__annotations__ if name in facts and name != "fidelity"}
    return replace(HEADER, search=Search.of(HEADER.search, **options), **facts)


def made_run(*results, folder: Path | None = None, ended: str | None = "budget", **header) -> Run:
    """A run whose results are (loss, fidelity, cost), where need be with a status or a configuration behind them.

    Configurations are x = 0, 1, ... unless given. It is written to `folder`, if there is one. Options of the search
    stand among the facts of the header.
    """
    with Ledger.create(made_header(**header), folder) as ledger:
        for number, (loss, fidelity, cost, *rest) in enumerate(results):
            status = next((part for part in rest if isinstance(part, str)), "ok")
            config = next((part for part in rest if isinstance(part, dict)), {"x": number})
            trial = Trial(number, config, fidelity)
            ledger.ask(trial)
            outcome = Outcome(status, loss, fidelity, train=cost)
            ledger.result(trial, outcome, overhead=0.0, charge=cost, wall=0.0)
        if ended:
            ledger.end(ended)
    return ledger.run
