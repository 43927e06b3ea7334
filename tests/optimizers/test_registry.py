"""The registry: one file and one entry make an optimizer, and every room takes it from there."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import quadratic_space

import mfbo
from mfbo.analysis import style
from mfbo.errors import BadValue, UnknownName
from mfbo.optimizers.registry import OPTIMIZERS, ladder_of, make, names_with, spec_of
from mfbo.optimizers.spec import BuildInputs, OptimizerSpec, numbered
from mfbo.planning import planner
from mfbo.planning.simulation import bought
from mfbo.search import Search
from mfbo.trial import Trial

FIDELITY = mfbo.Fidelity(epochs=(1, 9))


class Lowest:
    """Evaluates each configuration at the lowest rung, and every fourth trial is the last one in full."""

    def __init__(self, source, rungs):
        self._source, self._rungs, self._asked, self._last = source, rungs, 0, None

    def ask(self):
        level = -1 if self._asked % 4 == 3 else 0
        self._last = self._last if level else next(self._source)
        self._asked += 1
        return Trial(self._asked - 1, self._last, self._rungs[level])

    def tell(self, trial, outcome):
        pass

    def pending(self):
        return None

    def remember(self, configs):
        pass


def build(inputs: BuildInputs) -> Lowest:
    from mfbo.optimizers.sampling import random_configs

    return Lowest(random_configs(inputs.task.space, inputs.search.seed), inputs.rungs)


TOY = OptimizerSpec(
    name="toy",
    description="a toy",
    build=build,
    schedule=lambda rungs, eta: Lowest(numbered(), rungs),
    colour="#123456",
    marker="p",
    cost_share=1.5,
)


@pytest.fixture
def toy(monkeypatch):
    """What its module's name in `MODULES` does."""
    monkeypatch.setitem(OPTIMIZERS, TOY.name, TOY)


def task():
    return mfbo.Task("q", quadratic_space(), lambda config, rung, context: config["x"] ** 2, FIDELITY)


@pytest.mark.slow
@pytest.mark.usefixtures("toy")
def test_a_new_optimizer_is_planned_run_and_drawn_by_its_spec_alone(tmp_path):
    rungs = planner.rungs(task(), Search("toy"))
    low, middle, top = bought("toy", rungs, lambda rung, start: float(rung.epochs - start), 36.0, 3)
    assert (low.trials, middle.trials, top.trials) == (12, 0, 3)  # 3 x 1 + 8 three times, and 3 x 1
    result = mfbo.tune(task(), max_trials=8, optimizer="toy", out=tmp_path / "run")
    assert [trial.rung.epochs for trial in result.ledger.asks.values()] == [1, 1, 1, 9] * 2
    assert style.looks(["toy", "smac"])[0] == ("#123456", "p")
    assert names_with("takes_prior") == ["smac", "smac-stock", "hyperband", "asha"]
    with pytest.raises(BadValue, match="toy supports one objective only"):
        make(Search("toy", objectives=("loss", "size")), task(), FIDELITY.ladder())


@pytest.mark.parametrize(
    "use",
    [
        spec_of,
        lambda name: make(Search(name), task(), FIDELITY.ladder()),
        lambda name: ladder_of(name, FIDELITY, None),
        lambda name: planner.rungs(task(), Search(name)),
        lambda name: bought(name, FIDELITY.ladder(), lambda rung, start: 1.0, 9.0, 3),
    ],
)
def test_no_room_has_a_default_for_an_unknown_optimizer(use):
    with pytest.raises(UnknownName, match="unknown optimizer 'hyperbrand'; did you mean 'hyperband'"):
        use("hyperbrand")


def test_every_spec_has_a_look_of_its_own_and_says_what_it_is():
    specs = list(OPTIMIZERS.values())
    assert len({(spec.colour, spec.marker) for spec in specs}) == len({spec.colour for spec in specs}) == len(specs)
    assert all(spec.description and spec.cost_share > 0 and spec.overhead >= 0 for spec in specs)
    assert [name for name, spec in OPTIMIZERS.items() if spec.name != name] == []


HEAVY = ("smac", "sklearn", "optuna", "torch")
SCRIPT = """
import sys
import mfbo.optimizers.registry as registry
assert not [name for name in sys.modules if name.split(".")[0] in {heavy!r} + ("ConfigSpace", "numpy")], "registry"
from mfbo.planning.simulation import bought
from mfbo.trial import Rung
rungs = [Rung(1, 1.0, 1 / 9), Rung(3, 1.0, 1 / 3), Rung(9)]
for name in registry.OPTIMIZERS:
    if name != "tpe":  # its rule is Optuna's
        assert bought(name, rungs, lambda rung, start: rung.work, 9.0, 3)
from ConfigSpace import ConfigurationSpace
from mfbo.search import Search
from mfbo.task import Task
from mfbo.trial import Outcome
task = Task("q", ConfigurationSpace({{"x": (0.0, 1.0)}}), print)
for name in ("random", "random-2x", "grid", "hyperband", "asha", "one-epoch"):
    optimizer = registry.make(Search(name), task, registry.spec_of(name).rungs(rungs, task.fidelity, 0.0))
    trial = optimizer.ask()
    optimizer.tell(trial, Outcome("ok", 0.5, trial.rung, 1.0))
print([name for name in sys.modules if name.split(".")[0] in {heavy!r}])
"""


@pytest.mark.slow
def test_neither_the_registry_nor_planning_nor_the_baselines_import_smac():
    command = [sys.executable, "-c", SCRIPT.format(heavy=HEAVY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
