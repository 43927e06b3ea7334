"""Hyperparameters of the `agnews` task: DistilBERT on AG News (4 classes), full fidelity 4 epochs.

The default space has ``learning_rate``, ``batch_size`` and ``dropout``. The wide one has these names; one in brackets
exists only under its condition, so read it with ``config.get(name, default)``:

=================  ================================================================================================
learning_rate      AdamW's peak step size
batch_size         texts a step
dropout            DistilBERT's ``dropout`` and ``seq_classif_dropout`` (a BERT's ``hidden_dropout_prob`` and
                   ``classifier_dropout``)
attention_dropout  DistilBERT's ``attention_dropout`` (a BERT's ``attention_probs_dropout_prob``); where the space has
                   none, as in the default one, ``dropout`` stands for it too
weight_decay       decoupled, PyTorch's unit: times the step size
warmup_fraction    part of a full evaluation's steps over which the step size rises linearly from 0
label_smoothing    probability mass spread over all classes
max_length         tokens that are read of a text, special ones included
freeze             ``none``, ``embeddings``, or ``layers`` (the embeddings and the lowest layers)
[frozen_layers]    how many of the lowest transformer layers are not trained; exists if freeze is ``layers``. The
                   model may have fewer: at least the last one trains
=================  ================================================================================================
"""

from __future__ import annotations

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer, OrdinalHyperparameter

EPOCHS = (2, 3, 4)  # the grid's; the last is full fidelity
GRID = {
    "learning_rate": (1e-5, 1e-4, 1e-3),
    "batch_size": (16, 32, 64),
    "dropout": (0.1, 0.3, 0.5),
}


def space() -> ConfigurationSpace:
    """The three hyperparameters that the study compares optimizers on."""
    found = ConfigurationSpace(name="agnews")
    found.add(
        # Peak step size, no unit. The study's range; Devlin et al. 2019 (A.3) advise 2e-5 to 5e-5 for BERT;
        # small models want more.
        Float("learning_rate", (1e-5, 1e-3), default=1e-4, log=True),
        # Texts a step. The study's values; Devlin et al. 2019 (A.3): 16 or 32.
        OrdinalHyperparameter("batch_size", [16, 32, 64], default_value=32),
        # Probability that a unit is dropped. The study's range; DistilBERT's own: 0.1, and 0.2 before the classifier.
        Float("dropout", (0.1, 0.5), default=0.1),
    )
    return found


def wide() -> ConfigurationSpace:
    """What a practitioner would also tune; see the module for the names."""
    freeze = Categorical("freeze", ["none", "embeddings", "layers"], default="none")
    # Layers; DistilBERT has 6. Lee et al. 2019 (arXiv:1911.03090): a quarter that trains keeps 90% of the quality.
    frozen_layers = Integer("frozen_layers", (1, 5), default=3)
    found = ConfigurationSpace(name="agnews-wide")
    found.add(
        # As in `space`.
        Float("learning_rate", (1e-5, 1e-3), default=1e-4, log=True),
        # As in `space`.
        OrdinalHyperparameter("batch_size", [16, 32, 64], default_value=32),
        # `space` down to none at all.
        Float("dropout", (0.0, 0.5), default=0.1),
        # Probability that an attention weight is dropped. DistilBERT's own: 0.1.
        Float("attention_dropout", (0.0, 0.3), default=0.1),
        # Per unit of step size. Devlin et al. 2019 (A.2): 0.01.
        Float("weight_decay", (1e-4, 1e-1), default=1e-2, log=True),
        # Part of a full evaluation's steps. Liu et al. 2019 (table 10): 0.06.
        Float("warmup_fraction", (0.0, 0.2), default=0.06),
        # Probability. Szegedy et al. 2016 (7): 0.1.
        Float("label_smoothing", (0.0, 0.2), default=0.0),
        # Tokens; the median of AG News is near 50, and 128 cut fewer than one text in a hundred.
        OrdinalHyperparameter("max_length", [32, 64, 128, 256], default_value=128),
        freeze,
        frozen_layers,
        EqualsCondition(frozen_layers, freeze, "layers"),
    )
    return found
