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


@pytest.mark.parametrize("event", ["on_stage", "on_plan", "on_start", "on_trial", "on_result", "on_end"])
def test_whichever_method_raises_the_run_goes_on(event):
    def broken(self, *values):
        raise KeyError(event)

    observer = type("Broken", (mfbo.Observer,), {event: broken})()
    with pytest.warns(RuntimeWarning, match=f"raised KeyError in {event}") as said:
        result = mfbo.tune(bowl(), "5x", optimizer="random", observer=observer, progress=False)
    assert (result.status, len(said)) == ("budget", 1)


def test_a_method_that_takes_other_values_is_told_without_a_line_of_mfbo():
    observer = type("Narrow", (mfbo.Observer,), {"on_result": lambda self: None})()
    with pytest.warns(RuntimeWarning, match="raised TypeError in on_result: .*3 were given; the run goes on"):
        assert mfbo.tune(bowl(), "5x", optimizer="random", observer=observer, progress=False).status == "budget"


@pytest.mark.parametrize(
    ("observer", "said"),
    [(mfbo.Observer, r"is the class Observer; give one of it: Observer\(\)"), (print, "give a mfbo.Observer")],
)
def test_what_is_no_observer_is_refused_before_anything_runs(observer, said, tmp_path):
    with pytest.raises(mfbo.MfboError, match=said):
        mfbo.tune(bowl(), "5x", observer=observer, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_an_observer_that_stops_before_the_first_trial_says_so_once():
    def stop(self, *values):
        raise mfbo.StopRun("not today")

    observer = type("Early", (mfbo.Observer,), {"on_stage": stop})()
    with pytest.warns(RuntimeWarning, match="ends the run: not today") as said:
        assert mfbo.tune(bowl(), "5x", observer=observer, progress=False).status == "interrupted"
    assert len(said) == 1


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
