"""Hyperparameters of the synthetic tasks: what the formulas in mfbo/tasks/synthetic_functions.py and _mixed.py take.

None has a unit.
"""

from __future__ import annotations

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    GreaterThanCondition,
    Integer,
    OrdinalHyperparameter,
)

WIDTHS = (16, 32, 64, 128, 256, 512)


def box(name: str, dims: int) -> ConfigurationSpace:
    """The unit cube: x1, x2, and so on in [0, 1], where Forrester and Hartmann are defined."""
    found = ConfigurationSpace(name=name)
    found.add(*(Float(f"x{i + 1}", (0.0, 1.0)) for i in range(dims)))
    return found


def branin() -> ConfigurationSpace:
    """Branin's usual rectangle (https://www.sfu.ca/~ssurjano/branin.html)."""
    found = ConfigurationSpace(name="branin")
    found.add(Float("x1", (-5.0, 10.0)), Float("x2", (0.0, 15.0)))
    return found


def counting_ones(categorical: int, continuous: int) -> ConfigurationSpace:
    """Switches of 0 or 1, and probabilities in [0, 1] (Falkner et al. 2018, arXiv:1807.01774, section 5.1)."""
    found = ConfigurationSpace(name="counting-ones")
    found.add(*(Categorical(f"cat{i}", [0, 1]) for i in range(categorical)))
    found.add(*(Float(f"float{i}", (0.0, 1.0)) for i in range(continuous)))
    return found


def mixed() -> ConfigurationSpace:
    """Every kind of part that ConfigSpace has, named after what they imitate: a network and its optimizer."""
    optimizer = Categorical("optimizer", ["adam", "sgd"])
    momentum = Float("momentum", (0.0, 0.99), default=0.5)
    layers = Integer("layers", (1, 8), default=2)
    width = OrdinalHyperparameter("width", list(WIDTHS), default_value=64)
    dropout = Float("dropout", (0.0, 0.8), default=0.0)
    found = ConfigurationSpace(name="mixed")
    found.add(
        optimizer,
        Float("learning_rate", (1e-5, 1.0), default=1e-3, log=True),
        momentum,
        Categorical("activation", ["relu", "tanh", "logistic"]),
        layers,
        width,
        Integer("batch_size", (8, 512), default=128, log=True),
        dropout,
        EqualsCondition(momentum, optimizer, "sgd"),
        GreaterThanCondition(dropout, layers, 1),  # there is no layer in between to drop units of
        # As if these did not fit into memory. The best (layers, width) would be among them, so that the optimum lies
        # right beside the forbidden part.
        ForbiddenAndConjunction(ForbiddenEqualsClause(width, 512), ForbiddenInClause(layers, [5, 6, 7, 8])),
    )
    return found
