"""Hyperparameters of the `imdb` task: an LSTM on IMDb reviews (2 classes), full fidelity 15 epochs.

The default space has ``learning_rate``, ``batch_size`` and ``hidden_size``. The wide one has these names; one in
brackets exists only under its condition, so read it with ``config.get(name, default)``:

====================  =============================================================================================
optimizer             ``adam`` (AdamW: its weight decay is decoupled) or ``sgd``
[learning_rate]       Adam's peak step size; exists if optimizer is ``adam`` (and always in the default space)
[sgd_learning_rate]   SGD's peak step size; exists if optimizer is ``sgd``
[momentum]            SGD's momentum; exists if optimizer is ``sgd``
batch_size            reviews a step
hidden_size           units of the LSTM in each direction
embedding_size        numbers a word
layers                LSTM layers
[layer_dropout]       dropout between LSTM layers; exists if there are two or more
dropout               of the embeddings, and before the classifier
bidirectional         whether a second LSTM reads backwards: a bool
clip_norm             the gradient's norm is cut to it
max_length            words that are read of a review
weight_decay          decoupled for Adam, L2 for SGD
====================  =============================================================================================
"""

from __future__ import annotations

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    GreaterThanCondition,
    Integer,
    OrdinalHyperparameter,
)

EPOCHS = (5, 10, 15)  # the grid's; the last is full fidelity
GRID = {
    "learning_rate": (1e-4, 1e-3, 1e-2),
    "batch_size": (32, 64, 128),
    "hidden_size": (128, 256, 512),
}


def space() -> ConfigurationSpace:
    """The three hyperparameters that the study compares optimizers on."""
    found = ConfigurationSpace(name="imdb")
    found.add(
        # Peak step size, no unit. The study's range; trainings of minutes want its upper part.
        Float("learning_rate", (1e-4, 1e-2), default=5e-3, log=True),
        # Reviews a step. The study's values; small ones take more steps in the same time.
        OrdinalHyperparameter("batch_size", [32, 64, 128], default_value=32),
        # Units of the LSTM. The study's values; doubling them makes a step two to four times as dear.
        OrdinalHyperparameter("hidden_size", [128, 256, 512], default_value=128),
    )
    return found


def wide() -> ConfigurationSpace:
    """What a practitioner would also tune; see the module for the names."""
    optimizer = Categorical("optimizer", ["adam", "sgd"], default="adam")
    # As in `space`, and only for Adam: what suits it is a hundredth of what suits SGD.
    learning_rate = Float("learning_rate", (1e-4, 1e-2), default=5e-3, log=True)
    # SGD's peak step size: a hundred times Adam's, as in `cifar10`.
    sgd_learning_rate = Float("sgd_learning_rate", (1e-2, 1.0), default=0.1, log=True)
    # A fraction of the last step. Sutskever et al. 2013: 0.9 to 0.99 for recurrent networks.
    momentum = Float("momentum", (0.0, 0.99), default=0.9)
    # LSTM layers; more than three do not pay for 25,000 reviews.
    layers = Integer("layers", (1, 3), default=1)
    # Probability that a unit is dropped. Zaremba et al. 2014: 0.5 between layers for medium LSTMs.
    layer_dropout = Float("layer_dropout", (0.0, 0.6), default=0.3)
    found = ConfigurationSpace(name="imdb-wide")
    found.add(
        optimizer,
        learning_rate,
        sgd_learning_rate,
        momentum,
        # As in `space`.
        OrdinalHyperparameter("batch_size", [32, 64, 128], default_value=32),
        # As in `space`.
        OrdinalHyperparameter("hidden_size", [128, 256, 512], default_value=256),
        # Numbers a word; pretrained embeddings come in 50 to 300 (Pennington et al. 2014).
        OrdinalHyperparameter("embedding_size", [32, 64, 128, 256], default_value=128),
        layers,
        layer_dropout,
        # Probability that a unit is dropped. Srivastava et al. 2014: 0.5 for hidden units, less for inputs.
        Float("dropout", (0.0, 0.6), default=0.3),
        Categorical("bidirectional", [False, True], default=False),
        # Norm over all parameters. Pascanu et al. 2013: half to ten times its average; 1 is common.
        Float("clip_norm", (0.1, 10.0), default=1.0, log=True),
        # Words; the median review has about 175, and 512 cut one in ten.
        OrdinalHyperparameter("max_length", [128, 256, 512], default_value=256),
        # Per unit of step size. From none to speak of to AdamW's default in PyTorch, 1e-2.
        Float("weight_decay", (1e-6, 1e-2), default=1e-5, log=True),
        EqualsCondition(learning_rate, optimizer, "adam"),
        EqualsCondition(sgd_learning_rate, optimizer, "sgd"),
        EqualsCondition(momentum, optimizer, "sgd"),
        GreaterThanCondition(layer_dropout, layers, 1),
    )
    return found
