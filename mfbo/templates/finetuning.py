"""A task of your own, of the Trainer of Hugging Face's transformers.

It runs as it stands, without a network:

    mfbo tune mytask.py:task --max-cost 20s

As it stands, it trains a tiny BERT with random weights to tell small sums from large ones. With
``--model distilbert-base-uncased``, or a folder, it fine-tunes that. Put your own texts in the place of these.
"""

from __future__ import annotations

import random
from typing import Any

from ConfigSpace import ConfigurationSpace, Float, Integer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    Trainer,
)

import mfbo
from mfbo.adapters.trainer import arguments, fit

# 1. The data: texts and labels.
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
draw = random.Random(0)
numbers = [[draw.randrange(10) for _ in range(4)] for _ in range(1000)]
texts = [" plus ".join(WORDS[digit] for digit in row) for row in numbers]
labels = [int(sum(row) > 18) for row in numbers]

# 2. The space: what is tuned.
space = ConfigurationSpace()
space.add(
    Float("learning_rate", (1e-5, 1e-2), log=True),
    Float("weight_decay", (1e-4, 1e-1), log=True),
    Integer("batch_size", (8, 128), log=True),
)


def prepared(name: str | None) -> tuple[Any, list[dict[str, Any]]]:
    """3. The model, and the data as it reads them."""
    if name is not None:
        tokenizer = AutoTokenizer.from_pretrained(name)
        encoded = tokenizer(texts, truncation=True, padding=True)
        rows = [{key: encoded[key][i] for key in ("input_ids", "attention_mask")} for i in range(len(texts))]
        model = AutoModelForSequenceClassification.from_pretrained(name, num_labels=2)
    else:  # a tokenizer and a model that need no download
        ids = {word: number for number, word in enumerate([*WORDS, "plus"])}
        rows = [{"input_ids": [ids[word] for word in text.split()]} for text in texts]
        size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        model = BertForSequenceClassification(BertConfig(vocab_size=len(ids), num_labels=2, **size))
    return model, [{**row, "labels": label} for row, label in zip(rows, labels, strict=True)]


def train(config: mfbo.Config, fidelity: mfbo.Rung, context: mfbo.Context) -> mfbo.Measurement:
    """4. Train one configuration; `fit` reports, stops, saves and continues from checkpoints."""
    args = arguments(  # as TrainingArguments, whose further arguments it takes
        fidelity,
        context,
        learning_rate=config["learning_rate"],
        weight_decay=config["weight_decay"],
        per_device_train_batch_size=config["batch_size"],
        per_device_eval_batch_size=500,
    )
    model, rows = prepared(context.options.get("model"))
    return fit(Trainer(model=model, args=args, train_dataset=rows[:700], eval_dataset=rows[700:]), context)


# 5. The task: a full evaluation is 9 epochs, the cheapest one of them.
task = mfbo.Task("mytask", space, train, mfbo.Fidelity(epochs=(1, 9)))
