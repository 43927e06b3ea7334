"""The parts of `smac`, each alone: points, surrogate, transform, acquisition, search; and all together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ConfigSpace import Configuration, ConfigurationSpace, Float
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.stats import norm
from sklearn.gaussian_process.kernels import Matern
from smac import Scenario
from strategies import FINITE, spaces

import mfbo
from mfbo.optimizers.points import Points
from mfbo.optimizers.sampling import plain
from mfbo.optimizers.smac.curve_gp import CurveProcess, _Posterior, matern, representative
from mfbo.optimizers.smac.encoder import CurveEncoder, last_fit
from mfbo.optimizers.smac.full_ei import FullFidelityEI, PointSearch, log_improvement
from mfbo.optimizers.smac.history import ResultHistory
from mfbo.optimizers.smac.levels import MIN_CORRELATION, upper_correlation
from mfbo.optimizers.smac.optimizer import CurveFacade, CurveOptimizer
from mfbo.optimizers.smac.selector import LESS_EFFORT, SURROGATE
from mfbo.tasks.registry import load
from mfbo.trial import Known, Outcome, Rung

RUNGS = [Rung(1, 1.0, 1 / 9), Rung(3, 1.0, 1 / 3), Rung(9, 1.0, 1.0)]


def cube(dims=2):
    space = ConfigurationSpace()
    space.add(*(Float(f"x{i}", (0.0, 1.0)) for i in range(dims)))
    return space


def process(space, n, seed=0, loss=lambda x: (x**2).sum(axis=1)):
    """A surrogate told of `n` results at full fidelity, and their rows."""
    model, rng = CurveProcess(space), np.random.RandomState(seed)
    rows = model.points.draw(n, rng)
    x = np.column_stack([rows, np.zeros(len(rows))])
    y = loss(model.points.features(rows))
    model.fit(x, y)
    return model.train(x, y[:, None]), x, y


# configurations as points


@pytest.mark.slow
@given(space=spaces(), seed=st.integers(0, 99), width=st.floats(0.001, 1))
@settings(max_examples=60)
def test_every_row_drawn_or_varied_is_a_configuration(space, seed, width):
    points, rng = Points(space), np.random.RandomState(seed)
    drawn = points.draw(20, rng)
    for rows in (drawn, points.near(drawn, width, rng)):
        for row in rows:
            config = points.config(row)
            assert config is not None
            assert plain(Configuration(space, values=config)) == config
            assert np.allclose(points.rows([config])[0], row, atol=1e-6, equal_nan=True)
        features = points.features(rows)
        assert not np.isnan(features).any()
        assert np.logical_or(points.categorical, (features >= 0) & (features <= 1)).all()


def test_the_state_of_the_space_is_not_touched():
    space = load("mixed").space
    space.seed(3)
    expected = space.sample_configuration()
    space.seed(3)
    points = Points(space)
    points.near(points.draw(10, np.random.RandomState(0)), 0.1, np.random.RandomState(0))
    assert space.sample_configuration() == expected


# the surrogate


@given(st.lists(st.floats(0, 20), min_size=1, max_size=20))
def test_the_kernel_is_materns(distances):
    ours = matern(np.array(distances) ** 2)[0]
    theirs = Matern(1.0, nu=2.5)(np.zeros((1, 1)), np.array(distances)[:, None])[0]
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("task", ["hartmann3", "mixed"])
def test_the_gradient_of_the_fit_is_that_of_its_value(task):
    space = load(task).space
    model, rng = CurveProcess(space), np.random.RandomState(0)
    rows = np.repeat(model.points.features(model.points.draw(10, rng)), 2, axis=0)  # each at two rungs
    x = np.column_stack([rows, rng.rand(20)])
    posterior = _Posterior(x, rng.randn(20), model)
    theta = model.prior[0] + 0.3 * rng.randn(len(model.prior[0]))
    error = check_grad(lambda t: posterior(t)[0], lambda t: posterior(t)[1], theta)
    assert error < 1e-3 * np.linalg.norm(posterior(theta)[1])


def test_it_has_smacs_shapes_and_knows_what_it_was_told():
    model, x, y = process(cube(), 30)
    mean, variance = model.predict(x)
    assert mean.shape == variance.shape == (30, 1)
    assert mean.ravel() == pytest.approx(y, abs=0.02)
    assert model.predict(x, None)[1] is None
    full = model.predict(x, "full")[1]
    assert np.diag(full) == pytest.approx(variance.ravel(), abs=1e-6)
    assert model.predict(x, "std")[1] ** 2 == pytest.approx(variance)


def test_what_runs_already_leaves_the_mean_and_takes_the_doubt():
    model, _, _ = process(cube(), 10)
    new = np.array([[0.9, 0.1, 0.0]])
    mean, variance = model.predict(new)
    model.extend(new)
    later, less = model.predict(new)
    assert later == pytest.approx(mean, rel=1e-2)
    assert less < 0.5 * variance


@pytest.mark.parametrize("step", [0.0, 1e-12, 1e-7, 1e-5, 1e-3])
def test_near_and_repeated_configurations_have_a_covariance_that_is_one(step):
    model = CurveProcess(cube(2))
    rows = 0.3 + step * np.arange(60)[:, None] * np.ones(2)
    x = np.column_stack([rows, np.tile([0.0, 0.5, 1.0], 20)])
    y = np.sin(np.arange(60.0))
    # long length scales, and hardly any noise
    model._theta = model.prior[0] + np.array([3.0, 3.0, 0.0, 0.0, -6.0, -9.0, 0.0])
    model.condition(x, y)
    assert np.linalg.eigvalsh(model._covariance(model._x, model._x)).min() > -1e-9
    assert np.isfinite(model.predict(x)[0]).all()


def test_two_categories_are_as_far_apart_as_any_other_two():
    model = CurveProcess(load("mixed").space)
    at = list(model.points.space).index("activation")
    rows = np.tile(model.points.draw(1, np.random.RandomState(0)), (3, 1))
    rows[:, at] = [0, 1, 2]
    squares = model.squares(np.column_stack([model.points.features(rows), np.zeros(3)]))
    assert squares[at].tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_low_rungs_tell_of_the_full_one_where_they_agree():
    space, rng = cube(), np.random.RandomState(0)
    model = CurveProcess(space)
    low = np.column_stack([rng.rand(60, 2), np.ones(60)])
    full = np.column_stack([rng.rand(8, 2), np.zeros(8)])
    x = np.concatenate([low, full])
    y = np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * x[:, 2]
    model.fit(x, y)
    model.train(x, y[:, None])
    asked = np.column_stack([rng.rand(200, 2), np.zeros(200)])
    mean = model.predict(asked)[0].ravel()
    truth = np.sin(5 * asked[:, 0]) + asked[:, 1] ** 2
    assert np.corrcoef(mean, truth)[0, 1] > 0.97


@given(n=st.integers(1, 400), most=st.integers(12, 100), seed=st.integers(0, 9))
@settings(max_examples=30)
def test_those_that_stand_for_all_hold_the_best_and_are_no_more_than_allowed(n, most, seed):
    rng = np.random.RandomState(seed)
    y, lack = rng.rand(n), rng.randint(0, 3, n) / 2
    keep = representative(y, lack, most)
    assert len(keep) == len(set(keep.tolist())) == min(n, most)
    assert sorted(keep.tolist()) == keep.tolist()
    assert int(np.argmin(y)) in keep


# results as numbers


def encoder():
    return CurveEncoder(Scenario(cube(), deterministic=True), [1.0, 3.0, 9.0, 27.0], [1 / 27, 1 / 9, 1 / 3, 1.0])


@example(losses=[0.0, 1e177, 1e-131], fails=[False] * 30)  # further from one another than numbers go
@given(losses=st.lists(FINITE, min_size=1, max_size=30), fails=st.lists(st.booleans(), min_size=30, max_size=30))
def test_losses_keep_their_order_and_failures_are_never_better(losses, fails):
    y = np.array([math.nan if fail else loss for loss, fail in zip(losses, fails, strict=False)])
    found = encoder().transform_response_values(y)
    assert np.isfinite(found).all()
    good = ~np.isnan(y)
    assert (np.diff(found[good][np.argsort(y[good], kind="stable")]) >= 0).all()
    if good.any() and not good.all():
        assert found[~good].min() >= found[good].max()


@given(
    losses=st.lists(st.integers(0, 1000), min_size=2, max_size=30),
    scale=st.sampled_from([1e-3, 1.0, 64.0]),
    shift=st.integers(-1000, 1000),
)
def test_neither_the_unit_of_a_loss_nor_its_zero_matters(losses, scale, shift):
    y = np.array(losses, dtype=float)
    one, other = (encoder().transform_response_values(values) for values in (y, scale * (y + shift)))
    assert one == pytest.approx(other, abs=1e-6)


def test_the_fidelity_is_the_last_column_from_one_to_nothing():
    rows = encoder().at(np.zeros((4, 2)), [0, 1, 2, 3])
    assert rows[:, 2].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_cost_is_learned_from_trials():
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    for _ in range(60):
        trial = optimizer.ask()
        optimizer.tell(trial, Outcome("ok", 0.5, trial.rung, trial.rung.work * 10 ** trial.config["x0"], virtual=True))
    predicted = optimizer._facade._runhistory_encoder.log_cost(np.array([[0.0, 0.3], [1.0, 0.9]]))
    assert predicted[1] - predicted[0] == pytest.approx(math.log(10), rel=0.1)


def test_a_rungs_overhead_is_not_taken_for_the_cost_of_configurations():
    """Those that were seen at the lowest rung alone have ten times the rate of the others, for its overhead alone."""
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    for _ in range(40):
        trial = optimizer.ask()
        cost = 1 + 9 * trial.rung.work
        optimizer.tell(trial, Outcome("ok", trial.config["x0"], trial.rung, cost, virtual=True))
    logs = optimizer._facade._runhistory_encoder.log_cost(np.array([[0.05, 0.5], [0.5, 0.5], [0.95, 0.5]]))
    assert np.ptp(logs) < 0.05  # a fifth where a rung is not known to have one


def test_random_configurations_are_cheap_more_often_than_not():
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    for _ in range(20):
        trial = optimizer.ask()
        cost = trial.rung.work * 100 ** trial.config["x0"]
        optimizer.tell(trial, Outcome("ok", trial.config["x1"], trial.rung, cost, virtual=True))
    selector, rng = optimizer._facade.selector, np.random.RandomState(0)
    first = [selector._random(rng)[0, 0] for _ in range(200)]
    assert 0.2 < np.mean(first) < 0.45
    assert max(first) > 0.8


def test_fits_are_due_ever_more_seldom():
    due = [last_fit(n, 8) for n in range(8, 2000)]
    assert all(at <= n for n, at in enumerate(due, start=8))
    assert len(set(due)) < 70


# the record of results


def run_of(optimizer, trials, loss=lambda trial: trial.config["x0"]):
    """The trials asked, one after the other."""
    asked = []
    for _ in range(trials):
        trial = optimizer.ask()
        asked.append(trial)
        optimizer.tell(trial, Outcome("ok", loss(trial), trial.rung, trial.rung.work, virtual=True))
    return asked


def test_what_smacs_history_is_not_told_is_not_known(monkeypatch):
    told = run_of(CurveOptimizer(cube(), RUNGS, 0), 30)
    monkeypatch.setattr(CurveFacade, "tell", lambda *arguments, **named: None)
    untold = run_of(CurveOptimizer(cube(), RUNGS, 0), 30)
    assert {trial.rung for trial in told} > {trial.rung for trial in untold} == {RUNGS[0]}
    assert told[0] == untold[0]


def test_smacs_history_has_every_result_in_the_order_of_the_tells_and_what_runs():
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    trials = [optimizer.ask() for _ in range(6)]
    for place, loss in ((4, 0.4), (0, None), (2, 0.2)):
        outcome = Outcome("failed" if loss is None else "ok", loss, trials[place].rung, 7.0 + place)
        optimizer.tell(trials[place], outcome)
    history = optimizer._facade.runhistory
    assert isinstance(history, ResultHistory)
    assert [history.loss(key) for key in history.result_keys] == [0.4, None, 0.2]
    assert [history[key].time for key in history.result_keys] == [11.0, 7.0, 9.0]
    configs = [plain(history.get_config(key.config_id)) for key in history.running_keys]
    assert configs == [trials[place].config for place in (1, 3, 5)]
    assert (history.submitted, history.finished, history.running) == (6, 3, 3)


def test_losses_that_are_revised_count_as_if_they_had_been_told_so():
    def falling(trial):
        return -trial.config["x0"]

    one, other = CurveOptimizer(cube(), RUNGS, 0), CurveOptimizer(cube(), RUNGS, 0)
    first = run_of(one, 2)  # too few for a promotion, so that both have asked for the same
    assert run_of(other, 2, falling) == first
    one.revise_losses([falling(trial) for trial in first])
    assert run_of(one, 15, falling) == run_of(other, 15, falling)


def test_a_result_from_outside_stands_beside_the_runs_own_of_the_same_configuration():
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    (trial,) = run_of(optimizer, 1, loss=lambda trial: 0.5)
    for loss in (0.7, 0.1):
        optimizer.add_result(Known(trial.config, trial.rung, loss))
    history = optimizer._facade.runhistory
    assert [history.loss(key) for key in history.result_keys] == [0.5, 0.7, 0.1]
    assert [key.seed for key in history.result_keys] == [0, 1, 2]


def test_a_better_result_from_outside_is_asked_for_next():
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    run_of(optimizer, 3, loss=lambda trial: 0.5)
    better = {"x0": 0.25, "x1": 0.75}
    optimizer.add_result(Known({"x0": 0.5, "x1": 0.125}, RUNGS[0], 0.6))
    optimizer.add_result(Known(better, RUNGS[0], 0.1))
    asked = [trial.config for trial in run_of(optimizer, 2, loss=lambda trial: 0.5)]
    assert better in asked


# what is looked for


@given(st.floats(-30, 10))
def test_log_improvement_is_the_logarithm_of_the_formula(z):
    direct = z * norm.cdf(z) + norm.pdf(z)
    if direct > 1e-290 and z > -5:
        assert log_improvement(np.array([z]))[0] == pytest.approx(math.log(direct), abs=1e-6)


def test_log_improvement_rises_even_where_there_is_hardly_any():
    assert (np.diff(log_improvement(np.linspace(-1e4, 10, 20_001))) > 0).all()


def test_of_two_equals_the_cheaper_is_preferred_but_not_at_any_price():
    model, _, _ = process(cube(), 20)
    function = FullFidelityEI()
    function.update(model=model, eta=0.5, log_cost=lambda rows: np.log(1 + 9 * rows[:, 0]))
    plain_ei = FullFidelityEI()
    plain_ei.update(model=model, eta=0.5)
    rows = np.random.RandomState(1).rand(20, 2)
    share = (plain_ei.of(rows) - function.of(rows)) / np.log(1 + 9 * rows[:, 0])
    assert share == pytest.approx(0.5)


def test_the_search_finds_a_corner_of_the_space():
    model, _, _ = process(cube(4), 60, loss=lambda x: ((x - [1, 1, 0, 0]) ** 2).sum(axis=1))
    function = FullFidelityEI()
    function.update(model=model, eta=0.05)
    search = PointSearch(model.points.space, function)
    search.reseed(1)
    best = search.search(np.random.RandomState(0).rand(3, 4))[0]
    assert best == pytest.approx([1, 1, 0, 0], abs=0.2)
    ranked = search.maximize([], n_points=5)
    assert len(list(ranked)) == 5


def test_the_facade_is_made_of_these_parts():
    facade = CurveFacade(cube(), [1.0, 3.0], [1 / 3, 1.0], 0)
    assert isinstance(facade._model, CurveProcess)
    assert facade._intensifier is facade.promotions
    assert facade._intensifier.config_selector is facade.selector
    assert facade._acquisition_maximizer.acquisition_function is facade._acquisition_function


# all together


def regret(task, name, cost, seeds):
    found = load(task)
    losses = [found.true_loss(mfbo.tune(found, f"{cost}x", optimizer=name, seed=s).best.config) for s in range(seeds)]
    return np.mean(losses) - found.optimum


def test_it_is_far_ahead_of_random_search_where_the_surrogate_is_right():
    assert regret("hartmann3", "smac", 8, 2) < 0.3 * regret("hartmann3", "random", 16, 2)


@pytest.mark.parametrize(("noise", "informative"), [(0.3, True), (50.0, False)])
def test_whether_a_rung_predicts_the_next_is_seen_from_its_best_third_alone(noise, informative):
    found = []
    for seed in range(40):
        rng = np.random.RandomState(seed)
        low = dict(enumerate(rng.randn(90)))
        promoted = sorted(low, key=low.get)[:30]
        high = {config: low[config] + noise * rng.randn() for config in promoted}
        found.append(upper_correlation(low, high) >= MIN_CORRELATION)
    assert np.mean(found) >= 0.9 if informative else np.mean(found) <= 0.7


def test_a_rung_that_sorts_the_other_way_round_is_condemned():
    low = {config: float(config) for config in range(30)}
    assert upper_correlation(low, {config: -float(config) for config in range(10)}) < 0


def levels_after(trials, seconds):
    """The rungs in use after so many trials, which cost so many seconds by their rung."""
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    for _ in range(trials):
        trial = optimizer.ask()
        cost = seconds[RUNGS.index(trial.rung)]
        optimizer.tell(trial, Outcome("ok", trial.config["x0"], trial.rung, cost, virtual=True))
    return optimizer._facade.selector.levels()


def test_a_rung_that_costs_nearly_as_much_as_the_next_is_left_out():
    assert levels_after(12, [1.0, 3.0, 9.0]) == [0, 1, 2]
    assert levels_after(12, [8.0, 8.5, 40.0]) == [1, 2]
    assert levels_after(30, [9.0, 9.0, 9.0]) == [2]


def test_all_begin_at_the_lowest_rung_and_the_share_of_suggestions_follows_from_the_results():
    optimizer = CurveOptimizer(cube(), RUNGS, 0)
    run_of(optimizer, 60, loss=lambda trial: (trial.config["x0"] - 0.3) ** 2 + 0.1 * trial.config["x1"])
    selector = optimizer._facade.selector
    assert 0.1 <= selector._random_share() < 0.5  # the surrogate is right, and its suggestions come out best
    history = optimizer._facade.runhistory
    first = {}
    for key in history.result_keys:
        first.setdefault(key.config_id, (history.get_config(key.config_id).origin == SURROGATE, key.budget))
    assert {budget for _, budget in first.values()} == {1}
    assert {suggested for suggested, _ in first.values()} == {True, False}


@pytest.mark.parametrize(
    ("seconds", "virtual", "effort"),
    [(10.0, False, 1.0), (0.05, False, LESS_EFFORT), (0.05, True, 1.0), (1e-6, False, LESS_EFFORT)],
)
def test_it_thinks_less_where_its_thinking_would_cost_much_beside_the_trials(seconds, virtual, effort):
    task = load("hartmann6")
    optimizer = CurveOptimizer(task.space, task.fidelity.ladder(), 0)
    for loss in range(12):
        trial = optimizer.ask()
        optimizer.tell(trial, Outcome("ok", float(loss), trial.rung, seconds, virtual=virtual))
    assert optimizer._facade.selector.effort == effort
    assert optimizer.ask() is not None


def test_with_less_effort_the_search_looks_at_fewer_points():
    seen = []
    for share in (1.0, 0.25):
        model, _, _ = process(cube(), 12)
        function = FullFidelityEI()
        function.update(model=model, eta=0.0)
        search = PointSearch(cube(), function)
        counted = []
        function.of = lambda rows, of=function.of, counted=counted: counted.append(len(rows)) or of(rows)
        search.search(np.full((4, 2), 0.5), share)
        seen.append(sum(counted))
    assert seen[1] < seen[0] / 2


@pytest.mark.slow
@pytest.mark.parametrize("good_rungs", [1, 2])
def test_rungs_that_mislead_are_left_alone(good_rungs):
    """The lower rungs sort configurations the other way round: from trial 60 on hardly anything is spent on them."""

    def loss(trial):
        full = (trial.config["x0"] - 0.3) ** 2 + (trial.config["x1"] - 0.6) ** 2
        return full if trial.rung in RUNGS[-good_rungs:] else 1 - full

    for seed in range(3):
        optimizer = CurveOptimizer(cube(), RUNGS, seed)
        asked = run_of(optimizer, 100, loss)
        misled = sum(trial.rung not in RUNGS[-good_rungs:] for trial in asked[60:])
        assert misled <= 4
        best = min((trial for trial in asked if trial.rung == RUNGS[-1]), key=loss)
        assert loss(best) < 0.01
