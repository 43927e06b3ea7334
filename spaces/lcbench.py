"""Hyperparameters of the `lcbench-...` tasks: a funnel-shaped MLP on a table, trained with SGD and cosine annealing.

Ranges and defaults are YAHPO Gym's (config_space.json of its scenario ``lcbench``); the defaults are the middle of each
range, on its own scale. LCBench itself: Zimmer et al. 2021 (arXiv:2006.13799), table 2.
"""

from __future__ import annotations

from ConfigSpace import ConfigurationSpace, Float, Integer


def space() -> ConfigurationSpace:
    """Seven hyperparameters, without conditions."""
    found = ConfigurationSpace(name="lcbench")
    found.add(
        Integer("batch_size", (16, 512), default=91, log=True),  # rows a step
        Float("learning_rate", (1e-4, 1e-1), default=0.0031622777, log=True),  # of SGD, no unit
        Float("momentum", (0.1, 0.99), default=0.545),  # of SGD, fraction of the last step
        Float("weight_decay", (1e-5, 1e-1), default=0.050005),  # L2 penalty
        Integer("num_layers", (1, 5), default=3),
        Integer("max_units", (64, 1024), default=256, log=True),  # of the widest layer
        Float("max_dropout", (0.0, 1.0), default=0.5),  # of the widest layer, fraction of its units
    )
    return found
