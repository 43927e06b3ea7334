"""Bare training loops of the three real tasks, as a competent person would write them: for `throughput.py`.

Each function prepares everything first (images normalised, padded and on the device; texts cut and kept as tensors) and
returns a loop over one epoch that says how many images or tokens it learnt from.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from mfbo import data
from mfbo.tasks.predict.imdb import ReviewLSTM
from mfbo.tasks.training.device import has_bf16
from mfbo.tasks.training.setup import parts

Loop: TypeAlias = Callable[[], int]


def _stepper(model: nn.Module, device: torch.device, weight_decay: float, clip: float) -> Callable[..., None]:
    """A step of the bare loop: forward, backward, clip, update."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=weight_decay, fused=True)
    bf16 = has_bf16(device)
    model.train()

    def step(labels: torch.Tensor, *inputs: torch.Tensor, **named: torch.Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            out = model(*inputs, **named)
        loss = nn.functional.cross_entropy(getattr(out, "logits", out).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()

    return step


def images(size: int, samples: int, device: torch.device) -> Loop:
    """ResNet-18 on CIFAR-10."""
    found = data.images()
    rows, _, _ = parts(found.train_labels, 1.0, 0, samples)
    x = torch.from_numpy(found.train[rows]).permute(0, 3, 1, 2).to(device).float()
    mean, std = (x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True))
    x = nn.functional.pad((x - mean) / std, (4, 4, 4, 4)).to(memory_format=torch.channels_last)
    y = torch.from_numpy(found.train_labels[rows]).to(device)
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    step = _stepper(model.to(device, memory_format=torch.channels_last), device, 1e-4, 5.0)
    places = torch.arange(32, device=device)

    def loop() -> int:
        order = torch.randperm(len(y), device=device)
        for batch in order.split(size):
            down, across = (torch.randint(9, (len(batch), 1), device=device) + places for _ in range(2))
            across = torch.where(torch.rand(len(batch), 1, device=device) < 0.5, across.flip(1), across)
            cut = x.permute(0, 2, 3, 1)[batch[:, None, None], down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)
            step(y[batch], cut)
        return len(y)

    return loop


def _texts(size: int, tokens: data.Tokens, rows: np.ndarray, most: int, learn: Callable[..., None]) -> Loop:
    """Texts in batches of similar length; `learn` is given ids, mask, lengths and labels."""
    texts = [torch.from_numpy(tokens.row(i)[:most].astype(np.int64)) for i in rows]
    y = torch.from_numpy(tokens.labels[rows])

    def loop() -> int:
        order = sorted(torch.randperm(len(texts)).tolist(), key=lambda i: -len(texts[i]))
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        random.shuffle(batches)
        for batch in batches:
            ids = pad_sequence([texts[i] for i in batch], batch_first=True)
            lengths = torch.tensor([len(texts[i]) for i in batch])
            learn(ids, torch.arange(ids.shape[1]) < lengths[:, None], lengths, y[batch])
        return sum(map(len, texts))

    return loop


def transformer(model_folder: Path, size: int, samples: int, device: torch.device) -> Loop:
    """DistilBERT on AG News."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    encode = lambda batch: tokenizer(batch, truncation=True, max_length=128).input_ids  # noqa: E731
    tokens = data.tokens("ag_news", "throughput", encode)["train"]
    rows, _, _ = parts(tokens.labels, 1.0, 0, samples)
    dropout = {"dropout": 0.1, "attention_dropout": 0.1, "seq_classif_dropout": 0.1}
    model = AutoModelForSequenceClassification.from_pretrained(model_folder, num_labels=4, **dropout)
    step = _stepper(model.to(device), device, 0.01, 1.0)

    def learn(ids: torch.Tensor, mask: torch.Tensor, _lengths: torch.Tensor, labels: torch.Tensor) -> None:
        step(labels.to(device), input_ids=ids.to(device), attention_mask=mask.long().to(device))

    return _texts(size, tokens, rows, 128, learn)


def lstm(hidden_size: int, size: int, samples: int, device: torch.device) -> Loop:
    """The LSTM on IMDb."""
    words = data.words("imdb")["train"]
    rows, _, training_rows = parts(words.tokens.labels, 1.0, 0, samples)
    vocabulary = words.vocabulary(training_rows)
    model = ReviewLSTM(words=len(vocabulary), embedding_size=128, hidden_size=hidden_size, dropout=0.5)
    step = _stepper(model.to(device), device, 1e-5, 1.0)

    def learn(ids: torch.Tensor, mask: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor) -> None:
        step(labels.to(device), ids.to(device), mask.to(device), lengths)

    return _texts(size, words.encoded(vocabulary), rows, 256, learn)
