"""Hyperparameters of the `digits` task: scikit-learn's MLPClassifier on 8x8 images of digits.

The ranges are wider than what works well, so that a search has something to find: of 200 random configurations at full
fidelity the best had 2.8% validation error, the median one 21%, a quarter more than 85%. scikit-learn's own defaults
lie inside.
"""

from __future__ import annotations

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer


def space() -> ConfigurationSpace:
    """Eight hyperparameters; `momentum` exists only for SGD."""
    solver = Categorical("solver", ["adam", "sgd"], default="adam")
    momentum = Float("momentum", (0.0, 0.99), default=0.9)
    found = ConfigurationSpace(name="digits")
    found.add(
        # Step size, no unit; scikit-learn: 1e-3. Bengio 2012 (arXiv:1206.5533, 3.1.1) searches 1e-6 to 1; with 1e-4, 27
        # epochs of 1,000 images leave 13% (adam) and 61% (SGD) error, and with 1 nearly all but plain SGD goes wrong.
        Float("learning_rate", (1e-4, 1.0), default=1e-3, log=True),
        # Units in each hidden layer; the input has 64, the output 10. scikit-learn: 100.
        Integer("hidden_units", (8, 256), default=100, log=True),
        # Hidden layers. scikit-learn: 1; more do not pay for so few images.
        Integer("layers", (1, 2), default=1),
        # Every non-linear one that scikit-learn has. Its default: relu.
        Categorical("activation", ["relu", "tanh", "logistic"], default="relu"),
        # Both of scikit-learn's that go epoch by epoch; its default: adam.
        solver,
        # Nesterov momentum of SGD, a fraction of the last step. scikit-learn: 0.9; 1 would never settle.
        momentum,
        # Images a step; scikit-learn: 200. At 8, an epoch has 126 steps, at 256 four.
        Integer("batch_size", (8, 256), default=200, log=True),
        # L2 penalty, divided by the batch size before it acts (scikit-learn's unit); its default: 1e-4. At 1
        # a batch of 8 makes it a decay of 12% at a learning rate of 1.
        Float("alpha", (1e-6, 1.0), default=1e-4, log=True),
        EqualsCondition(momentum, solver, "sgd"),
    )
    return found
