from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_data import default, png, run, write_images
from safetensors.torch import load_file

from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadData, UnknownName
from mfbo.tasks import cifar10
from mfbo.tasks.predict import cifar10 as predict_cifar10
from mfbo.tasks.registry import load
from mfbo.tasks.training.batches import ImageBatches, resized
from mfbo.trial import Rung, config_key

TASK = load("cifar10")
CONFIG = {"learning_rate": 1e-3, "batch_size": 32, "weight_decay": 1e-4}


@pytest.fixture(scope="module", autouse=True)
def _data(tmp_path_factory):
    root = tmp_path_factory.mktemp("cifar10")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MFBO_CACHE", str(root / "cache"))
        patch.setenv("MFBO_DATA", str(write_images(root / "data", 3)))
        yield


def test_the_default_space_has_the_ranges_of_the_study():
    space = TASK.space
    assert {
        name: (space[name].lower, space[name].upper, space[name].log) for name in ("learning_rate", "weight_decay")
    } == {
        "learning_rate": (1e-4, 1e-2, True),
        "weight_decay": (1e-5, 1e-3, True),
    }
    assert list(space["batch_size"].sequence) == [32, 64, 128]
    assert len(space) == 3
    assert TASK.fidelity.full.epochs == 30
    assert cifar10.spaces.EPOCHS == (10, 20, 30)


def test_the_network_is_resnet18_with_a_stem_for_small_images():
    model = predict_cifar10.network(10)
    assert model.conv1.kernel_size == (3, 3)
    assert model.conv1.stride == (1, 1)
    assert sum(p.numel() for p in model.parameters()) == 11_173_962  # He et al.'s, for ten classes
    seen = []
    model.layer1.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert seen == [(1, 64, 32, 32)]


@pytest.mark.slow
def test_a_promoted_resnet_ends_with_the_weights_of_one_that_was_never_stopped(tmp_path):
    for name, rungs in (("promoted", (1, 3)), ("straight", (3,))):
        for epochs in rungs:
            outcome = run(TASK, CONFIG, Rung(epochs), {}, Checkpoints(tmp_path / name))
            assert outcome.status == "ok", outcome.error
        folder = tmp_path / name / config_key(CONFIG) / "epoch-00003"
        assert {path.suffix for path in folder.rglob("*.*")} == {".safetensors", ".json"}
        if name == "promoted":
            promoted, paid = folder, outcome
    for file in ("state.safetensors", "model/model.safetensors"):
        one, other = load_file(promoted / file), load_file(folder / file)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert paid.loss == outcome.loss
    assert paid.start_epoch == 1
    assert paid.metrics["samples"] < outcome.metrics["samples"]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_wide_space_trains(optimizer):
    space = TASK.with_space("wide").space
    config = {**default(space), "optimizer": optimizer, "batch_size": 32}
    if optimizer == "sgd":
        config |= {"sgd_learning_rate": 0.1, "momentum": 0.9, "label_smoothing": 0.1, "augmentation": "flip"}
        config.pop("learning_rate")
        config.pop("crop_padding")
    outcome = run(TASK, config, Rung(1), {})
    assert outcome.status == "ok", outcome.error


def test_a_crop_is_a_window_of_the_padded_image_and_flips_mirror():
    images = np.arange(2 * 32 * 32 * 3, dtype=np.uint32).reshape(2, 32, 32, 3).astype(np.uint8)
    cpu = torch.device("cpu")
    batches = ImageBatches(images, np.array([3, 4]), cpu, mean=(0, 0, 0), std=(1, 1, 1), flip=True, crop=4)
    rows, top, left = torch.tensor([1, 0]), torch.tensor([0, 7]), torch.tensor([8, 2])
    batch = batches.cut(rows, top, left, torch.tensor([False, True]))
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    first, second = (batch.inputs[0].permute(0, 2, 3, 1).numpy()[i] for i in range(2))
    assert (first == padded[1, 0:32, 8:40]).all()
    assert (second == padded[0, 7:39, 2:34][:, ::-1]).all()
    assert batch.labels.tolist() == [4, 3]
    assert batch.inputs[0].is_contiguous(memory_format=torch.channels_last)
    (plain,) = batches.ordered(2)
    assert (plain.inputs[0].permute(0, 2, 3, 1).numpy() == images).all()


def test_each_image_comes_once_an_epoch():
    n = 50
    images = np.zeros((n, 32, 32, 3), np.uint8)
    batches = ImageBatches(images, np.arange(n), torch.device("cpu"), mean=(0, 0, 0), std=(1, 1, 1), flip=True, crop=2)
    epoch = batches.epoch(16, np.random.default_rng(0))
    seen = [epoch[i].labels.tolist() for i in range(4)]
    assert sorted(label for labels in seen for label in labels) == list(range(n))
    assert [len(labels) for labels in seen] == [16, 16, 16, 2]
    assert [epoch.done(i) for i in range(4)] == [0.32, 0.64, 0.96, 1.0]


def test_prepare_says_what_is_missing(tmp_path):
    with pytest.raises(BadData, match="mfbo data get cifar10"):
        TASK.prepare({"data_dir": str(tmp_path)})
    with pytest.raises(UnknownName, match="unknown option 'model'"):
        TASK.prepare({"model": "resnet"})
    TASK.prepare({})


@given(st.floats(0.0625, 1.0))
@settings(deadline=None)
def test_a_part_of_the_pixels_is_a_square_of_about_that_many_with_an_even_side(size):
    side = cifar10.side_of(size)
    assert side % 2 == 0
    assert 8 <= side <= 32
    assert abs(side - 32 * size**0.5) <= 1


def test_a_smaller_image_is_a_mean_over_its_pixels_and_the_whole_one_is_as_it_was():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    assert resized(images, 32) is images
    flat = np.full((1, 32, 32, 3), 77, np.uint8)
    assert (resized(flat, 8) == 77).all()
    small = resized(images, 16)
    assert small.shape == (2, 16, 16, 3)
    assert abs(small.mean() - images.mean()) < 2
    assert small.std() < images.std()


@pytest.mark.slow
def test_a_model_that_learnt_from_small_images_says_so_and_predicts_at_that_size(tmp_path):
    outcome = run(TASK, default(TASK.space), Rung(1, 1.0, 1 / 120, 0.25), {}, Checkpoints(tmp_path))
    assert outcome.status == "ok", outcome.error
    (folder,) = tmp_path.rglob("model")
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(colour=(200, 10, 10))["bytes"])
    model, _ = predict_cifar10.load(folder)
    assert model.side == 16
    ((_, probability),) = predict_cifar10.predict(folder, [str(picture)])
    assert 0 < probability <= 1
