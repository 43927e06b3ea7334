"""Handwritten digits: a multi-layer perceptron on the 1,797 images of 8x8 pixels that come with scikit-learn.

Source: the test part of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998), shipped inside
scikit-learn, so nothing is downloaded. The model is scikit-learn's MLPClassifier, one `partial_fit` an epoch.

Split, stratified by class: 359 images for the test (the same for every seed, read by `validate` alone), 434 for
validation and 1,004 for training, told apart by the seed of the run. A data fraction shrinks the training part only. It
starts at 20%, where each class has 20 images; a subset never has fewer, so a smaller fraction would not be cheaper.

The loss is the validation error, 1 - accuracy. Cross-entropy was the other candidate, as 434 images allow few distinct
errors. Over 200 random configurations at full fidelity, the best of 20 by error had 3.0% test error under another
seed, the best of 20 by cross-entropy 3.1% (50: 2.95% and 3.05%); ties for the best are rare (1.1 of 20 share it), and
cross-entropy reaches 27 where training goes wrong, which a surrogate model would have to fit as well.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, f1_score
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from mfbo.context import Context
from mfbo.data.bounds import read_npz
from mfbo.data.splits import Indices, nested_subset, stratified_split
from mfbo.errors import BadData
from mfbo.fidelity import Fidelity
from mfbo.spaces.digits import space  # type: ignore[import-not-found, unused-ignore]
from mfbo.task import Task
from mfbo.tasks.training.setup import write_measurement
from mfbo.trial import Config, Measurement, Rung

Floats: TypeAlias = NDArray[np.float64]

TEST, VALIDATION = 0.2, 0.3  # of all images; of what the test leaves
TEST_SEED = 0
MIN_DATA = 0.2  # where each class has 20 images
WEIGHTS_FILE = "mlp.npz"
MAX_STATE_BYTES = 64 * 2**20  # of a checkpoint: many times the largest network of the space
_ORDER, _WEIGHTS = 2, 3  # streams of the run's seed, beside those of the splits


class Images(NamedTuple):
    """x: (n, 64), pixels in [0, 1]; y: (n,), the digit."""

    x: Floats
    y: NDArray[np.int64]

    def at(self, rows: Indices) -> Images:
        """Those rows, in that order."""
        return Images(self.x[rows], self.y[rows])


def task() -> Task:
    """The task `digits`."""
    return Task(
        name="digits",
        space=space(),
        train=train,
        validate=validate,
        fidelity=Fidelity(epochs=(1, 27), data=(MIN_DATA, 1.0)),
        least=lambda options: (MIN_DATA, 0.0),
        description="scikit-learn's 1,797 handwritten digits, an MLP (real data, offline)",
        grid={
            "learning_rate": [1e-3, 1e-2, 1e-1],
            "hidden_units": [32, 128],
            "layers": [1, 2],
            "activation": ["relu", "tanh"],
            "solver": ["adam", "sgd"],
            "momentum": [0.9],
            "batch_size": [16, 64],
            "alpha": [1e-4, 1e-1],
        },
    )


def train(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train on the training part, measure on the validation part.

    Goes on from ``context.checkpoint`` as if it had never stopped (exactly so where the data fraction is the same),
    and leaves a checkpoint at its end.

    Returns:
        Validation error in [0, 1], with the metrics accuracy, macro_f1 and size (weights and biases).

    Raises:
        BadData: the checkpoint is damaged, or that of another network.
        TrialStopped: from ``context.report``: the time is up, or the training diverged.
    """
    learn, judge, _ = split(context.seed)
    return _run(config, rung, context, learn, judge, continued=True)


def validate(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train from scratch on training and validation part, measure on the test part.

    Returns:
        Test error in [0, 1], with the metrics of `train`; the model is left as a checkpoint.
    """
    first, second, judge = split(context.seed)
    learn = Images(np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y]))
    return _run(config, rung, context, learn, judge, continued=False)


@lru_cache(maxsize=1)
def images() -> Images:
    """All 1,797 images. Pixels are 0 to 16; dividing by 16 scales them without a look at any part of the data."""
    x, y = load_digits(return_X_y=True)
    return Images(x / 16, y)


def split(seed: int) -> tuple[Images, Images, Images]:
    """(training, validation, test) for the seed of a run."""
    everything = images()
    rest, test = stratified_split(everything.y, TEST, TEST_SEED)
    kept, held = stratified_split(everything.y[rest], VALIDATION, seed)
    return everything.at(rest[kept]), everything.at(rest[held]), everything.at(test)


def _run(config: Config, rung: Rung, context: Context, learn: Images, judge: Images, *, continued: bool) -> Measurement:
    learn = learn.at(nested_subset(learn.y, rung.data, context.seed))
    # one thread: such small matrices gain nothing from more, and the last digits would depend on their number
    with threadpool_limits(1), np.errstate(all="ignore"):  # what overflows is found by `error_of`
        model, start = new_model(config, len(learn.y), context.seed), 0
        if continued and context.checkpoint:
            start = context.start_epoch
            _epoch(model, learn.at(np.arange(model.batch_size)), 0, 0)  # a step builds the arrays that are filled now
            load_state(model, context.checkpoint / WEIGHTS_FILE)
        for epoch in range(start, rung.epochs):
            _epoch(model, learn, context.seed, epoch)
            with context.evaluating():
                error = error_of(model, judge)
            context.report(error, epoch=epoch + 1)
        with context.evaluating():
            predicted = model.predict(judge.x)
            macro_f1 = f1_score(judge.y, predicted, average="macro", zero_division=0)
    size = sum(weights.size for weights in [*model.coefs_, *model.intercepts_])
    metrics = {"accuracy": 1 - error, "macro_f1": float(macro_f1), "size": float(size)}
    if context.keeps_checkpoints:
        with context.save(rung.epochs) as folder:
            save_state(model, folder / WEIGHTS_FILE)
            write_measurement(folder, error, metrics, confusion_matrix(judge.y, predicted, labels=range(10)))
    return Measurement(error, metrics)


def new_model(config: Config, samples: int, seed: int) -> Any:
    """An MLPClassifier of that configuration; its initial weights follow from the seed."""
    return MLPClassifier(
        hidden_layer_sizes=[config["hidden_units"]] * int(config["layers"]),
        activation=config["activation"],
        solver=config["solver"],
        momentum=config.get("momentum", 0.9),  # has no effect on adam
        learning_rate_init=config["learning_rate"],
        batch_size=min(int(config["batch_size"]), samples),
        alpha=config["alpha"],
        shuffle=False,  # `_epoch` does it, so that the order does not depend on where training resumed
        random_state=int(np.random.SeedSequence([seed, _WEIGHTS]).generate_state(1)[0]),
    )


def _epoch(model: Any, learn: Images, seed: int, epoch: int) -> None:
    """One pass over `learn`, in an order that follows from (seed, epoch)."""
    shuffled = learn.at(np.random.default_rng([seed, _ORDER, epoch]).permutation(len(learn.y)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted by user")
        try:
            model.partial_fit(shuffled.x, shuffled.y, classes=np.arange(10))
        except ValueError:  # so it says that weights overflowed; `error_of` does
            if not hasattr(model, "coefs_") or _finite(model):
                raise
    if model.n_iter_ == 0:  # Ctrl-C, which scikit-learn keeps to itself: the epoch is not whole
        raise KeyboardInterrupt


def error_of(model: Any, judge: Images) -> float:
    """Share of `judge` that the model gets wrong, in [0, 1]; NaN where its weights or outputs overflowed."""
    outputs = model.predict_proba(judge.x)
    if not (_finite(model) and np.isfinite(outputs).all()):
        return float("nan")
    return float(np.mean(model.classes_[outputs.argmax(axis=1)] != judge.y))


def _finite(model: Any) -> bool:
    return all(np.isfinite(weights).all() for weights in [*model.coefs_, *model.intercepts_])


def _arrays(model: Any) -> dict[str, Floats]:
    """Every array that training changes, by name; the one place that knows scikit-learn's private parts.

    Moments are there from the first step on. Adam's step count is apart, in ``_optimizer.t``.
    """
    groups = {"coef": model.coefs_, "intercept": model.intercepts_}
    for moment in ("ms", "vs") if model.solver == "adam" else ("velocities",):
        groups[moment] = getattr(model._optimizer, moment)
    return {f"{group}_{i}": array for group, arrays in groups.items() for i, array in enumerate(arrays)}


def save_state(model: Any, path: Path) -> None:
    """Write weights, the optimizer's moments and its step count as .npz."""
    state: dict[str, Any] = {"step": getattr(model._optimizer, "t", 0), **_arrays(model)}
    np.savez(path, **state)


def load_state(model: Any, path: Path) -> None:
    """Put what `save_state` wrote into a model that has been trained for a step.

    Raises:
        BadData: the file is missing or damaged, or its network has another shape.
    """
    own, mend = _arrays(model), "delete its folder to start over"
    try:
        saved = read_npz(path, MAX_STATE_BYTES)
        step, found = int(saved["step"]), {name: saved[name] for name in own}
    except Exception as error:  # a damaged archive raises nearly anything
        raise BadData(f"checkpoint {str(path)!r} cannot be read: {error!r}; {mend}") from error
    for name, array in own.items():
        if found[name].shape != array.shape or not np.isfinite(found[name]).all():
            raise BadData(f"checkpoint {str(path)!r}: {name} does not fit this network; {mend}")
        array[...] = found[name]
    if model.solver == "adam":
        model._optimizer.t = step
