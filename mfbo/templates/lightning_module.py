"""A task of your own, of a Lightning module.

It runs as it stands:

    mfbo tune mytask.py:task --max-cost 20s

Put your own module, data and hyperparameters in the place of these.
"""

from __future__ import annotations

from typing import Any

import lightning
import torch
from ConfigSpace import ConfigurationSpace, Float, Integer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import mfbo
from mfbo.adapters.lightning import fit, trainer

# 1. The data: a training part, and a validation part that gives the loss.
x, y = load_digits(return_X_y=True)
x_train, x_valid, y_train, y_valid = (
    torch.as_tensor(part) for part in train_test_split(x / 16, y, test_size=0.3, stratify=y, random_state=0)
)

# 2. The space: what is tuned.
space = ConfigurationSpace()
space.add(
    Float("learning_rate", (1e-4, 1e-1), log=True),
    Integer("hidden_units", (16, 256), log=True),
    Integer("batch_size", (16, 256), log=True),
)


class Network(lightning.LightningModule):
    """3. The module. Its validation step logs val_loss, which is tuned; what else it logs is kept beside it."""

    def __init__(self, learning_rate: float, hidden_units: int) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.layers = nn.Sequential(nn.Linear(64, hidden_units), nn.ReLU(), nn.Linear(hidden_units, 10)).double()

    def training_step(self, batch: Any, index: int) -> Any:
        """The loss of a batch."""
        inputs, targets = batch
        return nn.functional.cross_entropy(self.layers(inputs), targets)

    def validation_step(self, batch: Any, index: int) -> None:
        """The share of a batch that it gets wrong."""
        inputs, targets = batch
        self.log("val_loss", (self.layers(inputs).argmax(1) != targets).double().mean())

    def configure_optimizers(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def train(config: mfbo.Config, fidelity: mfbo.Rung, context: mfbo.Context) -> mfbo.Measurement:
    """4. Train one configuration on a part of the data; `fit` reports, stops, saves and continues from checkpoints."""
    made = trainer(fidelity, context)  # as lightning.Trainer, whose further arguments it takes
    n = int(fidelity.data * len(x_train))
    loader = DataLoader(TensorDataset(x_train[:n], y_train[:n]), int(config["batch_size"]), shuffle=True)
    module = Network(float(config["learning_rate"]), int(config["hidden_units"]))
    judge = DataLoader(TensorDataset(x_valid, y_valid), len(y_valid))
    return fit(made, module, context, train_dataloaders=loader, val_dataloaders=judge)


# 5. The task: a full evaluation is 27 epochs on all data, the cheapest one epoch on a fifth of it.
task = mfbo.Task("mytask", space, train, mfbo.Fidelity(epochs=(1, 27), data=(0.2, 1.0)))
