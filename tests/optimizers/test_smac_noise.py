"""The spread of folds and repeats is the noise of that observation to `smac`'s surrogate."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.engine.replay import replay
from mfbo.optimizers.smac.curve_gp import CurveProcess, _Posterior
from mfbo.optimizers.smac.encoder import LOG_OFFSET
from mfbo.optimizers.smac.optimizer import CurveOptimizer
from mfbo.trial import Outcome, Rung

SPACE = ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)}, seed=0)
RUNGS = [Rung(1, 1.0, 1 / 9, unit="repeats"), Rung(3, 1.0, 1 / 3, unit="repeats"), Rung(9, unit="repeats")]


def told(results, unit="repeats"):
    """An optimizer that was told (loss, spread) at its lowest rungs, and its encoder."""
    rungs = [Rung(rung.epochs, rung.data, rung.work, unit=unit) for rung in RUNGS]
    optimizer = CurveOptimizer(SPACE, rungs, 0)
    for loss, spread in results:
        trial = optimizer.ask()
        metrics = {} if spread is None or trial.rung.epochs == 1 else {"spread": spread}
        optimizer.tell(trial, Outcome("ok", loss, trial.rung, 1.0, metrics=metrics))
    return optimizer, optimizer._facade.selector._encoder


def test_a_result_with_known_noise_moves_the_surrogate_less_the_more_noise_it_has():
    rng = np.random.RandomState(0)
    x = np.column_stack([rng.rand(30, 2), np.zeros(30)])
    y = np.sin(6 * x[:, 0])
    y[0] += 2
    found = []
    for noise in (0.0, 0.5, 50.0):
        model = CurveProcess(SPACE)  # as its priors have it
        variances = np.zeros(30)
        variances[0] = noise
        model.condition(x, y, variances)
        found.append(model.predict(x[:1])[0].item())
    assert found[0] > found[1] > found[2]


def test_the_noise_that_is_told_is_not_found_once_more():
    """Of losses whose noise is known, the process learns less noise of its own."""
    rng = np.random.RandomState(1)
    x = np.column_stack([rng.rand(60, 2), np.zeros(60)])
    y = np.sin(6 * x[:, 0]) + rng.normal(0, 0.4, 60)
    plain, informed = CurveProcess(SPACE), CurveProcess(SPACE)
    plain.fit(x, y)
    informed.fit(x, y, np.full(60, 0.16))
    lack = np.zeros(1)
    assert informed._noise(lack).item() < plain._noise(lack).item()


def test_the_gradient_is_exact_with_known_noise():
    rng = np.random.RandomState(2)
    model = CurveProcess(SPACE)
    x = np.column_stack([rng.rand(15, 2), rng.choice([0.0, 0.5, 1.0], 15)])
    posterior = _Posterior(x, rng.randn(15), model, rng.rand(15))
    theta = model.prior[0] + 0.3 * rng.randn(len(model.prior[0]))
    _, gradient = posterior(theta)
    steps = 1e-6 * np.eye(len(theta))
    numeric = [(posterior(theta + step)[0] - posterior(theta - step)[0]) / 2e-6 for step in steps]
    assert gradient == pytest.approx(np.array(numeric), rel=1e-4, abs=1e-5)


def test_noise_follows_from_the_spread_and_falls_with_the_number_of_measurements():
    results = [(1.0 + number / 10, 0.3) for number in range(24)]
    _, encoder = told(results)
    variances, levels = encoder.noise(), np.array(encoder._results.levels)
    losses = np.array(encoder._results.losses)
    off, unit = losses - losses.min(), np.median(losses - losses.min())
    counts = np.array([RUNGS[level].epochs for level in levels])
    assert len(set(levels)) > 1
    assert variances == pytest.approx(0.09 / counts / (off + LOG_OFFSET * unit) ** 2)


@pytest.mark.parametrize("unit", ["repeats", "epochs"])
def test_where_no_spread_is_told_everything_is_as_without(unit):
    plain, encoder = told([(1.0 + number / 10, None) for number in range(24)], unit)
    assert not encoder.noise().any()
    other, _ = told([(1.0 + number / 10, 0.5 if unit == "epochs" else None) for number in range(24)], unit)
    assert [plain.ask().config for _ in range(3)] == [other.ask().config for _ in range(3)]


def test_a_run_of_repeats_with_spread_is_replayed_as_it_was():
    def noisy(config, fidelity, context):
        seen = np.random.default_rng([context.seed, int(config["x"] * 1e6)])
        return mfbo.Measurement((config["x"] - 0.3) ** 2 + seen.normal(0, 0.1), cost=1.0)

    task = mfbo.Task("noisy", SPACE, noisy, mfbo.Fidelity(repeats=(1, 9)))
    found = mfbo.tune(task, "12x", workers=0, progress=False)
    assert any("spread" in result.outcome.metrics for result in found.ledger.results)
    assert replay(found.ledger).mismatch is None
