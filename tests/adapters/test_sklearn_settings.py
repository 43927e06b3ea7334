"""Which way an estimator is trained follows from what it can do with its settings, those of the space included."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float
from sklearn.datasets import load_digits, load_linnerud
from sklearn.linear_model import Perceptron, Ridge, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mfbo
from mfbo.errors import BadTask
from mfbo.trial import Rung

X, Y = (part[:600] for part in load_digits(return_X_y=True))
WHOLE = mfbo.Fidelity(data=(200 / 360, 1.0))
EPOCHS = mfbo.Fidelity(epochs=(1, 27), data=(200 / 360, 1.0))


def made(estimator, space, x=X, y=Y, **more):
    return mfbo.sklearn_task("t", estimator, ConfigurationSpace(space), x, y, **more)


def measured(task, rung=None, **config):
    return task.train({**dict(task.space.get_default_configuration()), **config}, rung or Rung(), mfbo.Context(seed=3))


def score(task, rung=None, **config):
    """An accuracy."""
    return measured(task, rung, **config).loss


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (SGDClassifier(early_stopping=True), "alpha"),
        (SGDClassifier(class_weight="balanced"), "alpha"),
        (Perceptron(early_stopping=True), "alpha"),
        (Perceptron(class_weight="balanced"), "alpha"),
        (MLPClassifier((64,), early_stopping=True), "alpha"),
        (MLPClassifier((64,), solver="lbfgs", max_iter=20), "alpha"),
        (OneVsRestClassifier(SGDClassifier(early_stopping=True)), "estimator__alpha"),
        (make_pipeline(StandardScaler(), SGDClassifier(early_stopping=True)), "sgdclassifier__alpha"),
        (GridSearchCV(SGDClassifier(), {"penalty": ["l1", "l2"]}, cv=2), "estimator__alpha"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_refuses_partial_fit_with_its_settings_is_fitted_whole(estimator, name):
    task = made(estimator, {name: (1e-6, 1e-1)})
    assert task.fidelity == WHOLE
    assert score(task) > 0.6


@pytest.mark.parametrize("name", ["early_stopping", "class_weight"])
def test_a_setting_that_the_space_may_choose_decides_for_all(name):
    values = {"early_stopping": [False, True], "class_weight": [None, "balanced"]}[name]
    task = made(SGDClassifier(), {"alpha": (1e-6, 1e-1), name: values})
    assert task.fidelity == WHOLE
    assert all(score(task, **{name: value}) > 0.7 for value in values)
    only = made(SGDClassifier(), {"alpha": (1e-6, 1e-1), name: values[:1]})
    assert only.fidelity == EPOCHS


def test_a_setting_that_depends_on_another_one_is_found_too():
    space = ConfigurationSpace()
    space.add(penalty := Categorical("penalty", ["l2", "l1"]), stops := Categorical("early_stopping", [False, True]))
    space.add(EqualsCondition(stops, penalty, "l1"))
    assert made(SGDClassifier(), space).fidelity == WHOLE


def test_a_function_that_makes_several_kinds_is_asked_for_each():
    kinds = {"sgd": SGDClassifier, "svc": SVC, "mlp": lambda: MLPClassifier((8,))}
    both = made(lambda config: kinds[config["kind"]](), {"kind": ["sgd", "svc"]})
    assert both.fidelity == WHOLE
    assert all(score(both, kind=kind) > 0.8 for kind in ("sgd", "svc"))
    assert made(lambda config: kinds[config["kind"]](), {"kind": ["sgd", "mlp"]}).fidelity == EPOCHS


def test_without_epochs_a_gradual_estimator_is_fitted_to_its_end():
    whole = made(SGDClassifier(), {"alpha": (1e-6, 1e-1)}, fidelity=mfbo.Fidelity(data=(0.5, 1.0)))
    epoch = made(SGDClassifier(), {"alpha": (1e-6, 1e-1)})
    assert score(whole) > score(epoch, Rung(1))


@pytest.mark.parametrize("estimator", [SVC(), SGDClassifier(early_stopping=True)])
def test_epochs_of_an_estimator_without_any_are_refused(estimator):
    with pytest.raises(BadTask, match=r"fidelity has 27 epochs, but .* cannot be trained epoch by epoch"):
        made(estimator, {"tol": (1e-6, 1e-1)}, fidelity=mfbo.Fidelity(epochs=(1, 27)))


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (SVC, "estimator is the class SVC; give one of it"),
        ("svc", "estimator is 'svc'"),
        (lambda config: None, "returned None; return an estimator"),
        (lambda config: SVC, "return an estimator"),
    ],
)
def test_what_is_no_estimator_is_refused(estimator, said):
    with pytest.raises(BadTask, match=said):
        made(estimator, {"C": (1e-3, 1e3)})


def test_several_labels_a_row_are_taken_by_what_predicts_several():
    several = np.column_stack([Y < 5, Y % 2]).astype(int)
    near = made(KNeighborsClassifier(), {"p": (1.0, 3.0)}, y=several)
    assert score(near) > 0.9
    net = made(MLPClassifier((16,)), {"alpha": (1e-6, 1e-1)}, y=several)
    assert net.fidelity.epoch_range == (1, 27)
    assert score(net, Rung(27)) > score(net, Rung(1))
    x, y = load_linnerud(return_X_y=True)
    assert measured(made(Ridge(), {"alpha": (1e-6, 1e3)}, x, y)).metrics.keys() == {"r2"}


def test_numbers_are_trained_by_epochs_where_they_can_be():
    numbers = {"x": X, "y": Y.astype(float) / 9}
    assert made(SGDRegressor(), {"alpha": (1e-6, 1e-1)}, **numbers).fidelity.epoch_range == (1, 27)
    assert made(SGDRegressor(early_stopping=True), {"alpha": (1e-6, 1e-1)}, **numbers).fidelity.epoch_range == (1, 1)


def test_a_run_of_what_is_fitted_whole_succeeds():
    task = made(SGDClassifier(), ConfigurationSpace({"alpha": (1e-6, 1e-1), "early_stopping": [False, True]}))
    result = mfbo.tune(task, max_trials=6, settings=mfbo.Settings(workers=0))
    assert {found.outcome.status for found in result.ledger.results} == {"ok"}
    assert result.best.value > 0.85


def test_words_and_flags_are_no_less_than_numbers():
    space = ConfigurationSpace()
    space.add(Float("alpha", (1e-3, 1.0)), Categorical("fit_prior", [True, False]))
    task = made(BernoulliNB(), space, x=X > 8, y=Y.astype(str))
    assert task.fidelity == EPOCHS
    assert score(task) > 0.8
