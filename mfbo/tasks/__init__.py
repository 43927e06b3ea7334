"""The tasks that come with mfbo; each module is imported only when its task is used."""

from __future__ import annotations

from typing import NamedTuple


class Builtin(NamedTuple):
    """Where a built-in task is (``module:attribute``, a `Task` or a function that returns one), and one line on it."""

    where: str
    description: str


BUILTIN: dict[str, Builtin] = {
    "digits": Builtin("mfbo.tasks.digits:task", "scikit-learn's 1,797 handwritten digits, an MLP (real data, offline)"),
    "cifar10": Builtin("mfbo.tasks.cifar10:task", "CIFAR-10, ResNet-18 (real data; extra: vision)"),
    "agnews": Builtin("mfbo.tasks.agnews:task", "AG News, DistilBERT or another transformer (real data; extra: text)"),
    "imdb": Builtin("mfbo.tasks.imdb:task", "IMDb reviews, LSTM (real data; extra: text)"),
}
