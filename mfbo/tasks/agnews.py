"""AG News: the title and first lines of news articles, four kinds, a pretrained transformer that is fine-tuned.

Source: Zhang et al. 2015, ``fancyzhx/ag_news`` on the Hugging Face hub, 120,000 texts for training and 7,600 for the
test. The model is ``distilbert-base-uncased`` (Sanh et al. 2019), or any folder or name on the hub that transformers
loads for sequence classification. `dropout` is set under every name by which such models know it, that of the attention
weights included (unless the space has `attention_dropout`).

Split: a tenth of the training split, stratified and told by the run's seed, is the validation part; a data fraction
shrinks the rest, a size the tokens that are read of a text. The test split is read by `validate` alone.

Where the size is `PROBE` or less, a linear probe is trained instead of the whole model (the head, on features that the
pretrained body gives and that are computed once); a configuration that is promoted goes on with the whole (Kumar et al.
2022, arXiv:2202.10054). The loss is the validation error, 1 - accuracy.

Where the space does not say otherwise: AdamW with weight decay 0.01, 128 tokens of a text, gradients cut to norm 1.

Options: ``model``, ``data_dir``, ``patience``, ``samples`` (see `mfbo.tasks.training.setup.Options`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mfbo.context import Context
from mfbo.data.splits import Indices
from mfbo.fidelity import Fidelity
from mfbo.spaces import agnews as spaces  # type: ignore[import-not-found, unused-ignore]
from mfbo.task import Task
from mfbo.tasks.training import setup
from mfbo.tasks.training.setup import DECAY, Options, everything, judged, parts, write_json
from mfbo.trial import Config, Measurement, Rung

if TYPE_CHECKING:
    from mfbo.data import Splits, Tokens
    from mfbo.tasks.training.batches import Batches
    from mfbo.tasks.training.loop import Job

LIBRARIES = ("torch", "transformers", "safetensors")
MODEL = "distilbert-base-uncased"
EPOCHS = spaces.EPOCHS[-1]
SIZES = (0.25, 1.0)
PROBE = 0.5  # size up to which a linear probe is trained
PASSES = 10  # of a probe's epoch: over features that cost more than they
HEAD_RATE = 20  # step size of a probe's head for that of the whole model: a head that is new learns faster
MAX_LENGTH = 128
MAX_MODEL_TOKENS = 512  # tokens of a text that are cached; what the models of this kind can read
_OPTIONS = ("model", "data_dir", "patience", "samples")
_WEIGHTS = 3  # stream of the run's seed


def task() -> Task:
    """The task `agnews`."""
    return Task(
        name="agnews",
        space=spaces.space(),
        spaces={"wide": spaces.wide},
        train=train,
        validate=validate,
        prepare=prepare,
        warm_up=setup.import_torch,
        fidelity=Fidelity(epochs=(1, EPOCHS), data=(0.005, 1.0), size=SIZES),
        description="AG News, DistilBERT or another transformer (extra: text)",
        grid=spaces.GRID,
        repeated=DECAY,
        least=least,
        cheaper="samples=2000",
    )


def prepare(options: Mapping[str, str]) -> None:
    """Check options, libraries, model and data, and tokenise the training split if that was not done before.

    A model whose files were checked once is not loaded for it again: torch and transformers take seconds to import.

    Raises:
        MissingExtra: torch, transformers or another library of the extra ``text`` is not installed.
        BadData: the data set or the model is not there, or its files are not what they should be.
        UnknownName, BadValue: of an option.
    """
    from mfbo.data import texts
    from mfbo.data.cache import entry_key, prepared
    from mfbo.data.parquet import installed
    from mfbo.tasks.training.model_files import stamp_of

    given = Options.read(options, _OPTIONS)
    for library in LIBRARIES:
        installed(library, "text")
    model = given.model or MODEL
    classes = texts("ag_news", given.data_dir)["train"].classes

    def check() -> dict[str, NDArray[Any]]:
        from mfbo.tasks.training.transformer import classifier_of

        tokenizer = _tokenizer(given)
        classifier_of(model, classes, tokenizer, dropout=0.1, attention_dropout=0.1)
        key, longest = _reading(tokenizer)
        return {"key": np.frombuffer(key.encode(), np.uint8), "longest": np.array(longest)}

    stamp = stamp_of(model)
    found = prepared(f"agnews-model-{entry_key(stamp, classes)}", stamp, check) if stamp else check()
    _tokenised(given, bytes(found["key"]).decode(), int(found["longest"]), lambda: _tokenizer(given))["train"]


def least(options: Mapping[str, str]) -> tuple[float, float]:
    """(data, work) of the lowest rung that tells anything; see `training_setup.least`."""
    from mfbo.data import texts

    given, batch = Options.read(options, _OPTIONS), spaces.space()["batch_size"].default_value
    labels = texts("ag_news", given.data_dir)["train"].labels
    return setup.least(labels, given.samples, batch=batch, epochs=EPOCHS, size=SIZES[0])


def train(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train on the training part, measure on the validation part; continues from ``context.checkpoint``.

    Returns, raises: as `mfbo.tasks.training.loop.fit`.
    """
    from mfbo.tasks.training.loop import fit

    options = Options.read(context.options, _OPTIONS)
    tokenizer = _tokenizer(options)
    tokens = _tokens(options, tokenizer)["train"]
    learn, judge, _ = parts(tokens.labels, rung.data, context.seed, options.samples)
    rows, glance = judged(tokens.labels, judge, rung, len(learn), context.seed)
    sides = (tokens, learn), (tokens, rows)
    job = _job(config, context, options, tokenizer, learn=sides[0], judge=sides[1], glance=glance, size=rung.size)
    return fit(job, rung, context)


def validate(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train from scratch on training and validation part, measure on the test split; leaves the model."""
    from mfbo.tasks.training.loop import fit

    options = Options.read(context.options, _OPTIONS)
    tokenizer = _tokenizer(options)
    tokens = _tokens(options, tokenizer)
    rows = everything(tokens["train"].labels, rung.data, context.seed, options.samples)
    learn, judge = (tokens["train"], rows), (tokens["test"], np.arange(len(tokens["test"])))
    job = _job(config, context, options, tokenizer, learn=learn, judge=judge, size=rung.size, final=True)
    return fit(job, rung, context)


def _tokenizer(options: Options) -> Any:
    from mfbo.data.parquet import needed

    for library in LIBRARIES:
        needed(library, "text")
    from mfbo.tasks.training.transformer import tokenizer_of

    return tokenizer_of(options.model or MODEL)


def _reading(tokenizer: Any) -> tuple[str, int]:
    """What stands for all that a tokenizer does, and how many tokens of a text its model can read."""
    from mfbo.tasks.training.transformer import tokenizer_key

    return tokenizer_key(tokenizer), min(MAX_MODEL_TOKENS, tokenizer.model_max_length)


def _tokens(options: Options, tokenizer: Any) -> Splits[Tokens]:
    """Token ids with the special ones, at most `MAX_MODEL_TOKENS` of a text."""
    return _tokenised(options, *_reading(tokenizer), lambda: tokenizer)


def _tokenised(options: Options, key: str, longest: int, tokenizer: Callable[[], Any]) -> Splits[Tokens]:
    """The same by what `_reading` says of a tokenizer, which is asked for only where no tokens are cached."""
    from mfbo.data import tokens

    its = cache(tokenizer)

    def encode(batch: list[str]) -> Any:
        return its()(batch, truncation=True, max_length=longest)["input_ids"]

    return tokens("ag_news", key, encode, options.data_dir, max_tokens=longest)


def _job(
    config: Config,
    context: Context,
    options: Options,
    tokenizer: Any,
    *,
    learn: tuple[Tokens, Indices],
    judge: tuple[Tokens, Indices],
    glance: Indices | None = None,
    size: float = 1.0,
    final: bool = False,
) -> Job:
    from mfbo.tasks.training import loop
    from mfbo.tasks.training.batches import FeatureBatches, TextBatches
    from mfbo.tasks.training.device import device_of, optimizer_of, reseed
    from mfbo.tasks.training.features import Features
    from mfbo.tasks.training.transformer import classifier_of

    device = device_of(context.device)
    classes, most = learn[0].classes, max(8, round(size * int(config.get("max_length", MAX_LENGTH))))
    dropout = float(config.get("dropout", 0.1))
    reseed(device, context.seed, _WEIGHTS)
    model = classifier_of(
        options.model or MODEL,
        classes,
        tokenizer,
        dropout=dropout,
        attention_dropout=float(config.get("attention_dropout", dropout)),
    )
    probe = size <= PROBE and model.probes
    if probe:
        model.freeze_body()
    model.freeze(str(config.get("freeze", "none")), int(config.get("frozen_layers", 0)))
    model.to(device)
    padding = tokenizer.pad_token_id or 0

    def batches(side: tuple[Tokens, Indices], passes: int = 1) -> Batches:
        texts = TextBatches(*side, most, device, padding=padding, closed=True)
        if not probe:
            return texts
        known = Features.of(options.model or MODEL, most, side[0])
        return FeatureBatches(known.at(side[1], texts, model, context), texts.labels, device, passes)

    return loop.Job(
        model=model,
        optimizer=optimizer_of("adamw", model, weight_decay=float(config.get("weight_decay", 0.01))),
        learn=batches(learn, PASSES),
        judge=batches(judge),
        glance=None if glance is None else batches((learn[0], glance)),
        classes=len(classes),
        device=device,
        keep=lambda folder: _keep(model.network, tokenizer, {"classes": list(classes), "max_length": most}, folder),
        peak=float(config.get("learning_rate", 5e-5)) * (HEAD_RATE if probe else 1),
        batch_size=int(config.get("batch_size", 32)),
        full_epochs=EPOCHS,
        warmup=float(config.get("warmup_fraction", loop.WARMUP)),
        smoothing=float(config.get("label_smoothing", 0.0)),
        patience=None if final else options.patience,
        final=final,
    )


def _keep(network: Any, tokenizer: Any, described: dict[str, Any], folder: Path) -> None:
    """What `predict.agnews.predict` reads, and transformers itself."""
    from mfbo.tasks.training.transformer import quiet

    with quiet():
        network.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
    write_json(folder / "model.json", described)
