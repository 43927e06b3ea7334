"""A task of your own, in plain PyTorch, as short as it gets.

It runs as it stands:

    mfbo tune mytask.py:task --max-cost 20s

Put your own data, model and hyperparameters in the place of these, from top to bottom.
"""

from __future__ import annotations

import torch
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import mfbo

# 1. The data: a training part, and a validation part that gives the loss. It is read once in each process.
x, y = load_digits(return_X_y=True)
x_train, x_valid, y_train, y_valid = (
    torch.as_tensor(part) for part in train_test_split(x / 16, y, test_size=0.3, stratify=y, random_state=0)
)

# 2. The space: what is tuned. Give wide ranges, and log=True to what you would change by factors.
space = ConfigurationSpace()
space.add(
    Float("learning_rate", (1e-4, 1e-1), log=True),
    Integer("hidden_units", (16, 256), log=True),
    Integer("batch_size", (16, 256), log=True),
    Float("weight_decay", (1e-6, 1e-1), log=True),
    Categorical("activation", ["relu", "tanh"]),
)


def train(config: mfbo.Config, fidelity: mfbo.Rung, context: mfbo.Context) -> mfbo.Measurement:
    """3. Train one configuration on a part of the data for some epochs; return its validation loss."""
    torch.manual_seed(context.seed)
    device = "cuda" if context.device == "auto" and torch.cuda.is_available() else context.device.replace("auto", "cpu")
    units = int(config["hidden_units"])
    activation = nn.ReLU() if config["activation"] == "relu" else nn.Tanh()
    model = nn.Sequential(nn.Linear(64, units), activation, nn.Linear(units, 10)).double().to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=float(config["learning_rate"]), weight_decay=float(config["weight_decay"])
    )

    # Go on from where this configuration stopped at a lower rung. Leave this out, and it starts anew each time.
    if context.checkpoint:
        state = torch.load(context.checkpoint / "state.pt", map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    n = int(fidelity.data * len(x_train))  # a cheap trial sees a part of the data, ...
    inputs, targets, x_judge, y_judge = (part.to(device) for part in (x_train[:n], y_train[:n], x_valid, y_valid))
    error = 1.0
    for epoch in range(context.start_epoch, fidelity.epochs):  # ... and makes fewer epochs
        model.train()
        order = torch.randperm(n, generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(int(config["batch_size"])):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            error = (model(x_judge).argmax(1) != y_judge).double().mean().item()
        context.report(error)  # once an epoch; ends the trial in order when its time is up, as context.poll() does

    if context.keeps_checkpoints:
        with context.save(fidelity.epochs) as folder:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "state.pt")
    return mfbo.Measurement(error, {"accuracy": 1 - error})  # the loss, lower is better; and what else to keep


# 4. The task: a full evaluation is 27 epochs on all data, the cheapest one epoch on a fifth of it.
task = mfbo.Task("mytask", space, train, mfbo.Fidelity(epochs=(1, 27), data=(0.2, 1.0)))
