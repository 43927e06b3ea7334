"""Tasks made of estimators: their fidelity, their splits, and that they go on as if they had never stopped."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace, Float, Integer
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier, SGDRegressor
from sklearn.metrics import explained_variance_score, make_scorer, mean_squared_error
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mfbo
from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadData, BadTask, UnknownName
from mfbo.trial import Rung

X, Y = (part[:600] for part in load_digits(return_X_y=True))
NUMBERS = load_diabetes(return_X_y=True)


def made(estimator, name="alpha", values=(1e-6, 1e-1), x=X, y=Y, **more):
    return mfbo.sklearn_task("t", estimator, ConfigurationSpace({name: values}), x, y, **more)


def context(root=None, epochs=1, seed=3):
    return mfbo.Context(seed=seed, key="k", epochs=epochs, checkpoints=root and Checkpoints(root))


@pytest.mark.slow
def test_few_samples_are_cut_down_by_epochs_alone():
    task = made(SGDClassifier(), x=X[:300], y=Y[:300])
    assert task.fidelity == mfbo.Fidelity(epochs=(1, 27), data=(1.0, 1.0))
    result = mfbo.tune(task, "3x", settings=mfbo.Settings(workers=0))
    assert {rung.data for rung in result.ledger.header.rungs} == {1.0}
    assert len({rung.epochs for rung in result.ledger.header.rungs}) == 4


GRADUAL = [
    (SGDClassifier(), "alpha", (X, Y)), (SGDClassifier(average=True), "alpha", (X, Y)),
    (Perceptron(penalty="l2"), "alpha", (X, Y)), (GaussianNB(), "var_smoothing", (X, Y)),
    (MLPClassifier((16,)), "alpha", (X, Y)), (MLPClassifier((16, 8), solver="sgd"), "alpha", (X, Y)),
    (SGDRegressor(), "alpha", NUMBERS), (MLPRegressor(hidden_layer_sizes=(16,)), "alpha", NUMBERS),
]  # fmt: skip


@pytest.mark.parametrize(("estimator", "name", "data"), GRADUAL, ids=lambda value: str(value)[:40].split("\n")[0])
def test_an_estimator_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path, estimator, name, data):
    task = made(estimator, name, x=data[0], y=data[1])
    lowest = 0.1 if len(set(data[1])) > 10 else 200 / 360  # 20 samples for each of 10 classes
    assert task.fidelity == mfbo.Fidelity(epochs=(1, 27), data=(lowest, 1.0))
    config = {name: 1e-4}
    whole = task.train(config, Rung(6), context())
    found = None
    for epochs, start in ((2, 0), (4, 2), (6, 4)):
        now = context(tmp_path, epochs)
        found = task.train(config, Rung(epochs), now)
        assert now.start_epoch == start
        assert [report.epoch for report in now.reports] == list(range(start + 1, epochs + 1))
    assert found == whole


def test_what_a_checkpoint_cannot_bring_back_is_not_kept(tmp_path):
    class Odd(GaussianNB):
        def partial_fit(self, x, y, classes=None):
            values = y[::-1].repeat(2)
            self.function = lambda new: values[: len(new)]  # state in a closure
            return super().partial_fit(x, y, classes)

        def predict(self, x):
            return self.function(x)

    task = made(Odd(), "var_smoothing", (1e-9, 1e-1))
    for epochs in (1, 3):
        now = context(tmp_path, epochs)
        task.train({"var_smoothing": 1e-4}, Rung(epochs), now)
        assert (now.start_epoch, now.checkpoint) == (0, None)


def test_a_damaged_checkpoint_is_named(tmp_path):
    task = made(SGDClassifier())
    task.train({"alpha": 1e-4}, Rung(1), context(tmp_path))
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(BadData, match=r"cannot be read: .*delete its folder to start over"):
        task.train({"alpha": 1e-4}, Rung(3), context(tmp_path, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "size", "name", "unit"),
    [
        (RandomForestClassifier(n_estimators=27), "n_estimators", "ccp_alpha", "trees"),
        (HistGradientBoostingClassifier(max_iter=27), "max_iter", "l2_regularization", "iterations"),
        (
            make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=27)),
            "randomforestclassifier__n_estimators",
            "randomforestclassifier__ccp_alpha",
            "trees",
        ),
    ],
)
def test_an_ensemble_grows_in_steps_that_are_reported(estimator, size, name, unit):
    task = made(estimator, name, (1e-6, 1e-3), size=size)
    assert task.fidelity == mfbo.Fidelity(data=(200 / 360, 1.0), continues=False, **{unit: (1, 27)})
    now = context()
    grown = task.train({name: 1e-6}, Rung(27), now)
    assert [report.epoch for report in now.reports] == [1, 3, 9, 27]
    assert now.reports[0].loss < now.reports[-1].loss == grown.loss


def test_iterations_of_a_solver_are_set_and_not_added_up():
    task = made(LogisticRegression(warm_start=True), "C", (1e-3, 1e3), size="max_iter")
    now = context()
    task.train({"C": 1.0}, Rung(9), now)
    assert [report.epoch for report in now.reports] == [9]


def test_any_other_estimator_sees_less_data():
    task = made(SVC(), "C", (1e-3, 1e3))
    assert task.fidelity == mfbo.Fidelity(data=(200 / 360, 1.0))
    small, large = (task.train({"C": 1.0}, Rung(1, data), context()).loss for data in (0.1, 1.0))
    assert small < large


def test_a_function_may_make_the_estimator():
    space = ConfigurationSpace()
    space.add(Integer("units", (4, 32)), Integer("layers", (1, 3)), Float("alpha", (1e-6, 1e-1), log=True))
    layers = []

    def make(config):
        layers.append((config["units"],) * config["layers"])
        return MLPClassifier(hidden_layer_sizes=layers[-1], alpha=config["alpha"])

    task = mfbo.sklearn_task("t", make, space, X, Y)
    task.train({"units": 5, "layers": 2, "alpha": 1e-3}, Rung(1), context())
    assert layers[-1] == (5, 5)
    assert task.fidelity.epoch_range == (1, 27)


def test_the_score_is_the_metric_in_its_own_sign_and_name():
    forest = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=5))
    name, x, y = "gradientboostingregressor__learning_rate", *NUMBERS
    for scoring, called in (
        (None, "r2"),
        ("neg_mean_squared_error", "neg_mean_squared_error"),
        (make_scorer(mean_squared_error, greater_is_better=False), "neg_mean_squared_error"),
        (make_scorer(explained_variance_score), "explained_variance_score"),
    ):
        task = made(forest, name, (0.01, 1.0), x, y, scoring=scoring)
        assert (task.metric, task.maximize) == (called, True)
        found = task.train({name: 0.1}, Rung(), context())
        assert found.loss == found.metrics[called]
        assert (found.loss < 0) == called.startswith("neg_")


def test_the_best_of_a_run_has_the_highest_score():
    task = made(SVC(), "gamma", (1e-4, 0.05))
    result = mfbo.tune(task, max_trials=6, optimizer="random", workers=0, progress=False)
    scores = [found.outcome.metrics["accuracy"] for found in result.ledger.results if found.outcome.rung.work == 1]
    assert result.best.value == max(scores) > min(scores)
    assert f"best accuracy={result.best.value:.4g}" in repr(result)


def test_splits_are_disjoint_stratified_and_the_test_part_is_the_same_for_every_seed():
    seen = []

    class Spy(GaussianNB):
        def partial_fit(self, x, y, classes=None):
            seen.append(x[:, 0])
            return super().partial_fit(x, y, classes)

        def score(self, x, y):
            seen.append(x[:, 0])
            assert np.bincount(y).min() > 0
            return super().score(x, y)

    x = np.column_stack([np.arange(len(X)), X])
    task = made(Spy(), "var_smoothing", (1e-9, 1e-1), x)
    seen.clear()  # of the try that shows that it has partial_fit
    task.train({"var_smoothing": 1e-9}, Rung(), context(seed=0))
    task.validate({"var_smoothing": 1e-9}, Rung(), context(seed=0))
    task.validate({"var_smoothing": 1e-9}, Rung(), context(seed=1))
    learn, judge, all_but_test, test, _, other = map(set, seen)
    assert len(learn) + len(judge) + len(test) == len(X)
    assert learn | judge == all_but_test
    assert len(learn | judge | test) == len(X)
    assert test == other
    assert [len(part) for part in (test, judge)] == pytest.approx([0.2 * len(X), 0.2 * len(X)], rel=0.05)


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"estimator": SVC(), "name": "gama"}, UnknownName, "unknown parameter of SVC 'gama'; did you mean 'gamma'?"),
        ({"estimator": SGDClassifier(), "size": "max_iters"}, UnknownName, "did you mean 'max_iter'"),
        ({"estimator": SGDClassifier(), "size": "alpha"}, BadTask, "take it out, as it is the fidelity"),
        ({"estimator": SGDClassifier(), "size": "penalty"}, BadTask, "is 'l2' by default; give fidelity="),
        ({"estimator": SGDClassifier(), "scoring": "acuracy"}, UnknownName, "did you mean 'accuracy'"),
        ({"estimator": SGDClassifier(), "y": Y[:-1]}, BadData, "x has 600 rows, y has 599"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(given, kind, said):
    with pytest.raises(kind) as caught:
        made(**given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_it_is_tuned_and_validated_as_any_other_task(tmp_path):
    from mfbo.engine.validate import validate

    task = made(SGDClassifier())
    settings = mfbo.Settings(workers=0)
    result = mfbo.tune(task, "2x", optimizer="hyperband", out=tmp_path / "run", settings=settings)
    assert result.best.value > 0.7
    assert validate(tmp_path / "run", 1, task=task).mean("accuracy") > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "name", "size"),
    [
        (SGDClassifier(), "alpha", None),
        (KNeighborsClassifier(), "p", None),
        (RandomForestClassifier(n_estimators=9), "ccp_alpha", "n_estimators"),
    ],
)
def test_the_best_model_is_kept_whatever_makes_trials_cheaper(tmp_path, estimator, name, size):
    task = made(estimator, name, (1e-6, 1e-3) if name != "p" else (1, 2), size=size)
    result = mfbo.tune(task, "2x", settings=mfbo.Settings(workers=0), out=tmp_path / "run")
    model = joblib.load(tmp_path / "run" / "best" / "model" / "estimator.joblib")
    assert model.get_params()[name] == result.best.config[name]
    assert (model.predict(X) == Y).mean() > 0.5
    assert "joblib.load" in (tmp_path / "run" / "best" / "README.md").read_text()
    assert result.cost <= 2, "a model that training cannot continue from makes no later trial cheaper"


def test_an_ensemble_does_not_continue_from_the_model_that_it_keeps(tmp_path):
    task = made(RandomForestClassifier(n_estimators=27), "ccp_alpha", (1e-6, 1e-3), size="n_estimators")
    for members in (3, 9):
        now = context(tmp_path, members)
        task.train({"ccp_alpha": 1e-5}, Rung(members), now)
        assert (now.start_epoch, now.checkpoint) == (0, None)
    assert len(list(tmp_path.rglob("estimator.joblib"))) == 1
