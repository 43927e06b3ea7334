"""The tasks `lcbench-...`, on a made-up network in place of YAHPO's: it is a formula behind onnxruntime's interface."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import mfbo
from mfbo.errors import BadData, MissingExtra, UnknownName
from mfbo.tasks.registry import BUILTIN, LCBENCH, load
from mfbo.tasks.tables import lcbench
from mfbo.tasks.tables.lcbench_reference import REFERENCE


class MadeUp:
    """Accuracy grows with epoch and momentum; time is not monotone, as the real network's is not everywhere."""

    def __init__(self, path, options):
        assert options.intra_op_num_threads == 1
        if "damaged" in str(path):
            raise RuntimeError("not\na model")

    def run(self, _names, given):
        codes, x = given["x_cat"], given["x_cont"]
        assert (codes.dtype, x.dtype, codes.shape[1], x.shape[1]) == (np.int32, np.float32, 1, 8)
        epoch, batch, momentum = x[:, 0], x[:, 1], x[:, 3]
        accuracy = 40 + codes[:, 0] + 20 * momentum * np.log(epoch) / np.log(52)
        time = epoch * 64 / batch + 0.5 * (epoch % 2)
        return [np.stack([time, accuracy, *np.zeros((4, len(x)))], axis=1).astype(np.float32)]


@pytest.fixture
def network(tmp_path, monkeypatch):
    folder = tmp_path / "yahpo" / "lcbench"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"made up")
    (folder / "encoding.json").write_text(json.dumps({"OpenML_task_id": {"3945": 34, "7593": 35}}))
    runtime = SimpleNamespace(SessionOptions=SimpleNamespace, InferenceSession=MadeUp)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setenv("MFBO_DATA", str(tmp_path))
    lcbench.surrogate.cache_clear()
    lcbench._curve.cache_clear()
    yield folder
    lcbench.surrogate.cache_clear()
    lcbench._curve.cache_clear()


def test_every_instance_is_a_task_with_a_reference():
    assert len(LCBENCH) == len(REFERENCE) == 34
    for instance in LCBENCH:
        task = load(f"lcbench-{instance}")
        assert (task.name, task.description) == (f"lcbench-{instance}", BUILTIN[task.name].description)
        assert task.full_cost > 0
        assert 0 < task.optimum < 1


def test_an_instance_that_is_not_there_leads_to_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'lcbench-3945'"):
        load("lcbench-3946")


def test_a_run_reports_every_epoch_and_pays_for_it_once(network):
    result = mfbo.tune("lcbench-3945", "6x", optimizer="asha", seed=1)
    best, seen = {}, 0.0
    for found in result.ledger.results:
        outcome = found.outcome
        assert [report.epoch for report in outcome.reports] == list(
            range(outcome.start_epoch + 1, outcome.rung.epochs + 1)
        )
        costs = [0.0, *(report.cost for report in outcome.reports)]
        assert all(a <= b for a, b in pairwise(costs))
        key = found.trial.key
        best[key] = best.get(key, 0.0) + outcome.cost
        seen += outcome.cost
        epoch, config = outcome.rung.epochs, found.trial.config
        whole = max(e * 64 / config["batch_size"] + 0.5 * (e % 2) for e in range(1, epoch + 1))
        assert best[key] == pytest.approx(whole, rel=1e-5)
        expected = 1 - (74 + 20 * config["momentum"] * np.log(epoch) / np.log(52)) / 100
        assert outcome.loss == pytest.approx(expected, abs=1e-5)
    assert seen == pytest.approx(6 * REFERENCE["3945"][0], rel=0.01)


def test_what_a_configuration_is_worth_is_its_loss_after_all_epochs(network):
    task = load("lcbench-7593")
    config = dict(task.space.get_default_configuration())
    assert task.true_loss(config) == pytest.approx(1 - (75 + 20 * 0.545) / 100, abs=1e-5)


@pytest.mark.parametrize("name", ["model.onnx", "encoding.json"])
def test_missing_data_is_one_line_and_nothing_is_written(network, name, tmp_path):
    (network / name).unlink()
    with pytest.raises(BadData, match=f"{name} not in .* MFBO_DATA"):
        mfbo.tune("lcbench-3945", "2x", optimizer="random", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_mfbo_data_the_line_says_what_to_set(network, monkeypatch):
    monkeypatch.delenv("MFBO_DATA")
    with pytest.raises(BadData, match="MFBO_DATA is not set"):
        mfbo.tune("lcbench-3945", "2x", optimizer="random")


def test_damaged_data_is_one_line(network, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged" / "yahpo"
    damaged.mkdir(parents=True)
    network.rename(damaged / "lcbench")
    monkeypatch.setenv("MFBO_DATA", str(tmp_path / "damaged"))
    with pytest.raises(BadData, match="cannot be read: not a model; get it again"):
        mfbo.tune("lcbench-3945", "2x", optimizer="random")


def test_without_onnxruntime_the_line_says_what_to_install(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"mfbo-tune\[lcbench\]"):
        mfbo.tune("lcbench-3945", "2x", optimizer="random")
