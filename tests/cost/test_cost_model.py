"""What a trial will cost, told from probes and from the trials before it."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer, OrdinalHyperparameter
from hypothesis import given, settings
from hypothesis import strategies as st

import mfbo
from mfbo.context import Clock
from mfbo.cost.features import Encoder
from mfbo.cost.model import CostModel
from mfbo.ledger.plan import Probe
from mfbo.trial import Outcome, Pace, Rung

FIDELITY = mfbo.Fidelity(epochs=(1, 27), data=(0.1, 1.0))
RUNGS = FIDELITY.ladder()


def space():
    found = ConfigurationSpace(seed=0)
    found.add(
        Integer("width", (8, 512), log=True),
        Float("rate", (0.0, 1.0)),
        Categorical("kind", ["a", "b", "c"]),
        OrdinalHyperparameter("size", [32, 64, 128]),
    )
    return found


def task(**facts):
    return mfbo.Task("t", space(), lambda config, rung, context: 0.0, FIDELITY, **facts)


def configs(n, seed=0):
    drawn = space()
    drawn.seed(seed)
    return [
        {name: value.item() if hasattr(value, "item") else value for name, value in dict(one).items()}
        for one in drawn.sample_configuration(n)
    ]


def outcome(rung, seconds, start=0, evaluation=0.0, status="ok"):
    return Outcome(status, 0.5, rung, seconds, evaluation, start_epoch=start)


def parts(rung, start=0, *, begin=2.0, judge=0.5, full=100.0, factor=1.0, repeated=0.0):
    """(training, evaluation) of a made-up task."""
    epochs = rung.epochs - start + repeated * start
    return (begin + full * FIDELITY.work(1, rung.data) * epochs) * factor, judge * epochs * factor


def test_nothing_is_known_at_first():
    model = CostModel(task())
    assert not model.known
    assert model.seconds(RUNGS[0]) == 0


def test_start_evaluation_and_training_are_told_apart_and_foretell_a_rung_never_seen():
    model = CostModel(task())
    for config in configs(20):
        for rung in RUNGS[:3]:
            model.add(config, outcome(rung, *[parts(rung)[0]], evaluation=parts(rung)[1]))
    assert model.seconds(RUNGS[3]) == pytest.approx(sum(parts(RUNGS[3])), rel=0.02)
    assert model.seconds(RUNGS[3], RUNGS[2].epochs) == pytest.approx(sum(parts(RUNGS[3], RUNGS[2].epochs)), rel=0.02)
    assert model.seconds(RUNGS[2], RUNGS[2].epochs) == 0


def test_one_rung_alone_is_taken_to_be_training():
    model = CostModel(task())
    model.add({}, outcome(Rung(1, 1.0, 1 / 27), 2.0))
    assert model.seconds(FIDELITY.full) == pytest.approx(54, rel=0.01)


def test_a_configuration_has_a_cost_of_its_own():
    def factor(config):
        return (config["width"] / 64) ** 0.7 * {"a": 1.0, "b": 1.5, "c": 3.0}[config["kind"]]

    model, rng = CostModel(task()), np.random.default_rng(0)
    for config in configs(60):
        rung = RUNGS[rng.integers(3)]
        training, evaluation = parts(rung, factor=factor(config) * rng.lognormal(0, 0.05))
        model.add(config, outcome(rung, training, evaluation=evaluation))
    new = configs(40, seed=1)
    ratios = [model.seconds(RUNGS[1], 0, config) / sum(parts(RUNGS[1], factor=factor(config))) for config in new]
    assert np.median(np.abs(np.array(ratios) - 1)) < 0.15
    usual = np.mean([sum(parts(RUNGS[1], factor=factor(config))) for config in configs(400, seed=2)])
    assert model.seconds(RUNGS[1]) == pytest.approx(usual, rel=0.3)


def test_a_rung_that_no_formula_fits_is_learned_by_itself():
    model = CostModel(task())
    for config in configs(30):
        for rung, odd in zip(RUNGS[:3], (1.0, 2.0, 1.0), strict=True):
            model.add(config, outcome(rung, odd * parts(rung)[0]))
    assert model.seconds(RUNGS[1]) == pytest.approx(2 * parts(RUNGS[1])[0], rel=0.1)


def test_what_is_repeated_after_a_checkpoint_is_counted():
    low, high = RUNGS[0], RUNGS[1]
    model = CostModel(task(repeated=0.2))
    for config in configs(10):
        model.add(config, outcome(low, parts(low)[0]))
        model.add(config, outcome(high, parts(high, low.epochs, repeated=0.2)[0], start=low.epochs))
    assert model.seconds(RUNGS[2], high.epochs) == pytest.approx(
        parts(RUNGS[2], high.epochs, repeated=0.2)[0], rel=0.05
    )


@pytest.mark.parametrize("status", ["failed", "diverged", "timeout", "lost"])
def test_failures_say_nothing(status):
    model = CostModel(task())
    model.add({}, Outcome(status, None, RUNGS[3], 600.0))
    assert not model.known


def probe(config, factor=1.0, evaluations=2.0, closing=1.0):
    training = 100.0 * FIDELITY.work(2, 0.1) * factor
    return Probe(
        config, Rung(2, 0.1, 0.2 / 27), Pace(1.0, 2.0, training, evaluations, 0.5 * evaluations * factor), closing
    )


def test_probes_foretell_every_rung():
    model = CostModel(task())
    model.probed([probe(config) for config in configs(4)], [RUNGS[0], FIDELITY.full])
    for rung in RUNGS:
        assert model.seconds(rung) == pytest.approx(sum(parts(rung)), rel=0.02)


def test_a_probe_that_was_stopped_before_its_evaluation_takes_that_of_the_others():
    first, *others = configs(4)
    model = CostModel(task())
    cut = [probe(config, evaluations=0.0, closing=0.0) for config in others]
    model.probed([probe(first), *cut], [RUNGS[0], FIDELITY.full])
    assert model.seconds(RUNGS[0]) == pytest.approx(sum(parts(RUNGS[0])), rel=0.02)


def test_the_first_trial_tells_that_all_probes_were_too_slow_for_rungs_never_seen_too():
    model = CostModel(task())
    model.probed([probe(config, 3.0) for config in configs(6)], [RUNGS[0], FIDELITY.full])
    assert model.seconds(RUNGS[2]) > 2.5 * sum(parts(RUNGS[2]))
    model.add(configs(7)[6], outcome(RUNGS[0], *parts(RUNGS[0])))
    assert sum(parts(RUNGS[2])) < model.seconds(RUNGS[2]) < 2 * sum(parts(RUNGS[2]))


def test_trials_outweigh_probes_that_were_wrong():
    model = CostModel(task())
    model.probed([probe(config, factor=3.0) for config in configs(4)], [RUNGS[0], FIDELITY.full])
    for config in configs(30):
        model.add(config, outcome(RUNGS[0], parts(RUNGS[0])[0], evaluation=parts(RUNGS[0])[1]))
    assert model.seconds(RUNGS[0]) == pytest.approx(sum(parts(RUNGS[0])), rel=0.15)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(RUNGS), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 19)), max_size=30)
)
@settings(max_examples=40)
def test_whatever_trials_cost_a_forecast_is_finite_and_not_negative(seen):
    model, known = CostModel(task()), configs(20)
    for rung, training, evaluation, config in seen:
        model.add(known[config], outcome(rung, training, evaluation=evaluation))
    for rung in RUNGS:
        assert 0 <= model.seconds(rung) < np.inf
        assert 0 <= model.seconds(rung, 0, known[0]) < np.inf


def test_features_stand_for_values_and_inactive_ones_for_their_default():
    encoder = Encoder(space())
    default = dict(space().get_default_configuration())
    assert encoder.features({}).tolist() == encoder.features(default).tolist()
    assert len({tuple(encoder.features(config)) for config in configs(20)}) == 20
    assert encoder.sample().shape == (64, encoder.size)
    assert encoder.features({"kind": "unheard of"}).tolist() == encoder.features({}).tolist()


def test_a_clock_that_was_told_when_the_first_step_began():
    clock = Clock()
    for epochs, seconds in ((0, 3.0), (0.5, 5.0), (1.0, 7.0)):
        clock.trained(epochs, seconds)
    clock.evaluated(0.5)
    clock.evaluated(1.0)
    clock.evaluated(0.25)
    assert clock.pace(2.5) == Pace(3.0, 1.0, 4.0, 1.25, 2.5)


def test_what_a_first_step_takes_longer_belongs_to_the_start():
    clock = Clock()
    for epochs, seconds in ((0, 3.0), (0.5, 8.0), (1.0, 9.0), (1.5, 10.0)):
        clock.trained(epochs, seconds)
    assert clock.pace(0.0) == Pace(7.0, 1.5, 3.0, 0.0, 0.0)


def test_slow_steps_at_the_beginning_belong_to_the_start_however_often_they_are_told():
    clock = Clock()
    for step in range(201):
        clock.trained(step / 400, 2.0 * min(step, 10) + 0.1 * max(0, step - 10))
    assert clock.pace(0.0).training == pytest.approx(20.0)
    assert clock.pace(0.0).startup == pytest.approx(19.0)


@pytest.mark.parametrize(("less", "longer"), [(0.19, 60.0), (0.05, 60.0)])
def test_two_trials_of_little_work_do_not_make_a_full_training_cost_what_they_cost(less, longer):
    """The machine is busy, or the network larger; that the longer one did less work is no start without a slope."""
    model = CostModel(task())
    for data, seconds in ((0.2, 50.0), (less, longer)):
        model.add(configs(2)[0], outcome(FIDELITY.at(1, data), seconds))
    assert model.seconds(FIDELITY.full) > 20 * 60.0, "it is 135 times the work"


def test_a_clock_that_hears_of_whole_epochs_alone():
    clock = Clock()
    for epochs, seconds in ((1, 5.0), (2, 7.0), (3, 9.0)):
        clock.trained(epochs, seconds)
    assert clock.pace(0.0) == Pace(3.0, 3.0, 6.0, 0.0, 0.0)
    assert Clock().pace(0.0) is None
    once = Clock()
    once.trained(1, 5.0)
    assert once.pace(0.0) == Pace(0.0, 1.0, 5.0, 0.0, 0.0)
