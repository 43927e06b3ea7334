"""The families of the suite, on made-up tables and a made-up network."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import suite_families
import suite_runs
import suite_scores
import suite_taskset
import suite_xgboost
from click.testing import CliRunner
from suite import main

from mfbo.errors import BadData, BadSpace, UnknownName
from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.optimizers.registry import make
from mfbo.optimizers.sampling import random_configs
from mfbo.search import Search
from mfbo.trial import Rung, Trial

TABLE = suite_taskset.TABLES[0]
ROWS = 40


@pytest.fixture
def table(tmp_path, monkeypatch):
    """40 rows whose loss falls with the first hyperparameter's rank; the lowest four diverge in epoch 10."""
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(size=(ROWS, 8)))
    ranks = values[:, 0].argsort().argsort()
    losses = 1 - ranks[:, None] / ROWS * np.linspace(0, 1, 51)
    losses[ranks < 4, 9] = np.nan
    (tmp_path / "taskset").mkdir()
    np.savez(tmp_path / "taskset" / f"{TABLE}.npz", hyperparameters=values, valid_loss=losses)
    monkeypatch.setenv("MFBO_DATA", str(tmp_path))
    suite_taskset.rows_of.cache_clear()
    suite_taskset.smooth_of.cache_clear()
    yield ranks
    suite_taskset.rows_of.cache_clear()
    suite_taskset.smooth_of.cache_clear()


def configs(task, count):
    source = random_configs(task.space, 3)
    return [next(source) for _ in range(count)]


def at(first):
    return {name: first if name == "learning_rate" else 0.5 for name in suite_taskset.NAMES}


def test_a_pool_gives_every_configuration_a_row_of_its_own_and_keeps_to_it(table):
    task = suite_taskset.pool(TABLE)
    asked = configs(task, ROWS)
    worths = [task.true_loss(config) for config in asked]
    finite = [worth for worth in worths if np.isfinite(worth)]
    assert len(set(finite)) == ROWS - 4
    assert len(worths) - len(finite) == 4
    assert [task.true_loss(config) for config in reversed(asked)] == worths[::-1]


def test_a_pool_that_is_used_up_gives_the_nearest_row_again(table):
    task = suite_taskset.pool(TABLE)
    for config in configs(task, ROWS):
        task.true_loss(config)
    rows = suite_taskset.rows_of(TABLE)
    best = int(rows.finals.argmin())
    near = dict(zip(suite_taskset.NAMES, (rows.points[best] + 1e-6).tolist(), strict=True))
    assert task.true_loss(near) == task.optimum


def test_the_first_configuration_of_a_pool_has_the_nearest_row_and_the_next_another(table):
    rows, task = suite_taskset.rows_of(TABLE), suite_taskset.pool(TABLE)
    nearest = np.linalg.norm(rows.points - rows.points[7], axis=1).argsort()
    config = dict(zip(suite_taskset.NAMES, rows.points[7].tolist(), strict=True))
    again = config | {"beta1": config["beta1"] + 1e-9}
    assert [task.true_loss(config), task.true_loss(again)] == rows.finals[nearest[:2]].tolist()


def test_two_runs_of_a_pool_do_not_know_of_each_other(table):
    first, second = suite_taskset.pool(TABLE), suite_taskset.pool(TABLE)
    asked = configs(first, 20)
    assert [first.true_loss(config) for config in asked] == [second.true_loss(config) for config in asked]


def test_a_run_that_diverges_fails_and_is_charged_to_the_epoch_where_it_does(table):
    task, row = suite_taskset.pool(TABLE), int(np.flatnonzero(table == 0)[0])
    config = dict(zip(suite_taskset.NAMES, suite_taskset.rows_of(TABLE).points[row].tolist(), strict=True))
    outcome = evaluate(task, Trial(0, config, Rung(51, 1.0, 1.0)), TrialSetup())
    assert (outcome.status, outcome.loss) == ("diverged", None)
    assert outcome.cost == pytest.approx(10 / 51)
    early = evaluate(task, Trial(1, config, Rung(9, 1.0, 9 / 51)), TrialSetup())
    assert (early.status, early.cost) == ("ok", pytest.approx(9 / 51))


def test_going_on_from_a_lower_rung_pays_for_the_rest_alone(table):
    task = suite_taskset.smooth(TABLE)
    outcome = evaluate(task, Trial(0, at(0.9), Rung(51, 1.0, 1.0)), TrialSetup(), start_epoch=17)
    assert outcome.cost == pytest.approx(34 / 51)
    assert outcome.loss == task.true_loss(at(0.9))


def test_extra_trees_are_exact_at_rows_and_nowhere_below_the_best(table):
    rows, task = suite_taskset.rows_of(TABLE), suite_taskset.smooth(TABLE)
    for point, final in zip(rows.points, rows.finals, strict=True):
        config = dict(zip(suite_taskset.NAMES, point.tolist(), strict=True))
        expected = final if np.isfinite(final) else suite_taskset.WORST
        assert task.true_loss(config) == pytest.approx(expected)
    assert min(task.true_loss(config) for config in configs(task, 200)) >= task.optimum


def test_a_table_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MFBO_DATA", str(tmp_path))
    with pytest.raises(BadData, match="taskset with MFBO_DATA"):
        suite_taskset.Rows(TABLE)


class MadeUp:
    """Balanced accuracy is the subsample; the time falls below 0 on small subsets, as a network's may."""

    def __init__(self, path, options):
        pass

    def run(self, _names, given):
        codes, x = given["x_cat"], given["x_cont"]
        assert (codes.shape[1], x.shape[1]) == (3, 14)
        assert (x[:, 13] == 10).all()
        linear = codes[:, 1] == 2
        assert (x[linear][:, [1, 2, 6, 7, 8, 9, 10, 11]] == 0).all()
        assert (x[codes[:, 1] == 1][:, 6] >= 1).all()
        found = np.zeros((len(x), 9), dtype=np.float32)
        found[:, 1], found[:, 6] = x[:, 5], 10 * x[:, 12] - 5
        return [found]


@pytest.fixture
def network(tmp_path, monkeypatch):
    folder = tmp_path / "yahpo" / "rbv2_xgboost"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"made up")
    codes = {
        "task_id": {"12": 7},
        "booster": {"#na#": 0, "dart": 1, "gblinear": 2, "gbtree": 3},
        "num.impute.selected.cpo": {"#na#": 0, "impute.hist": 1, "impute.mean": 2, "impute.median": 3},
    }
    (folder / "encoding.json").write_text(json.dumps(codes))
    runtime = SimpleNamespace(SessionOptions=SimpleNamespace, InferenceSession=MadeUp)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setenv("MFBO_DATA", str(tmp_path))
    suite_xgboost.network.cache_clear()
    yield
    suite_xgboost.network.cache_clear()


def test_xgboost_charges_what_is_predicted_and_a_fixed_part_and_leaves_out_what_is_inactive(network):
    task = suite_xgboost.task("12")
    seconds = suite_xgboost.REFERENCE["12"][0]
    assert [rung.epochs for rung in task.fidelity.ladder()] == [1, 1, 1, 1]
    for config in configs(task, 20):
        for data, predicted in ((1.0, 5.0), (0.3, 0.0)):
            outcome = evaluate(task, Trial(0, config, Rung(1, data, data)), TrialSetup())
            assert outcome.loss == pytest.approx(1 - config["subsample"], abs=1e-6)
            assert outcome.cost == pytest.approx(predicted + 0.02 * seconds)


def test_every_family_has_tasks_and_another_name_leads_to_the_nearest():
    assert set(suite_families.USUAL.split(",")) <= set(suite_families.FAMILIES)
    assert all(tasks for family, tasks in suite_families.FAMILIES.items() if family != "recorded")
    with pytest.raises(UnknownName, match="did you mean 'taskset'"):
        suite_families.chosen("small,tasket")


def test_no_two_tasks_share_a_seed():
    names = {task for tasks in suite_families.FAMILIES.values() for task in tasks}
    assert len({suite_runs.seed_of(task, seed) for task in names for seed in range(10)}) == 10 * len(names)


def test_the_same_command_goes_on_where_it_was_left_and_a_pool_comes_out_the_same(table, tmp_path):
    arguments = ["--tasks", f"taskset-{TABLE}", "--optimizers", "random,asha", "--seeds", "2", "--max-cost", "2"]
    arguments += ["--against", "asha", "--out", str(tmp_path / "runs")]
    first = CliRunner().invoke(main, arguments, catch_exceptions=False).output
    files = sorted((tmp_path / "runs").rglob("*-[01].json"))
    assert len(files) == 4
    kept = {path: path.stat().st_mtime_ns for path in files}
    lost, content = files[0], files[0].read_text()
    lost.unlink()
    second = CliRunner().invoke(main, arguments, catch_exceptions=False).output
    assert lost.read_text() == content
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if path != lost)
    tables = [output.rpartition("\n\n")[0] for output in (first, second)]
    assert tables[0] == tables[1]
    assert "### Worst family" in first


def test_a_regret_that_is_infinite_counts_as_the_worst_and_the_worst_family_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(suite_scores, "scale", lambda folder, task: (0.0, 1.0))
    worths = {("a", "good", 0.5), ("a", "bad", float("inf")), ("b", "good", 0.2), ("b", "bad", 0.1)}
    for task, name, worth in worths:
        path = suite_runs.path_of(tmp_path, name, task, 0)
        path.parent.mkdir(exist_ok=True)
        found = {"cost": 4.0, "seed": suite_runs.seed_of(task, 0), "costs": [0.5], "losses": [worth]}
        path.write_text(json.dumps(found))
    families = {"first": ["a"], "second": ["b"]}
    printed = suite_scores.table(tmp_path, ["good", "bad"], families, 1, against="good", cost=2)
    assert "| bad | 20.00 first | 20.00 first |" in printed
    assert "| good | 2.00 second | 2.00 second |" in printed


def test_a_run_with_another_seed_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(suite_scores, "scale", lambda folder, task: (0.0, 1.0))
    path = suite_runs.path_of(tmp_path, "smac", "a", 0)
    path.parent.mkdir()
    path.write_text(json.dumps({"cost": 4.0, "costs": [0.5], "losses": [0.5]}))
    assert np.isnan(suite_scores.regrets(tmp_path, "smac", ["a"], 1, [1.0])).all()


def test_a_peer_that_refuses_a_task_is_compared_on_the_others(tmp_path, monkeypatch):
    def picky(task, rungs, seed):
        if task.name == "branin":
            raise BadSpace("no words for it")
        return make(Search("random", seed), task, rungs)

    monkeypatch.setitem(sys.modules, "peer", SimpleNamespace(picky=picky))
    arguments = ["--optimizers", "random,asha,peer:picky", "--seeds", "2", "--max-cost", "2", "--against", "asha"]
    arguments += ["--out", str(tmp_path / "runs")]
    both = CliRunner().invoke(main, [*arguments, "--tasks", "branin,hartmann3"], catch_exceptions=False).output
    assert "peer:picky leaves branin out: no words for it" in both
    assert "### chosen: 2 tasks x 2 seeds; ranks on the 1 that all have" in both
    assert "| peer:picky, 1 tasks |" in both
    picture = tmp_path / "regret.png"
    only = [*arguments, "--tasks", "branin", "--figure", str(picture)]
    neither = CliRunner().invoke(main, only, catch_exceptions=False).output
    assert "| peer:picky | none |" in neither
    assert picture.stat().st_size > 10_000
    assert "nan" not in both + neither


def test_two_optimizers_are_compared_on_the_tasks_that_both_have_run():
    own, other = np.array([0.1, 0.4]), np.array([0.2, np.nan])
    found = suite_scores.ratio(*(values[:, None, None] for values in (own, other)))
    assert found.tolist() == pytest.approx([0.5])
