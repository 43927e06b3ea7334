"""A task made of a scikit-learn estimator and data.

What makes an evaluation cheaper is, beside a part of the training data:

- ``partial_fit``, where every estimator of the space can be trained by it: an epoch is one call, in an order that the
  seed gives. A promoted configuration continues from its checkpoint. With ``early_stopping=True`` or
  ``class_weight="balanced"`` the estimators of scikit-learn cannot, and are fitted whole.
- `size`, where it is given: a parameter such as ``n_estimators`` stands for the epochs. Ensembles grow with
  ``warm_start``, so that partial results are seen.
- `cv`, where it is given: folds, so that a bad configuration stops after the first of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, get_scorer_names

from mfbo.adapters import sklearn_data, sklearn_model, sklearn_state
from mfbo.adapters.sklearn_epochs import all_gradual, classes_of, partial_fit, rows_of_table
from mfbo.adapters.sklearn_folds import folds, test_part
from mfbo.average import OneRepeat, average
from mfbo.data.splits import MIN_CLASS_SAMPLES, Indices, nested_subset, stratified_split
from mfbo.errors import BadData, BadTask, UnknownName
from mfbo.fidelity import Fidelity
from mfbo.fidelity_ranges import Counted
from mfbo.task import Task
from mfbo.trial import AVERAGED, FOLDS, Config, Measurement, Rung

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.context import Context

LOWEST = 0.1  # part of the training data
EPOCHS = (1, 27)
STEP = 3  # an ensemble is looked at whenever it has so many times as many members
ESTIMATOR_FILE = "estimator.npz"
_TEST_SEED = 0  # the test split is the same for every run
_ORDER = 4  # stream of the run's seed, beside those of the splits


def sklearn_task(
    name: str,
    estimator: Any | Callable[[Config], Any],
    space: ConfigurationSpace,
    x: Any,
    y: Any,
    *,
    size: str | None = None,
    fidelity: Fidelity | None = None,
    scoring: str | Callable[..., float] | None = None,
    validation: float = 0.25,
    test: float = 0.2,
    cv: Any = None,
    groups: Any = None,
) -> Task:
    """Tune an estimator.

    Args:
        name: of the task.
        estimator: whose parameters the space names, pipelines included (``svc__C``); or a function from a
            configuration to an estimator.
        space: the hyperparameters.
        x: (n, ...) array, sparse matrix or data frame.
        y: (n,) or (n, 1), classes or numbers; (n, outputs) for an estimator that predicts several.
        size: the parameter that an evaluation is cut down by, such as ``n_estimators``.
        fidelity: ranges; by default 1 to 27 epochs of ``partial_fit``, or a 27th of `size` to what the estimator has,
            where one of them can be; and a tenth of the training data to all of it, or as much as gives a class 20
            samples (`splits.MIN_CLASS_SAMPLES`).
        scoring: one of scikit-learn's scorers by name, or made by its ``make_scorer``; by default accuracy or R². It is
            the metric of the task, in its own sign, and maximised, as all of them are: ``neg_log_loss`` is the negative
            of a loss, and so is what ``greater_is_better=False`` makes.
        validation: of what the test split leaves, the part that measures; stratified, told apart by the run's seed.
        test: part that ``mfbo validate`` alone measures on; stratified, the same for every seed. 0 for none. Where
            `groups` are given it is whole ones, and the last rows with a ``TimeSeriesSplit``.
        cv: in place of `validation`, a number of folds, or a splitter such as ``GroupKFold(5)``; the loss is their
            mean, and a trial is cut down to fewer of them; with `size` or a `fidelity` that says more, each of them
            to fewer trees, epochs or data too.
        groups: (n,), for a splitter that keeps groups whole.

    Raises:
        BadTask: what is given does not fit together.
        BadData: `x` and `y` have different lengths, or are what no trial could be fitted to.
        BadValue: a scorer that cannot score `y`, or a part that is none.
        UnknownName: no such parameter or scorer.
    """
    x, y = sklearn_data.rows_of(x), sklearn_data.labels_of(y)
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        raise UnknownName("scoring", scoring, get_scorer_names())
    prototype = _prototype(estimator, space)
    parameters = prototype.get_params()
    for key in (*(space if hasattr(estimator, "get_params") else ()), *([size] if size else [])):
        if key not in parameters:
            raise UnknownName(f"parameter of {type(prototype).__name__}", key, parameters)
    if size is not None and size in space:
        raise BadTask(f"size {size!r} is a hyperparameter of the space too; take it out, as it is the fidelity")
    classes = is_classifier(prototype)
    made = not hasattr(estimator, "get_params")
    sklearn_data.check(x, y, prototype, classes=classes, made=made)
    sklearn_data.check_scoring(scoring, y, classes=classes)
    gradual = size is None and all_gradual(lambda config: _new(estimator, config), space, x, y)
    if fidelity is not None and size is None:
        _check_epochs(fidelity, type(prototype).__name__, gradual=gradual)
        gradual = _by_epochs(fidelity)
    if fidelity is not None:
        _check_counts(fidelity)
    training = _Training(estimator, x, y, size, scoring, validation, test, classes, gradual)
    sklearn_data.check_parts(training.labels, test, validation)
    if cv is not None:
        whole = None if size is None else _fidelity(prototype, size, 1.0, gradual=False)
        return _cross_validated(name, space, training, (fidelity, whole), cv=cv, groups=groups)
    if fidelity is not None and FOLDS in fidelity.counts:
        raise BadTask("fidelity counts folds, and there are none; give cv too, such as cv=5")
    if groups is not None:
        raise BadTask("groups are for cross-validation; give cv too, such as cv=GroupKFold(5)")
    return Task(
        name=name,
        space=space,
        train=training.train,
        validate=training.validate if test else None,
        fidelity=fidelity or _fidelity(prototype, size, training.lowest, gradual=gradual),
        description=f"{type(prototype).__name__} on {len(y)} samples",
        metric=training.metric,
        maximize=True,
    )


def _fidelity(prototype: Any, size: str | None, lowest: float, *, gradual: bool) -> Fidelity:
    data = (lowest, 1.0)
    if size is not None:
        full = prototype.get_params()[size]
        if isinstance(full, bool) or not isinstance(full, int) or full < 1:
            unit = _counted(prototype, size)
            raise BadTask(f"size {size!r} is {full!r} by default; give fidelity=mfbo.Fidelity({unit}=(lowest, full))")
        return Fidelity((max(1, full // EPOCHS[1]), full), data, unit=_counted(prototype, size), continues=False)
    return Fidelity(epochs=EPOCHS, data=data) if gradual else Fidelity(data=data)


def _counted(prototype: Any, size: str) -> str:
    """What a parameter such as ``n_estimators`` counts, in the plural."""
    step, _, name = size.rpartition("__")
    kind = type(prototype.get_params()[step] if step else prototype).__name__
    if name == "n_estimators":
        return "trees" if any(word in kind for word in ("Forest", "Trees", "GradientBoosting")) else "estimators"
    return {"max_iter": "iterations"}.get(name, name)


def _cross_validated(
    name: str,
    space: ConfigurationSpace,
    training: _Training,
    fidelity: tuple[Fidelity | None, Fidelity | None],
    *,
    cv: Any,
    groups: Any,
) -> Task:
    """The task whose trials measure folds; all of them where the fidelity does not count folds."""
    kinds = None if groups is None else np.asarray(groups)
    if kinds is not None and len(kinds) != len(training.y):
        raise BadData(f"groups has {len(kinds)} entries, y has {len(training.y)}; give one for each row")
    rest, test = test_part(training.labels, kinds, cv, training.test)
    parts = folds(cv, training.y, kinds, rest, classes=training.classes)
    chosen = _with_folds(*fidelity, count=len(parts))
    if chosen.unit == FOLDS:  # each is a whole fit
        training = replace(training, size=None, gradual=False)
    folded = _Folded(training, parts, rest, test)
    return Task(
        name=name,
        space=space,
        train=folded.train,
        validate=folded.validate if training.test else None,
        fidelity=chosen,
        description=f"{len(parts)} folds of {len(rest)} samples",
        metric=training.metric,
        maximize=True,
    )


def _with_folds(asked: Fidelity | None, usual: Fidelity | None, count: int) -> Fidelity:
    """The fidelity of a task with `count` folds: `asked`, where all folds are measured if it says nothing of them.

    Args:
        asked: by the user.
        usual: what `size` is cut down by, if there is one; folds then are too.
        count: of the folds.

    Raises:
        BadTask: it asks for more folds than there are.
    """
    if asked is None:
        if usual is None:
            return Fidelity(folds=(1, count))
        return replace(usual, further=(*usual.further, Counted(FOLDS, (1, count), 1.0)))
    if FOLDS not in asked.counts:
        return replace(asked, further=(*asked.further, Counted(FOLDS, (count, count), 1.0)))
    if (high := asked.counts[FOLDS][1]) > count:
        raise BadTask(f"fidelity counts {high} folds, cv makes {count}; give folds=(1, {count})")
    return asked


def _check_counts(fidelity: Fidelity) -> None:
    """Refuse what no fit is cut down by: its levels would cost the same."""
    if unknown := [name for name in fidelity.counts if name != fidelity.unit and name not in AVERAGED]:
        raise BadTask(
            f"fidelity counts {fidelity.unit} and {unknown[0]}, but a fit here is cut down by one of them alone; give "
            "that, beside folds, repeats and data, or a mfbo.Task with a train function of your own"
        )


def _by_epochs(fidelity: Fidelity) -> bool:
    """Whether an estimator is trained as long as is counted; else each measurement is a whole fit."""
    return fidelity.epoch_range[1] > 1 and fidelity.unit not in AVERAGED


def _check_epochs(fidelity: Fidelity, name: str, *, gradual: bool) -> None:
    """Refuse epochs of estimators that have none: every level would cost the same."""
    if _by_epochs(fidelity) and not gradual:
        raise BadTask(
            f"fidelity has {fidelity.epoch_range[1]} {fidelity.unit}, but {name} cannot be trained epoch by epoch with "
            "every setting of this space; give size=, such as 'n_estimators', or fidelity=mfbo.Fidelity(data=(0.1, 1))"
        )


def _prototype(estimator: Any, space: ConfigurationSpace) -> Any:
    """An estimator of the space's defaults."""
    if isinstance(estimator, type):
        raise BadTask(f"estimator is the class {estimator.__name__}; give one of it: {estimator.__name__}()")
    if hasattr(estimator, "get_params"):
        return clone(estimator)
    if not callable(estimator):
        raise BadTask(f"estimator is {estimator!r:.60}; give an estimator, or a function from a configuration to one")
    made = estimator(dict(space.get_default_configuration()))
    if not hasattr(made, "get_params") or isinstance(made, type):
        raise BadTask(
            f"the function for the estimator returned {made!r:.60}; return an estimator of scikit-learn's form"
        )
    return made


def _new(estimator: Any, config: Config) -> Any:
    return clone(estimator).set_params(**config) if hasattr(estimator, "get_params") else estimator(config)


@dataclass(frozen=True)
class _Training:
    """What `sklearn_task` was given."""

    estimator: Any
    x: Any
    y: Any
    size: str | None
    scoring: str | Callable[..., float] | None
    validation: float
    test: float
    classes: bool
    gradual: bool

    def train(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Fit to the training part, measure on the validation part."""
        learn, judge, _ = self._split(context.seed)
        return self.fit(config, rung, context, learn, judge)

    def validate(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Fit to training and validation part, measure on the test part."""
        learn, also, judge = self._split(context.seed)
        return self.fit(config, rung, context, np.sort(np.concatenate([learn, also])), judge)

    @property
    def labels(self) -> Any:
        """What splits are stratified by: the classes; numbers, and rows of several labels, are all of one kind."""
        return self.y if self.classes and self.y.ndim == 1 else np.zeros(len(self.y), dtype=int)

    @property
    def lowest(self) -> float:
        """Part of the training data that leaves a class enough samples on average, so that none has to be filled up."""
        training = round(len(self.y) * (1 - self.test) * (1 - self.validation))
        return min(1.0, max(LOWEST, MIN_CLASS_SAMPLES * len(np.unique(self.labels)) / training))

    def _split(self, seed: int) -> tuple[Indices, Indices, Indices]:
        rest, test = np.arange(len(self.y)), np.arange(0)
        if self.test:
            rest, test = stratified_split(self.labels, self.test, _TEST_SEED)
        kept, held = stratified_split(self.labels[rest], self.validation, seed)
        return rest[kept], rest[held], test

    def fit(
        self, config: Config, rung: Rung, context: Context, learn: Indices, judge: Indices, *, keep: bool = True
    ) -> Measurement:
        """Fit to `learn`, or the part of it that the rung says, and measure on `judge`."""
        rows = learn[nested_subset(self.labels[learn], rung.data, context.seed)]
        model = _new(self.estimator, config)
        seeds = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
        model.set_params(**dict.fromkeys(seeds, context.seed))
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # what diverges shows in the loss
            warnings.simplefilter("ignore", ConvergenceWarning)
            if self.size is not None:
                found = self._grow(model, rung, context, rows, judge)
            elif self.gradual:
                found = self._pass_by_pass(model, rung, context, rows, judge)
            else:
                found = self._measure(model.fit(rows_of_table(self.x, rows), self.y[rows]), context, judge)
        if keep and context.keeps_checkpoints:
            self._keep(model, rung, context, rows, judge)
        return found

    def _keep(self, model: Any, rung: Rung, context: Context, rows: Indices, judge: Indices) -> None:
        """Leave the model, and what training continues from where it can."""
        gradual = self.gradual and self.size is None and self._restorable(model, rows, judge)
        with context.save(rung.epochs) if gradual else context.keep_model() as folder:
            sklearn_model.write(model, folder)
            if gradual:
                sklearn_state.save(model, folder / ESTIMATOR_FILE)

    def _grow(self, model: Any, rung: Rung, context: Context, rows: Indices, judge: Indices) -> Measurement:
        """Fit with `size` as the epochs are, in steps where the estimator keeps what it has."""
        assert self.size is not None
        steps, flag = [rung.epochs], _warm_start(model, self.size)
        if flag is not None:
            model.set_params(**{flag: True})
            while steps[0] >= STEP:
                steps.insert(0, steps[0] // STEP)
        for step in steps:
            model.set_params(**{self.size: step}).fit(rows_of_table(self.x, rows), self.y[rows])
            found = self._measure(model, context, judge)
            context.report(found.loss, epoch=step)
        return found

    def _pass_by_pass(self, model: Any, rung: Rung, context: Context, rows: Indices, judge: Indices) -> Measurement:
        """One `partial_fit` an epoch, from the checkpoint on."""
        start = 0
        if context.checkpoint:
            start = context.start_epoch
            self._pass(model, rows, context.seed, 0)  # builds what is filled now
            sklearn_state.load(model, context.checkpoint / ESTIMATOR_FILE)
        for epoch in range(start, rung.epochs):
            self._pass(model, rows, context.seed, epoch)
            found = self._measure(model, context, judge)
            context.report(found.loss, epoch=epoch + 1)
        return found

    def _pass(self, model: Any, rows: Indices, seed: int, epoch: int) -> None:
        order = rows[np.random.default_rng([seed, _ORDER, epoch]).permutation(len(rows))]
        partial_fit(model, rows_of_table(self.x, order), self.y[order], classes_of(self.y))

    def _restorable(self, model: Any, rows: Indices, judge: Indices) -> bool:
        """Whether a checkpoint brings this kind of model back: one that holds what is no data would start anew."""
        again = clone(model)
        self._pass(again, rows[:: max(1, len(rows) // 200)], 0, 0)
        with TemporaryDirectory(prefix="mfbo-sklearn-") as folder:
            sklearn_state.save(model, Path(folder) / ESTIMATOR_FILE)
            sklearn_state.load(again, Path(folder) / ESTIMATOR_FILE)
        there, here = (one.predict(rows_of_table(self.x, judge)) for one in (model, again))
        return bool(np.array_equal(there, here))

    def _measure(self, model: Any, context: Context, judge: Indices) -> Measurement:
        with context.evaluating():
            x, y = rows_of_table(self.x, judge), self.y[judge]
            score = float(model.score(x, y) if self.scoring is None else get_scorer(self.scoring)(model, x, y))
        return Measurement(score, {self.metric: score})

    @property
    def metric(self) -> str:
        """What the score is called, as scikit-learn would call it."""
        if self.scoring is None or isinstance(self.scoring, str):
            return self.scoring or ("accuracy" if self.classes else "r2")
        function = getattr(self.scoring, "_score_func", self.scoring)
        name = str(getattr(function, "__name__", "score"))
        return f"neg_{name}" if getattr(self.scoring, "_sign", 1) < 0 else name


@dataclass(frozen=True)
class _Folded:
    """The same, measured by cross-validation."""

    training: _Training
    folds: tuple[tuple[Indices, Indices], ...]
    rest: Indices
    test: Indices

    def train(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """The mean over the first `rung.folds` folds."""
        inner = context if rung.unit == FOLDS else OneRepeat(context, 0)  # whose reports are of one fold

        def fold(number: int) -> Measurement:
            learn, judge = self.folds[number]
            return self.training.fit(config, rung, inner, learn, judge, keep=False)

        return average(FOLDS, rung, context, fold)

    def validate(self, config: Config, rung: Rung, context: Context) -> Measurement:
        """Fit to all that is no test, measure on the test split."""
        return self.training.fit(config, rung, context, self.rest, self.test)


def _warm_start(model: Any, size: str) -> str | None:
    """The switch by which `fit` adds to what is there up to `size`, and does not start over; None without one.

    Iterations of a solver are no members of an ensemble: ``max_iter`` more of them would be done each time.
    """
    step, separator, name = size.rpartition("__")
    owner = model.get_params()[step] if step else model
    counts = name == "n_estimators" or type(owner).__name__.startswith("HistGradientBoosting")
    flag = f"{step}{separator}warm_start"
    return flag if counts and flag in model.get_params() else None
