"""A user's own code with types: `.ci/wheel.py` has mypy check it strictly against what the wheel says of its types."""

from __future__ import annotations

from ConfigSpace import ConfigurationSpace, Float

import mfbo

space = ConfigurationSpace()
space.add(Float("x", (-5.0, 5.0)))


def train(config: mfbo.Config, fidelity: mfbo.Rung, context: mfbo.Context) -> mfbo.Measurement:
    """A parabola that is seen more clearly with each epoch."""
    loss = float(config["x"]) ** 2
    for epoch in range(context.start_epoch, fidelity.epochs):
        context.report(loss + 1 / (epoch + 1))
    return mfbo.Measurement(loss, {"accuracy": 1 - loss})


task = mfbo.Task("mine", space, train, mfbo.Fidelity(epochs=(1, 9)))


def main() -> float:
    """Tune it."""
    result: mfbo.TuneResult = mfbo.tune(task, "3x", optimizer="random", settings=mfbo.Settings(workers=0))
    best: mfbo.Best | None = result.best
    assert best is not None
    config: mfbo.Config = best.config
    return float(config["x"])


if __name__ == "__main__":
    print(main())
