"""Whether estimators of a space can be trained epoch by epoch.

That an estimator has ``partial_fit`` is not enough: with ``early_stopping=True`` or ``class_weight="balanced"`` it
refuses to be called, and with other solvers it is not there. These settings may come from the space, so each value of
its choices is tried, on a few rows.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mfbo.errors import MfboError
from mfbo.space import fitted
from mfbo.trial import Config

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

TRIED_ROWS = 20  # of the data, for a call of `partial_fit` that shows whether it works
MAX_TRIED = 60  # estimators of one space
RANDOM = 20  # configurations, beside those that differ from the defaults in one value


def classes_of(y: NDArray[Any]) -> NDArray[Any]:
    """What ``partial_fit`` is given as ``classes``: all labels, or the columns where a row has several."""
    return np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])


def partial_fit(model: Any, x: Any, y: Any, classes: NDArray[Any]) -> None:
    """One call of it, with all `classes`, where it takes them."""
    takes = "classes" in inspect.signature(model.partial_fit).parameters
    model.partial_fit(x, y, **({"classes": classes} if takes else {}))


def all_gradual(new: Callable[[Config], Any], space: ConfigurationSpace, x: Any, y: Any) -> bool:
    """Whether every estimator that `new` makes of configurations of `space` can be trained by ``partial_fit``.

    Args:
        new: a new estimator of a configuration.
        space: the hyperparameters.
        x: (n, ...) the data, of which a few rows are used.
        y: (n,) or (n, outputs), the labels.
    """
    rows = np.random.default_rng(0).permutation(len(y))[:TRIED_ROWS]
    few, labels, classes = rows_of_table(x, rows), y[rows], classes_of(y)
    return all(_gradual(new(config), few, labels, classes) for config in _kinds(space))


def rows_of_table(x: Any, rows: Any) -> Any:
    """Rows of an array, a CSR matrix or a data frame."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def _gradual(model: Any, x: Any, y: Any, classes: NDArray[Any]) -> bool:
    if not hasattr(model, "partial_fit"):
        return False
    seeds = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
    model.set_params(**dict.fromkeys(seeds, 0))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            partial_fit(model, x, y, classes)
        except Exception:  # each estimator has words of its own for it
            return False
    return True


def _kinds(space: ConfigurationSpace) -> Iterator[Config]:
    """Configurations with every value of every choice, and some at random, that differ in more than numbers."""
    listed = {name: _listed(hyperparameter) for name, hyperparameter in space.items()}
    seen: set[tuple[Any, ...]] = set()
    for config in _candidates(space, {name: values for name, values in listed.items() if values is not None}):
        kind = tuple((name, repr(config.get(name))) for name, values in listed.items() if values is not None)
        if kind not in seen and len(seen) < MAX_TRIED:
            seen.add(kind)
            yield config


def _candidates(space: ConfigurationSpace, listed: dict[str, list[Any]]) -> Iterator[Config]:
    """The defaults, with each listed value in turn, and random ones, where those are quickly drawn."""
    yield fitted({}, space, "the space", partial=True)
    for name, values in listed.items():
        for value in values:
            try:
                yield fitted({name: value}, space, "the space", partial=True)
            except MfboError:  # forbidden beside the other defaults
                continue
    if listed and not space.forbidden_clauses:
        drawn = deepcopy(space)
        drawn.seed(0)
        for config in drawn.sample_configuration(RANDOM):
            yield fitted(dict(config), space, "the space", partial=True)


def _listed(hyperparameter: Any) -> list[Any] | None:
    """Its values, where it lists them; None for numbers."""
    for name in ("choices", "sequence"):
        if hasattr(hyperparameter, name):
            return list(getattr(hyperparameter, name))
    return None
