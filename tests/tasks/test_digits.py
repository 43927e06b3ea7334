from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from mfbo.checkpoint import Checkpoints
from mfbo.context import Context
from mfbo.errors import BadData, TrialStopped
from mfbo.tasks import digits
from mfbo.tasks.registry import BUILTIN, load
from mfbo.trial import Rung

ADAM = {
    "learning_rate": 0.005,
    "hidden_units": 24,
    "layers": 2,
    "activation": "relu",
    "solver": "adam",
    "batch_size": 48,
    "alpha": 1e-4,
}
SGD = {**ADAM, "solver": "sgd", "momentum": 0.8, "learning_rate": 0.05, "activation": "tanh"}
SHORT = Rung(3)


def saved(root, key="k"):
    """Epochs and arrays of the newest checkpoint."""
    epochs, folder = Checkpoints(root).find(key, below=10**6)
    with np.load(folder / digits.WEIGHTS_FILE) as arrays:
        return epochs, dict(arrays)


def trained(config, rung, root=None, seed=0):
    context = Context(seed=seed, key="k", epochs=rung.epochs, checkpoints=root and Checkpoints(root))
    return digits.train(config, rung, context), context


# the data


@given(st.integers(0, 2**40))
@settings(max_examples=20)
def test_parts_are_disjoint_and_complete_and_the_test_part_is_the_same_for_any_seed(seed):
    everything = digits.images()
    numbered = digits.Images(np.arange(len(everything.y))[:, None].astype(float), everything.y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "images", lambda: numbered)
        parts, others = digits.split(seed), digits.split(seed + 1)
    rows = [set(part.x[:, 0].astype(int)) for part in parts]
    assert sum(len(part) for part in rows) == len(set.union(*rows)) == 1797
    assert np.array_equal(parts[2].x, others[2].x)
    assert not np.array_equal(parts[1].x, others[1].x)


def test_every_part_has_every_digit_in_its_share():
    for part in digits.split(0):
        shares = np.bincount(part.y) / len(part.y)
        assert np.allclose(shares, 0.1, atol=0.005)


def test_pixels_are_scaled_to_one():
    x = digits.images().x
    assert (x.min(), x.max()) == (0.0, 1.0)


def poison_test_part(monkeypatch):
    clean = digits.images()
    test = digits.stratified_split(clean.y, digits.TEST, digits.TEST_SEED)[1]
    x = clean.x.copy()
    x[test] = 1 - x[test]
    monkeypatch.setattr(digits, "images", lambda: digits.Images(x, clean.y))


def test_training_never_reads_the_test_part_and_validation_does(monkeypatch):
    before = trained(ADAM, SHORT)[0], digits.validate(ADAM, SHORT, Context())
    poison_test_part(monkeypatch)
    after = trained(ADAM, SHORT)[0], digits.validate(ADAM, SHORT, Context())
    assert after[0] == before[0]
    assert after[1].loss > before[1].loss


def seen_in_training(monkeypatch, run):
    """The images that the model was fitted to in `run`, as a set of rows."""
    seen = set()
    fit = digits.MLPClassifier.partial_fit
    with monkeypatch.context() as patch:
        patch.setattr(
            digits.MLPClassifier,
            "partial_fit",
            lambda self, x, y, classes: (seen.update(map(bytes, x)), fit(self, x, y, classes=classes))[1],
        )
        run()
    return seen


def test_validation_images_are_never_trained_on_and_a_smaller_fraction_sees_part_of_the_larger(monkeypatch):
    learn, judge, test = (set(map(bytes, part.x)) for part in digits.split(0))
    small = seen_in_training(monkeypatch, lambda: trained(ADAM, Rung(1, 0.3)))
    whole = seen_in_training(monkeypatch, lambda: trained(ADAM, Rung(1, 1.0)))
    refit = seen_in_training(monkeypatch, lambda: digits.validate(ADAM, Rung(1), Context()))
    assert len(small) == pytest.approx(0.3 * len(whole), rel=0.05)
    assert small < whole == learn
    assert refit == learn | judge
    assert not whole & judge
    assert not refit & test


# what training returns


def test_metrics_are_those_of_the_predictions(tmp_path):
    measured, context = trained(ADAM, SHORT, tmp_path)
    learn, judge, _ = digits.split(0)
    model = digits.new_model(ADAM, len(learn.y), 0)
    model.partial_fit(learn.x, learn.y, classes=range(10))
    digits.load_state(model, tmp_path / "k" / "epoch-00003" / digits.WEIGHTS_FILE)
    guess = model.predict(judge.x)
    assert measured.metrics["accuracy"] == pytest.approx(accuracy_score(judge.y, guess))
    assert measured.metrics["macro_f1"] == pytest.approx(f1_score(judge.y, guess, average="macro"))
    assert measured.loss == pytest.approx(1 - measured.metrics["accuracy"])
    assert [report.epoch for report in context.reports] == [1, 2, 3]
    assert context.reports[-1].loss == measured.loss
    assert 0 < context.evaluation < context.elapsed


@pytest.mark.slow
def test_tuning_matters_and_a_good_network_learns_the_digits():
    task = digits.task()
    task.space.seed(0)
    configs = map(dict, task.space.sample_configuration(8))
    losses = [trained(config, task.fidelity.full)[0].loss for config in configs]
    assert min(losses) < 0.1  # a ninth of guessing; the last digits depend on the processor
    assert np.median(losses) > 1.5 * min(losses)


def test_more_data_and_more_epochs_help():
    assert trained(ADAM, Rung(15))[0].loss < trained(ADAM, Rung(15, 0.2))[0].loss < trained(ADAM, Rung(1, 0.2))[0].loss


def test_a_seed_repeats_exactly_and_another_differs(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        trained(ADAM, SHORT, tmp_path / name, seed)
    first, same, other = (saved(tmp_path / name)[1]["coef_0"] for name in "abc")
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_batch_larger_than_the_data_is_cut_to_it():
    assert trained({**ADAM, "batch_size": 256}, Rung(1, 0.2))[0].loss < 0.95


# going on


@pytest.mark.parametrize("config", [ADAM, SGD], ids=["adam", "sgd"])
def test_going_on_from_a_checkpoint_equals_never_having_stopped(config, tmp_path):
    whole, _ = trained(config, Rung(9), tmp_path / "whole")
    trained(config, Rung(2), tmp_path / "parts")
    trained(config, Rung(5), tmp_path / "parts")
    parts, context = trained(config, Rung(9), tmp_path / "parts")
    assert [report.epoch for report in context.reports] == [6, 7, 8, 9]
    assert parts == whole
    (_, expected), (epochs, found) = saved(tmp_path / "whole"), saved(tmp_path / "parts")
    assert epochs == 9
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        assert np.array_equal(found[name], array), name


@pytest.mark.parametrize(("config", "moments"), [(ADAM, {"ms", "vs"}), (SGD, {"velocities"})], ids=["adam", "sgd"])
def test_the_private_parts_of_scikit_learn_are_where_they_are_expected(config, moments):
    """The contract that `digits._arrays` rests on: nothing else of the optimizer changes from step to step."""
    learn = digits.split(0)[0]
    model = digits.new_model(config, len(learn.y), 0)

    def state():
        model.partial_fit(learn.x, learn.y, classes=range(10))
        return {name: repr(value) for name, value in vars(model._optimizer).items()}

    before, after = state(), state()
    changed = {name for name in before if before[name] != after[name]}
    derived = {"learning_rate"} if config is ADAM else set()  # adam computes it anew from t in every step
    assert changed - derived - {"t"} == moments
    assert ("t" in changed) == (config is ADAM)


def test_a_checkpoint_goes_on_with_a_larger_subset(tmp_path):
    trained(ADAM, Rung(2, 0.2), tmp_path)
    measured, context = trained(ADAM, Rung(8, 0.6), tmp_path)
    assert context.start_epoch == 2
    assert measured.loss < 0.5


def test_without_checkpoints_nothing_is_kept_and_the_result_is_the_same(tmp_path):
    kept, _ = trained(ADAM, SHORT, tmp_path)
    assert trained(ADAM, SHORT)[0] == kept


def test_validate_reads_no_checkpoint_and_leaves_its_model(tmp_path):
    fresh = digits.validate(ADAM, SHORT, Context())
    trained(ADAM, Rung(2), tmp_path)
    context = Context(key="k", epochs=3, checkpoints=Checkpoints(tmp_path))
    assert context.checkpoint
    assert digits.validate(ADAM, SHORT, context) == fresh
    assert [report.epoch for report in context.reports] == [1, 2, 3]
    kept = json.loads((tmp_path / "k" / "epoch-00003" / "measurement.json").read_text())
    assert kept["metrics"] == fresh.metrics
    assert sum(map(sum, kept["confusion"])) == 359


def damaged(name, path):
    if name == "empty":
        path.write_bytes(b"")
    elif name == "cut short":
        path.write_bytes(path.read_bytes()[:2000])
    elif name == "a flipped bit":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif name == "gone":
        path.unlink()
    else:
        with np.load(path) as arrays:
            content = dict(arrays)
        content["coef_0"] = {
            "another shape": content["coef_0"][:, :-1],
            "not finite": content["coef_0"] * np.nan,
            "objects": np.array([{}], dtype=object),
        }[name]
        np.savez(path, **content)


@pytest.mark.parametrize(
    "name", ["empty", "cut short", "a flipped bit", "gone", "another shape", "not finite", "objects"]
)
def test_a_damaged_checkpoint_is_named_with_what_to_do(name, tmp_path):
    trained(ADAM, Rung(1), tmp_path)
    damaged(name, tmp_path / "k" / "epoch-00001" / digits.WEIGHTS_FILE)
    with pytest.raises(BadData, match=r"checkpoint .*mlp\.npz.*delete its folder"):
        trained(ADAM, SHORT, tmp_path)


# ending early


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_overflow_ends_the_trial_as_diverged_and_leaves_no_checkpoint(activation, tmp_path):
    context = Context(key="k", epochs=3, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(TrialStopped, match="diverged"):
        digits.train({**SGD, "learning_rate": 1e307, "activation": activation}, SHORT, context)
    assert context.stop_reason == "diverged"
    assert Checkpoints(tmp_path).find("k", below=99) is None


def test_a_stop_ends_the_trial_after_that_epoch():
    context = Context(epochs=3, stop=lambda _: "time is up" if len(context.reports) == 2 else None)
    with pytest.raises(TrialStopped, match="time is up"):
        digits.train(ADAM, SHORT, context)
    assert [report.epoch for report in context.reports] == [1, 2]


def test_ctrl_c_in_an_epoch_is_not_swallowed(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(digits.MLPClassifier, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(ADAM, SHORT)


def test_other_errors_of_the_library_pass_through():
    with pytest.raises(ValueError, match="activation"):
        trained({**ADAM, "activation": "sine"}, SHORT)


# the task


def test_the_built_in_name_leads_to_it():
    task = load("digits")
    assert task.name == "digits"
    assert task.description == BUILTIN["digits"].description


def test_every_grid_value_lies_in_the_space():
    task = digits.task()
    for name, values in task.grid.items():
        assert all(task.space[name].legal_value(value) for value in values), name


def test_momentum_exists_for_sgd_alone():
    space = digits.task().space
    space.seed(0)
    for config in space.sample_configuration(30):
        assert ("momentum" in dict(config)) == (config["solver"] == "sgd")


def test_the_lowest_fraction_is_the_smallest_that_changes_the_subset():
    y = digits.split(0)[0].y
    low, _ = digits.task().fidelity.data_range
    sizes = [len(digits.nested_subset(y, fraction, 0)) for fraction in (low / 2, low, low + 0.05)]
    assert sizes[0] <= sizes[1] < sizes[2]
    assert sizes[1] == pytest.approx(low * len(y), rel=0.02)  # what the work of this rung is charged for
