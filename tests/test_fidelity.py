"""What a task can be cut down to, and the ladder of rungs that leads up to a full evaluation."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import pytest
from ConfigSpace import ConfigurationSpace
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.errors import BadValue, UnknownName
from mfbo.fidelity import PATHS, Fidelity
from mfbo.ledger.journal import read
from mfbo.trial import Rung


@st.composite
def fidelities(draw):
    low, high = sorted((draw(st.integers(1, 300)), draw(st.integers(1, 300))))
    least, most = sorted((draw(st.floats(1e-4, 1)), draw(st.floats(1e-4, 1))))
    epochs = draw(st.sampled_from([(low, high), high]))
    return Fidelity(epochs=epochs, data=draw(st.sampled_from([(least, most), most])))


@st.composite
def paths(draw):
    """A fidelity and a path that it has."""
    fidelity = draw(fidelities())
    epochs, data = (low < high for low, high in (fidelity.epoch_range, fidelity.data_range))
    lacking = "data" if epochs > data else "epochs" if data > epochs else None
    return fidelity, draw(st.sampled_from([path for path in PATHS if path != lacking]))


@given(paths(), st.floats(0, 1))
def test_a_rung_lies_inside_the_ranges_and_its_work_is_that_of_its_parts(given_path, work):
    fidelity, path = given_path
    rung = fidelity.rung(work, path)
    (low, high), (least, most) = fidelity.epoch_range, fidelity.data_range
    assert low <= rung.epochs <= high
    assert isinstance(rung.epochs, int)
    assert least <= rung.data <= most
    assert rung.work == pytest.approx(rung.epochs / high * rung.data / most)
    assert rung.data == most or path != "epochs"
    assert rung.epochs == high or path != "data"


@given(paths(), st.floats(0, 1))
def test_a_rung_costs_what_was_asked_as_nearly_as_whole_epochs_allow(given_path, work):
    fidelity, path = given_path
    rung = fidelity.rung(work, path)
    wanted = max(work, fidelity.lowest_work(path))
    least, most = fidelity.data_range
    if path == "epochs" or rung.data in (least, most):
        assert abs(rung.work - wanted) <= 0.5 / fidelity.epoch_range[1] + 1e-9
    else:
        assert rung.work == pytest.approx(wanted)


@given(paths(), st.floats(0, 1), st.floats(0, 1))
def test_more_work_is_never_less_of_anything_that_is_counted(given_path, one, other):
    fidelity, path = given_path
    low, high = (fidelity.rung(work, path) for work in sorted((one, other)))
    assert low.epochs <= high.epochs
    assert low.work <= high.work + 1e-9


@given(paths(), st.integers(2, 5), st.integers(1, 6))
def test_a_ladder_rises_to_the_full_evaluation(given_path, eta, most):
    fidelity, path = given_path
    ladder = fidelity.ladder(path, eta=eta, most=most)
    assert 1 <= len(ladder) <= most
    assert ladder[-1] == fidelity.full == fidelity.rung(1, path)
    assert all(low.work < high.work and low.epochs <= high.epochs for low, high in pairwise(ladder))
    assert ladder[0].work >= fidelity.lowest_work(path) - 1e-9


@given(st.integers(1, 6), st.integers(2, 4))
def test_rungs_of_whole_powers_are_exact(steps, eta):
    ladder = Fidelity(epochs=(1, eta**steps)).ladder(eta=eta, most=10)
    assert [rung.epochs for rung in ladder] == [eta**k for k in range(steps + 1)]


@given(st.floats(1e-3, 0.99), st.integers(2, 4))
def test_the_data_path_grows_by_exactly_eta(least, eta):
    ladder = Fidelity(epochs=5, data=(least, 1.0)).ladder(eta=eta, most=20)
    assert {rung.epochs for rung in ladder} == {5}
    assert all(high.work / low.work == pytest.approx(eta) for low, high in pairwise(ladder))
    assert ladder[0].data / eta < least * (1 + 1e-9)


def test_the_joint_path_shares_the_cut_in_proportion_to_the_ranges_on_a_log_scale():
    ladder = Fidelity(epochs=(1, 81), data=(1 / 9, 1.0)).ladder("joint", eta=27, most=3)
    assert [(rung.epochs, rung.data) for rung in ladder] == [
        (1, pytest.approx(1 / 9)),
        (9, pytest.approx(1 / 3)),
        (81, 1),
    ]


def test_without_a_range_there_is_one_rung_and_one_of_work():
    assert Fidelity().ladder() == [Rung(1, 1.0, 1.0)] == [Fidelity().full]
    assert Fidelity(epochs=7, data=0.5).ladder() == [Rung(7, 0.5, 1.0)]


@pytest.mark.parametrize(
    ("fidelity", "path"),
    [
        (Fidelity(), "epochs"),
        (Fidelity(epochs=(1, 9)), "epochs"),
        (Fidelity(epochs=9, data=(0.1, 1.0)), "data"),
        (Fidelity(epochs=(1, 9), data=(0.1, 1.0)), "joint"),
    ],
)
def test_the_default_path_uses_what_has_a_range(fidelity, path):
    assert fidelity.default_path == path
    assert fidelity.ladder() == fidelity.ladder(path)


@pytest.mark.parametrize(
    ("rung", "words"),
    [
        (Rung(6, 0.19, 0.1), "19% of the data, 6 epochs"),
        (Rung(1, 1.0, 0.1), "all data, 1 epoch"),
        (Rung(30, 1.0, 1.0), "all data, 30 epochs"),
        (Rung(2, 0.0051, 0.1), "0.51% of the data, 2 epochs"),
        (Rung(2, 0.994, 0.1), "99% of the data, 2 epochs"),
        (Rung(2, 0.998, 0.1), "over 99% of the data, 2 epochs"),
        (Rung(2, 0.00001, 0.1), "0.001% of the data, 2 epochs"),
    ],
)
def test_a_rung_says_what_it_is_in_words(rung, words):
    assert str(rung) == words


@given(st.floats(1e-6, 1, exclude_max=True))
def test_only_all_of_the_data_is_called_so(data):
    percent, _, rest = str(Rung(2, data)).removeprefix("over ").partition("%")
    assert rest == " of the data, 2 epochs"
    assert 0 < float(percent) < 100
    assert float(percent) == pytest.approx(100 * data, rel=0.06)


@pytest.mark.parametrize("epochs", [0, -1, (0, 3), (3, 2), (1, 2.5), 1.0, "3", (1, 2, 3), (1,), [1, 3], True, None])
def test_epochs_that_make_no_range_are_refused(epochs):
    with pytest.raises(BadValue, match="fidelity epochs=") as caught:
        Fidelity(epochs=epochs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [0, 0.0, -0.1, 1.1, (0.5, 0.4), (0.0, 1.0), (0.1, 2.0), "1", (0.1,), [0.1, 1], math.nan]
)
def test_fractions_that_make_no_range_are_refused(data):
    with pytest.raises(BadValue, match="fidelity data=") as caught:
        Fidelity(data=data)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_unknown_or_has_no_range_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'epochs'"):
        Fidelity(epochs=(1, 9)).ladder("epoch")
    with pytest.raises(BadValue, match="use 'epochs'"):
        Fidelity(epochs=(1, 9)).ladder("data")
    with pytest.raises(BadValue, match="use 'data'"):
        Fidelity(data=(0.1, 1.0)).rung(0.5, "epochs")


def test_what_is_counted_has_its_own_name_and_the_same_ladder():
    trees, epochs = Fidelity(trees=(10, 1000), data=(0.1, 1.0)), Fidelity(epochs=(10, 1000), data=(0.1, 1.0))
    for mine, usual in zip(trees.ladder(), epochs.ladder(), strict=True):
        assert (mine.trees, mine.data, mine.work) == (usual.epochs, usual.data, usual.work)
        assert str(mine) == str(usual).replace("epoch", "tree")
    with pytest.raises(AttributeError, match="no 'folds'; it has: data, size, trees"):
        _ = trees.full.folds


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({"epochs": (1, 3), "folds": (1, 5)}, "counts epochs and folds; give one"),
        ({"trees": (9, 3)}, r"fidelity trees=\(9, 3\): give \(lowest, full\)"),
        ({"work": (1, 3)}, "fidelity 'work': give what is counted"),
    ],
)
def test_what_cannot_be_counted_is_named(counted, said):
    with pytest.raises(BadValue, match=said):
        Fidelity(**counted)


def test_a_fidelity_is_kept_in_a_ledger_whole():
    for fidelity in (Fidelity(), Fidelity(trees=(10, 90), data=(0.2, 1.0), continues=False)):
        kept = fidelity.ranges
        assert msgspec.convert(msgspec.to_builtins(kept), Fidelity) == kept
        assert kept.ladder() == fidelity.ladder()


@given(st.integers(1, 50), st.integers(1, 60), st.floats(0.25, 4), st.floats(0.05, 1), st.floats(1e-4, 1))
def test_work_is_what_is_spent_where_cost_grows_by_a_power(low, more, growth, data, work):
    fidelity = Fidelity(tokens=(low, low + more), data=(data, 1.0), growth=growth)
    rung = fidelity.rung(work, "joint")
    assert rung.work == pytest.approx((rung.tokens / (low + more)) ** growth * rung.data)
    assert low <= rung.tokens <= low + more
    assert data * (1 - 1e-9) <= rung.data <= 1
    ladder = fidelity.ladder()
    assert ladder[-1].work == 1
    assert all(a.work < b.work for a, b in pairwise(ladder))


def test_levels_of_what_grows_by_a_square_cost_three_times_the_one_below():
    works = [rung.work for rung in Fidelity(tokens=(64, 4096), growth=2).ladder()]
    assert [b / a for a, b in pairwise(works)] == pytest.approx([3, 3, 3], rel=0.01)
    assert Fidelity(tokens=(64, 4096)).growth == 1
    assert not Fidelity(tokens=(64, 4096), growth=2).continues


@pytest.mark.parametrize("growth", [0, -1, 5, float("nan"), True, "2"])
def test_a_growth_that_is_no_power_is_refused(growth):
    with pytest.raises(BadValue, match=r"fidelity growth=.*above 0 and up to 4"):
        Fidelity(tokens=(64, 4096), growth=growth)


def test_a_run_is_charged_by_its_growth_and_read_back(tmp_path):
    def train(config, fidelity, context):
        return (config["x"] - 0.3) ** 2 + 1 / fidelity.tokens

    task = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), train, Fidelity(tokens=(10, 90), growth=2))
    found = mfbo.tune(task, "4x", workers=0, optimizer="asha", out=tmp_path, progress=False)
    again = read(tmp_path)
    assert again.header.fidelity == task.fidelity.ranges
    assert found.cost == pytest.approx(sum((r.outcome.rung.tokens / 90) ** 2 for r in found.ledger.results))
    assert "tokens" in str(found.best.fidelity)
