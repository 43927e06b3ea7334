"""Cross-validation of a task of an estimator: which rows each fold trains on, and what is held out for the end."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, KFold, StratifiedKFold, TimeSeriesSplit, check_cv

from mfbo.data.splits import Indices, stratified_split
from mfbo.errors import BadData, BadValue

SEED = 0  # of the folds and of the test split, which are the same for every run
FIX = "give fewer folds, a splitter that keeps classes together such as StratifiedKFold(3), or leave the class out"


def test_part(labels: Any, groups: Any, cv: Any, part: float) -> tuple[Indices, Indices]:
    """(rest, test): rows for folds, and those that ``mfbo validate`` alone measures on.

    Groups stay whole, and of a time series the last rows are the test.

    Args:
        labels: (n,), what a split is stratified by.
        groups: (n,), or None.
        cv: the splitter.
        part: to hold out; 0 for none.
    """
    rows = np.arange(len(labels))
    if not part:
        return rows, rows[:0]
    if isinstance(cv, TimeSeriesSplit):
        cut = len(rows) - max(1, round(part * len(rows)))
        return rows[:cut], rows[cut:]
    if groups is not None:
        rest, test = next(GroupShuffleSplit(1, test_size=part, random_state=SEED).split(rows, labels, groups))
        return np.sort(rest), np.sort(test)
    return stratified_split(labels, part, SEED)


def folds(cv: Any, y: Any, groups: Any, rows: Indices, *, classes: bool) -> tuple[tuple[Indices, Indices], ...]:
    """(rows to train on, rows to measure on) of each fold.

    Args:
        cv: a number of folds, stratified for classes; a splitter as scikit-learn has them; or a list of (train, test)
            rows of all data.
        y: (n,) or (n, outputs).
        groups: (n,), for a splitter that keeps groups whole; or None.
        rows: those that may be used.
        classes: whether `y` has classes.

    Raises:
        BadValue: no number of folds and no splitter, or one that does not fit the data or splits groups.
        BadData: a fold trains without one of the classes.
    """
    splitter, said = _splitter(cv, stratified=classes and y.ndim == 1), f"cv={' '.join(repr(cv).split()):.60}"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored")  # said below, where it does harm
            parts = list(splitter.split(np.zeros((len(rows), 1)), y[rows], None if groups is None else groups[rows]))
        found = tuple((rows[learn], rows[judge]) for learn, judge in parts)
    except ValueError as error:
        raise BadValue(f"{said} does not fit these {len(rows)} rows: {' '.join(str(error).split())}") from error
    except IndexError as error:
        raise BadValue(
            f"{said} names rows beyond these {len(rows)}, as a part is kept for the test; give test=0"
        ) from error
    if len(parts) < 2:
        raise BadValue(f"{said} makes {len(parts)} fold; give a number of 2 or more")
    if groups is not None and (number := _split_group(groups, found)):
        raise BadValue(
            f"{said} has rows of one group on both sides of fold {number}; give a splitter that keeps groups whole, "
            "such as GroupKFold(5), or leave out groups"
        )
    if classes and y.ndim == 1:
        _check_classes(y, rows, found)
    return found


def _splitter(cv: Any, *, stratified: bool) -> Any:
    if isinstance(cv, int) and not isinstance(cv, bool) and cv >= 2:
        kind = StratifiedKFold if stratified else KFold
        return kind(cv, shuffle=True, random_state=SEED)
    if isinstance(cv, list | tuple) and cv and all(isinstance(part, list | tuple) and len(part) == 2 for part in cv):
        return check_cv(cv)
    if not hasattr(cv, "split") or isinstance(cv, type | str):
        said = " ".join(repr(cv).split())
        raise BadValue(f"cv={said:.60}: give a number of folds of 2 or more, or a splitter such as GroupKFold(5)")
    splitter = deepcopy(cv)
    if getattr(splitter, "random_state", SEED) is None and getattr(splitter, "shuffle", True):
        splitter.random_state = SEED  # else each process would have folds of its own
    return splitter


def _split_group(groups: Any, found: tuple[tuple[Indices, Indices], ...]) -> int:
    """Number of the first fold with a group on both sides, from 1; 0 where there is none."""
    both = (number for number, parts in enumerate(found, 1) if set(groups[parts[0]]) & set(groups[parts[1]]))
    return next(both, 0)


def _check_classes(y: Any, rows: Indices, found: tuple[tuple[Indices, Indices], ...]) -> None:
    there = np.unique(y[rows])
    for number, (learn, _) in enumerate(found, 1):
        if len(lacking := np.setdiff1d(there, np.unique(y[learn]))):
            raise BadData(
                f"fold {number} of {len(found)} trains on no row of class {_plain(lacking[0])!r}, of which there are "
                f"{int((y[rows] == lacking[0]).sum())}; {FIX}"
            )


def _plain(label: Any) -> Any:
    """A class as Python prints it, not numpy."""
    return label.item() if isinstance(label, np.generic) else label
