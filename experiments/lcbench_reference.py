"""What does a full evaluation of each `lcbench` task cost on average, and how low can its loss get?

    MFBO_DATA=... python experiments/lcbench_reference.py > mfbo/tasks/lcbench_reference.py

20,000 random configurations give the mean time and the 64 best points to start from; each of these is then improved by
random steps in the unit cube, 60 rounds of 32 steps whose width falls from 0.3 to 0.003. On one core: 2 minutes.
"""

from __future__ import annotations

import numpy as np
from ConfigSpace import Configuration

from mfbo.spaces.lcbench import space as make_space
from mfbo.tasks.registry import LCBENCH
from mfbo.tasks.tables.lcbench import EPOCHS, Surrogate, folder

RANDOM, STARTS, ROUNDS, STEPS = 20_000, 64, 60, 32
SPACE = make_space()
NAMES = list(SPACE)


def values(vectors: np.ndarray) -> list[dict[str, float]]:
    """Configurations of points in the unit cube: (n, 7)."""
    columns = {name: SPACE[name].to_value(vectors[:, i]) for i, name in enumerate(NAMES)}
    return [dict(zip(NAMES, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def reference(network: Surrogate, instance: str) -> tuple[float, float]:
    """(mean seconds of a full evaluation, least loss found)."""
    rng = np.random.default_rng(0)
    last = np.array([float(EPOCHS)])
    points = rng.random((RANDOM, len(NAMES)))
    losses, seconds = (part[:, -1] for part in network.predict(instance, values(points), last))
    best = np.argsort(losses)[:STARTS]
    points, losses = points[best], losses[best]
    for width in np.geomspace(0.3, 0.003, ROUNDS):
        steps = rng.normal(0, width, (STARTS, STEPS, len(NAMES))) * (rng.random((STARTS, STEPS, len(NAMES))) < 0.5)
        tried = np.clip(points[:, None] + steps, 0, 1)
        found = network.predict(instance, values(tried.reshape(-1, len(NAMES))), last)[0].reshape(STARTS, STEPS)
        at = found.argmin(axis=1)
        better = found[np.arange(STARTS), at] < losses
        points[better] = tried[np.arange(STARTS), at][better]
        losses = np.where(better, found[np.arange(STARTS), at], losses)
    config = values(points[[losses.argmin()]])[0]
    legal = {name: value.item() for name, value in config.items()}
    Configuration(SPACE, values=legal).check_valid_configuration()
    return float(seconds.mean()), float(losses.min())


def main() -> None:
    """Print the module."""
    print(
        '"""Mean seconds of a full evaluation and least loss found, by instance: experiments/lcbench_reference.py."""\n'
    )
    print("REFERENCE: dict[str, tuple[float, float]] = {")
    network = Surrogate(folder())
    for instance in LCBENCH:
        full, least = reference(network, instance)
        print(f'    "{instance}": ({full:.6g}, {least:.9g}),', flush=True)
    print("}")


if __name__ == "__main__":
    main()
