"""Cross-validation and repeats: the mean of what was measured, nothing measured twice, and no fold without a class."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)

import mfbo
from mfbo.adapters.sklearn_folds import folds
from mfbo.average import averaged
from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadData, BadTask, BadValue
from mfbo.executors.evaluate import reached
from mfbo.fidelity import Fidelity
from mfbo.trial import Report

X, Y = load_iris(return_X_y=True)
GROUPS = np.arange(len(Y)) // 7
SPACE = ConfigurationSpace({"C": (0.01, 10.0)})
CONFIG = {"C": 1.0}


def made(**more):
    return mfbo.sklearn_task("t", LogisticRegression(max_iter=300), SPACE, X, Y, **more)


def rung(count, unit="folds", most=5):
    return Fidelity(**{unit: (1, most)}).at(count, 1.0)


@pytest.mark.slow
def test_the_loss_is_the_mean_over_the_folds_and_the_spread_stands_beside_it():
    found = made(cv=StratifiedKFold(5), test=0).train(CONFIG, rung(5), mfbo.Context())
    scores = cross_val_score(LogisticRegression(max_iter=300, **CONFIG), X, Y, cv=StratifiedKFold(5))
    assert found.loss == pytest.approx(scores.mean())
    assert found.metrics["accuracy"] == pytest.approx(scores.mean())
    assert found.metrics["spread"] == pytest.approx(scores.std(ddof=1))


@pytest.mark.slow
def test_a_promoted_configuration_measures_only_the_folds_that_it_has_not(tmp_path):
    task, kept = made(cv=5), Checkpoints(tmp_path)
    whole = task.train(CONFIG, rung(5), mfbo.Context())
    task.train(CONFIG, rung(2), mfbo.Context(key="k", epochs=2, checkpoints=kept))
    context = mfbo.Context(key="k", epochs=5, checkpoints=kept)
    assert context.start_epoch == 2
    again = task.train(CONFIG, rung(5), context)
    assert (again.loss, again.metrics) == (pytest.approx(whole.loss), pytest.approx(whole.metrics))
    assert [report.epoch for report in context.reports] == [3, 4, 5]


@pytest.mark.slow
def test_a_bad_configuration_stops_after_one_fold():
    result = mfbo.tune(made(cv=5), "6x", optimizer="asha", workers=0, progress=False)
    assert [rung.folds for rung in result.ledger.header.rungs] == [1, 2, 5]
    most: dict[str, int] = {}
    for entry in result.ledger.results:
        most[entry.trial.key] = max(most.get(entry.trial.key, 0), entry.outcome.rung.folds)
    assert sum(count == 1 for count in most.values()) > sum(count == 5 for count in most.values()) > 0
    whole = [entry.outcome for entry in result.ledger.results if entry.outcome.rung.folds == 5]
    assert all(outcome.metrics["spread"] > 0 and "5 folds" in str(outcome.rung) for outcome in whole)


def test_groups_stay_whole_in_folds_and_in_the_test_part():
    groups = np.arange(len(Y)) // 5
    task = made(cv=GroupKFold(4), groups=groups)
    part = task.train.__self__
    assert not set(groups[part.rest]) & set(groups[part.test])
    for learn, judge in part.folds:
        assert not set(groups[learn]) & set(groups[judge])
        assert not set(learn) & set(part.test)


def test_of_a_time_series_what_is_measured_lies_after_what_was_trained_on_and_the_test_after_all():
    x, y = load_diabetes(return_X_y=True)
    space = ConfigurationSpace({"alpha": (0.01, 10.0)})
    part = mfbo.sklearn_task("t", Ridge(), space, x, y, cv=TimeSeriesSplit(3)).train.__self__
    assert part.test.min() > part.rest.max()
    assert all(learn.max() < judge.min() for learn, judge in part.folds)


def test_a_splitter_without_a_seed_makes_the_same_folds_in_every_process():
    rows = np.arange(len(Y))
    for splitter in (ShuffleSplit(3), KFold(3, shuffle=True)):
        first, second = (folds(splitter, Y, None, rows, classes=True) for _ in range(2))
        assert all(map(np.array_equal, chain(*first), chain(*second)))


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"cv": 1}, BadValue, "cv=1: give a number of folds of 2 or more"),
        ({"cv": "five"}, BadValue, "cv='five': give a number"),
        ({"cv": 60}, BadValue, "cv=60 does not fit these 120 rows"),
        (
            {"cv": KFold(3), "test": 0},
            BadData,
            "fold 1 of 3 trains on no row of class 0, of which there are 50",
        ),
        ({"cv": GroupKFold(3)}, BadValue, "groups"),
        ({"cv": 5, "groups": GROUPS}, BadValue, r"one group on both sides of fold 1; .*such as GroupKFold\(5\)"),
        ({"cv": list(KFold(3, shuffle=True).split(X))}, BadValue, "rows beyond these 120.*give test=0"),
        ({"cv": PredefinedSplit(GROUPS % 3)}, BadValue, "rows beyond these 120.*give test=0"),
        ({"cv": GroupKFold}, BadValue, "give a number of folds of 2 or more, or a splitter"),
        (
            {"fidelity": mfbo.Fidelity(trees=9, resolution=(1, 9)), "size": "max_iter"},
            BadTask,
            "counts trees and resolution, but a fit here is cut down by one of them alone",
        ),
        ({"groups": np.arange(150)}, BadTask, "groups are for cross-validation; give cv too"),
        ({"cv": GroupKFold(3), "groups": [1, 2]}, BadData, "groups has 2 entries, y has 150"),
        ({"cv": 3, "fidelity": mfbo.Fidelity(folds=(1, 9))}, BadTask, r"counts 9 folds, cv makes 3; give folds=\(1, 3"),
        ({"cv": 3, "fidelity": mfbo.Fidelity(epochs=(1, 9))}, BadTask, "has 9 epochs, but LogisticRegression cannot"),
        ({"cv": 3, "fidelity": mfbo.Fidelity(trees=9, folds=(1, 3))}, BadTask, "has 9 trees, but LogisticRegression"),
        ({"fidelity": mfbo.Fidelity(folds=(1, 3))}, BadTask, "counts folds, and there are none; give cv too"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_anything_is_charged(more, kind, said):
    with pytest.raises(kind, match=said) as caught:
        made(**more)
    assert "\n" not in str(caught.value)


def test_a_class_that_is_left_out_is_named_as_it_is_written():
    labels = np.array(["rare"] * 3 + ["usual", "other"] * 60, dtype=object)
    with pytest.raises(BadData, match="fold 1 of 3 trains on no row of class 'rare', of which there are 3"):
        mfbo.sklearn_task("t", LogisticRegression(), SPACE, X[:123], labels, cv=KFold(3), test=0)


def test_a_list_of_splits_is_taken_as_it_is():
    splits = list(StratifiedKFold(3).split(X, Y))
    part = made(cv=splits, test=0).train.__self__
    assert all(map(np.array_equal, chain(*splits), chain(*part.folds)))


def test_folds_of_a_forest_are_cut_down_in_trees_too():
    space = ConfigurationSpace({"max_features": (0.1, 1.0)})
    task = mfbo.sklearn_task("t", RandomForestClassifier(n_estimators=9), space, X, Y, size="n_estimators", cv=3)
    assert str(task.fidelity) == "Fidelity(trees=(1, 9), folds=(1, 3))"
    context, at = mfbo.Context(), task.fidelity.at(6, 1.0, further=[("folds", 2)])
    found = task.train({"max_features": 0.5}, at, context)
    assert [report.epoch for report in context.reports] == [3, 6]  # after each fold, as its part of six trees
    assert found.metrics["spread"] >= 0
    assert averaged(mfbo.Outcome("ok", found.loss, at, 0.0, metrics=found.metrics)) == 2


def test_folds_of_what_is_trained_by_epochs_are_cut_down_in_epochs_too():
    space = ConfigurationSpace({"alpha": (1e-5, 1e-1)})
    model, fidelity = SGDClassifier(), Fidelity(epochs=(1, 9), folds=(1, 3))
    task = mfbo.sklearn_task("t", model, space, X, Y, cv=3, fidelity=fidelity)
    scores = [
        task.train({"alpha": 1e-3}, fidelity.at(epochs, 1.0, further=[("folds", 3)]), mfbo.Context()).loss
        for epochs in (1, 9)
    ]
    assert scores[0] != scores[1]
    result = mfbo.tune(task, "5x", optimizer="asha", workers=0, progress=False)
    assert all(entry.outcome.start_epoch == 0 for entry in result.ledger.results)
    assert str(result.ledger.header.rungs[-1]) == "all data, 9 epochs, 3 folds"


def test_all_folds_are_measured_where_the_fidelity_says_nothing_of_them():
    task = made(cv=3, fidelity=Fidelity(data=(0.2, 1.0)))
    assert {rung.folds for rung in task.fidelity.ladder()} == {3}
    assert len({rung.data for rung in task.fidelity.ladder()}) > 1


def test_a_trial_that_is_stopped_between_folds_has_measured_these():
    fidelity = Fidelity(epochs=(1, 9), folds=(1, 3))
    reports = tuple(Report(epoch, 0.5, 1.0) for epoch in (3.0, 6.0))
    stopped = mfbo.Outcome("stopped", None, fidelity.full, 1.0, reports=reports)
    found = reached(fidelity, stopped)
    assert (found.rung.epochs, found.rung.folds, found.loss) == (9, 2, 0.5)
    assert found.rung.work == pytest.approx(2 / 3)
    assert reached(fidelity, replace(stopped, reports=())).loss is None


def test_epochs_of_every_repeat_are_those_of_the_rung():
    seen = []

    def train(config, fidelity, context):
        seen.append((fidelity.epochs, fidelity.repeats))
        return config["x"] + np.random.default_rng(context.seed).normal()

    task = mfbo.Task("t", ConfigurationSpace({"x": (0.0, 1.0)}), train, Fidelity(epochs=(1, 9), repeats=(1, 3)))
    result = mfbo.tune(task, "4x", optimizer="asha", workers=0, progress=False)
    assert seen.count((9, 3)) == 3 * sum(entry.outcome.rung.work == 1 for entry in result.ledger.results)
    assert {epochs for epochs, _ in seen} > {9}
    assert any("spread" in entry.outcome.metrics for entry in result.ledger.results)


def _noisy(config, fidelity, context):
    context.report(9.0)  # of a repeat, which counts for nothing
    return config["x"] + np.random.default_rng(context.seed).normal()


def test_repeats_are_averaged_each_with_a_seed_of_its_own(tmp_path):
    task = mfbo.Task("noisy", ConfigurationSpace({"x": (0.0, 1.0)}), _noisy, Fidelity(repeats=(1, 9)))
    context = mfbo.Context(seed=4, key="k", epochs=9, checkpoints=Checkpoints(tmp_path))
    found = task.train({"x": 0.5}, rung(9, "repeats", 9), context)
    own = [0.5 + np.random.default_rng(4 + number).normal() for number in range(9)]
    assert found.loss == pytest.approx(np.mean(own))
    assert found.metrics["spread"] == pytest.approx(np.std(own, ddof=1))
    assert [report.loss for report in context.reports] == pytest.approx([np.mean(own[: n + 1]) for n in range(9)])
    result = mfbo.tune(task, "6x", optimizer="asha", workers=0, progress=False)
    assert "9 repeats" in str(result.ledger.header.rungs[-1])
    assert any(entry.outcome.rung.repeats == 9 for entry in result.ledger.results)
