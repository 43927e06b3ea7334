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
from mfbo.display.forecast import headline
from mfbo.engine.tell import tell
from mfbo.errors import BadValue, MfboError, UnknownName
from mfbo.exports.table import rows
from mfbo.fidelity import PATHS, Fidelity
from mfbo.fidelity_point import point, read_numbers
from mfbo.ledger.journal import read
from mfbo.trial import Rung


@st.composite
def fidelities(draw):
    low, high = sorted((draw(st.integers(1, 300)), draw(st.integers(1, 300))))
    least, most = sorted((draw(st.floats(1e-4, 1)), draw(st.floats(1e-4, 1))))
    epochs = draw(st.sampled_from([(low, high), high]))
    return Fidelity(epochs=epochs, data=draw(st.sampled_from([(least, most), most])))


@st.composite
def sized(draw):
    """A fidelity whose inputs have a size."""
    found, small = draw(fidelities()), draw(st.floats(0.05, 0.9))
    return Fidelity(epochs=found.epochs, data=found.data, size=(small, draw(st.floats(small + 0.05, 1.0))))


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


@given(sized(), st.floats(0, 1))
def test_where_inputs_have_a_size_all_data_are_seen_once_and_small_before_anything_else_grows(fidelity, work):
    rung = fidelity.rung(work, "joint")
    (low, high), (least, most), (small, large) = fidelity.epoch_range, fidelity.data_range, fidelity.size_range
    once = fidelity.work(low, most, small)
    if work <= once:
        assert (rung.epochs, rung.size) == (low, small)
    else:
        assert rung.data >= 0.66 * most, "less of it only to make up for a whole epoch more"
    assert low <= rung.epochs <= high
    assert least <= rung.data <= most
    assert small <= rung.size <= large * (1 + 1e-9)
    assert rung.work == pytest.approx(fidelity.work(rung.epochs, rung.data, rung.size))
    assert rung.work <= max(work, fidelity.lowest_work("joint")) * (1 + 1e-6) + 1e-12 or rung.data == least
    assert fidelity.rung(1.0, "joint") == fidelity.full


@given(sized(), st.floats(0, 1), st.floats(0, 1))
def test_more_work_never_has_fewer_epochs_where_inputs_have_a_size(fidelity, one, other):
    low, high = (fidelity.rung(work, "joint") for work in sorted((one, other)))
    assert low.epochs <= high.epochs


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
        ({"epochs": (1, 3), "folds": (5, 1)}, r"fidelity folds=\(5, 1\): give \(lowest, full\)"),
        ({"epochs": (1, 3), "folds": (1.0, 5.0)}, "fidelity folds=.*as integers"),
        ({"epochs": (1, 3), "status": (1, 5)}, "fidelity 'status': give what is counted"),
        ({"epochs": (1, 3), "resolution": (1, 5), "growth": 2}, "say of which, such as growth={'resolution': 2}"),
        (
            {"epochs": (1, 3), "growth": {"resolution": 2}},
            "growth of 'resolution': it counts epochs; name",
        ),
        ({"epochs": (1, 3), "pixels": (1, 5), "growth": {"pixels": 9}}, "growth=9: give the power of the cost"),
        ({f"{name}s": (1, 2) for name in "abcdefg"}, "give up to 6"),
        ({"trees": (9, 3)}, r"fidelity trees=\(9, 3\): give \(lowest, full\)"),
        ({"work": (1, 3)}, "fidelity 'work': give what is counted"),
    ],
)
def test_what_cannot_be_counted_is_named(counted, said):
    with pytest.raises(BadValue, match=said):
        Fidelity(**counted)


def test_a_fidelity_is_kept_in_a_ledger_whole():
    several = Fidelity(epochs=(1, 9), resolution=(64, 224), folds=3, growth={"resolution": 2})
    for fidelity in (Fidelity(), Fidelity(trees=(10, 90), data=(0.2, 1.0), continues=False), several):
        kept = fidelity.ranges
        assert msgspec.convert(msgspec.to_builtins(kept), Fidelity) == kept
        assert kept.ladder() == fidelity.ladder()


@st.composite
def several(draw):
    """A fidelity that counts two or three things, one of them by a power."""
    names = draw(st.lists(st.sampled_from(["epochs", "trees", "pixels", "folds"]), min_size=2, max_size=3, unique=True))
    spans = {name: tuple(sorted((draw(st.integers(1, 300)), draw(st.integers(1, 300))))) for name in names}
    data = draw(st.sampled_from([(draw(st.floats(0.01, 1)), 1.0), 1.0]))
    return Fidelity(**spans, data=data, growth={names[-1]: draw(st.sampled_from([0.5, 1, 2]))})


@given(several(), st.floats(0, 1), st.floats(0, 1))
def test_several_counts_are_factors_of_one_work_and_rise_together(fidelity, one, other):
    low, high = (fidelity.rung(work, "joint") for work in sorted((one, other)))
    for rung in (low, high):
        parts = [(rung.counts[name] / most) ** power for name, (_, most), power in _powers(fidelity)]
        assert rung.work == pytest.approx(math.prod(parts) * rung.data)
        assert all(least <= rung.counts[name] <= most for name, (least, most), _ in _powers(fidelity))
    assert all(low.counts[name] <= high.counts[name] for name in fidelity.counts)
    assert fidelity.rung(1.0) == fidelity.full
    assert fidelity.rung(0.0, "joint").work == pytest.approx(fidelity.lowest_work("joint"))


def _powers(fidelity):
    return [(fidelity.unit, fidelity.epoch_range, fidelity.growth), *fidelity.further]


@given(several())
def test_a_path_by_the_name_of_what_is_counted_leaves_all_else_full(fidelity):
    for path in fidelity.paths[:-1]:
        for rung in fidelity.ladder(path):
            changed = {name for name, number in rung.counts.items() if number != fidelity.full.counts[name]}
            assert changed | ({"data"} if rung.data < 1 else set()) <= {path}
        assert fidelity.ladder(path)[-1] == fidelity.full
    works = [rung.work for rung in fidelity.ladder()]
    assert works == sorted(set(works))


def test_reports_count_by_epochs_else_by_the_first_that_is_no_mean():
    assert Fidelity(folds=(1, 5), epochs=(1, 9)).unit == "epochs"
    assert Fidelity(repeats=(1, 5), trees=(1, 9), steps=(1, 7)).unit == "trees"
    assert Fidelity(repeats=(1, 5), folds=(1, 9)).unit == "repeats"
    full = Fidelity(folds=(1, 5), epochs=(1, 9)).full
    assert (full.epochs, full.folds, str(full)) == (9, 5, "all data, 9 epochs, 5 folds")
    assert not Fidelity(folds=(1, 5), epochs=(1, 9)).continues  # a mean over what was trained for less
    assert Fidelity(pixels=(1, 5), epochs=(1, 9)).continues


def test_a_path_that_several_counts_lack_is_named_with_those_there_are():
    fidelity = Fidelity(epochs=(1, 9), folds=(1, 5), repeats=3)
    with pytest.raises(UnknownName, match=r"unknown fidelity path 'fold'; did you mean 'folds'"):
        fidelity.ladder("fold")
    with pytest.raises(BadValue, match="no range of repeats; use 'epochs' or 'folds'"):
        fidelity.ladder("repeats")


def test_a_point_is_named_by_what_is_counted_and_stays_within_the_ranges():
    fidelity = Fidelity(trees=(10, 300), folds=(1, 5), data=(0.1, 1.0))
    assert point(fidelity) == fidelity.full
    assert str(point(fidelity, data=0.5, at={"trees": 30, "folds": 2})) == "50% of the data, 30 trees, 2 folds"
    assert point(fidelity, 30) == point(fidelity, at={"trees": 30})
    for wrong, said in (
        ({"tree": 3}, "unknown fidelity 'tree'; did you mean 'trees'"),
        ({"folds": 9}, "folds 9: a full evaluation has 5; give 1 to 5"),
        ({"folds": 0}, "folds 0: a full evaluation has 5"),
        ({"folds": 1.5}, "folds 1.5: a full evaluation has 5"),
        ({"size": 2.0}, "size 2.0: give the fraction of each input"),
    ):
        with pytest.raises(MfboError, match=said):
            point(fidelity, at=wrong)
    assert read_numbers(("trees=100", "size=0.5")) == {"trees": 100, "size": 0.5}
    with pytest.raises(BadValue, match="at 'trees': give NAME=NUMBER"):
        read_numbers(("trees",))


def _trained(config, fidelity, context):
    lack = 1 / fidelity.epochs + 1 / fidelity.resolution
    for epoch in range(context.start_epoch, fidelity.epochs):
        context.report((config["x"] - 0.3) ** 2 + lack, epoch=epoch + 1)
    return (config["x"] - 0.3) ** 2 + lack


def test_a_run_over_several_counts_is_charged_shown_exported_and_resumed(tmp_path):
    fidelity = Fidelity(epochs=(1, 9), resolution=(32, 128), growth={"resolution": 2})
    task = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), _trained, fidelity)
    found = mfbo.tune(task, "4x", workers=0, out=tmp_path / "run", progress=False)
    spent = [r.outcome.rung.epochs / 9 * (r.outcome.rung.resolution / 128) ** 2 for r in found.ledger.results]
    assert found.cost == pytest.approx(sum(spent))
    assert {rung.resolution for rung in found.ledger.header.rungs} > {128}
    again = read(tmp_path / "run")
    assert again.header.fidelity == fidelity.ranges
    assert again.header.rungs == found.ledger.header.rungs
    row = rows(again)[0]
    assert (row["epochs"], row["resolution"]) == (row["asked_epochs"], row["asked_resolution"])
    assert "9 epochs, resolution 128 on all data" in headline(again.header.plan)
    more = mfbo.resume(tmp_path / "run", max_cost="6x", task=task, progress=False)
    assert more.trials > found.trials
    told = tell(tmp_path / "run", {"x": 0.3}, 0.2, at={"resolution": 64})
    assert told.rung.resolution == 64


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
