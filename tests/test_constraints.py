"""Constraints: what is infeasible is never the best, is told as worse than what is feasible, and is shown as such."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.cli import main
from mfbo.constraints import UNITS, Constraint
from mfbo.engine.replay import replay
from mfbo.errors import BadValue, NoObjective, NoTrialSucceeded, UnknownName
from mfbo.exports.table import rows
from mfbo.ledger.journal import read
from mfbo.optimizers.constrained import constrained
from mfbo.trial import Outcome, Rung, Trial

SIZES = [Constraint.parse("size<=100")]


def train(config, fidelity, context):
    """The lower x, the lower the loss, and the larger the model."""
    metrics = {"size": 1000 * (1 - config["x"])}
    return mfbo.Measurement(config["x"] + 0.1 / fidelity.epochs, metrics, cost=float(fidelity.epochs))


def task():
    return mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), train, mfbo.Fidelity(epochs=(1, 9)))


@given(st.floats(1e-6, 1e6), st.sampled_from(sorted(UNITS)), st.sampled_from(["<=", "<", ">=", ">"]))
def test_a_constraint_is_read_with_its_unit(number, unit, sign):
    found = Constraint.parse(f" size {sign} {number!r} {unit}")
    assert (found.metric, found.sign) == ("size", sign)
    assert found.bound == pytest.approx(number * UNITS[unit])
    at = Outcome("ok", 1.0, Rung(), 1.0, metrics={"size": found.bound})
    assert (found.violation(at) == 0) == (sign in ("<=", ">="))


@pytest.mark.parametrize("text", ["size", "size<=", "<=5", "size=5", "size<=five", "size<=1.2.3", "size<=5 5"])
def test_what_is_no_constraint_is_refused_with_an_example(text):
    with pytest.raises(BadValue, match="give METRIC<=NUMBER, such as 'size<=1e6'"):
        mfbo.Search(subject_to=(text,))


def test_an_unknown_unit_is_named_with_those_there_are():
    with pytest.raises(UnknownName, match=r"unknown unit.*'msec'.*ms"):
        mfbo.Search(subject_to=("latency<=5msec",))


def test_objectives_and_constraints_exclude_each_other():
    with pytest.raises(BadValue, match="give one of the two"):
        mfbo.Search(objectives=("loss", "size"), subject_to=("size<=5",))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "asha"])  # fifteen random configurations may miss a tenth
def test_the_best_is_feasible_and_the_search_goes_where_it_can_be(optimizer, tmp_path):
    out = tmp_path / "run"
    free = mfbo.tune(task(), "15x", optimizer=optimizer, seed=1, workers=0, progress=False)
    assert free.best.metrics["size"] > 100
    result = mfbo.tune(
        task(), "15x", optimizer=optimizer, seed=1, workers=0, progress=False, subject_to="size<=100", out=out
    )
    assert result.best.metrics["size"] <= 100
    kept = [entry for entry in result.ledger.results if entry.outcome.metrics["size"] <= 100]
    if result.best.fidelity == result.ledger.header.rungs[-1]:
        assert result.best.loss == min(e.outcome.loss for e in kept if e.outcome.rung == result.best.fidelity)
    assert replay(read(out)).mismatch is None
    if optimizer == "smac":
        share = sum(entry.outcome.metrics["size"] <= 100 for entry in result.ledger.results) / result.trials
        assert share > 0.15  # of the space a tenth is feasible


def test_what_is_infeasible_is_shown_as_such(tmp_path):
    out = tmp_path / "run"
    result = mfbo.tune(
        task(), "9x", optimizer="random", workers=0, progress=False, subject_to=["size<=100", "size>0"], out=out
    )
    broken = sum(entry.outcome.metrics["size"] > 100 for entry in result.ledger.results)
    said = " ".join(CliRunner().invoke(main, ["show", str(out)]).output.split())
    assert f"subject to size<=100, size>0: {broken} of {result.trials} results infeasible" in said
    assert sum(not row["feasible"] for row in rows(read(out))) == broken > 0


def test_where_nothing_is_feasible_the_nearest_is_named(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(NoTrialSucceeded, match=r"no result of \d+ keeps to size<=-1; the nearest is trial \d+"):
        mfbo.tune(task(), "5x", optimizer="random", workers=0, progress=False, subject_to="size<=-1", out=out)
    said = CliRunner().invoke(main, ["show", str(out)])
    assert said.exit_code == 0
    assert "the nearest is trial" in " ".join(said.output.split())


def test_a_metric_that_the_task_does_not_report_is_named_after_the_first_trial(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(
        NoObjective, match=r"constraint 'weight<=5': the task reports no 'weight'; choose from: loss.*size"
    ):
        mfbo.tune(task(), "9x", optimizer="random", workers=0, progress=False, subject_to="weight<=5", out=out)
    assert not out.exists()


class Recorder:
    """An optimizer that keeps what it is told."""

    def __init__(self):
        self.losses = []

    def tell(self, trial, outcome):
        self.losses.append(outcome.loss)

    def revise_losses(self, losses):
        self.losses = list(losses)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 300)), min_size=1, max_size=20))
def test_every_infeasible_result_is_told_as_worse_than_every_feasible_one(results):
    told = Recorder()
    optimizer = constrained(told, SIZES)
    for number, (loss, size) in enumerate(results):
        optimizer.tell(Trial(number, {"x": number}, Rung()), Outcome("ok", loss, Rung(), 1.0, metrics={"size": size}))
    kept = [told.losses[i] for i, (_, size) in enumerate(results) if size <= 100]
    broken = sorted((size, told.losses[i]) for i, (_, size) in enumerate(results) if size > 100)
    assert kept == [loss for loss, size in results if size <= 100]
    assert not kept or all(loss > max(kept) for _, loss in broken)
    assert [loss for _, loss in broken] == sorted(loss for _, loss in broken)
