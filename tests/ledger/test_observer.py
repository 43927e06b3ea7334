"""Observers: they hear of a run, and what goes wrong in one of a user's ends nothing that it does not mean to end."""

from __future__ import annotations

import pytest
from conftest import bowl

import mfbo


class Recorder(mfbo.Observer):
    def __init__(self):
        self.heard = []

    def on_start(self, run):
        self.heard.append("began")

    def on_result(self, result, best):
        self.heard.append(result.trial.id)

    def on_end(self, status):
        self.heard.append(status)


class Broken(Recorder):
    def on_result(self, result, best):
        super().on_result(result, best)
        raise KeyError("no such column\nin the table")


class Stopping(Recorder):
    def on_result(self, result, best):
        super().on_result(result, best)
        if result.trial.id == 2:
            raise mfbo.StopRun("good enough")


def test_an_observer_hears_of_every_trial_between_beginning_and_end():
    watching = Recorder()
    result = mfbo.tune(bowl(), "5x", optimizer="random", observer=watching, progress=False)
    assert watching.heard == ["began", *range(result.trials), "budget"]


def test_an_observer_that_raises_is_told_once_and_the_run_goes_on(capsys):
    watching = Broken()
    with pytest.warns(
        RuntimeWarning, match=r"observer Broken raised KeyError in on_result \(line \d+ of .*no such column"
    ) as said:
        result = mfbo.tune(bowl(), "5x", optimizer="random", observer=watching, progress=False)
    assert len(said) == 1
    assert result.status == "budget"
    assert watching.heard == ["began", *range(result.trials), "budget"]
    mfbo.tune(bowl(), "5x", optimizer="random", observer=Broken())
    assert capsys.readouterr().err.count("observer Broken raised KeyError") == 1


def test_an_observer_that_asks_to_stop_ends_the_run_in_order(tmp_path):
    out = tmp_path / "run"
    with pytest.warns(RuntimeWarning, match="observer Stopping ends the run: good enough"):
        result = mfbo.tune("branin", "9x", optimizer="random", observer=Stopping(), out=out, progress=False)
    assert (result.status, result.trials) == ("interrupted", 3)
    assert mfbo.resume(out, progress=False).trials == 9


def test_an_observer_can_stop_a_session():
    session = mfbo.Session(bowl().space, max_trials=9, optimizer="random", observer=Stopping(), progress=True)
    with session:
        while trial := session.ask():
            session.tell(trial, trial.config["x"])
    assert (session.status, session.result.trials) == ("interrupted", 3)
