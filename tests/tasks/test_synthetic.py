from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from functools import cache
from itertools import islice, pairwise, product

import numpy as np
import pytest
from ConfigSpace import Configuration
from ConfigSpace.util import get_one_exchange_neighbourhood
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import spearmanr

import mfbo.task
from mfbo.context import Context
from mfbo.executors import Allowance
from mfbo.executors.evaluate import TrialSetup, cut
from mfbo.executors.inline import InlineExecutor
from mfbo.optimizers.sampling import grid_configs, plain, random_configs
from mfbo.spaces.synthetic import WIDTHS
from mfbo.tasks.registry import BUILTIN
from mfbo.tasks.synthetic.curves import normals, uniforms
from mfbo.tasks.synthetic.mixed import ACTIVATIONS, OPTIMUM
from mfbo.trial import Rung, Trial

NAMES = [name for name, builtin in BUILTIN.items() if builtin.where.startswith("mfbo.tasks.synthetic.presets:")]
PRESETS = ["good", "moderate", "bad", "terrible"]
BOXES = [name for name in NAMES if name not in ("mixed", "counting-ones")]
UNEVEN = [name for name in NAMES if name == "mixed" or name.endswith("-cost")]  # in what their configurations cost
NO_LIMIT = Allowance(math.inf, math.inf)

# where the literature puts the optimum, and its value: Surjanovic and Bingham, https://www.sfu.ca/~ssurjano, for
# Branin, Hartmann and Forrester; the task's own sources for the others
LITERATURE = {
    "branin": ([(-math.pi, 12.275), (math.pi, 2.275), (9.42478, 2.475)], 0.397887),
    "hartmann3": ([(0.114614, 0.555649, 0.852547)], -3.86278),
    "hartmann6": ([(0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)], -3.32237),
    "forrester": ([(0.757249,)], -6.02074),
}


@cache
def task(name):
    return mfbo.tasks.registry.load(name)


def point(x):
    return {f"x{i + 1}": float(value) for i, value in enumerate(x)}


@cache
def drawn(name):
    return [], random_configs(task(name).space, 0)


def sample(name, count):
    """The first so many random configurations."""
    configs, source = drawn(name)
    configs.extend(islice(source, max(0, count - len(configs))))
    return configs[:count]


def loss(name, config, rung, seed=0):
    return task(name).train(config, rung, Context(seed=seed)).loss


def rungs(name):
    """Every rung of every path that the task has."""
    fidelity = task(name).fidelity
    paths = ["epochs", "data", "joint"] if fidelity.default_path == "joint" else ["epochs"]
    return [rung for path in paths for rung in fidelity.ladder(path)]


# names


def test_the_presets_of_both_dimensions_and_the_five_others_are_there():
    hartmann = [f"hartmann{dims}{preset}" for dims in (3, 6) for preset in ["", "-cost", *(f"-{p}" for p in PRESETS)]]
    assert sorted(NAMES) == sorted([*hartmann, "branin", "branin-joint", "forrester", "counting-ones", "mixed"])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_loads_the_task_that_is_described(name):
    found = task(name)
    assert (found.name, found.description) == (name, BUILTIN[name].description)
    assert found.stateless
    assert found.full_cost == 1.0
    assert found.optimum is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_task_can_be_sent_to_another_process(name):
    config, full = sample(name, 1)[0], task(name).fidelity.full
    copy = pickle.loads(pickle.dumps(task(name)))
    assert copy.train(config, full, Context()).loss == loss(name, config, full)


# optima


@pytest.mark.parametrize("name", BOXES)
def test_the_optimum_is_where_the_literature_has_it(name):
    places, value = LITERATURE[name.split("-")[0]]
    assert task(name).optimum == pytest.approx(value, abs=1e-5)
    for place in places:
        assert task(name).true_loss(point(place)) == pytest.approx(task(name).optimum, abs=1e-5)
        assert loss(name, point(place), task(name).fidelity.full) == pytest.approx(task(name).optimum, abs=1e-5)


def test_every_switch_and_coin_on_is_the_most_ones():
    ones = {name: 1 if name.startswith("cat") else 1.0 for name in task("counting-ones").space}
    assert len(ones) == 16
    assert task("counting-ones").true_loss(ones) == task("counting-ones").optimum == -16
    assert loss("counting-ones", ones, task("counting-ones").fidelity.full) == -16


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_random_configuration_is_below_the_optimum(name):
    losses = [task(name).true_loss(config) for config in sample(name, 2000)]
    assert min(losses) > task(name).optimum
    assert np.ptp(losses) > 0


@pytest.mark.parametrize("name", ["branin", "hartmann3", "hartmann6", "forrester"])
def test_local_search_reaches_the_optimum_and_nothing_below_it(name):
    bounds = [(hyper.lower, hyper.upper) for hyper in task(name).space.values()]
    found = []
    for config in sample(name, 20):
        search = minimize(lambda x: task(name).true_loss(point(x)), list(config.values()), bounds=bounds)
        found.append(search.fun)
    assert min(found) > task(name).optimum - 1e-12
    assert min(found) == pytest.approx(task(name).optimum, abs=1e-6)


def test_the_best_mixed_configuration_is_legal_and_no_neighbour_is_better():
    space, true_loss = task("mixed").space, task("mixed").true_loss
    best = Configuration(space, values=OPTIMUM)
    assert true_loss(OPTIMUM) == task("mixed").optimum
    neighbours = list(get_one_exchange_neighbourhood(best, seed=0, num_neighbors=50))
    assert len(neighbours) > 100
    assert all(true_loss(plain(neighbour)) > task("mixed").optimum for neighbour in neighbours)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_no_choice_of_the_discrete_parts_of_mixed_beats_the_optimum_however_the_rest_is_set(optimizer):
    def error(x):
        config = {**fixed, "learning_rate": 10 ** x[0], "dropout": x[1], "momentum": x[2]}
        return task("mixed").true_loss(config)

    for activation, layers, width in product(ACTIVATIONS, [4, 5, 6, 7], WIDTHS[-3:]):
        if width == 512 and layers > 4:
            continue
        fixed = {"optimizer": optimizer, "activation": activation, "layers": layers, "width": width, "batch_size": 32}
        found = minimize(error, [-2.5, 0.2, 0.5], bounds=[(-5, 0), (0, 0.8), (0, 0.99 if optimizer == "sgd" else 0)])
        assert found.fun > task("mixed").optimum - 1e-12


def test_what_is_best_of_all_is_forbidden_in_mixed():
    outside = {**OPTIMUM, "width": 512}
    assert task("mixed").true_loss(outside) < task("mixed").optimum
    with pytest.raises(Exception, match=r"[Ff]orbidden"):
        Configuration(task("mixed").space, values=outside)


# fidelity


@pytest.mark.slow
@pytest.mark.parametrize("dims", [3, 6])
def test_low_fidelity_tells_less_from_good_to_terrible(dims):
    names = [f"hartmann{dims}", *(f"hartmann{dims}-{preset}" for preset in PRESETS)]
    configs = sample(names[0], 800)
    full = [task(names[0]).true_loss(config) for config in configs]
    for rung in task(names[0]).fidelity.ladder()[:-1]:
        ranks = [spearmanr([loss(name, config, rung) for config in configs], full)[0] for name in names]
        assert ranks == sorted(ranks, reverse=True)
        assert ranks[0] > 0.9
        assert ranks[1] - ranks[-1] > 0.1


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("counting-ones", "mixed")])
def test_the_full_fidelity_has_no_noise(name):
    for config in sample(name, 20):
        assert loss(name, config, task(name).fidelity.full, seed=3) == pytest.approx(task(name).true_loss(config))


@pytest.mark.parametrize("preset", PRESETS)
def test_hartmann_is_flattened_and_its_noise_only_adds(preset):
    bias, noise = {"good": (2.5, 2), "moderate": (3, 3), "bad": (3.5, 4), "terrible": (4, 5)}[preset]
    peaks = np.array(
        [[0.3689, 0.117, 0.2673], [0.4699, 0.4387, 0.747], [0.1091, 0.8732, 0.5547], [0.0381, 0.5743, 0.8828]]
    )
    steep = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
    lack = 1 - math.log(11) / math.log(100)
    added = []
    for config in sample("hartmann3", 300):
        near = np.exp(-(steep * (np.array(list(config.values())) - peaks) ** 2).sum(axis=1))
        flat = -((np.array([1, 1.2, 3, 3.2]) - bias * lack) * near).sum()
        added.append(loss(f"hartmann3-{preset}", config, Rung(11)) - flat)
    assert min(added) > -1e-9
    assert np.mean(added) == pytest.approx(noise * lack * math.sqrt(2 / math.pi), rel=0.1)


@given(st.floats(0, 1))
def test_forrester_begins_at_the_published_low_fidelity(x):
    high = (6 * x - 2) ** 2 * math.sin(12 * x - 4)
    assert loss("forrester", {"x1": x}, Rung(1)) == pytest.approx(0.5 * high + 10 * (x - 0.5) - 5)
    assert loss("forrester", {"x1": x}, Rung(27)) == pytest.approx(high)


def test_low_fidelity_misleads_forrester():
    xs = np.linspace(0, 1, 201)
    low, high = (min(xs, key=lambda x: loss("forrester", {"x1": float(x)}, Rung(e))) for e in (1, 27))
    assert abs(low - high) > 0.5


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_branin_at_low_fidelity_has_the_published_coefficients(seed):
    config = sample("branin", 50)[seed % 50]
    x1, x2 = config["x1"], config["x2"]
    lack = 1 - 3 / 27
    b, c, t = 5.1 / (4 * math.pi**2) - 0.01 * lack, 5 / math.pi - 0.1 * lack, 1 / (8 * math.pi) + 0.005 * lack
    value = (x2 - b * x1**2 + c * x1 - 6) ** 2 + 10 * (1 - t) * math.cos(x1) + 10
    assert loss("branin", config, Rung(3)) == pytest.approx(value)


@pytest.mark.parametrize("name", ["branin-joint", "mixed"])
def test_epochs_and_data_are_told_apart(name):
    fidelity, config = task(name).fidelity, sample(name, 1)[0]
    paths = {path: fidelity.rung(1 / 9, path) for path in ("epochs", "data", "joint")}
    assert len({rung.data for rung in paths.values()}) == 3
    assert len({loss(name, config, rung) for rung in paths.values()}) == 3
    for rung in paths.values():  # the cost is that of the work, whichever way it is spent
        assert task(name).train.costs(config, rung)[-1] == pytest.approx(
            rung.work * task(name).train.costs(config, fidelity.full)[-1]
        )


def test_coins_are_right_on_average_and_surer_with_more_samples():
    config = sample("counting-ones", 1)[0]
    spread = []
    for rung in task("counting-ones").fidelity.ladder():
        losses = [loss("counting-ones", config, rung, seed) for seed in range(300)]
        chances = np.array([value for name, value in config.items() if name.startswith("float")])
        expected = math.sqrt((chances * (1 - chances)).sum() / (9 * rung.epochs))
        assert np.std(losses) == pytest.approx(expected, rel=0.15)
        assert np.mean(losses) == pytest.approx(task("counting-ones").true_loss(config), abs=4 * expected / 17)
        spread.append(np.std(losses))
    assert spread == sorted(spread, reverse=True)


# mixed


def test_mixed_has_every_kind_of_part():
    space = task("mixed").space
    kinds = {type(hyper).__name__ for hyper in space.values()}
    kind = {"UniformFloatHyperparameter", "UniformIntegerHyperparameter"}
    assert kinds == {*kind, "CategoricalHyperparameter", "OrdinalHyperparameter"}
    assert space["learning_rate"].log
    assert space["batch_size"].log
    assert len(space.conditions) == 2
    assert len(space.forbidden_clauses) == 1


def test_curves_of_mixed_cross():
    rung, full = Rung(1), task("mixed").fidelity.full
    low = [loss("mixed", config, rung) for config in sample("mixed", 1000)]
    high = np.array([task("mixed").true_loss(config) for config in sample("mixed", 1000)])
    good = high < np.quantile(high, 0.1)
    assert 0.5 < spearmanr(low, high)[0] < 0.9
    assert spearmanr(np.array(low)[good], high[good])[0] < 0.5
    assert loss("mixed", OPTIMUM, rung) > min(low)
    assert loss("mixed", OPTIMUM, full) < min(high)


def test_the_noise_of_mixed_is_a_hundredth_at_full_fidelity_and_more_below():
    spread = []
    for rung in task("mixed").fidelity.ladder("epochs"):
        spread.append(np.std([loss("mixed", OPTIMUM, rung, seed) for seed in range(500)]))
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] == pytest.approx(0.01, rel=0.1)


# noise


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60))
def test_a_longer_curve_begins_with_the_shorter(seed, first, second):
    config, (low, high) = {"x": 0.5}, sorted([first, second])
    assert np.array_equal(normals(config, Rung(low), seed), normals(config, Rung(high), seed)[:low])
    assert np.array_equal(uniforms(config, Rung(low), seed, 7), uniforms(config, Rung(high), seed, 7)[:low])


def test_noise_is_normal_and_uniform():
    drawn = np.sort(normals({"x": 0.5}, Rung(20_000), 0))
    assert abs(drawn.mean()) < 0.03
    assert drawn.std() == pytest.approx(1, abs=0.02)
    assert (abs(drawn) < 1).mean() == pytest.approx(0.6827, abs=0.015)
    even = uniforms({"x": 0.5}, Rung(20_000), 0, 1)
    assert 0 <= even.min() < 0.001
    assert 0.999 < even.max() < 1
    assert even.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(even[1:, 0], even[:-1, 0])[0, 1]) < 0.03


def test_noise_is_another_for_another_configuration_seed_data_fraction_or_epoch():
    config, other = sample("mixed", 2)
    drawn = [*normals(config, Rung(2), 0), *normals(config, Rung(1), 1), *normals(other, Rung(1), 0)]
    drawn += [*normals(config, Rung(1, data=0.5), 0)]
    assert len(set(drawn)) == 5


NOISY = ["counting-ones", "mixed", "hartmann3-bad", "hartmann6-terrible"]
SCRIPT = """
import json, sys
from mfbo.context import Context
from mfbo.tasks.registry import load
from mfbo.trial import Rung
for name, config in json.loads(sys.stdin.read()):
    print(load(name).train(config, Rung(4, data=1.0), Context(seed=7)).loss.hex())
"""


@pytest.mark.slow
def test_noise_is_the_same_in_another_process():
    questions = [(name, config) for name in NOISY for config in sample(name, 3)]
    # another order of the hyperparameters is the same configuration
    turned = json.dumps([(name, dict(reversed(config.items()))) for name, config in questions])
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, input=turned, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [loss(name, config, Rung(4), seed=7).hex() for name, config in questions]


def test_noise_is_the_same_in_another_version():
    config = {"x1": 0.25, "x2": 0.5, "x3": 0.75}
    assert loss("hartmann3-bad", config, Rung(4), seed=7) == pytest.approx(3.1260004748955406, abs=1e-12)


# cost


@pytest.mark.parametrize("name", NAMES)
def test_an_average_full_evaluation_costs_one_second(name):
    full = task(name).fidelity.full
    count = 4000 if name in UNEVEN else 20
    costs = [task(name).train.costs(config, full)[-1] for config in sample(name, count)]
    assert np.mean(costs) == pytest.approx(1, abs=0.05)
    assert task(name).train(sample(name, 1)[0], full, Context()).cost == pytest.approx(costs[0])


@pytest.mark.parametrize("name", NAMES)
def test_only_the_named_tasks_charge_configurations_differently(name):
    full = task(name).fidelity.full
    costs = [task(name).train.costs(config, full)[-1] for config in sample(name, 200)]
    if name in UNEVEN:
        assert max(costs) > 5 * min(costs)
    else:
        assert np.ptp(costs) == 0


@pytest.mark.parametrize("name", NAMES)
def test_going_on_costs_the_difference_and_ends_at_the_same_loss(name):
    train, config = task(name).train, sample(name, 1)[0]
    for low, high in pairwise(task(name).fidelity.ladder("epochs")):
        first = train(config, low, Context(seed=1))
        rest = train(config, high, context := Context(seed=1, start_epoch=low.epochs))
        whole = train(config, high, scratch := Context(seed=1))
        assert first.cost + rest.cost == pytest.approx(whole.cost)
        assert rest.loss == whole.loss
        assert [report.epoch for report in context.reports] == list(range(low.epochs + 1, high.epochs + 1))
        assert [r.loss for r in context.reports] == [r.loss for r in scratch.reports[low.epochs :]]


@pytest.mark.parametrize("name", NAMES)
def test_the_last_report_is_the_measurement_and_each_epoch_costs_something(name):
    for config, rung in product(sample(name, 3), rungs(name)):
        measurement = task(name).train(config, rung, context := Context())
        assert len(context.reports) == rung.epochs
        assert (context.reports[-1].loss, context.reports[-1].cost) == (measurement.loss, measurement.cost)
        assert all(b.cost > a.cost > 0 for a, b in pairwise(context.reports))


# runs


@pytest.mark.parametrize("name", NAMES)
def test_the_executor_runs_every_rung_of_the_ladder(name):
    executor = InlineExecutor(task(name), TrialSetup(seed=1), virtual=True)
    start = 0
    for config, path in product(sample(name, 2), {task(name).fidelity.default_path, "epochs"}):
        start, spent = 0, executor.now
        for number, rung in enumerate(task(name).fidelity.ladder(path)):
            executor.submit(Trial(number, config, rung), start)
            _, outcome = executor.wait(NO_LIMIT)
            assert (outcome.status, outcome.virtual, outcome.start_epoch) == ("ok", True, start)
            assert math.isfinite(outcome.loss)
            spent += outcome.cost
            assert executor.now == pytest.approx(spent)
            start = rung.epochs if path == "epochs" else 0


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_that_is_cut_keeps_its_curve_so_far(name):
    executor = InlineExecutor(task(name), TrialSetup())
    executor.submit(Trial(0, sample(name, 1)[0], task(name).fidelity.full), 0)
    _, whole = executor.wait(NO_LIMIT)
    part = cut(task(name), whole, whole.cost * 0.6)
    assert part.status == "stopped"
    assert 0 < part.rung.epochs < whole.rung.epochs
    assert part.loss == whole.reports[part.rung.epochs - 1].loss


@pytest.mark.parametrize("name", NAMES)
def test_the_grid_is_legal_and_does_not_hold_the_optimum(name):
    configs = grid_configs(task(name).space, task(name).grid or {}, 0)
    found = [config for config, _ in zip(configs, range(300), strict=False)]
    assert len({json.dumps(config) for config in found}) == len(found) >= 10
    losses = [task(name).true_loss(config) for config in found]
    assert min(losses) > task(name).optimum + 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_survives_json_and_its_loss_is_a_plain_number(name):
    config = sample(name, 1)[0]
    assert json.loads(json.dumps(config)) == config
    assert type(task(name).true_loss(config)) is float
    assert type(loss(name, config, Rung(3))) is float
