"""CIFAR-10: 32x32 colour images of ten kinds of things, a ResNet-18.

Source: Krizhevsky 2009, ``uoft-cs/cifar10`` on the Hugging Face hub, 50,000 images to train on and 10,000 for the test.
The model is torchvision's ``resnet18`` (He et al. 2016), untrained, with the stem of `predict.cifar10.network`.

Split: a tenth of the training split, stratified and told by the run's seed, is the validation part; a data fraction
shrinks the rest, and a size the images: their pixels, so that a quarter is 16x16 (progressive resizing, as in the
entries to DAWNBench). The test split is read by `validate` alone. The loss is the validation error, 1 - accuracy.

Where the space does not say otherwise: AdamW, random crops (4 pixels of padding) and flips, gradients cut to norm 5.

Options: ``data_dir``, ``patience``, ``samples`` (see `mfbo.tasks.training.setup.Options`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfbo.context import Context
from mfbo.data.splits import Indices
from mfbo.fidelity import Fidelity
from mfbo.spaces import cifar10 as spaces  # type: ignore[import-not-found, unused-ignore]
from mfbo.task import Task
from mfbo.tasks.training import setup
from mfbo.tasks.training.setup import DECAY, Options, everything, judged, parts, write_json
from mfbo.trial import Config, Measurement, Rung

if TYPE_CHECKING:
    from mfbo.data import Images
    from mfbo.tasks.training.loop import Job

EPOCHS = spaces.EPOCHS[-1]
SIZES = (0.0625, 1.0)
STEPS = 30  # of the lowest rung, at least: after fewer, all configurations are near chance
CLIP = 5.0
SIDE = 32  # pixels
_OPTIONS = ("data_dir", "patience", "samples")
_WEIGHTS = 3  # stream of the run's seed


def task() -> Task:
    """The task `cifar10`."""
    return Task(
        name="cifar10",
        space=spaces.space(),
        spaces={"wide": spaces.wide},
        train=train,
        validate=validate,
        prepare=prepare,
        warm_up=setup.import_torch,
        fidelity=Fidelity(epochs=(1, EPOCHS), data=(0.1, 1.0), size=SIZES),
        description="CIFAR-10, ResNet-18 (extra: vision)",
        grid=spaces.GRID,
        repeated=DECAY,
        least=least,
        cheaper="samples=1000",
    )


def prepare(options: Mapping[str, str]) -> None:
    """Check options, libraries and data, and decode the training split if that was not done before.

    Raises:
        MissingExtra: torch, torchvision or another library of the extra ``vision`` is not installed.
        BadData: the data set is not there, or its files are not what they should be.
        UnknownName, BadValue: of an option.
    """
    _ = _images(Options.read(options, _OPTIONS)).train


def least(options: Mapping[str, str]) -> tuple[float, float]:
    """(data, work) of the lowest rung that tells anything; see `training_setup.least`."""
    given, batch = Options.read(options, _OPTIONS), spaces.space()["batch_size"].default_value
    return setup.least(
        _images(given).train_labels, given.samples, batch=batch, epochs=EPOCHS, steps=STEPS, size=SIZES[0]
    )


def train(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train on the training part, measure on the validation part; continues from ``context.checkpoint``.

    Returns, raises: as `mfbo.tasks.training.loop.fit`.
    """
    from mfbo.tasks.training.loop import fit

    options = Options.read(context.options, _OPTIONS)
    found = _images(options)
    labels = found.train_labels
    learn, judge, _ = parts(labels, rung.data, context.seed, options.samples)
    rows, glance = judged(labels, judge, rung, len(learn), context.seed)
    job = _job(
        config,
        context,
        found,
        learn,
        judge=(found.train, labels, rows),
        glance=glance,
        side=side_of(rung.size),
        patience=options.patience,
    )
    return fit(job, rung, context)


def validate(config: Config, rung: Rung, context: Context) -> Measurement:
    """Train from scratch on training and validation part, measure on the test split; leaves the model."""
    from mfbo.tasks.training.loop import fit

    options = Options.read(context.options, _OPTIONS)
    found = _images(options)
    learn = everything(found.train_labels, rung.data, context.seed, options.samples)
    test = (found.test, found.test_labels, np.arange(len(found.test_labels)))
    return fit(_job(config, context, found, learn, judge=test, side=side_of(rung.size), final=True), rung, context)


def side_of(size: float) -> int:
    """Pixels along the side of an image that has such a part of the pixels, an even number."""
    return min(SIDE, max(8, 2 * round(SIDE * math.sqrt(size) / 2)))


def _images(options: Options) -> Images:
    from mfbo.data import images
    from mfbo.data.parquet import installed

    for library in ("torch", "torchvision", "safetensors"):
        installed(library, "vision")
    return images("cifar10", options.data_dir)


def _job(
    config: Config,
    context: Context,
    found: Images,
    learn: Indices,
    *,
    judge: tuple[Any, Any, Indices],
    glance: Indices | None = None,
    side: int = SIDE,
    patience: int | None = None,
    final: bool = False,
) -> Job:
    import torch

    from mfbo.tasks.predict.cifar10 import MEAN, STD, network
    from mfbo.tasks.training import loop
    from mfbo.tasks.training.batches import ImageBatches, resized
    from mfbo.tasks.training.device import device_of, optimizer_of, reseed

    device = device_of(context.device)
    torch.backends.cudnn.benchmark = True  # a GPU's fastest convolutions for images of one size; no other device asks
    reseed(device, context.seed, _WEIGHTS)
    model = network(len(found.classes)).to(device, memory_format=torch.channels_last)
    name = str(config.get("optimizer", "adamw"))
    augmentation = config.get("augmentation", "crop_flip")
    crop = round(int(config.get("crop_padding", 4)) * side / SIDE) if augmentation == "crop_flip" else 0
    images, labels, rows = judge
    return loop.Job(
        model=model,
        optimizer=optimizer_of(
            name,
            model,
            weight_decay=float(config.get("weight_decay", 1e-4)),
            momentum=float(config.get("momentum", 0.9)),
        ),
        learn=ImageBatches(
            resized(found.train[learn], side),
            found.train_labels[learn],
            device,
            mean=MEAN,
            std=STD,
            flip=augmentation != "none",
            crop=crop,
        ),
        judge=ImageBatches(resized(images[rows], side), labels[rows], device, mean=MEAN, std=STD),
        glance=None
        if glance is None
        else ImageBatches(resized(images[glance], side), labels[glance], device, mean=MEAN, std=STD),
        classes=len(found.classes),
        device=device,
        keep=lambda folder: _keep(model, found.classes, side, folder),
        peak=float(config.get("sgd_learning_rate", 0.1) if name == "sgd" else config.get("learning_rate", 1e-3)),
        batch_size=int(config.get("batch_size", 128)),
        full_epochs=EPOCHS,
        warmup=float(config.get("warmup_fraction", loop.WARMUP)),
        clip=CLIP,
        smoothing=float(config.get("label_smoothing", 0.0)),
        patience=patience,
        final=final,
    )


def _keep(model: Any, classes: tuple[str, ...], side: int, folder: Path) -> None:
    """What `predict.cifar10.load` reads."""
    from mfbo.tasks.training.state import write_tensors

    write_tensors(folder / "model.safetensors", model.state_dict())
    write_json(folder / "model.json", {"classes": list(classes), "side": side})
