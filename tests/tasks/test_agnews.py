from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from made_data import default, run, write_split, write_texts, write_transformer
from safetensors.torch import load_file, save_file
from torch import nn

from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadData, UnknownName
from mfbo.tasks import agnews
from mfbo.tasks.registry import load
from mfbo.tasks.training.features import Features
from mfbo.tasks.training.transformer import classifier_of, tokenizer_key, tokenizer_of
from mfbo.trial import Rung

pytestmark = pytest.mark.slow  # transformers takes eight seconds to import
TASK = load("agnews")
CONFIG = {"learning_rate": 1e-3, "batch_size": 16, "dropout": 0.1}
CLASSES = ("World", "Sports", "Business", "Sci/Tech")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("agnews")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MFBO_CACHE", str(root / "cache"))
        patch.setenv("MFBO_DATA", str(write_texts(root / "data", "ag_news")))
        yield {kind: str(write_transformer(root / kind, kind)) for kind in ("distilbert", "bert")}


@pytest.fixture
def options(models):
    return {"model": models["distilbert"]}


def test_the_default_space_has_the_ranges_of_the_study():
    rate, dropout = TASK.space["learning_rate"], TASK.space["dropout"]
    assert (rate.lower, rate.upper, rate.log) == (1e-5, 1e-3, True)
    assert (dropout.lower, dropout.upper, dropout.log) == (0.1, 0.5, False)
    assert list(TASK.space["batch_size"].sequence) == [16, 32, 64]
    assert len(TASK.space) == 3
    assert TASK.fidelity.full.epochs == 4
    assert agnews.spaces.EPOCHS == (2, 3, 4)
    assert agnews.MODEL == "distilbert-base-uncased"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_dropout_reaches_every_layer_that_drops(models, kind):
    tokenizer = tokenizer_of(models[kind])
    model = classifier_of(models[kind], CLASSES, tokenizer, dropout=0.37, attention_dropout=0.21)
    drops = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    attention = {name for name in drops if name.endswith(("attention.dropout", "attention.self.dropout"))}
    assert len(attention) == 3
    assert {drops[name] for name in attention} == {0.21}
    assert {drops[name] for name in drops.keys() - attention} == {0.37}
    assert len(drops.keys() - attention) >= 5, "embeddings, three layers, classifier"


def test_the_dropout_of_a_configuration_is_that_of_the_trained_model(options, monkeypatch):
    seen = []
    real = torch.nn.functional.dropout

    def spy(values, p=0.5, training=True, inplace=False):
        if training:
            seen.append(p)
        return real(values, p, training, inplace)

    monkeypatch.setattr(torch.nn.functional, "dropout", spy)
    outcome = run(TASK, {**CONFIG, "dropout": 0.43}, Rung(1), {**options, "samples": "80"})
    assert outcome.status == "ok", outcome.error
    assert set(seen) == {0.43}


@pytest.mark.slow
def test_it_learns_to_sort_news(options):
    outcome = run(TASK, {**CONFIG, "learning_rate": 3e-3}, Rung(20), options)
    assert outcome.status == "ok", outcome.error
    assert outcome.loss < 0.5
    assert 0 < outcome.metrics["macro_f1"] <= 1


@pytest.mark.slow
def test_a_promoted_transformer_ends_with_the_weights_of_one_that_was_never_stopped(tmp_path, options):
    for name, rungs in (("promoted", (1, 2, 4)), ("straight", (4,))):
        for epochs in rungs:
            outcome = run(TASK, CONFIG, Rung(epochs), options, Checkpoints(tmp_path / name))
            assert outcome.status == "ok", outcome.error
    files = [next((tmp_path / name).rglob("state.safetensors")) for name in ("promoted", "straight")]
    one, other = map(load_file, files)
    assert all(torch.equal(one[key], other[key]) for key in one)
    one, other = (load_file(file.parent / "model" / "model.safetensors") for file in files)
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_the_wide_space_trains_and_frozen_layers_stay(tmp_path, models, kind):
    config = {**default(TASK.with_space("wide").space), "freeze": "layers", "frozen_layers": 2}
    outcome = run(TASK, config, Rung(1), {"model": models[kind], "samples": "80"}, Checkpoints(tmp_path))
    assert outcome.status == "ok", outcome.error
    before = load_file(Path(models[kind]) / "model.safetensors")
    (path,) = tmp_path.rglob("model/model.safetensors")
    after = load_file(path)
    frozen = {name for name in after if "embeddings" in name or ".layer.0." in name or ".layer.1." in name}
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert all(not torch.equal(before[name], after[name]) for name in after if name.endswith("layer.2.ffn.lin1.weight"))


def test_the_lowest_levels_train_the_head_alone_on_features_that_are_computed_once(tmp_path, models, monkeypatch):
    computed = []
    usual = Features._compute

    def spy(self, rows, inputs, model):
        computed.extend(rows)
        return usual(self, rows, inputs, model)

    monkeypatch.setattr(Features, "_compute", spy)
    given = {"model": models["distilbert"], "samples": "80"}
    rung = Rung(1, 1.0, 0.1, agnews.PROBE)
    for name in ("first", "second"):
        outcome = run(TASK, default(TASK.space), rung, given, Checkpoints(tmp_path / name))
        assert outcome.status == "ok", outcome.error
    assert len(computed) == len(set(computed)) > 0, "no text goes through the body twice"
    before = load_file(Path(models["distilbert"]) / "model.safetensors")
    (path,) = (tmp_path / "first").rglob("model/model.safetensors")
    after = load_file(path)
    body = [name for name in before if name.startswith("distilbert.")]
    assert body
    assert all(torch.equal(before[name], after[name]) for name in body)
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])


def test_a_head_goes_on_as_a_whole_model(tmp_path, models):
    given = {"model": models["distilbert"], "samples": "80"}
    low = run(TASK, default(TASK.space), Rung(1, 0.5, 0.05, agnews.PROBE), given, Checkpoints(tmp_path))
    high = run(TASK, default(TASK.space), Rung(2), given, Checkpoints(tmp_path))
    assert (low.status, high.status, high.start_epoch) == ("ok", "ok", 1), (low.error, high.error)
    assert high.metrics["size"] == low.metrics["size"]


def test_at_least_the_last_layer_trains(models):
    model = classifier_of(
        models["distilbert"], CLASSES, tokenizer_of(models["distilbert"]), dropout=0.1, attention_dropout=0.1
    )
    model.freeze("layers", 5)
    assert any(p.requires_grad for p in model.network.distilbert.transformer.layer[2].parameters())
    assert not any(p.requires_grad for p in model.network.distilbert.transformer.layer[1].parameters())


def test_a_cut_text_keeps_its_end_mark(models):
    tokenizer = tokenizer_of(models["distilbert"])
    tokens = agnews._tokens(agnews.Options(), tokenizer)["train"]
    from mfbo.tasks.training.batches import TextBatches

    batches = TextBatches(tokens, np.arange(len(tokens)), 6, torch.device("cpu"), closed=True)
    for batch in batches.ordered(16):
        ids, mask, lengths = batch.inputs
        assert ids.shape[1] <= 6
        assert (ids[:, 0] == tokenizer.cls_token_id).all()
        assert (ids.gather(1, lengths[:, None] - 1) == tokenizer.sep_token_id).all()
        assert (mask.sum(1) == lengths).all()


def test_progress_within_an_epoch_counts_tokens_with_their_padding(models):
    tokens = agnews._tokens(agnews.Options(), tokenizer_of(models["distilbert"]))["train"]
    from mfbo.tasks.training.batches import TextBatches

    epoch = TextBatches(tokens, np.arange(20), 64, torch.device("cpu")).epoch(6, np.random.default_rng(0))
    cells = np.array([epoch[i].inputs[0].numel() for i in range(4)])
    assert [epoch.done(i) for i in range(4)] == pytest.approx(cells.cumsum() / cells.sum())


@pytest.mark.slow
def test_empty_and_very_long_texts_train(tmp_path, options):
    texts = ["", "goal " * 100_000, " \n ", "shares \U0001f680 日本"] * 20
    for split in ("train", "test"):
        write_split(tmp_path, "ag_news", split, text=texts, label=[0, 1, 2, 3] * 20)
    outcome = run(TASK, CONFIG, Rung(1), {**options, "data_dir": str(tmp_path)})
    assert outcome.status == "ok", outcome.error
    tokens = agnews._tokens(agnews.Options(data_dir=str(tmp_path)), tokenizer_of(options["model"]))["train"]
    assert tokens.lengths[:2].tolist() == [2, 64], "begin and end mark; what the model can read"


# --- models that cannot be used


def test_a_folder_without_tokenizer_is_refused(tmp_path, options):
    shutil.copytree(options["model"], tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(BadData, match="has no tokenizer"):
        TASK.prepare({"model": str(tmp_path / "m")})


def test_the_tokenizer_of_another_model_is_refused(tmp_path, options):
    shutil.copytree(options["model"], tmp_path / "m")
    import transformers

    config = transformers.DistilBertConfig(dim=32, hidden_dim=64, n_heads=2, n_layers=1, vocab_size=7)
    transformers.DistilBertForSequenceClassification(config).save_pretrained(str(tmp_path / "m"))
    outcome = run(TASK, CONFIG, Rung(1), {"model": str(tmp_path / "m")})
    assert outcome.status == "failed"
    assert "has 7 embeddings" in outcome.error


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_damaged_model_folder_is_one_line(tmp_path, options, file):
    shutil.copytree(options["model"], tmp_path / "m")
    os.truncate(tmp_path / "m" / file, 30)
    with pytest.raises(BadData, match="model folder"):
        TASK.prepare({"model": str(tmp_path / "m")})
    outcome = run(TASK, CONFIG, Rung(1), {"model": str(tmp_path / "m")})
    assert outcome.status == "failed"
    assert outcome.error.startswith("BadData: model folder")
    assert "\n" not in outcome.error


def test_a_model_folder_that_lacks_layers_is_refused(tmp_path, options):
    shutil.copytree(options["model"], tmp_path / "m")
    tensors = load_file(tmp_path / "m" / "model.safetensors")
    save_file({name: t for name, t in tensors.items() if ".layer.1." not in name}, tmp_path / "m" / "model.safetensors")
    outcome = run(TASK, CONFIG, Rung(1), {"model": str(tmp_path / "m")})
    assert outcome.status == "failed"
    assert "lack 16 parameters of its configuration, such as distilbert.transformer.layer.1." in outcome.error


def test_a_model_that_is_neither_here_nor_to_be_had_is_one_line(models, monkeypatch):
    def no_route(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", no_route)
    with pytest.raises(BadData, match=r"'no/such-model' is neither a folder nor in the hub's cache.*--model") as caught:
        TASK.prepare({"model": "no/such-model"})
    assert "\n" not in str(caught.value)


def test_a_model_without_known_dropout_is_refused(tmp_path, options, monkeypatch):
    monkeypatch.setattr("mfbo.tasks.training.transformer.DROPOUT", ("some_dropout",))
    with pytest.raises(BadData, match="no dropout of a known name"):
        classifier_of(options["model"], CLASSES, tokenizer_of(options["model"]), dropout=0.1, attention_dropout=0.1)


def test_two_tokenizers_have_two_keys(models, tmp_path):
    first = tokenizer_of(models["distilbert"])
    assert tokenizer_key(first) == tokenizer_key(tokenizer_of(models["distilbert"]))
    text = (Path(models["bert"]) / "tokenizer.json").read_text().replace('"war"', '"peace"')
    shutil.copytree(models["bert"], tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").write_text(text)
    assert tokenizer_key(tokenizer_of(str(tmp_path / "m"))) != tokenizer_key(first)


def test_prepare_says_what_is_missing(tmp_path, options):
    with pytest.raises(BadData, match="mfbo data get ag_news"):
        TASK.prepare({**options, "data_dir": str(tmp_path)})
    with pytest.raises(UnknownName, match="did you mean 'model'"):
        TASK.prepare({"modle": "x"})
    TASK.prepare(options)


def test_a_model_that_was_checked_once_is_not_loaded_to_prepare(options, tmp_path):
    shutil.copytree(options["model"], tmp_path / "m", copy_function=shutil.copyfile)  # with times of their own
    code = f"""
import sys
from mfbo.tasks.registry import load
task, options = load("agnews"), {{"model": {str(tmp_path / "m")!r}}}
task.prepare(options)
task.least(options)
print(sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    said = [subprocess.run([sys.executable, "-c", code], check=True, text=True, capture_output=True) for _ in range(2)]
    assert [each.stdout.strip() for each in said] == ["['torch', 'transformers']", "[]"]
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(BadData, match="has no tokenizer"):
        TASK.prepare({"model": str(tmp_path / "m")})
