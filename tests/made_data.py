"""Small data sets in the hub's layouts, and a small transformer, for tests."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.trial import Trial

NEWS = ("war treaty vote border", "match goal team coach", "shares profit market bank", "chip robot orbit gene")
REVIEWS = ("bad dull awful boring", "good great lovely fun")
FILLER = "the film a story about some people and what they said on monday"


def png(width=32, height=32, colour=(1, 2, 3)) -> dict:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return {"bytes": out.getvalue(), "path": None}


def write(root: Path, name: str, **columns) -> Path:
    """The same rows as training and test split; the folder to give as data_dir."""
    for split in ("train", "test"):
        write_split(root, name, split, **columns)
    return root


def write_split(root: Path, name: str, split: str, **columns) -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / name / f"{split}.parquet")


def write_images(root: Path, a_class=4) -> Path:
    """cifar10: each class has a colour of its own."""
    for split, seed in (("train", 0), ("test", 1)):
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(10), a_class if split == "train" else 2)
        colours = [(25 * y, 255 - 25 * y, int(rng.integers(256))) for y in labels]
        write_split(root, "cifar10", split, img=[png(colour=c) for c in colours], label=labels)
    return root


def write_texts(root: Path, name: str, a_class=30) -> Path:
    """ag_news or imdb, sorted by label: each class has words of its own."""
    words = NEWS if name == "ag_news" else REVIEWS
    for split, seed in (("train", 0), ("test", 1)):
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(len(words)), a_class if split == "train" else 8)
        texts = []
        for label in labels:
            mixed = [*rng.choice(FILLER.split(), rng.integers(3, 20)), *rng.choice(words[label].split(), 3)]
            texts.append(" ".join(rng.permutation(mixed)))
        write_split(root, name, split, text=texts, label=labels)
    return root


def write_transformer(folder: Path, kind="distilbert") -> Path:
    """A DistilBERT or BERT with random weights, 32 numbers wide, and a tokenizer for the words above."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = sorted({*" ".join(NEWS).split(), *FILLER.split()})
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=64, **special)
    shape = {"vocab_size": len(vocabulary), "max_position_embeddings": 64}
    if kind == "distilbert":
        config = transformers.DistilBertConfig(dim=32, hidden_dim=64, n_heads=2, n_layers=3, **shape)
        model = transformers.DistilBertForSequenceClassification(config)
    else:
        config = transformers.BertConfig(
            hidden_size=32, intermediate_size=64, num_attention_heads=2, num_hidden_layers=3, **shape
        )
        model = transformers.BertForSequenceClassification(config)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def run(task, config, rung, options, checkpoints=None, *, final=False, seed=0, stop=None):
    """What becomes of one trial; with `final`, of its validation."""
    from dataclasses import replace

    task = replace(task, train=task.validate) if final else task
    setup = TrialSetup(seed=seed, device="cpu", options=options, checkpoints=checkpoints)
    return evaluate(task, Trial(0, dict(config), rung), setup, stop)


def default(space) -> dict:
    """The default configuration as plain Python."""
    found = dict(space.get_default_configuration())
    return {name: value.item() if hasattr(value, "item") else value for name, value in found.items()}


def script(folder: Path):
    """The ``predict.py`` that lies in a folder, as a module of its own."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("predict", folder / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
