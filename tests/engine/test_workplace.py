"""What is trained before a run, and what of it the run goes on with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import quadratic_space
from made_runs import HEADER

import mfbo
from mfbo.checkpoint import Checkpoints
from mfbo.engine.workplace import Workplace
from mfbo.ledger.plan import Plan, Probe, Step
from mfbo.planning.probe import CHECKPOINTS
from mfbo.trial import Pace, Rung, config_key

CONFIG = {"x": 0.5}


@pytest.mark.parametrize(
    ("epochs", "probed", "kept"),
    [
        (1, Rung(1, 0.5), True),
        (2, Rung(2, 0.5), False),  # of as many epochs as the first trial: would pass for its model
        (1, Rung(1, 0.1), False),  # on less data: would pass for an epoch of the first trial's
        (1, Rung(1, 0.5, size=0.5), False),
    ],
)
def test_a_run_goes_on_from_what_was_trained_as_its_first_trials_are_and_from_nothing_else(
    tmp_path, epochs, probed, kept
):
    lowest = Rung(2, 0.5)
    plan = Plan((Step(lowest, 1.0, 1),), 10.0, "s", 9.0, 9, probes=(Probe(CONFIG, probed, Pace(0, 1, 1, 1, 1)),))
    header = replace(HEADER, rungs=(lowest,), plan=plan)
    with Workplace(tmp_path / "run") as place:
        with Checkpoints(place.scratch / CHECKPOINTS).save(config_key(CONFIG), epochs) as folder:
            (folder / "state.txt").write_text("kept")
        place.settle(header, keep=True)
        assert (place.checkpoints.find(config_key(CONFIG), below=9) is not None) == kept


@pytest.mark.slow
def test_the_model_of_the_best_is_there_although_a_probe_of_its_configuration_took_more_epochs(tmp_path):
    """At the lowest level each of its samples is seen once; a probe may look at fewer of them twice."""

    def train(config, rung, context):
        context.poll(0)
        for epoch in range(context.start_epoch, rung.epochs):
            end = context.elapsed + 0.1 + 2 * rung.data
            while context.elapsed < end:
                pass
            context.report(config["x"] ** 2, epoch=epoch + 1)
        with context.save(rung.epochs) as folder:
            (folder / "model.txt").write_text(str(rung))
        return config["x"] ** 2

    fidelity = mfbo.Fidelity(epochs=(1, 30), data=(0.02, 1.0), size=(0.25, 1.0))
    task = mfbo.Task("seen-once", quadratic_space(), train, fidelity)
    result = mfbo.tune(task, "20s", optimizer="asha", workers=0, out=tmp_path / "run", progress=False)
    assert (tmp_path / "run" / "best" / "model" / "model.txt").read_text() == str(result.best.fidelity)
