"""IMDb: film reviews, for or against, an LSTM.

Source: Maas et al. 2011, ``stanfordnlp/imdb`` on the Hugging Face hub, 25,000 reviews for training and as many for the
test, sorted by label. The model is `predict.imdb.ReviewLSTM`, torch's own LSTM over packed sequences of words.

Split: a tenth of the training split, stratified and told by the run's seed, is the validation part; a data fraction
shrinks the rest, a size the words that are read of a review. The test split is read by `validate` alone. The
vocabulary, 20,000 words that occur twice or oftener, is counted from the whole training part at every data fraction, so
that a promoted configuration keeps its embeddings; validation and test texts have no part in it. The loss is the
validation error, 1 - accuracy.

Where the space does not say otherwise: Adam, embeddings of 128 numbers, one layer, one direction, 256 words of a review
(the last, which tell more: Keras cuts reviews so too), dropout 0.5, gradients cut to norm 1. See
`experiments/imdb_full.py` for what this reached with the first 256 words.

Options: ``data_dir``, ``patience``, ``samples`` (see `mfbo.tasks.training.setup.Options`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfbo.context import Context
from mfbo.data.splits import Indices
from mfbo.fidelity import Fidelity
from mfbo.spaces import imdb as spaces  # type: ignore[import-not-found, unused-ignore]
from mfbo.task import Task
from mfbo.tasks.training import setup
from mfbo.tasks.training.setup import DECAY, Options, everything, judged, parts, write_json
from mfbo.trial import Config, Measurement, Rung

if TYPE_CHECKING:
    from mfbo.data import Splits, Tokens, Vocabulary, Words
    from mfbo.tasks.training.loop import Job

EPOCHS = spaces.EPOCHS[-1]
SIZES = (0.25, 1.0)
STEPS = 50  # of the lowest rung, at least: after fewer, all configurations are near chance
DROPOUT = 0.5
MAX_LENGTH = 256
_OPTIONS = ("data_dir", "patience", "samples")
_WEIGHTS = 3  # stream of the run's seed


def task() -> Task:
    """The task `imdb`."""
    return Task(
        name="imdb",
        space=spaces.space(),
        spaces={"wide": spaces.wide},
        train=train,
        validate=validate,
        prepare=prepare,
        warm_up=setup.import_torch,
        fidelity=Fidelity(epochs=(1, EPOCHS), data=(0.02, 1.0), size=SIZES),
        description="IMDb reviews, LSTM (extra: text)",
        grid=spaces.GRID,
        repeated=DECAY,
        least=least,
        cheaper="samples=2000",
    )


def prepare(options: Mapping[str, str]) -> None:
    """Check options, libraries and data, and number the words of the training split if that was not done before.

    Raises:
        MissingExtra: torch or another library of the extra ``text`` is not installed.
        BadData: the data set is not there, or its files are not what they should be.
        UnknownName, BadValue: of an option.
    """
    _ = _words(Options.read(options, _OPTIONS))["train"]


def least(options: Mapping[str, str]) -> tuple[float, float]:
    """(data, work) of the lowest rung that tells anything; see `training_setup.least`."""
    given, batch = Options.read(options, _OPTIONS), spaces.space()["batch_size"].default_value
    return setup.least(
        _words(given)["train"].tokens.labels, given.samples, batch=batch, epochs=EPOCHS, steps=STEPS, size=SIZES[0]
    )


def train(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train on the training part, measure on the validation part; continues from ``context.checkpoint``.

    Returns, raises: as `mfbo.tasks.training.loop.fit`.
    """
    from mfbo.tasks.training.loop import fit

    options = Options.read(context.options, _OPTIONS)
    words = _words(options)["train"]
    labels = words.tokens.labels
    learn, judge, training = parts(labels, rung.data, context.seed, options.samples)
    rows, glance = judged(labels, judge, rung, len(learn), context.seed)
    vocabulary, tokens = _numbered(words, training, (words.mark, context.seed, options.samples))
    job = _job(
        config,
        context,
        vocabulary,
        learn=(tokens, learn),
        judge=(tokens, rows),
        glance=glance,
        size=rung.size,
        patience=options.patience,
    )
    return fit(job, rung, context)


def validate(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train from scratch on training and validation part, measure on the test split; leaves the model."""
    from mfbo.tasks.training.loop import fit

    options = Options.read(context.options, _OPTIONS)
    words = _words(options)
    used = everything(words["train"].tokens.labels, 1.0, context.seed, options.samples)
    vocabulary = words["train"].vocabulary(used)
    learn, judge = (words[split].encoded(vocabulary) for split in ("train", "test"))
    rows = everything(learn.labels, rung.data, context.seed, options.samples)
    job = _job(
        config,
        context,
        vocabulary,
        learn=(learn, rows),
        judge=(judge, np.arange(len(judge))),
        size=rung.size,
        final=True,
    )
    return fit(job, rung, context)


def _words(options: Options) -> Splits[Words]:
    from mfbo.data import words
    from mfbo.data.parquet import installed

    for library in ("torch", "safetensors"):
        installed(library, "text")
    return words("imdb", options.data_dir)


_NUMBERED: dict[tuple[Any, ...], tuple[Vocabulary, Tokens]] = {}  # one entry: all trials of a run have the same


def _numbered(words: Words, rows: Indices, key: tuple[Any, ...]) -> tuple[Vocabulary, Tokens]:
    """The vocabulary of some rows, which `key` stands for, and all texts in it; found once in a process."""
    if key not in _NUMBERED or not words.mark:
        _NUMBERED.clear()
        vocabulary = words.vocabulary(rows)
        _NUMBERED[key] = vocabulary, words.encoded(vocabulary)
    return _NUMBERED[key]


def _job(
    config: Config,
    context: Context,
    vocabulary: Vocabulary,
    *,
    learn: tuple[Tokens, Indices],
    judge: tuple[Tokens, Indices],
    glance: Indices | None = None,
    size: float = 1.0,
    patience: int | None = None,
    final: bool = False,
) -> Job:
    from mfbo.tasks.predict.imdb import ReviewLSTM
    from mfbo.tasks.training import loop
    from mfbo.tasks.training.batches import TextBatches
    from mfbo.tasks.training.device import device_of, optimizer_of, reseed

    device = device_of(context.device)
    network: dict[str, Any] = {
        "embedding_size": int(config.get("embedding_size", 128)),
        "hidden_size": int(config.get("hidden_size", 256)),
        "layers": int(config.get("layers", 1)),
        "bidirectional": bool(config.get("bidirectional", False)),
        "dropout": float(config.get("dropout", DROPOUT)),
        "layer_dropout": float(config.get("layer_dropout", 0.0)),
    }
    classes, most = learn[0].classes, max(1, round(size * int(config.get("max_length", MAX_LENGTH))))
    reseed(device, context.seed, _WEIGHTS)
    model = ReviewLSTM(words=len(vocabulary), classes=len(classes), **network).to(device)
    name = str(config.get("optimizer", "adam"))
    described = {"classes": list(classes), "max_length": most, "network": network}
    return loop.Job(
        model=model,
        optimizer=optimizer_of(
            name,
            model,
            weight_decay=float(config.get("weight_decay", 1e-5)),
            momentum=float(config.get("momentum", 0.9)),
            nesterov=False,
        ),
        learn=TextBatches(*learn, most, device, tail=True),
        judge=TextBatches(*judge, most, device, tail=True),
        glance=None if glance is None else TextBatches(judge[0], glance, most, device, tail=True),
        classes=len(classes),
        device=device,
        keep=lambda folder: _keep(model, described, vocabulary, folder),
        peak=float(config.get("sgd_learning_rate", 0.1) if name == "sgd" else config.get("learning_rate", 1e-3)),
        batch_size=int(config.get("batch_size", 64)),
        full_epochs=EPOCHS,
        clip=float(config.get("clip_norm", 1.0)),
        patience=patience,
        final=final,
    )


def _keep(model: Any, described: dict[str, Any], vocabulary: Vocabulary, folder: Path) -> None:
    """What `predict.imdb.load` reads."""
    from mfbo.tasks.training.state import write_tensors

    write_tensors(folder / "model.safetensors", model.state_dict())
    write_json(folder / "model.json", described)
    vocabulary.save(folder / "vocabulary.json")
