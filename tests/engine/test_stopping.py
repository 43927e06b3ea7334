"""A run ends by its rule, says why, is read back, replayed and resumed."""

from __future__ import annotations

import pytest

from mfbo.engine.replay import replay
from mfbo.engine.tune import resume, tune
from mfbo.errors import BadValue
from mfbo.evidence import gain
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.settings import Settings


class Notes(Observer):
    """Keeps what is said."""

    def __init__(self):
        self.said = []

    def on_note(self, text):
        self.said.append(text)


@pytest.mark.parametrize("optimizer", ["random", "hyperband", pytest.param("smac", marks=pytest.mark.slow)])
def test_a_rule_ends_a_run_at_the_first_result_that_it_holds_after(tmp_path, optimizer):
    notes = Notes()
    found = tune("counting-ones", "60x", optimizer=optimizer, out=tmp_path, stop_when="gain<20%", observer=notes)
    assert found.status == "gain"
    assert found.cost < 60
    assert any("the run ends by gain<20%" in said for said in notes.said)
    run = read(tmp_path)
    assert run.header.search.stop_when == "gain<20%"
    assert replay(run).mismatch is None
    run.waived = False  # as it was then
    assert gain.stops(run, run.header.search.stop_rule) is not None
    last = run.results.pop()
    run.spent, run.seconds, run.wall = run.results[-1].spent, run.results[-1].at, run.results[-1].wall
    assert last.spent == found.cost
    assert gain.stops(run, run.header.search.stop_rule) is None


def test_a_run_that_its_rule_has_ended_goes_on_without_it_when_resumed(tmp_path):
    ended = tune("counting-ones", "30x", optimizer="random", out=tmp_path, stop_when="gain<20%")
    assert ended.status == "gain"
    whole = resume(tmp_path)
    assert whole.status == "budget"
    assert [r.trial.config for r in whole.ledger.results] == [
        r.trial.config for r in tune("counting-ones", "30x", optimizer="random").ledger.results
    ]


def test_without_a_rule_no_run_ends_early():
    assert tune("branin", "30x", optimizer="random").status == "budget"


def test_a_gain_in_money_needs_a_price_in_that_currency():
    with pytest.raises(BadValue, match="needs a price"):
        tune("branin", "5x", stop_when="gain<1%/USD")
    with pytest.raises(BadValue, match="price is in EUR"):
        tune("branin", "5x", stop_when="gain<1%/USD", settings=Settings(price="1EUR/h"))


def test_a_rule_of_a_noise_that_nobody_measures_is_told_of_once_and_ends_nothing():
    notes = Notes()
    assert tune("branin", "12x", optimizer="random", stop_when="gain<noise", observer=notes).status == "budget"
    assert sum("noise is not known" in said for said in notes.said) == 1
