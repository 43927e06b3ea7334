"""Data of a task of an estimator: every form that holds the same is the same, and the rest is refused at once."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from ConfigSpace import ConfigurationSpace
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import mfbo
from mfbo.errors import BadData, BadValue, MfboError
from mfbo.trial import Rung

X, Y = (part[:300] for part in load_digits(return_X_y=True))
RANGES = {SVC: {"C": (1e-3, 1e3)}, SGDClassifier: {"alpha": (1e-6, 1e-1)}, GaussianNB: {"var_smoothing": (1e-9, 0.1)}}
RANGES |= {Ridge: {"alpha": (1e-6, 1e3)}, HistGradientBoostingClassifier: {"learning_rate": (0.01, 1.0)}}


def made(estimator, x=X, y=Y, **more):
    return mfbo.sklearn_task("t", estimator, ConfigurationSpace(RANGES[type(estimator)]), x, y, **more)


def score(task):
    return task.train(dict(task.space.get_default_configuration()), Rung(), mfbo.Context(seed=3)).loss


def diagonals(x):
    """As a DIA matrix: made of many diagonals it warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sp.SparseEfficiencyWarning)
        return sp.dia_matrix(x)


@pytest.mark.parametrize("estimator", [SVC(), SGDClassifier()], ids=["whole", "by epochs"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X, Y[:, None]),
        (X, Y.tolist()),
        (X, pd.Series(Y, index=np.arange(300)[::-1])),
        (X, pd.DataFrame({"y": Y})),
        (X, pd.Series(Y, dtype="Int64")),
        (X, pd.Series(Y, dtype="category")),
        (X, sp.csr_matrix(Y[:, None])),
        (X, Y.astype(float)),
        (X, Y.astype(object)),
        (X.tolist(), Y),
        (pd.DataFrame(X, index=np.arange(300)[::-1]), Y),
        *((form(X), Y) for form in (sp.csr_matrix, sp.csc_array)),
        *((form(X), Y) for form in (sp.bsr_matrix, diagonals, sp.coo_matrix, sp.lil_matrix, sp.dok_matrix)),
    ],
    ids=lambda value: f"{type(value).__name__}{getattr(value, 'shape', '')}",
)
@pytest.mark.filterwarnings("ignore:X has feature names", "ignore:X does not have valid feature names")
def test_every_form_of_the_same_data_gives_the_same_score(estimator, x, y):
    sparse = sp.csr_matrix(X) if sp.issparse(x) else X  # SGD leaves the intercept alone longer there
    assert score(made(estimator, x, y)) == pytest.approx(score(made(estimator, sparse)))


def gap(values, value=np.nan, kind=float):
    found = np.array(values).astype(kind)
    found[7] = value
    return found


CLASSES = np.repeat(np.arange(150), 2)
REFUSED = [
    (SVC(), X, CLASSES, "300 rows of 150 classes are too few for test=0.2: stratified, it would hold out 150 rows"),
    (SVC(), X, np.repeat(np.arange(100), 3), "300 rows of 100 classes are too few for test=0.2"),
    (SVC(), X, np.arange(300), "300 rows of 300 classes are too few"),
    (SVC(), X, np.zeros(300), "y has one class alone, 0.0; a classifier needs two or more"),
    (SVC(), X, ["a"] * 300, "y has one class alone, 'a'"),
    (SVC(), X, np.arange(300) % 7 / 2, "y has numbers such as 0.5, and SVC predicts classes"),
    (SVC(), X, gap(Y), "y is missing in 1 of 300 rows, first in row 7; leave these rows out"),
    (SVC(), X, gap(Y, None, object), "y is missing in 1 of 300 rows"),
    (SVC(), X, pd.Series(gap(Y), dtype="Int64"), "y is missing in 1 of 300 rows"),
    (SVC(), X, np.ma.masked_equal(Y, 3), "y is masked in some rows"),
    (SVC(), X, gap(Y, "a", object), "y has values of the kinds int, str; give words alone, or numbers alone"),
    (SVC(), X, Y.astype("S"), "y has bytes such as b'0'"),
    (SVC(), X, np.eye(10)[Y], "y has shape (300, 10), and SVC takes one value for each row; of one-hot columns, give"),
    (SVC(), X, np.zeros((300, 2, 2)), "y has shape (300, 2, 2); give one y for each row of x"),
    (SVC(), X, None, "y has shape (); give one y for each row of x"),
    (SVC(), X, Y[:-1], "x has 300 rows, y has 299; give one y for each row of x"),
    (SVC(), X, sp.csr_matrix(Y), "x has 300 rows, y has 1"),
    (SVC(), X[:0], Y[:0], "x has 0 rows, y has 0"),
    (SVC(), X[:, :0], Y, "x has 300 rows and no columns"),
    (SVC(), None, Y, "x is array(None"),
    (SVC(), [[1, 2], [3]], [0, 1], "x is no table"),
    (SVC(), gap(X), Y, "x has 64 missing values, first in row 7, which SVC does not take; impute them"),
    (SVC(), gap(X, np.inf), Y, "x has infinite values, which SVC does not take"),
    (SVC(), pd.DataFrame(gap(X)), Y, "x has 64 missing values"),
    (Ridge(), X, ["a", "b"] * 150, "y has values such as 'a', and Ridge predicts numbers; give numbers, or a class"),
    (Ridge(), X, gap(Y, np.inf), "y is infinite in row 7"),
    (Ridge(), X, gap(Y), "y is missing in 1 of 300 rows"),
    (Ridge(), X[:2], Y[:2], "1 rows are too few for validation=0.25"),
]


@pytest.mark.parametrize(("estimator", "x", "y", "said"), REFUSED, ids=[row[3][:45] for row in REFUSED])
def test_what_no_trial_could_be_fitted_to_is_refused_at_once_in_one_line(estimator, x, y, said):
    with pytest.raises(BadData) as caught:
        made(estimator, x, y)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"test": 1.5}, "test=1.5: give a part of the rows"),
        ({"test": 60}, "test=60: give a part"),
        ({"validation": 0}, "validation=0: give a part"),
        ({"validation": 1}, "validation=1: give a part"),
        ({"scoring": "f1"}, "scoring 'f1' cannot score this y: Target is multiclass"),
        ({"scoring": "roc_auc"}, "scoring 'roc_auc' cannot score this y"),
    ],
)
def test_parts_and_scorers_that_do_not_fit_are_refused(more, said):
    with pytest.raises(BadValue) as caught:
        made(SVC(), **more)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("sizes", [(100, 100, 1), (50, 50, 50), (200, 30, 10), (4, 4), (10,) * 20])
def test_a_few_rare_classes_do_no_harm(sizes):
    y = np.repeat(np.arange(len(sizes)), sizes)
    task = made(GaussianNB(), X[: len(y)], y)
    assert 0 <= score(task) <= 1


def test_what_takes_gaps_is_given_them():
    task = made(HistGradientBoostingClassifier(max_iter=5), gap(X), Y)
    assert score(task) > 0.4
    space = ConfigurationSpace({"svc__C": (1e-3, 1e3)})
    filled = make_pipeline(SimpleImputer(), SVC())
    assert score(mfbo.sklearn_task("t", filled, space, gap(X), Y)) > 0.4


def test_texts_are_rows_too():
    texts = [f"{'good fine' if label else 'bad poor'} {i}" for i, label in enumerate(Y % 2)]
    space = ConfigurationSpace({"logisticregression__C": (1e-3, 1e3)})
    task = mfbo.sklearn_task("t", make_pipeline(CountVectorizer(), LogisticRegression()), space, texts, Y % 2)
    assert score(task) == 1


def test_a_task_file_with_such_data_is_told_in_one_line_before_anything_is_charged(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import mfbo\nimport numpy as np\nfrom ConfigSpace import ConfigurationSpace\nfrom sklearn.svm import SVC\n"
        "task = mfbo.sklearn_task('t', SVC(), ConfigurationSpace({'C': (0.1, 1.0)}), np.eye(300), np.ones(300))\n"
    )
    with pytest.raises(MfboError, match=r"mine.py' fails in line 5: BadData: y has one class alone, 1.0; a classifier"):
        mfbo.tune(f"{file}:task", "10s", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
