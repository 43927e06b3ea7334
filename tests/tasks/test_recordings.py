"""The recordings that come with the package: small, what their README says of them, and tasks where complete."""

from __future__ import annotations

import math

import pytest

from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.tasks.registry import BUILTIN, COMMON, load
from mfbo.tasks.tables import recorded
from mfbo.tasks.tables.recording import FOLDER
from mfbo.trial import Trial

HERE = sorted(path.stem for path in FOLDER.glob("*.npz"))
COMPLETE = recorded.complete()
README = (FOLDER / "README.md").read_text()


def test_they_take_a_megabyte_together_at_most():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.npz")) < 2**20


@pytest.mark.parametrize("name", HERE)
def test_the_readme_says_how_many_rows_there_are_and_how_far_off_the_table_is(name):
    found = recorded.recording(name)
    line = next(line for line in README.splitlines() if line.startswith(f"| `{name}.npz` "))
    cells = [cell.strip() for cell in line.split("|")]
    assert cells[2:4] == [str(len(found.configs)), str(found.about["planned"])]
    if name in COMPLETE:
        error, points = recorded.misfit(name)
        assert f"{error:.3f} at {points} points" in line
        assert f"two seeds {found.noise[-1]:.3f}" in line
    else:
        assert "no task yet" in line


@pytest.mark.parametrize("name", COMPLETE)
def test_a_table_is_a_task_that_is_measured_at_every_rung(name):
    task = load(f"table-{name}")
    config = dict(task.space.get_default_configuration())
    costs = []
    for number, rung in enumerate(task.fidelity.ladder()):
        outcome = evaluate(task, Trial(number, config, rung), TrialSetup(0))
        assert outcome.status in ("ok", "diverged")
        costs.append(outcome.cost)
        if outcome.status == "ok":
            assert 0 <= outcome.loss <= 1
            assert outcome.metrics["accuracy"] == pytest.approx(1 - outcome.loss)
            assert 0 <= outcome.metrics["macro_f1"] <= 1
    assert costs == sorted(costs)
    assert all(task.true_loss(dict(config)) >= task.optimum - 1e-9 for config in task.space.sample_configuration(50))
    assert math.isfinite(task.full_cost)


def test_what_is_recorded_well_enough_is_a_task_that_is_listed_first_and_nothing_else_is():
    for listed in (COMMON, BUILTIN):
        assert sorted(name.removeprefix("table-") for name in listed if name.startswith("table-")) == sorted(COMPLETE)
