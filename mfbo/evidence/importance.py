"""Which hyperparameters decide the loss: functional ANOVA over a random forest.

The forest learns the loss from configuration and fidelity, over all complete trials. Its variance over the space, at
the highest fidelity seen, is then split as Hutter, Hoos & Leyton-Brown (2014) do, by the estimators of Saltelli et al.
(2010) in scipy: what a hyperparameter explains by itself, and with all of its interactions.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from numpy.typing import NDArray

    from mfbo.evidence.curves import Floats
    from mfbo.ledger.run import Result, Run

MIN_TRIALS, MAX_TRIALS = 20, 2000  # below the first a forest tells nothing, above the second it learns little more
N_FORESTS, N_TREES = 8, 20
SOBOL_SAMPLES = 1024  # a power of two, for each hyperparameter and forest
INACTIVE_VALUE = -1.0  # of an inactive hyperparameter, to the forest: below the unit interval
OUTLIER_FENCE = 3.0  # losses are cut at the median plus so many times the median's distance from the best


@dataclass(frozen=True)
class Importance:
    """Of one hyperparameter; fractions of the variance of the loss over the space.

    Attributes:
        name: of the hyperparameter.
        alone: what it explains by itself (first-order Sobol index).
        total: with all interactions that it takes part in; totals may add up to more than 1.
        error: standard deviation of `total` over forests that were each given trials drawn with replacement.
    """

    name: str
    alone: float
    total: float
    error: float


@dataclass(frozen=True)
class Importances:
    """Of all hyperparameters of a space.

    Attributes:
        rows: the most important first.
        r_squared: R² within rungs of a forest's predictions for configurations that it has not seen; near 0 or below,
            the other numbers mean nothing.
        trials: how many were learnt from.
    """

    rows: tuple[Importance, ...]
    r_squared: float
    trials: int


def importances(runs: Sequence[Run], seed: int = 0) -> Importances | None:
    """How much each hyperparameter matters, from all complete trials of `runs`.

    Losses are cut at the `OUTLIER_FENCE`: else a few diverged trials would decide alone. A hyperparameter has no effect
    where it is inactive. Forbidden parts of the space are not left out.

    Args:
        runs: of one task and space.
        seed: of the forests.

    Returns:
        None where fewer than `MIN_TRIALS` trials are complete, or nothing varies.
    """
    space = _space(runs)
    found = _complete(runs, seed)
    if space is None or len(found) < MIN_TRIALS:
        return None
    inputs, losses, groups = _table(space, found)
    tuned = [index for index, hp in enumerate(space.values()) if hp.size > 1]
    if len(losses) < MIN_TRIALS or not tuned or np.ptp(losses) == 0:
        return None
    rng = np.random.default_rng(seed)
    forests = [_forest(inputs, losses, rng) for _ in range(N_FORESTS)]
    alone, total = _indices(forests, space, tuned, float(inputs[:, -1].max()), rng)
    if not np.isfinite(total).all():
        return None
    names = list(space)
    rows = [
        Importance(names[index], float(one), float(every), float(spread))
        for index, one, every, spread in zip(tuned, alone.mean(0), total.mean(0), total.std(0), strict=True)
    ]
    rows.sort(key=lambda row: -row.total)
    return Importances(tuple(rows), _r_squared(inputs, losses, groups, seed), len(losses))


def _space(runs: Sequence[Run]) -> ConfigurationSpace | None:
    """The space that the ledgers hold; None where it cannot be read."""
    from ConfigSpace import ConfigurationSpace

    try:
        # a copy: it takes apart what it reads
        return ConfigurationSpace.from_serialized_dict(copy.deepcopy(dict(runs[0].header.space))) if runs else None
    except Exception:  # a damaged header leads to any of them
        return None


def _complete(runs: Sequence[Run], seed: int) -> list[Result]:
    found = [result for run in runs for result in run.results if result.outcome.status == "ok"]
    found = [result for result in found if result.outcome.loss is not None]
    if len(found) <= MAX_TRIALS:
        return found
    chosen = np.random.default_rng(seed).choice(len(found), MAX_TRIALS, replace=False)
    return [found[index] for index in sorted(chosen)]


def _table(space: ConfigurationSpace, found: Sequence[Result]) -> tuple[Floats, Floats, NDArray[Any]]:
    """Inputs (n, hyperparameters + 1), the last of them the logarithm of work; losses (n,); configurations (n,)."""
    from ConfigSpace import Configuration

    rows, losses, groups = [], [], []
    for result in found:
        try:
            vector = Configuration(space, values=result.trial.config).get_array()
        except Exception:  # noqa: S112 (a configuration that does not fit its space tells nothing)
            continue
        work = math.log(max(result.outcome.rung.work, 1e-6))
        rows.append([*np.where(np.isnan(vector), INACTIVE_VALUE, vector), work])
        losses.append(result.outcome.loss)
        groups.append(result.trial.key)
    values = np.array(losses, dtype=float)
    if len(values):
        least, middle = values.min(), np.median(values)
        values = np.minimum(values, middle + OUTLIER_FENCE * (middle - least) if middle > least else values.max())
    return np.array(rows).reshape(len(rows), len(space) + 1), values, np.array(groups)


def _forest(inputs: Floats, losses: Floats, rng: np.random.Generator) -> Any:
    """A forest that was given the trials drawn with replacement."""
    from sklearn.ensemble import RandomForestRegressor

    drawn = rng.integers(len(losses), size=len(losses))
    forest = RandomForestRegressor(N_TREES, random_state=int(rng.integers(2**31)), min_samples_leaf=2)
    return forest.fit(inputs[drawn], losses[drawn])


def _indices(
    forests: Sequence[Any], space: ConfigurationSpace, tuned: Sequence[int], work: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """First-order and total indices: (forests, tuned) each, within 0 and 1."""
    from scipy import stats

    def losses(unit: Floats) -> Floats:
        points = _points(space, tuned, unit)
        inputs = np.vstack([points, np.full(unit.shape[1], work)]).T
        return np.array([forest.predict(inputs) for forest in forests])

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a forest that predicts a constant has no variance to split: NaN
        found = stats.sobol_indices(func=losses, n=SOBOL_SAMPLES, dists=[stats.uniform()] * len(tuned), rng=rng)
    shape = len(forests), len(tuned)
    alone, total = (np.clip(np.reshape(part, shape), 0, 1) for part in (found.first_order, found.total_order))
    return np.minimum(alone, total), total


def _points(space: ConfigurationSpace, tuned: Sequence[int], unit: Floats) -> Floats:
    """Points of the unit cube as ConfigSpace's vectors, hyperparameters that are inactive there at `INACTIVE_VALUE`.

    Args:
        space: of all hyperparameters.
        tuned: those that vary.
        unit: (tuned, n).
    """
    known = list(space.values())
    vectors = np.zeros((len(known), unit.shape[1]))
    for row, index in zip(unit, tuned, strict=True):
        choices = hasattr(known[index], "choices") or hasattr(known[index], "sequence")
        vectors[index] = np.minimum(np.floor(row * known[index].size), known[index].size - 1) if choices else row
    for _ in known:  # conditions on conditional ones settle within so many rounds
        before = np.isnan(vectors).sum()
        for condition in space.conditions:
            child = space.index_of[condition.child.name]
            vectors[child, ~condition.satisfied_by_vector_array(vectors)] = np.nan
        if np.isnan(vectors).sum() == before:
            break
    return np.where(np.isnan(vectors), INACTIVE_VALUE, vectors)


def _r_squared(inputs: Floats, losses: Floats, groups: NDArray[Any], seed: int) -> float:
    """R² within rungs, cross-validated over configurations."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import GroupKFold, cross_val_predict

    folds = min(5, len(set(groups)))
    if folds < 2:
        return 0.0
    forest = RandomForestRegressor(50, random_state=seed, min_samples_leaf=2)
    predicted = cross_val_predict(forest, inputs, losses, groups=groups, cv=GroupKFold(folds))
    means = np.empty_like(losses)
    for work in np.unique(inputs[:, -1]):
        at = inputs[:, -1] == work
        means[at] = losses[at].mean()
    spread = float(((losses - means) ** 2).sum())
    return 1 - float(((losses - predicted) ** 2).sum()) / spread if spread > 0 else 0.0
