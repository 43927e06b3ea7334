"""Tasks out of recordings: exact at rows, monotone between, honest on what was not recorded."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise
from types import SimpleNamespace

import mission
import numpy as np
import pytest
import record_pack
from click.testing import CliRunner
from record_design import PLANS, design

from mfbo.errors import BadData
from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.tasks.registry import load
from mfbo.tasks.tables import recorded as tables
from mfbo.tasks.tables import recording
from mfbo.trial import Rung, Trial

ENDS = (1, 2, 4)


def loss_of(config, data, epoch, end):
    """Falls with epochs, data and nearness of the learning rate to 1e-3; higher before the decay."""
    distance = abs(np.log10(config["learning_rate"]) + 3)
    return 0.05 + 0.2 * distance / epoch**0.5 + 0.05 * (1 - data) + (0 if end else 0.02) + 1e-4 * config["batch_size"]


def made(folder, name, rows, diverged=(), shift=0.01):
    """Packs rows as if they had been trained: 2 s of start, an epoch takes 10 s x data x size and 1 s to judge."""
    plan = replace(PLANS[name], ends=ENDS, data=(0.1, 0.3, 1.0))
    folder.mkdir(exist_ok=True)
    about = {"task": name, "plan": json.loads(json.dumps(asdict(plan))), "date": "2026-11-28"}
    record_pack.write(folder / "about.json", {**about, "hardware": {"cpu": "made up"}})
    for place, row in enumerate(rows):
        measured = []
        for data in plan.data:
            rate = 10 * data * row.config.get("hidden_size", 128) / 128
            for number, end in enumerate(ENDS):
                before = 0.8 * ENDS[number - 1] if number else 0.0
                for epoch in range(int(before) + 1, end + 1):
                    loss = loss_of(row.config, data, epoch, epoch == end) + shift * row.seed
                    if place in diverged and epoch > 2:
                        loss = float("nan")
                    spent = 2 + rate * (epoch - before)
                    found = {"data": data, "epoch": epoch, "end": epoch == end, "loss": loss, "macro_f1": 1 - loss}
                    measured.append({**found, "train_cpu": spent, "eval_cpu": 1.0})
        whole = {"kind": row.kind, "config": row.config, "seed": row.seed, "status": "ok", "test_accuracy": 0.5}
        passes = [[round(1000 * data), 10] for data in plan.data]
        record_pack.write(
            folder / f"{row.name}.json", {**whole, "cpu": 1.0, "wall": 2.0, "passes": passes, "measured": measured}
        )
    record_pack.packed(folder, design(load(name), plan), folder.parent / f"{name}.npz")


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    tables.recording.cache_clear()

    def make(name, count=None, **more):
        made(tmp_path / name, name, design(load(name), PLANS[name])[:count], **more)
        return tables.task(name)

    yield make
    tables.recording.cache_clear()


@pytest.mark.parametrize("name", ["imdb", "agnews", "cifar10"])
def test_a_table_is_exact_at_rows(recorded, name):
    task = recorded(name)
    for row in design(load(name), PLANS[name]):
        if row.kind == "grid":
            assert task.true_loss(row.config) == pytest.approx(loss_of(row.config, 1.0, 4, True), abs=1e-4)


def test_between_rows_a_loss_lies_between_those_of_the_neighbours(recorded):
    task = recorded("imdb")
    others = {"batch_size": 64, "hidden_size": 128}
    rates = np.geomspace(1e-4, 1e-2, 13)
    for low, high in pairwise(rates):
        ends = [task.true_loss({"learning_rate": float(f"{rate:.6g}"), **others}) for rate in (low, high)]
        inside = [task.true_loss({"learning_rate": float(rate), **others}) for rate in np.geomspace(low, high, 7)]
        assert min(ends) - 1e-6 <= min(inside)
        assert max(inside) <= max(ends) + 1e-6
        assert np.all(np.diff(inside) * (ends[1] - ends[0]) >= -1e-9)


def test_the_error_at_random_points_is_measured(recorded):
    recorded("imdb")
    error, points = tables.misfit("imdb")
    assert points == PLANS["imdb"].random
    assert 0 < error < 0.01


def test_noise_is_as_wide_as_two_seeds_differ_and_the_worth_has_none(recorded):
    task = recorded("imdb", shift=0.03)
    assert tables.recording("imdb").noise == pytest.approx(0.03 / 2**0.5, abs=1e-5)
    config = {"learning_rate": 1e-3, "batch_size": 64, "hidden_size": 128}
    trial = Trial(0, config, Rung(4, 1.0, 1.0))
    losses = [evaluate(task, trial, TrialSetup(seed)).loss for seed in range(200)]
    assert np.mean(losses) == pytest.approx(task.true_loss(config), abs=0.006)
    assert np.std(losses) == pytest.approx(0.03 / 2**0.5, rel=0.25)


def test_a_trial_pays_from_scratch_or_for_the_rest_and_what_is_trained_again(recorded):
    task = recorded("imdb")
    config = {"learning_rate": 1e-3, "batch_size": 64, "hidden_size": 128}
    whole = evaluate(task, Trial(0, config, Rung(4, 1.0, 1.0)), TrialSetup())
    assert whole.cost == pytest.approx(2 + 4 * 10 + 4 * whole_judging(), rel=0.01)
    first = evaluate(task, Trial(0, config, Rung(2, 1.0, 0.5)), TrialSetup())
    rest = evaluate(task, Trial(1, config, Rung(4, 1.0, 1.0)), TrialSetup(), start_epoch=2)
    assert first.cost + rest.cost == pytest.approx(whole.cost + 0.2 * 2 * (10 + whole_judging()), rel=0.01)
    third = evaluate(task, Trial(2, config, Rung(4, 0.3, 0.3)), TrialSetup())
    assert third.cost == pytest.approx(2 + 4 * 3 + 4 * whole_judging(), rel=0.01)
    assert third.cost < evaluate(task, Trial(3, config, Rung(4, 0.65, 0.65)), TrialSetup()).cost < whole.cost


def whole_judging():
    """Seconds of evaluations an epoch: the recording measured epochs more than once."""
    measurements = sum(end - int(0.8 * before) for before, end in zip((0, *ENDS), ENDS, strict=False))
    return measurements / ENDS[-1]


@pytest.mark.slow
def test_a_row_that_diverged_fails_only_beyond_where_it_did(recorded):
    task = recorded("digits", diverged=(0,))
    config = dict(task.space.get_default_configuration())
    assert evaluate(task, Trial(0, config, Rung(2, 1.0, 0.5)), TrialSetup()).status == "ok"
    assert evaluate(task, Trial(1, config, Rung(4, 1.0, 1.0)), TrialSetup()).status == "diverged"
    assert task.true_loss(config) == np.inf


@pytest.mark.slow
def test_a_recording_without_a_grid_is_exact_at_its_rows_too(recorded):
    task = recorded("digits")
    rows = [row for row in design(load("digits"), PLANS["digits"]) if row.seed == 0]
    worths = [task.true_loss(row.config) for row in rows]
    assert worths == pytest.approx([loss_of(row.config, 1.0, 4, True) for row in rows], abs=1e-4)
    assert task.optimum == min(worths)


@pytest.mark.slow
def test_too_few_rows_are_no_table_and_only_complete_recordings_are_a_family(recorded, monkeypatch):
    with pytest.raises(BadData, match=r"'digits' has 60 of 481 rows.*record more"):
        recorded("digits", count=60)
    recorded("agnews")
    assert tables.complete() == ["agnews"]


def test_too_little_of_a_grid_is_no_table_and_the_line_says_how_much_there_is(recorded):
    with pytest.raises(BadData, match=r"'imdb' has 20 of 78 rows.*record more"):
        recorded("imdb", count=20)


def test_a_recording_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadData, match=r"experiments/record\.py"):
        recording.read(tmp_path / "imdb.npz")


@pytest.mark.slow
def test_the_study_prints_what_runs_came_to_and_what_each_fidelity_tells(recorded, tmp_path, monkeypatch):
    recorded("imdb")
    arguments = ["--tasks", "imdb", "--optimizers", "random,grid,smac", "--seeds", "2", "--max-cost", "4"]
    monkeypatch.setattr(mission, "ProcessPoolExecutor", InThisProcess)
    found = CliRunner().invoke(mission.main, [*arguments, "--out", str(tmp_path / "runs")], catch_exceptions=False)
    assert "## imdb: 78 of 78 planned trainings" in found.output
    rows = [line for line in found.output.splitlines() if line.startswith("| smac")]
    accuracies = [float(cell) for cell in rows[0].split("|")[2:6]]
    assert all(0.5 < accuracy < 1 for accuracy in accuracies)
    table = [line for line in found.output.splitlines() if line.startswith("| 100% |")]
    assert table[0].rstrip(" |").endswith("1.00 for 1.000")
    assert "smac comes to what random has at 4" in found.output
    assert "smac comes to what grid has at 4" in found.output
    assert "### Three phases against one" in found.output
    assert "**Answer**: over 1 task(s) and 2 seeds `smac` is ahead of random" in found.output


@pytest.mark.slow
def test_the_study_writes_what_it_prints_with_a_figure(recorded, tmp_path, monkeypatch):
    recorded("imdb")
    monkeypatch.setattr(mission, "ProcessPoolExecutor", InThisProcess)
    arguments = ["--tasks", "imdb", "--optimizers", "random,asha", "--seeds", "2", "--max-cost", "2"]
    more = ["--out", str(tmp_path / "runs"), "--output", str(tmp_path / "mission.md")]
    CliRunner().invoke(mission.main, [*arguments, *more], catch_exceptions=False)
    assert "average ranks" in (tmp_path / "mission.md").read_text()
    assert (tmp_path / "mission.png").stat().st_size > 1000


class InThisProcess:
    """A pool that runs what it is given at once, where the test has put its recording."""

    def __init__(self, workers):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        pass

    def submit(self, function, *given):
        result = function(*given)
        return SimpleNamespace(result=lambda: result)
