from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_data import default, run, write_split, write_texts
from safetensors.torch import load_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mfbo import data
from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadData, BadValue
from mfbo.tasks import imdb
from mfbo.tasks.predict import imdb as predict_imdb
from mfbo.tasks.registry import load
from mfbo.tasks.training import loop
from mfbo.tasks.training.batches import TextBatches
from mfbo.tasks.training.setup import parts
from mfbo.trial import Rung

TASK = load("imdb")
CONFIG = {"learning_rate": 1e-2, "batch_size": 32, "hidden_size": 128}


@pytest.fixture(scope="module", autouse=True)
def _data(tmp_path_factory):
    root = tmp_path_factory.mktemp("imdb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MFBO_CACHE", str(root / "cache"))
        patch.setenv("MFBO_DATA", str(write_texts(root / "data", "imdb", 60)))
        yield


def test_the_default_space_has_the_ranges_of_the_study():
    rate = TASK.space["learning_rate"]
    assert (rate.lower, rate.upper, rate.log) == (1e-4, 1e-2, True)
    assert list(TASK.space["batch_size"].sequence) == [32, 64, 128]
    assert list(TASK.space["hidden_size"].sequence) == [128, 256, 512]
    assert len(TASK.space) == 3
    assert TASK.fidelity.full.epochs == 15
    assert imdb.spaces.EPOCHS == (5, 10, 15)


@pytest.mark.slow
def test_it_learns_which_words_are_kind_although_the_data_is_sorted_by_label():
    assert math.isinf(loop.FIRST_INTERIM), "no report comes by the clock"
    outcome = run(TASK, CONFIG, Rung(6), {})
    assert outcome.status == "ok", outcome.error
    assert outcome.loss <= 0.1
    assert [report.epoch for report in outcome.reports] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_promoted_lstm_ends_with_the_weights_of_one_that_was_never_stopped(tmp_path):
    for name, rungs in (("promoted", (1, 2, 5)), ("straight", (5,))):
        for epochs in rungs:
            outcome = run(TASK, CONFIG, Rung(epochs), {}, Checkpoints(tmp_path / name))
            assert outcome.status == "ok", outcome.error
    files = [next((tmp_path / name).rglob("state.safetensors")) for name in ("promoted", "straight")]
    one, other = map(load_file, files)
    assert all(torch.equal(one[key], other[key]) for key in one)
    one, other = (load_file(file.parent / "model" / "model.safetensors") for file in files)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_larger_subset_goes_on_with_the_same_vocabulary(tmp_path):
    first = run(TASK, CONFIG, Rung(1, 0.5), {}, Checkpoints(tmp_path))
    second = run(TASK, CONFIG, Rung(3, 1.0), {}, Checkpoints(tmp_path))
    assert (first.status, second.status, second.start_epoch) == ("ok", "ok", 1), second.error
    assert second.metrics["samples"] < 3 * 108


def test_the_vocabulary_is_that_of_the_training_part_and_kept_with_the_checkpoint(tmp_path, monkeypatch):
    root = tmp_path / "data"
    labels = [0] * 60 + [1] * 60
    _, judge, training = parts(np.array(labels), 1.0, 0)
    texts = [f"common word{i} word{i}" for i in range(120)]
    write_split(root, "imdb", "train", text=texts, label=labels)
    write_split(root, "imdb", "test", text=["test test"], label=[0])
    outcome = run(TASK, CONFIG, Rung(1, 0.2), {"data_dir": str(root)}, Checkpoints(tmp_path))
    assert outcome.status == "ok", outcome.error
    (path,) = tmp_path.rglob("vocabulary.json")
    known = set(data.Vocabulary.load(path).words)
    assert known >= {f"word{i}" for i in training}
    assert not known & {"test", *(f"word{i}" for i in judge)}


def test_a_text_is_encoded_alone_as_in_training():
    vocabulary = data.build_vocabulary(["it's a <br />film film it's naïve"], min_count=1)
    for text in ("It's<br /><br />a NAÏVE_film, no?", "", "word " * 100_000):
        assert predict_imdb.encode(text, vocabulary.ids, 256) == vocabulary.encode(text, 256)


@pytest.mark.slow
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6).map(lambda found: sorted(found, reverse=True)),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
)
@settings(max_examples=20)
def test_reading_padded_texts_gives_the_outputs_and_gradients_of_packed_ones(lengths, layers, bidirectional):
    torch.manual_seed(0)
    model = predict_imdb.ReviewLSTM(
        words=9, embedding_size=3, hidden_size=4, layers=layers, bidirectional=bidirectional, layer_dropout=0.5
    ).eval()
    x = torch.randn(len(lengths), lengths[0], 3)
    mask = torch.arange(lengths[0]) < torch.tensor(lengths)[:, None]
    found = []
    for outputs in (
        model._outputs(x, mask, torch.tensor(lengths)),
        pad_packed_sequence(model.lstm(pack_padded_sequence(x, lengths, batch_first=True))[0], batch_first=True)[0],
    ):
        model.zero_grad()
        outputs.square().sum().backward()
        found.append([outputs, *(parameter.grad.clone() for parameter in model.lstm.parameters())])
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(*found, strict=True))


def test_layers_drop_what_passes_between_them_while_they_learn_only():
    model = predict_imdb.ReviewLSTM(words=9, hidden_size=4, layers=2, bidirectional=True, layer_dropout=0.5)
    x, mask = torch.randn(2, 5, 128), torch.ones(2, 5, dtype=torch.bool)
    lengths = torch.tensor([5, 5])
    first, second = (model._outputs(x, mask, lengths) for _ in range(2))
    assert not torch.equal(first, second)
    model.eval()
    first, second = (model._outputs(x, mask, lengths) for _ in range(2))
    assert torch.equal(first, second)


def test_a_prediction_does_not_depend_on_the_texts_beside_it_or_their_order(tmp_path):
    outcome = run(TASK, CONFIG, Rung(2), {}, Checkpoints(tmp_path))
    assert outcome.status == "ok", outcome.error
    (folder,) = tmp_path.rglob("model")
    texts = ["good fun", "", "bad " * 300, "a lovely story of good people", "dull"]
    alone = [predict_imdb.predict(folder, [text])[0] for text in texts]
    together = predict_imdb.predict(folder, texts)
    assert [name for name, _ in together] == [name for name, _ in alone]
    assert [sure for _, sure in together] == pytest.approx([sure for _, sure in alone], abs=1e-5)
    assert len({sure for _, sure in alone}) == len(texts)


@pytest.mark.parametrize(
    "changed", [{}, {"layers": 2, "layer_dropout": 0.3, "bidirectional": True}, {"optimizer": "sgd"}]
)
def test_the_wide_space_trains(changed):
    config = {**default(TASK.with_space("wide").space), **changed}
    if "optimizer" in changed:
        config.pop("learning_rate")
        config |= {"sgd_learning_rate": 0.1, "momentum": 0.5}
    outcome = run(TASK, config, Rung(1), {"samples": "40"})
    assert outcome.status == "ok", outcome.error
    assert outcome.metrics["samples"] == 36, "the other tenth validates"


def test_empty_and_very_long_texts_train(tmp_path):
    texts = ["", "word " * 100_000, " !? "] * 20
    write_split(tmp_path, "imdb", "train", text=texts, label=[0, 1, 1] * 20)
    write_split(tmp_path, "imdb", "test", text=[""], label=[0])
    outcome = run(TASK, CONFIG, Rung(1), {"data_dir": str(tmp_path)})
    assert outcome.status == "ok", outcome.error


def test_bad_data_is_a_failed_trial_with_one_line(tmp_path):
    write_split(tmp_path, "imdb", "train", text=["a"] * 60, label=[0] * 59 + [2])
    write_split(tmp_path, "imdb", "test", text=["a"], label=[0])
    outcome = run(TASK, CONFIG, Rung(1), {"data_dir": str(tmp_path)})
    assert outcome.status == "failed"
    assert outcome.loss is None
    assert "row 59: label 2; allowed: 0 to 1" in outcome.error
    assert "\n" not in outcome.error


def test_prepare_says_what_is_missing(tmp_path):
    with pytest.raises(BadData, match="mfbo data get imdb"):
        TASK.prepare({"data_dir": str(tmp_path)})
    with pytest.raises(BadValue, match="option samples='some'"):
        TASK.prepare({"samples": "some"})
    TASK.prepare({})


@pytest.mark.slow
def test_what_takes_long_to_import_is_there_before_the_first_trial():
    script = """
import sys
from made_data import default, run
from mfbo.tasks.registry import load
from mfbo.trial import Rung
task = load("imdb")
task.prepare({})
task.warm_up()
before = set(sys.modules)
print(run(task, default(task.space), Rung(1), {}).status, len(set(sys.modules) - before))
"""
    command, where = [sys.executable, "-c", script], Path(__file__).parent.parent
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=where).stdout.split()
    assert said[0] == "ok"
    assert int(said[1]) < 30, "PyTorch's optimizers alone bring 900"


def test_of_a_text_that_is_cut_its_end_is_read():
    tokens = imdb._words(imdb.Options())["train"].tokens
    rows = np.arange(len(tokens))
    batches = TextBatches(tokens, rows, 3, torch.device("cpu"), tail=True)
    for row in (0, len(rows) - 1):
        ids, _, _ = batches.batch(np.array([row])).inputs
        whole = tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]]
        assert ids[0].tolist() == whole[-3:].tolist()
