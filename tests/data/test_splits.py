from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfbo.data.splits import MIN_CLASS_SAMPLES, nested_subset, stratified_split
from mfbo.errors import BadData, BadValue
from mfbo.tasks.training.setup import STEPS, everything, least, parts

seeds = st.integers(0, 2**40)
fractions = st.floats(0.001, 1.0)
labels = st.lists(st.integers(0, 5), min_size=1, max_size=300).map(np.array)


@given(labels, st.floats(0.001, 0.999), seeds)
def test_a_split_is_disjoint_and_complete(y, fraction, seed):
    rest, held = stratified_split(y, fraction, seed)
    assert sorted([*rest, *held]) == list(range(len(y)))
    assert (np.diff(rest) > 0).all()
    assert (np.diff(held) > 0).all()


@given(labels, st.floats(0.001, 0.999), seeds)
def test_a_split_holds_out_that_fraction_of_each_class_and_leaves_some_on_either_side(y, fraction, seed):
    rest, held = stratified_split(y, fraction, seed)
    for label, size in zip(*np.unique(y, return_counts=True), strict=True):
        out = int((y[held] == label).sum())
        if size == 1:
            assert out == 0
        else:
            assert 1 <= out <= size - 1
            assert abs(out - fraction * size) <= 0.5 or out in (1, size - 1)
        assert (y[rest] == label).sum() == size - out


@given(labels, fractions, fractions, seeds, st.integers(0, 30))
def test_a_subset_is_contained_in_every_larger_one(y, a, b, seed, least):
    small, large = sorted([a, b])
    assert np.isin(nested_subset(y, small, seed, least), nested_subset(y, large, seed, least)).all()


@given(labels, fractions, seeds, st.integers(0, 30))
def test_a_subset_has_its_share_of_each_class_but_at_least_so_many(y, fraction, seed, least):
    subset = nested_subset(y, fraction, seed, least)
    assert (np.diff(subset) > 0).all()
    for label, size in zip(*np.unique(y, return_counts=True), strict=True):
        kept = int((y[subset] == label).sum())
        if kept not in (least, size):
            assert kept > least
            assert abs(kept - fraction * size) <= 0.5
        assert kept >= min(least, size)


@given(labels, seeds)
def test_the_whole_fraction_is_everything(y, seed):
    assert nested_subset(y, 1.0, seed, least=0).tolist() == list(range(len(y)))


@given(labels, fractions, fractions, seeds, st.none() | st.integers(1, 400))
def test_what_a_trial_learns_from_is_nested_and_apart_from_what_it_is_judged_by(y, a, b, seed, samples):
    (small, judge, training), (large, again, _) = (parts(y, data, seed, samples) for data in sorted([a, b]))
    assert np.array_equal(judge, again)
    assert np.isin(small, large).all()
    assert np.isin(large, training).all()
    assert not np.isin(training, judge).any()
    used = np.sort(np.concatenate([training, judge]))
    assert np.array_equal(used, everything(y, 1.0, seed, samples)), "the final validation learns from both"
    assert len(used) == len(y) if samples is None else len(used) >= min(samples, len(y)) - 3


def test_a_cap_on_samples_is_one_on_the_validation_part_too():
    y = np.repeat(np.arange(4), 10_000)
    learn, judge, _ = parts(y, 0.5, 0, samples=2000)
    assert np.bincount(y[judge]).tolist() == [50] * 4
    assert np.bincount(y[learn]).tolist() == [225] * 4


def test_labels_sorted_by_class_give_every_class_at_any_fraction():
    y = np.repeat(np.arange(4), 30_000)  # as AG News would be, if sorted
    subset = nested_subset(y, 0.001, seed=0)
    assert np.bincount(y[subset]).tolist() == [30, 30, 30, 30]
    _, held = stratified_split(y, 0.1, seed=0)
    assert np.bincount(y[held]).tolist() == [3000] * 4


def test_a_subset_is_drawn_at_random_within_its_class():
    subset = nested_subset(np.zeros(10_000, dtype=int), 0.1, seed=0)
    assert 4500 < subset.mean() < 5500  # the first or last thousand would be at 500 or 9,500
    assert len(np.unique(np.diff(subset))) > 5  # every tenth would have one


def test_the_same_seed_gives_the_same_and_another_one_something_else():
    y = np.arange(2000) % 10
    for draw in (lambda seed: nested_subset(y, 0.2, seed), lambda seed: stratified_split(y, 0.2, seed)[1]):
        assert np.array_equal(draw(7), draw(7))
        assert not np.array_equal(draw(7), draw(8))


def test_a_subset_is_no_echo_of_the_split_with_the_same_seed():
    y = np.zeros(10_000, dtype=int)
    _, held = stratified_split(y, 0.1, seed=3)
    shared = np.isin(nested_subset(y, 0.1, seed=3), held).sum()
    assert 50 < shared < 200  # 100 by chance, 1,000 if both drew the same places


def test_labels_may_be_words():
    y = ["neg"] * 50 + ["pos"] * 50
    assert len(nested_subset(y, 0.5, seed=0)) == 50


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan")])
def test_a_fraction_outside_its_bounds_is_named(fraction):
    with pytest.raises(BadValue, match=r"fraction .*give a number in \(0, 1\]"):
        nested_subset([0, 1], fraction, seed=0)
    with pytest.raises(BadValue, match=r"fraction to hold out .*give a number in \(0, 1\)"):
        stratified_split([0, 1], fraction, seed=0)


def test_holding_out_everything_is_refused():
    with pytest.raises(BadValue, match="hold out"):
        stratified_split([0, 1], 1.0, seed=0)


@pytest.mark.parametrize("y", [[], [[0, 1], [1, 0]]])
def test_labels_that_are_no_list_of_classes_are_refused(y):
    with pytest.raises(BadData, match="shape"):
        nested_subset(y, 0.5, seed=0)


@given(many=st.integers(200, 2000), samples=st.none() | st.integers(100, 3000), batch=st.sampled_from([16, 128]))
def test_the_lowest_rung_has_enough_of_each_class_and_takes_enough_steps(many, samples, batch):
    y = np.arange(many) % 4
    data, work = least(y, samples, batch=batch, epochs=10)
    learn, *_ = parts(y, data, 0, samples)
    assert np.bincount(y[learn], minlength=4).min() >= min(
        MIN_CLASS_SAMPLES, len(parts(y, 1.0, 0, samples)[0]) // 4 - 1
    )
    full = 10 * 0.9 * min(many, samples or many)  # nine tenths are for training
    assert work == pytest.approx(min(1.0, STEPS * batch / full))
