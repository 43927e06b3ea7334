"""A run in a loop of one's own: the same ledger, limits, replay and report as `tune`, whatever the loop does."""

from __future__ import annotations

import copy
import math
import threading
from contextlib import suppress

import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace
from conftest import bowl

import mfbo
from mfbo.cli import main
from mfbo.engine.replay import replay
from mfbo.errors import BadValue, RunError, RunExists
from mfbo.ledger.journal import read

FIDELITY = mfbo.Fidelity(epochs=(1, 9))


def space():
    return ConfigurationSpace({"x": (-1.0, 1.0), "y": (-1.0, 1.0)})


def loss_of(trial):
    return trial.config["x"] ** 2 + trial.config["y"] ** 2 + 1 / trial.rung.epochs


def drive(session, most=math.inf):
    """Tell of up to so many trials."""
    while session.result.trials < most and (trial := session.ask()):
        session.tell(trial, loss_of(trial), metrics={"size": 7}, cost=trial.rung.epochs)


def interrupted_after(trials, session):
    """Tell of so many, and press Ctrl-C during the next one, which is returned."""
    with suppress(KeyboardInterrupt), session:
        drive(session, most=trials)
        trial = session.ask()
        raise KeyboardInterrupt
    return trial


@pytest.mark.parametrize("optimizer", ["smac", "asha", "hyperband", "random"])
def test_a_session_asks_for_what_tune_asks_for(optimizer):
    def train(config, fidelity, context):
        return mfbo.Measurement(loss_of(mfbo.Trial(0, config, fidelity)), cost=fidelity.epochs)

    task = mfbo.Task("twin", space(), train, FIDELITY)
    tuned = mfbo.tune(task, "4x", optimizer=optimizer, seed=3, workers=0, progress=False)
    with mfbo.Session(space(), FIDELITY, "4x", optimizer=optimizer, seed=3) as session:
        drive(session)
    assert list(session.run.asks.values()) == list(tuned.ledger.asks.values())
    assert session.result.best.config == tuned.best.config
    assert (session.status, session.result.cost) == (tuned.status, tuned.cost)


def test_its_ledger_is_read_reported_and_replayed_as_any_other(tmp_path):
    out = tmp_path / "run"
    with mfbo.Session(space(), FIDELITY, "5x", out=out, optimizer="asha", name="mine") as session:
        drive(session)
    found = read(out)
    assert found.ended == "budget"
    assert found.header.task == "mine"
    assert all(result.outcome.metrics == {"size": 7} for result in found.results)
    assert replay(found).mismatch is None
    assert session.replay().matched == len(found.asks)
    for command in (["show"], ["replay"], ["best"]):
        assert CliRunner().invoke(main, [*command, str(out)]).exit_code == 0, command


def test_several_trials_can_be_out_and_told_in_any_order():
    with mfbo.Session(space(), FIDELITY, "8x", optimizer="asha", seed=1) as session:
        while True:
            out = [trial for trial in (session.ask() for _ in range(4)) if trial]
            if not out:
                break
            assert session.outstanding == out
            for trial in reversed(out):
                session.tell(trial, loss_of(trial))
    assert session.status == "budget"
    assert len({trial.id for trial in session.run.asks.values()}) == len(session.run.asks)
    assert session.replay().mismatch is None
    assert session.result.cost <= 8


def test_what_is_out_counts_against_the_limit_and_none_is_not_the_end():
    with mfbo.Session(space(), max_trials=2, optimizer="random") as session:
        first, second = session.ask(), session.ask()
        assert session.ask() is None
        assert session.status == ""
        session.tell(first, 1.0)
        session.tell(second, 2.0)
        assert session.ask() is None
        assert session.status == "trials"


def test_a_session_that_was_left_goes_on_where_it_was(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    with mfbo.Session(space(), FIDELITY, "6x", out=whole, optimizer="smac", seed=2) as session:
        drive(session)
    lost = interrupted_after(5, mfbo.Session(space(), FIDELITY, "6x", out=part, seed=2))
    assert read(part).ended == "interrupted"
    with mfbo.Session.resume(part) as session:
        assert session.outstanding == []
        again = session.ask()
        assert (again.id, again.config) == (lost.id, lost.config)
        session.tell(again, loss_of(again), cost=again.rung.epochs)
        drive(session)
    assert [t.config for t in read(part).asks.values()] == [t.config for t in read(whole).asks.values()]


def test_new_limits_extend_a_session_and_mfbo_resume_says_who_can(tmp_path):
    out = tmp_path / "run"
    with mfbo.Session(space(), FIDELITY, "2x", out=out, optimizer="random") as session:
        drive(session)
    with mfbo.Session.resume(out, max_cost="4x") as session:
        drive(session)
    assert session.result.cost == pytest.approx(4)
    said = CliRunner().invoke(main, ["resume", str(out)])
    assert said.exit_code == 2
    assert "mfbo.Session.resume(" in said.stderr
    mfbo.tune(bowl(), "2x", optimizer="random", out=tmp_path / "tuned", progress=False)
    with pytest.raises(RunError, match=r"is no session.*mfbo\.resume"):
        mfbo.Session.resume(tmp_path / "tuned")
    with pytest.raises(RunExists):
        mfbo.Session(space(), FIDELITY, "2x", out=out)


def test_a_report_says_whether_to_go_on_and_what_was_reported_is_kept():
    with mfbo.Session(space(), FIDELITY, max_cost=0.4, optimizer="random") as session:
        trial = session.ask()
        epochs = 0
        while session.report(trial, 1.0 / (epochs + 1)):
            epochs += 1
            threading.Event().wait(0.02)
            assert epochs < 1000
        session.tell(trial)
        assert session.ask() is None
    (result,) = session.run.results
    assert result.outcome.status == "stopped"
    assert session.status == "budget"
    assert len(result.outcome.reports) == epochs + 1


def test_a_loss_that_is_no_number_is_a_divergence_and_a_failure_is_kept_with_its_reason():
    with mfbo.Session(space(), FIDELITY, "9x", optimizer="random") as session:
        trial = session.ask()
        assert not session.report(trial, math.nan)
        session.tell(trial)
        session.tell(session.ask(), math.inf)
        session.tell(session.ask(), error=MemoryError("no room"))
        session.tell(session.ask(), error="no such layer")
        session.tell(session.ask(), 0.5)
    assert [result.outcome.status for result in session.run.results] == [
        "diverged",
        "diverged",
        "memory",
        "failed",
        "ok",
    ]
    assert "no such layer" in session.run.results[3].outcome.error


def test_a_cost_that_is_told_is_charged_in_place_of_the_seconds_since_the_ask():
    with mfbo.Session(space(), FIDELITY, "1h", optimizer="random") as session:
        while trial := session.ask():
            session.report(trial, 2.0)
            session.tell(trial, loss_of(trial), cost=600)
    assert session.status == "budget"
    assert 5 <= session.result.trials <= 6
    assert session.result.cost <= 3600 * 1.02


def test_checkpoints_lead_from_one_rung_to_the_next(tmp_path):
    went_on = 0
    with mfbo.Session(space(), FIDELITY, "6x", out=tmp_path / "run", optimizer="asha") as session:
        while trial := session.ask():
            context = session.context(trial)
            if context.checkpoint:
                went_on += 1
                assert (context.checkpoint / "epoch").read_text() == str(context.start_epoch)
            with context.save(trial.rung.epochs) as folder:
                (folder / "epoch").write_text(str(trial.rung.epochs))
            session.tell(trial, loss_of(trial))
    assert went_on > 0
    assert went_on == sum(result.outcome.start_epoch > 0 for result in session.run.results)


def test_a_trial_that_went_to_another_machine_and_back_and_numbers_by_name_can_be_told():
    with mfbo.Session(space(), FIDELITY, "9x", optimizer="random", metric="max:score") as session:
        trial = session.ask()
        session.tell(copy.deepcopy(trial), {"score": 3.0, "size": 7.0})
    assert (session.result.best.value, session.result.best.metrics) == (3.0, {"size": 7.0})


@pytest.mark.parametrize(
    ("misuse", "said"),
    [
        (lambda session, trial: session.tell(77, 1.0), r"trial 77 was never asked for.*out: 0"),
        (lambda session, trial: session.report(mfbo.Trial(5, {}, mfbo.Rung()), 1.0), "trial 5 was never asked for"),
        (lambda session, trial: session.tell(trial, "low"), "loss 'low'.*give numbers"),
        (lambda session, trial: session.tell(trial), "neither a loss nor an error"),
        (lambda session, trial: session.tell(trial, 1.0, error="both"), "a loss and of an error"),
        (lambda session, trial: session.tell(trial, 1.0, cost=-1), "cost -1: give seconds"),
        (lambda session, trial: session.tell(trial, 1.0, cost=True), "cost True: give seconds"),
        (lambda session, trial: session.tell(trial, True), "loss True.*give numbers"),
        (lambda session, trial: session.tell(trial, {"score": 1.0}), "the run measures 'loss'; name it"),
        (lambda session, trial: session.tell(mfbo.Trial(0, {"x": 9.0}, trial.rung), 1.0), "another configuration"),
        (lambda session, trial: session.report(trial, "low"), "report of trial 0: loss 'low'.*give numbers"),
        (lambda session, trial: session.report(trial, 1.0, epoch=-1), "report of trial 0.*epoch -1; give numbers"),
    ],
)
def test_what_a_loop_gets_wrong_is_said_and_harms_nothing(misuse, said):
    with mfbo.Session(space(), FIDELITY, "9x", optimizer="random") as session:
        trial = session.ask()
        with pytest.raises(BadValue, match=said):
            misuse(session, trial)
        session.tell(trial, 1.0)
        with pytest.raises(BadValue, match="trial 0 was told already"):
            session.tell(trial, 1.0)
    assert session.result.trials == 1
    with pytest.raises(RunError, match="closed"):
        session.ask()


def test_options_of_workers_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(BadValue, match="workers=4: your own loop runs the trials"):
        mfbo.Session(space(), FIDELITY, "9x", workers=4, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_threads_may_share_a_session():
    with mfbo.Session(space(), FIDELITY, "12x", optimizer="asha") as session:

        def work():
            while trial := session.ask():
                session.tell(trial, loss_of(trial))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert session.result.trials > 12
    assert session.replay().mismatch is None
