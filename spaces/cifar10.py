"""Hyperparameters of the `cifar10` task: ResNet-18 on 32x32 colour images, full fidelity 30 epochs.

The default space has ``learning_rate``, ``batch_size`` and ``weight_decay``. The wide one has these names; one in
brackets exists only under its condition, so read it with ``config.get(name, default)``:

====================  =============================================================================================
optimizer             ``adamw`` or ``sgd``
[learning_rate]       AdamW's peak step size; exists if optimizer is ``adamw`` (and always in the default space)
[sgd_learning_rate]   SGD's peak step size; exists if optimizer is ``sgd``
[momentum]            SGD's Nesterov momentum; exists if optimizer is ``sgd``
batch_size            images a step
weight_decay          decoupled for AdamW (PyTorch's unit: times the step size), L2 for SGD
warmup_fraction       part of a full evaluation's steps over which the step size rises linearly from 0
label_smoothing       probability mass spread over all classes
augmentation          ``none``, ``flip`` (left-right) or ``crop_flip`` (random crop of the padded image, and flip)
[crop_padding]        pixels of padding on each side before the crop; exists if augmentation is ``crop_flip``
====================  =============================================================================================
"""

from __future__ import annotations

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer, OrdinalHyperparameter

EPOCHS = (10, 20, 30)  # the grid's; the last is full fidelity
GRID = {
    "learning_rate": (1e-4, 1e-3, 1e-2),
    "batch_size": (32, 64, 128),
    "weight_decay": (1e-5, 1e-4, 1e-3),
}


def space() -> ConfigurationSpace:
    """The three hyperparameters that the study compares optimizers on."""
    found = ConfigurationSpace(name="cifar10")
    found.add(
        # Peak step size, no unit. The study's range; Adam's default 1e-3 (Kingma & Ba 2015) is its middle.
        Float("learning_rate", (1e-4, 1e-2), default=1e-3, log=True),
        # Images a step. The study's values; He et al. 2016 (4.2) use 128, small ones take more steps in the same time.
        OrdinalHyperparameter("batch_size", [32, 64, 128], default_value=32),
        # Per unit of step size. The study's range; He et al. 2016 (4.2) use 1e-4.
        Float("weight_decay", (1e-5, 1e-3), default=1e-4, log=True),
    )
    return found


def wide() -> ConfigurationSpace:
    """What a practitioner would also tune; see the module for the names."""
    optimizer = Categorical("optimizer", ["adamw", "sgd"], default="adamw")
    # As in `space`, and only for AdamW: what suits it is a hundredth of what suits SGD.
    learning_rate = Float("learning_rate", (1e-4, 1e-2), default=1e-3, log=True)
    # SGD's peak step size. He et al. 2016 (4.2): 0.1; a factor of ten to either side.
    sgd_learning_rate = Float("sgd_learning_rate", (1e-2, 1.0), default=0.1, log=True)
    # A fraction of the last step. He et al. 2016 (4.2): 0.9; Sutskever et al. 2013 go up to 0.99.
    momentum = Float("momentum", (0.8, 0.99), default=0.9)
    augmentation = Categorical("augmentation", ["none", "flip", "crop_flip"], default="crop_flip")
    # Pixels on each side. He et al. 2016 (4.2): 4.
    crop_padding = Integer("crop_padding", (1, 6), default=4)
    found = ConfigurationSpace(name="cifar10-wide")
    found.add(
        optimizer,
        learning_rate,
        sgd_learning_rate,
        momentum,
        # Images a step, `space` and two doublings more: what a GPU is filled with.
        OrdinalHyperparameter("batch_size", [32, 64, 128, 256, 512], default_value=128),
        # AdamW wants more than SGD, as the step size scales it (Loshchilov & Hutter 2019): two decades above `space`.
        Float("weight_decay", (1e-5, 1e-1), default=5e-4, log=True),
        # Part of a full evaluation's steps. Goyal et al. 2017 (2.2): 5 of 90 epochs.
        Float("warmup_fraction", (0.0, 0.1), default=0.05),
        # Probability. Szegedy et al. 2016 (7): 0.1.
        Float("label_smoothing", (0.0, 0.2), default=0.0),
        augmentation,
        crop_padding,
        EqualsCondition(learning_rate, optimizer, "adamw"),
        EqualsCondition(sgd_learning_rate, optimizer, "sgd"),
        EqualsCondition(momentum, optimizer, "sgd"),
        EqualsCondition(crop_padding, augmentation, "crop_flip"),
    )
    return found
