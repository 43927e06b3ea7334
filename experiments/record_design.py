"""Which configurations of a task's default space are recorded, at which fidelities, and in which order.

`imdb`, `agnews` and `cifar10` have three hyperparameters: a grid dense in the learning rate by values of the other two,
and random points to judge interpolation by. `digits` has eight, of which one is conditional: random points alone. A
fifth of the configurations is trained with a second seed, so that the noise is known.

The sizes are those that a core pays for in half an hour a task. What is learned from is small, what is judged by is
not: a full evaluation of a table learns from a `share` of the training part, and is judged by all of the validation
part. A data fraction never leaves a class fewer than 20 samples, so those of many classes begin higher. Weight decay
has one value in `cifar10`: decoupled, it shrinks weights by less than a thousandth in as few steps as these (step size
times decay is 1e-5 at most), and the random points, which draw it, say what leaving it out costs.

The order makes every prefix useful: the learning rate's middle, its ends and the middles between them come first, each
for all values of the rest; after every `EVERY`-th row of the grid come a random point and a second seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product

import numpy as np

from mfbo.optimizers.sampling import random_configs
from mfbo.task import Task
from mfbo.trial import Config, Value, config_key

EVERY = 5
LEARNING_RATES = 13  # of a grid; its third, fifth and ninth levels of refinement end evenly
POINTS_SEED = 20201128


@dataclass(frozen=True)
class Plan:
    """How a task is recorded.

    Attributes:
        others: values of the hyperparameters beside the learning rate; empty for random points alone.
        random: so many random points.
        data: fractions, ascending; the last is 1.
        ends: epochs at which the training is measured as a rung that ends there, ascending; the last is full.
        samples: of the training split; None for all.
        fixed: what else the train function is told.
        test: so many samples of the test split are predicted at the end; None for all.
        share: of the training part that a full evaluation learns from; `data` are fractions of this.
        size: of the inputs, as the task's fidelity has it.
        layers: the pretrained model keeps so many, the lowest; None for all.
    """

    others: Mapping[str, tuple[Value, ...]]
    random: int
    data: tuple[float, ...]
    ends: tuple[int, ...]
    samples: int | None = None
    fixed: Config = field(default_factory=dict)
    test: int | None = None
    share: float = 1.0
    size: float = 1.0
    layers: int | None = None


PLANS: dict[str, Plan] = {
    "imdb": Plan(
        {"batch_size": (32, 128), "hidden_size": (128, 512)},
        16,
        (0.1, 1.0),
        (1, 5),
        samples=4000,
        fixed={"max_length": 20},
        test=400,
        share=0.25,
    ),
    "agnews": Plan(
        {"batch_size": (16, 64), "dropout": (0.1, 0.5)},
        16,
        (0.3, 1.0),
        (1, 3),
        samples=2000,
        fixed={"max_length": 32, "freeze": "embeddings"},
        test=250,
        share=0.15,
        layers=1,
    ),
    "cifar10": Plan(
        {"batch_size": (32, 128), "weight_decay": (1e-4,)},
        10,
        (0.5, 1.0),
        (1, 3),
        samples=2000,
        test=250,
        share=0.25,
        size=0.0625,
    ),
    "digits": Plan({}, 400, (0.2, 0.45, 1.0), (27,)),
}


@dataclass(frozen=True)
class Row:
    """One training, at all data fractions.

    Attributes:
        kind: ``grid`` or ``random``.
        config: of the default space.
        seed: of the training.
    """

    kind: str
    config: Config
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{config_key(self.config)}-{self.seed}"

    @property
    def group(self) -> str:
        """Rows that cost the same: all values but the learning rate's."""
        return " ".join(f"{name}={value}" for name, value in sorted(self.config.items()) if name != "learning_rate")


def learning_rates(task: Task, count: int = LEARNING_RATES) -> list[float]:
    """Spread evenly over the range's logarithm, the middle first, then the ends, then the middles between."""
    values = np.geomspace(task.space["learning_rate"].lower, task.space["learning_rate"].upper, count)
    values = np.array([float(f"{value:.6g}") for value in values])
    steps = [count - 1 >> level for level in range(count.bit_length()) if count - 1 >> level]
    order = dict.fromkeys([count // 2, *(place for step in steps for place in range(0, count, step))])
    return [float(values[place]) for place in order]


def design(task: Task, plan: Plan) -> list[Row]:
    """All rows, in the order in which they are recorded."""
    points = islice(random_configs(task.space, POINTS_SEED), plan.random)
    if not plan.others:
        default = dict(task.space.get_default_configuration())
        return list(_with_repeats("random", [default, *points], iter(())))
    names = list(plan.others)
    grid = [
        {"learning_rate": rate, **dict(zip(names, values, strict=True))}
        for rate in learning_rates(task)
        for values in product(*plan.others.values())
    ]
    return list(_with_repeats("grid", grid, points))


def _with_repeats(kind: str, configs: list[Config], points: Iterator[Config]) -> Iterator[Row]:
    """Each row, after every `EVERY`-th its second seed and a random point, and the random points that are left."""
    for number, config in enumerate(configs):
        yield Row(kind, config, 0)
        if number % EVERY == EVERY - 1:
            yield Row(kind, config, 1)
            yield from (Row("random", point, 0) for point in islice(points, 1))
    yield from (Row("random", point, 0) for point in points)
