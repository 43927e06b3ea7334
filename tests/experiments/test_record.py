"""Recording learning curves: the design, rows that follow from configuration and seed alone, resuming, packing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import mission_real
import numpy as np
import pytest
import record
import record_pack
import record_rows
from click.testing import CliRunner
from record_design import EVERY, LEARNING_RATES, PLANS, design, learning_rates

from mfbo.errors import TrialStopped
from mfbo.tasks.registry import load
from mfbo.trial import Measurement

GRIDS = [name for name, plan in PLANS.items() if plan.others]


@pytest.mark.parametrize("name", GRIDS)
def test_a_design_is_a_whole_grid_with_random_points_and_a_fifth_twice(name):
    task, plan = load(name), PLANS[name]
    rows = design(task, plan)
    others = math.prod(len(values) for values in plan.others.values())
    first = [row for row in rows if row.kind == "grid" and row.seed == 0]
    assert len(first) == len({row.name for row in first}) == LEARNING_RATES * others
    assert sum(row.kind == "random" for row in rows) == plan.random
    assert sum(row.seed == 1 for row in rows) == len(first) // EVERY
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert set(row.config) == set(task.space)
        assert all(task.space[key].legal_value(value) for key, value in row.config.items())


@pytest.mark.parametrize("name", GRIDS)
def test_learning_rates_come_coarse_first_and_each_once(name):
    task = load(name)
    rates = learning_rates(task)
    low, high = task.space["learning_rate"].lower, task.space["learning_rate"].upper
    assert sorted(rates) == pytest.approx(np.geomspace(low, high, LEARNING_RATES), rel=1e-5)
    assert set(rates[:3]) == {low, high, rates[0]}
    gaps = [max(b / a for a, b in pairwise(sorted(rates[:count]))) for count in range(3, len(rates) + 1)]
    assert all(a >= b - 1e-9 for a, b in pairwise(gaps))


@pytest.mark.parametrize("name", list(PLANS))
def test_a_plan_ends_at_full_fidelity_and_grows(name):
    plan, fidelity = PLANS[name], load(name).fidelity
    assert plan.data[-1] == 1
    assert plan.data[0] >= fidelity.data_range[0]
    assert plan.ends[-1] <= fidelity.epoch_range[1]
    assert list(plan.ends) == sorted(set(plan.ends))


def short(**changes):
    return replace(PLANS["digits"], **({"ends": (3,), "random": 4, "data": (0.2, 1.0)} | changes))


def watch_of_values():
    return record_rows.Watch(lambda value: value, lambda value, _given: (value, 1 - value, 0.0))


def test_a_row_depends_on_configuration_and_seed_alone_but_for_its_seconds():
    task, plan = load("digits"), short()
    row = design(task, plan)[0]
    first, second = (record_rows.record(task, plan, row, "cpu", {}) for _ in range(2))
    assert first["status"] == "ok"
    assert first["test_accuracy"] == second["test_accuracy"] > 0.3
    assert [m["epoch"] for m in first["measured"]] == [1, 2, 3] * 2
    assert [m["data"] for m in first["measured"]] == [0.2] * 3 + [1.0] * 3
    assert [m["end"] for m in first["measured"]] == [False, False, True] * 2
    for one, other in zip(first["measured"], second["measured"], strict=True):
        assert {k: v for k, v in one.items() if "_cpu" not in k and "_wall" not in k} == {
            k: v for k, v in other.items() if "_cpu" not in k and "_wall" not in k
        }
        assert one["accuracy"] == pytest.approx(1 - one["loss"])
    spent = [m["train_cpu"] for m in first["measured"][3:]]
    assert spent == sorted(spent)
    again = record_rows.record(task, plan, replace(row, seed=1), "cpu", {})
    assert [m["loss"] for m in again["measured"]] != [m["loss"] for m in first["measured"]]


def test_what_is_recorded_is_what_the_task_itself_reports():
    task, plan = load("digits"), short(data=(1.0,))
    row = design(task, plan)[0]
    found = record_rows.record(task, plan, row, "cpu", {})
    from mfbo.executors.evaluate import TrialSetup, evaluate
    from mfbo.trial import Rung, Trial

    outcome = evaluate(task, Trial(0, row.config, Rung(3, 1.0, 3 / 27)), TrialSetup(row.seed))
    assert [m["loss"] for m in found["measured"]] == [report.loss for report in outcome.reports]
    assert found["measured"][-1]["macro_f1"] == pytest.approx(outcome.metrics["macro_f1"])


def test_a_rung_that_goes_on_measures_its_epochs_again_without_the_decay_of_the_one_before():
    def train(config, rung, context):
        for epoch in range(context.start_epoch, rung.epochs):
            loss = Stand.measure(epoch + 1 + (epoch + 1 == rung.epochs) / 2)
            context.report(loss, epoch=epoch + 1)
        with context.save(rung.epochs - 1) as folder:
            (folder / "x").write_text("")
        return Measurement(loss)

    class Stand:
        measure = staticmethod(lambda value: value)

    task = replace(load("digits"), train=train)
    plan, watch = short(data=(1.0,), ends=(2, 4)), watch_of_values()
    Stand.measure = staticmethod(watch)
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from mfbo.checkpoint import Checkpoints
    from mfbo.executors.evaluate import TrialSetup

    with TemporaryDirectory() as scratch:
        setup = TrialSetup(0, checkpoints=Checkpoints(Path(scratch)))
        found, status = record_rows._rungs(task, plan, design(task, plan)[0], data=1.0, setup=setup, watch=watch)
    assert status == "ok"
    assert [(m.epoch, m.end, m.loss) for m in found] == [
        (1, False, 1),
        (2, True, 2.5),
        (2, False, 2),
        (3, False, 3),
        (4, True, 4.5),
    ]


def test_a_row_that_diverges_keeps_what_was_before_and_one_that_fails_is_no_row(monkeypatch):
    plan, watch = short(data=(1.0,)), watch_of_values()

    def diverges(config, rung, context):
        context.report(watch(0.5))
        context.report(watch(math.nan))
        raise TrialStopped("not reached")

    def fails(config, rung, context):
        raise OSError("no space left")

    from mfbo.executors.evaluate import TrialSetup

    for train in (diverges, fails):
        task = replace(load("digits"), train=train)
        row = design(task, plan)[0]
        if train is fails:
            with pytest.raises(RuntimeError, match="no space left"):
                record_rows._rungs(task, plan, row, data=1.0, setup=TrialSetup(0), watch=watch)
            continue
        found, status = record_rows._rungs(task, plan, row, data=1.0, setup=TrialSetup(0), watch=watch)
        assert status == "diverged"
        assert [m.loss for m in found[:1]] == [0.5]


@pytest.mark.slow
def test_a_recording_goes_on_where_it_was_left_and_packs_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setitem(PLANS, "digits", short())

    def call(*more):
        return CliRunner().invoke(record.main, ["digits", "--out", str(tmp_path / "rows"), *more])

    first = call("--rows", "2")
    assert first.exit_code == 0, first.output
    kept = {path: path.read_text() for path in (tmp_path / "rows").glob("*-[01].json")}
    assert len(kept) == 2
    assert "2 of 6 rows" in first.output
    last = call()
    assert "6 of 6 rows" in last.output
    assert all(path.read_text() == text for path, text in kept.items())
    assert "6 of 6 rows in" in call("--pack", str(tmp_path / "digits.npz")).output
    with np.load(tmp_path / "digits.npz") as data:
        assert json.loads(str(data["about"]))["task"] == "digits"
        assert data["seeds"].tolist().count(1) == 1
        assert data["measured"].shape == (6 * 6, 1 + len(record_pack.COLUMNS))
    for path in kept:
        path.unlink()
    assert "2 rows of" in call("--unpack", str(tmp_path / "digits.npz"), "--rows", "0").output
    assert all(path.exists() for path in kept)
    call("--pack", str(tmp_path / "again.npz"))
    with np.load(tmp_path / "digits.npz") as one, np.load(tmp_path / "again.npz") as other:
        assert all(np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one.files)
    refused = call("--samples", "100")
    assert refused.exit_code == 1
    assert "another plan" in refused.output


def test_a_row_that_another_process_holds_is_left_to_it(tmp_path):
    row = design(load("digits"), short())[0]
    with record.locked(tmp_path, row) as mine, record.locked(tmp_path, row) as other:
        assert (mine, other) == (True, False)
    with record.locked(tmp_path, row) as mine:
        assert mine
        record_pack.write(tmp_path / f"{row.name}.json", {})
    with record.locked(tmp_path, row) as mine:
        assert not mine


@pytest.mark.parametrize("name", GRIDS)
def test_the_real_check_trains_what_the_table_recorded(name):
    seen = []
    plan = PLANS[name]
    task = mission_real.trained(name, plan)
    full = record_rows.rung_of(task, plan, plan.ends[-1], 1.0)
    lowest = task.fidelity.ladder()[0]
    assert (task.fidelity.full.epochs, task.fidelity.full.data) == (full.epochs, full.data)
    assert plan.data[0] * plan.share <= lowest.data < full.data
    own = replace(load(name), train=lambda config, rung, context: seen.append((config, rung)))
    mission_real.trained(name, plan, own).train({"learning_rate": 1e-3}, task.fidelity.full, None)
    assert seen[0][0] == {"learning_rate": 1e-3, **plan.fixed}
    assert seen[0][1].size == plan.size
