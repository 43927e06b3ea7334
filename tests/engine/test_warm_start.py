"""A run that begins with an earlier one: as far as it fits, told what does not, and as exact as any other."""

from __future__ import annotations

import pytest
from ConfigSpace import ConfigurationSpace, Float

import mfbo
from mfbo.engine.replay import replay
from mfbo.engine.warm_start import known_of
from mfbo.errors import BadValue, RunError
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.observer import Observer


def train(config, fidelity, context):
    loss = (config["x"] - 0.3) ** 2 + (config["y"] - 0.7) ** 2 + 0.1 / fidelity.epochs
    return mfbo.Measurement(loss, cost=fidelity.epochs / 27)


def made(x=(0.0, 1.0), name="made"):
    space = ConfigurationSpace()
    space.add(Float("x", x), Float("y", (0.0, 1.0)))
    return mfbo.Task(name, space, train, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=1.0)


class Notes(Observer):
    def __init__(self):
        self.said = []

    def on_note(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "earlier"
    mfbo.tune(made(), "6x", optimizer="asha", seed=1, out=folder)
    return folder


def test_the_best_of_the_earlier_run_are_asked_first_and_no_random_ones(earlier):
    notes = Notes()
    run = mfbo.tune(made(), "1x", seed=2, warm_start=earlier, observer=notes).ledger
    full = [r for r in read(earlier).results if r.outcome.rung.work == 1]
    best = min(full, key=lambda r: r.outcome.loss).trial.config
    assert run.asks[0].config == best
    cold = mfbo.tune(made(), "1x", seed=2).ledger
    assert [trial.config for trial in run.asks.values()][4:] != [trial.config for trial in cold.asks.values()][4:]
    used = f"{len(run.header.known)} of {len(read(earlier).results)} results of the earlier run are used"
    assert notes.said == [used]


def test_a_warm_run_is_ahead_of_a_cold_one(earlier):
    warm = [mfbo.tune(made(), "2x", seed=seed, warm_start=earlier).best.loss for seed in range(2)]
    cold = [mfbo.tune(made(), "2x", seed=seed).best.loss for seed in range(2)]
    assert sum(warm) < sum(cold)


def test_it_is_resumed_and_replayed_exactly(earlier, tmp_path):
    whole = mfbo.tune(made(), "2x", seed=2, warm_start=earlier, out=tmp_path / "whole")
    assert replay(read(tmp_path / "whole")).mismatch is None
    lines = (tmp_path / "whole" / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / FILE).write_bytes(b"".join(lines[: len(lines) // 2]))
    assert mfbo.resume(tmp_path / "cut", task=made()).ledger.results == whole.ledger.results
    assert read(tmp_path / "cut").header.known == whole.ledger.header.known


def test_what_lies_outside_of_the_new_space_is_left_out_and_said(earlier):
    notes = Notes()
    run = mfbo.tune(made(x=(0.2, 0.5)), "1x", warm_start=earlier, observer=notes).ledger
    assert run.header.known
    assert all(0.2 <= known.config["x"] <= 0.5 for known in run.header.known)
    assert "with 'x' outside its range" in notes.said[0]


def test_nothing_that_fits_another_task_and_an_optimizer_that_does_not_learn(earlier):
    with pytest.raises(RunError, match="no result of"):
        mfbo.tune(made(x=(5.0, 6.0)), "1x", warm_start=earlier)
    with pytest.raises(BadValue, match="give one of 'other'"):
        mfbo.tune(made(name="other"), "1x", warm_start=earlier)
    notes = Notes()
    run = mfbo.tune(made(), "1x", optimizer="random", warm_start=earlier, observer=notes).ledger
    assert run.header.known == ()
    assert "random does not use an earlier run" in notes.said[0]


def test_results_without_a_loss_or_below_the_lowest_rung_are_left_out(earlier):
    run, task = read(earlier), made()
    found, words = known_of(run, task.space, task.fidelity.ladder()[2:])
    assert {known.rung.epochs for known in found} <= {9, 27}
    assert "below the lowest level" in words


def test_no_rung_is_above_the_highest_fidelity_allowed():
    run = mfbo.tune(made(), "1x", optimizer="asha", max_fidelity=0.2).ledger
    assert {trial.rung.epochs for trial in run.asks.values()} == {1, 3}
    with pytest.raises(BadValue, match="the lowest level is"):
        mfbo.tune(made(), "1x", optimizer="asha", max_fidelity=0.001)
