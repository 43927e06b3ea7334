"""Synthetic tasks: formulas with a virtual cost and a known optimum, for trying out optimizers within seconds.

Sources are beside the formulas, in synthetic_functions.py and synthetic_mixed.py. Common to all:

- The fidelity is epochs, each reported; `branin-joint` and `mixed` have a data fraction as well.
- The cost is virtual, and a full evaluation costs 1 second on average: evenly from epoch to epoch and between
  configurations, but for `mixed` and the tasks that end in ``-cost``. A trial that is continued pays only for the rest.
- Noise follows from configuration, epoch, data fraction and the seed of the run. `branin` and `forrester` have none,
  `hartmann` none at full fidelity, `counting-ones` and `mixed` at every fidelity.

`hartmann3` and `hartmann6` without a suffix are mf-prior-bench's `mfh3` and `mfh6`, where low fidelity is a good guide.
Its presets good, moderate, bad and terrible are harder in that order. Rank correlation with the full fidelity after 4,
11 and 33 of 100 epochs, over 4,000 random configurations:

============  ================  ================
preset        3 dimensions      6 dimensions
============  ================  ================
(none)        .99   1.0   1.0   .92   .95   .98
good          .25   .54   .82   .12   .26   .52
moderate      .08   .36   .73   .05   .17   .39
bad           -.02  .22   .64   .02   .11   .31
terrible      -.08  .12   .55   -.01  .07   .24
============  ================  ================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mfbo.fidelity import Fidelity
from mfbo.spaces import synthetic as spaces  # type: ignore[import-not-found, unused-ignore]
from mfbo.task import Task
from mfbo.tasks.registry import BUILTIN
from mfbo.tasks.synthetic import mixed as network
from mfbo.tasks.synthetic.curves import Curves, EvenCost, Floats, Formula
from mfbo.tasks.synthetic.functions import Branin, CountingOnes, Forrester, Hartmann, TiltedCost

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.trial import Config, Rung, Value

# (bias, noise) by the name of mf-prior-bench; "" is its default
PRESETS = {"": (0.5, 0.1), "good": (2.5, 2.0), "moderate": (3.0, 3.0), "bad": (3.5, 4.0), "terrible": (4.0, 5.0)}
# Two hyperparameters with the cost factor 1.6 in 3 dimensions and 1.0 in 6 at the optimum
TILTED = {3: ("x2", "x3"), 6: ("x3", "x6")}
HARTMANN = {3: -3.862779787332663, 6: -3.322368011415515}  # to the last digit, for regret is measured from here


def branin() -> Task:
    """The task `branin`."""
    return _branin("branin", Fidelity(epochs=(1, 27)))


def branin_joint() -> Task:
    """The task `branin-joint`."""
    return _branin("branin-joint", Fidelity(epochs=(1, 27), data=(0.1, 1.0)))


def _branin(name: str, fidelity: Fidelity) -> Task:
    formula = Branin(27, joint=name == "branin-joint")
    # three optima: (-pi, 12.275), (pi, 2.275) and (3 pi, 2.475)
    return _task(name, spaces.branin(), fidelity, formula, optimum=0.39788735772973816)


def forrester() -> Task:
    """The task `forrester`; its optimum is at 0.757249."""
    space = spaces.box("forrester", 1)
    return _task("forrester", space, Fidelity(epochs=(1, 27)), Forrester(27), optimum=-6.020740055767083)


def counting_ones() -> Task:
    """The task `counting-ones`: 8 switches and 8 probabilities, and up to 729 samples of each in 81 epochs."""
    formula = CountingOnes(8, 8, samples=9)
    # the ends of each range, which are the default, would hold the optimum
    grid = {f"float{i}": [0.25, 0.75] for i in range(8)}
    space = spaces.counting_ones(8, 8)
    return _task("counting-ones", space, Fidelity(epochs=(1, 81)), formula, optimum=-16.0, grid=grid)


def mixed() -> Task:
    """The task `mixed`; its optimum is at `synthetic_mixed.BEST`."""
    grid: Mapping[str, Sequence[Value]] = {
        "learning_rate": [1e-4, 1e-3, 1e-2, 1e-1],
        "momentum": [0.0, 0.9],
        "layers": [2, 4, 8],
        "width": [32, 128, 512],
        "batch_size": [32, 128],
        "dropout": [0.0, 0.4],
    }
    fidelity = Fidelity(epochs=(1, network.EPOCHS), data=(0.1, 1.0))
    optimum = network.at_full(network.OPTIMUM)
    return _task("mixed", spaces.mixed(), fidelity, network, optimum=optimum, costs=network.costs, grid=grid)


def _hartmann(dims: int, suffix: str) -> Task:
    """Hartmann with a preset of mf-prior-bench, or with ``cost``: the default preset at a cost that varies."""
    name = f"hartmann{dims}-{suffix}".removesuffix("-")
    bias, noise = PRESETS["" if suffix == "cost" else suffix]
    costs = TiltedCost(TILTED[dims], 100) if suffix == "cost" else None
    space, fidelity = spaces.box(f"hartmann{dims}", dims), Fidelity(epochs=(3, 100))
    return _task(name, space, fidelity, Hartmann(dims, bias, noise, 100), optimum=HARTMANN[dims], costs=costs)


hartmann3 = partial(_hartmann, 3, "")
hartmann3_good = partial(_hartmann, 3, "good")
hartmann3_moderate = partial(_hartmann, 3, "moderate")
hartmann3_bad = partial(_hartmann, 3, "bad")
hartmann3_terrible = partial(_hartmann, 3, "terrible")
hartmann3_cost = partial(_hartmann, 3, "cost")
hartmann6 = partial(_hartmann, 6, "")
hartmann6_good = partial(_hartmann, 6, "good")
hartmann6_moderate = partial(_hartmann, 6, "moderate")
hartmann6_bad = partial(_hartmann, 6, "bad")
hartmann6_terrible = partial(_hartmann, 6, "terrible")
hartmann6_cost = partial(_hartmann, 6, "cost")


def _task(
    name: str,
    space: ConfigurationSpace,
    fidelity: Fidelity,
    formula: Formula,
    *,
    optimum: float,
    costs: Callable[[Config, Rung], Floats] | None = None,
    grid: Mapping[str, Sequence[Value]] | None = None,
) -> Task:
    """A task of a formula; epochs cost the same where `costs` does not say otherwise."""
    return Task(
        name=name,
        space=space,
        train=Curves(formula.losses, costs or EvenCost(fidelity.epoch_range[1])),
        fidelity=fidelity,
        description=BUILTIN[name].description,
        grid=grid,
        stateless=True,
        full_cost=1.0,
        optimum=optimum,
        true_loss=formula.at_full,
    )
