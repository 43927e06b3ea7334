"""Constraints: what is infeasible is never the best, is told as worse than what is feasible, and is shown as such."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace, Integer
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.cli import main
from mfbo.constraints import UNITS, Constraint, missing
from mfbo.engine.replay import replay
from mfbo.errors import BadValue, NoObjective, NoTrialSucceeded, UnknownName
from mfbo.evidence.pareto import front_of
from mfbo.exports.table import rows
from mfbo.goal import Goal
from mfbo.ledger.journal import read
from mfbo.optimizers.constrained import constrained
from mfbo.optimizers.parego import Scalarised
from mfbo.optimizers.smac.memory import MemoryModel
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


@pytest.mark.parametrize(
    "text", ["size", "size<=", "<=5", "size=5", "size<=five", "size<=1.2.3", "size<=5 5", "size<=1e999", 5]
)
def test_what_is_no_constraint_is_refused_with_an_example(text):
    with pytest.raises(BadValue, match="give METRIC<=NUMBER, such as 'size<=1e6'"):
        mfbo.Search(subject_to=(text,))


@pytest.mark.parametrize(
    ("one", "other"), [("size<=3", "size>=5"), ("size>5", "size<=5"), ("size<5", "size>5"), ("size<=3k", "size>=4000")]
)
def test_constraints_that_nothing_keeps_to_are_refused_at_once(one, other):
    with pytest.raises(BadValue, match="nothing keeps to both; loosen one"):
        mfbo.Search(subject_to=(one, other))


def test_constraints_that_leave_room_are_taken_and_signs_of_one_character_too():
    both = ("size<=5", "size>=5", "size>=1", "loss<=3")
    assert mfbo.Search(subject_to=both).subject_to == both
    assert mfbo.Search(subject_to="size ≤ 5k").subject_to == ("size<=5k",)
    with pytest.raises(BadValue, match="give METRIC<=NUMBER as text"):
        mfbo.Search(subject_to={"size": 5})


def test_an_unknown_unit_is_named_with_those_there_are():
    with pytest.raises(UnknownName, match=r"unknown unit.*'msec'.*ms"):
        mfbo.Search(subject_to=("latency<=5msec",))


def sized(config, fidelity, context):
    """Loss and size go against each other; the accuracy is one less the loss."""
    loss = config["x"] + 0.1 / fidelity.epochs
    metrics = {"size": 1000 * (1 - config["x"]), "accuracy": 1 - loss}
    return mfbo.Measurement(loss, metrics, cost=float(fidelity.epochs))


@pytest.mark.parametrize("optimizer", ["smac", "random"])
def test_of_several_objectives_the_front_consists_of_what_keeps_to_the_constraints(optimizer):
    made = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), sized, mfbo.Fidelity(epochs=(1, 9)))
    asked = {"objectives": ("loss", "size"), "subject_to": ("size<=500", "size>=200")}
    found = mfbo.tune(made, "20x", workers=0, progress=False, optimizer=optimizer, **asked)
    front = front_of(found.ledger)
    assert any(result.outcome.metrics["size"] > 500 for result in found.ledger.results)
    assert front.members
    assert all(200 <= result.outcome.metrics["size"] <= 500 for result, _ in (*front.members, *front.others))
    assert 200 <= found.best.metrics["size"] <= 500
    assert replay(found.ledger).mismatch is None


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(1, 9)), min_size=1, max_size=12), st.floats(1, 9))
def test_under_any_weights_an_infeasible_result_is_told_as_worse_than_every_feasible_one(found, bound):
    told = []

    class Told:
        def tell(self, trial, outcome):
            told.append(outcome.loss)

        def revise_losses(self, losses):
            told[:] = losses

    several = Scalarised(Told(), ("loss", "size"), 0, [Constraint.parse(f"size<={bound!r}")])
    for number, (loss, size) in enumerate(found):
        several.tell(Trial(number, {}, Rung()), Outcome("ok", loss, Rung(), 1.0, metrics={"size": size}))
    kept = [loss for loss, (_, size) in zip(several._losses(), found, strict=True) if size <= bound]
    broken = [loss for loss, (_, size) in zip(several._losses(), found, strict=True) if size > bound]
    assert not kept or not broken or max(kept) < min(broken)
    assert len(told) == len(found)


def test_of_several_objectives_a_constraint_on_what_is_not_reported_ends_the_run_at_once():
    made = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), sized, mfbo.Fidelity(epochs=(1, 9)))
    with pytest.raises(NoObjective, match=r"reports no 'weight'; choose from: loss, .*size, accuracy"):
        mfbo.tune(made, "5x", workers=0, progress=False, objectives=("loss", "size"), subject_to="weight<=3")


@pytest.mark.parametrize("name", ["accuracy", "score"])
def test_a_constraint_on_the_metric_that_is_maximised_has_its_own_sign(name):
    def train(config, fidelity, context):
        return mfbo.Measurement(config["x"], {"size": config["x"]}, cost=1.0)

    made = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), train, mfbo.Fidelity(epochs=(1, 3)))
    asked = {"maximize": True, **({"metric": name} if name != "score" else {})}
    found = mfbo.tune(made, "20x", workers=0, progress=False, subject_to=f"{name}<=60%", **asked)
    values = [result.trial.config["x"] for result in found.ledger.results]
    assert max(values) > 0.6
    assert found.best.value == max(value for value in values if value <= 0.6)
    below = mfbo.tune(made, "20x", workers=0, progress=False, subject_to=f"{name}>=60%", **asked)
    assert below.best.value >= 0.6


def test_a_loss_beside_what_is_maximised_is_the_one_that_the_task_reports():
    goal = Goal("accuracy", maximize=True)
    bound = Constraint.parse("loss<=0.5").of(goal)
    assert bound.violation(Outcome("ok", -0.9, Rung(), 1.0, metrics={"loss": 0.6})) > 0
    assert bound.violation(Outcome("ok", -0.9, Rung(), 1.0, metrics={"loss": 0.4})) == 0
    lacking = Outcome("ok", -0.9, Rung(), 1.0, metrics={"auc": 0.4})
    assert missing(lacking, [bound]) == (
        "constraint 'loss<=0.5': the task reports no 'loss'; choose from: accuracy, cost, auc"
    )


def hungry(config, fidelity, context):
    """What is large is better, and needs more memory than there is."""
    if config["width"] * config["batch"] > 1500:
        raise MemoryError("no room")
    return mfbo.Measurement(1 / config["width"] + 1 / config["batch"], cost=float(fidelity.epochs))


def hungry_task():
    space = ConfigurationSpace()
    space.add(Integer("width", (1, 1000), log=True), Integer("batch", (1, 1000), log=True))
    return mfbo.Task("hungry", space, hungry, mfbo.Fidelity(epochs=(1, 9)))


def test_trials_out_of_memory_are_infeasible_in_show_report_and_exports(tmp_path):
    found = mfbo.tune(hungry_task(), "10x", workers=0, progress=False, optimizer="random", out=tmp_path)
    statuses = [result.outcome.status for result in found.ledger.results]
    assert {"ok", "memory"} <= set(statuses)
    shown = CliRunner().invoke(main, ["show", str(tmp_path)]).output
    assert f"{statuses.count('memory')} of {len(statuses)} trials infeasible, out of memory" in " ".join(shown.split())
    assert [row["feasible"] for row in rows(found.ledger)] == [status == "ok" for status in statuses]


def test_what_fits_into_memory_is_learned_from_what_did_not():
    rows = np.random.default_rng(0).random((60, 2))
    model = MemoryModel()
    model.fit(rows, np.zeros(60, dtype=bool))
    assert not model.log_chance(rows).any()
    model.fit(rows, rows.sum(axis=1) > 1.2)
    chances = np.exp(model.log_chance(np.array([[0.1, 0.1], [0.6, 0.6], [0.95, 0.95]])))
    assert chances[0] > 0.9 > 0.8 > chances[1] > 0.2 > 0.1 > chances[2]


@pytest.mark.slow
def test_smac_asks_less_for_what_does_not_fit_into_memory_than_without_learning_it(monkeypatch):
    """Although the loss falls towards there."""

    def share(seed):
        found = mfbo.tune(hungry_task(), "12x", workers=0, progress=False, seed=seed)
        assert replay(found.ledger).mismatch is None
        later = found.ledger.results[len(found.ledger.results) // 3 :]
        return sum(result.outcome.status == "memory" for result in later) / len(later)

    learned = [share(seed) for seed in range(3)]
    monkeypatch.setattr(MemoryModel, "log_chance", lambda model, terms: np.zeros(len(terms)))
    assert sum(learned) < sum(share(seed) for seed in range(3))


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
