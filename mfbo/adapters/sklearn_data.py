"""The data that a task of an estimator is made of: brought into one form, and refused in one line where it cannot work.

What is refused would fail in every trial, in the words of another library, or would silently be something else than
was asked for. All of it is found before anything is charged.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer
from sklearn.utils import get_tags

from mfbo.data.splits import stratified_split
from mfbo.errors import BadData, BadValue

MAX_DEVIATION = 0.25  # of a part from the size that was asked for, relative; and one row, for rounding
TOGETHER = "put rare classes together or leave them out"


def rows_of(x: Any) -> Any:
    """`x` as something that rows can be taken from: an array, a CSR matrix or a data frame.

    Raises:
        BadData: it is none of them.
    """
    if hasattr(x, "tocsr"):
        return x.tocsr()  # BSR, DIA and COO matrices have no rows to take
    if not hasattr(x, "shape"):
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise BadData(
                f"x is no table: {' '.join(str(error).split())[:120]}; give rows of the same length"
            ) from error
    if len(x.shape) == 0:
        raise BadData(f"x is {x!r:.60}; give an array, a sparse matrix or a data frame with a row for each sample")
    return x


def labels_of(y: Any) -> NDArray[Any]:
    """`y` as an array of shape (n,), or (n, outputs) where there are several.

    Raises:
        BadData: it has no such shape, a value is missing, or it mixes words and numbers.
    """
    if np.ma.is_masked(y):
        raise BadData("y is masked in some rows; leave these rows out of x and y")
    found = np.asarray(y.toarray() if hasattr(y, "tocsr") else y)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found.ravel()
    if found.ndim not in (1, 2):
        raise BadData(f"y has shape {found.shape}; give one y for each row of x")
    if (number := int(_missing(found).sum())) > 0:
        first = int(np.argwhere(_missing(found))[0][0])
        raise BadData(f"y is missing in {number} of {len(found)} rows, first in row {first}; leave these rows out")
    if found.dtype.kind == "S":
        raise BadData(f"y has bytes such as {found.ravel().tolist()[0]!r}; give words, such as y.astype(str)")
    return _of_one_kind(found) if found.dtype.kind == "O" else found


def check(x: Any, y: NDArray[Any], prototype: Any, *, classes: bool, made: bool) -> None:
    """Refuse what no trial could be fitted to.

    Args:
        x: as `rows_of` has it.
        y: as `labels_of` has it.
        prototype: an estimator of the space's defaults.
        classes: whether it predicts classes.
        made: a function makes the estimators, so that others of them may take what this one does not.

    Raises:
        BadData: lengths that differ, no rows, one class, numbers for classes or classes for numbers, values missing.
    """
    name = type(prototype).__name__
    if x.shape[0] != len(y) or len(y) == 0:
        raise BadData(f"x has {x.shape[0]} rows, y has {len(y)}; give one y for each row of x")
    if len(x.shape) > 1 and x.shape[1] == 0:
        raise BadData(f"x has {x.shape[0]} rows and no columns; give at least one")
    _check_labels(y, name, classes=classes)
    tags = _tags(prototype)
    if y.ndim == 2 and tags is not None and not _takes_several(tags, classes=classes):
        how = "; of one-hot columns, give y.argmax(axis=1)" if classes else ""
        raise BadData(f"y has shape {y.shape}, and {name} takes one value for each row{how}")
    plain = type(prototype).__module__.startswith("sklearn.") and not made
    inner = any(hasattr(value, "fit") for value in prototype.get_params().values())
    if plain and not inner and tags is not None and not tags.input_tags.allow_nan and (wrong := _not_finite(x)):
        raise BadData(f"x {wrong}, which {name} does not take; impute them, or leave these rows out")


def check_parts(labels: NDArray[Any], test: float, validation: float) -> None:
    """Refuse parts that cannot be held out, or that would come to something else than was asked for.

    Args:
        labels: (n,), what the parts are stratified by.
        test: part of all rows.
        validation: part of what is left.

    Raises:
        BadValue: no part of the rows.
        BadData: too few rows, or too few of the classes.
    """
    if not (isinstance(test, int | float) and 0 <= test < 1):
        raise BadValue(f"test={test!r}: give a part of the rows, such as 0.2, or 0 for none")
    if not (isinstance(validation, int | float) and 0 < validation < 1):
        raise BadValue(f"validation={validation!r}: give a part of the rows, such as 0.25")
    for part, name in ((test, "test"), (validation, "validation")):
        if not part:
            continue
        rest, held = stratified_split(labels, part, 0) if len(labels) else (labels, labels)
        asked = part * len(labels)
        if not len(held) or not len(rest) or abs(len(held) - asked) > 1 + MAX_DEVIATION * asked:
            number = len(np.unique(labels))
            few = f"{len(labels)} rows of {number} classes are" if number > 1 else f"{len(labels)} rows are"
            fix = TOGETHER if number > 1 else "give more rows"
            raise BadData(
                f"{few} too few for {name}={part:g}: stratified, it would hold out {len(held)} rows "
                f"in place of {asked:.0f}; {fix}, or change test and validation"
            )
        labels = labels[rest]


def check_scoring(scoring: str | Callable[..., float] | None, y: NDArray[Any], *, classes: bool) -> None:
    """Refuse a scorer that these classes or numbers cannot be given to.

    Raises:
        BadValue: it says why.
    """
    if scoring is None:
        return
    kind = DummyClassifier(strategy="prior") if classes else DummyRegressor()
    nothing = np.zeros((len(y), 1))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            get_scorer(scoring)(kind.fit(nothing, y), nothing, y)
        except Exception as error:  # whatever the metric says of them
            reason = " ".join(str(error).split())[:200]
            raise BadValue(f"scoring {scoring!r} cannot score this y: {reason}") from error


def _check_labels(y: NDArray[Any], name: str, *, classes: bool) -> None:
    if not classes and y.dtype.kind not in "biuf":
        first = y.ravel().tolist()[0]
        raise BadData(f"y has values such as {first!r:.40}, and {name} predicts numbers; give numbers, or a classifier")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise BadData(f"y is infinite in row {int(np.argwhere(~np.isfinite(y))[0][0])}; give finite numbers")
    if classes and y.dtype.kind == "f" and (parts := y[y != np.rint(y)]).size:
        raise BadData(f"y has numbers such as {parts[0]:g}, and {name} predicts classes; give classes, or a regressor")
    if classes and y.ndim == 1 and len(found := np.unique(y)) < 2:
        raise BadData(f"y has one class alone, {found.tolist()[0]!r}; a classifier needs two or more")


def _takes_several(tags: Any, *, classes: bool) -> bool:
    """Whether an estimator with these tags takes several labels a row."""
    labels = classes and tags.classifier_tags is not None and tags.classifier_tags.multi_label
    return bool(labels or tags.target_tags.multi_output)


def _of_one_kind(y: NDArray[Any]) -> NDArray[Any]:
    """Objects as numbers, where all are, or as they are, where all are words."""
    values = y.ravel().tolist()
    if all(isinstance(value, str) for value in values):
        return y
    if all(isinstance(value, bool | int | float | np.number) for value in values):
        return np.array(values).reshape(y.shape)
    kinds = sorted({type(value).__name__ for value in values})
    raise BadData(f"y has values of the kinds {', '.join(kinds)}; give words alone, or numbers alone")


def _missing(y: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a value is missing: NaN, None, pandas' NA, no time."""
    if y.dtype.kind in "fc":
        return np.asarray(np.isnan(y))
    if y.dtype.kind in "mM":
        return np.asarray(np.isnat(y))
    if y.dtype.kind != "O":
        return np.zeros(y.shape, dtype=bool)
    return np.array([_is_gap(value) for value in y.flat], dtype=bool).reshape(y.shape)


def _is_gap(value: Any) -> bool:
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _not_finite(x: Any) -> str:
    """What of the numbers in `x` is none; empty where all are, or where they are not of one kind."""
    values = x.data if hasattr(x, "tocsr") else x.to_numpy() if hasattr(x, "to_numpy") else x
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fO":
        return ""
    gaps = _missing(values)
    if not gaps.any():
        infinite = values.dtype.kind == "f" and not np.isfinite(values).all()
        return "has infinite values" if infinite else ""
    where = "" if hasattr(x, "tocsr") else f", first in row {int(np.argwhere(gaps)[0][0])}"
    return f"has {int(gaps.sum())} missing values{where}"


def _tags(estimator: Any) -> Any:
    """What the estimator says of itself; None where it says nothing."""
    try:
        return get_tags(estimator)
    except Exception:  # an estimator that only looks like one of scikit-learn's
        return None
