"""What a run is after: a metric by its name, and whether it is to be high or low.

Inside there is one convention, a loss of which lower is better. A metric that is maximised is turned where a trial's
result is read (`mfbo.executors.evaluate`), and back where people and other tools see it, both by `Goal` alone.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.errors import BadDirection, BadValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

LOSS, SCORE = "loss", "score"
"""What a metric without a name is called: one that is minimised, and one that is maximised."""
UNNAMED = (LOSS, SCORE)
DIRECTIONS = {"max": True, "min": False}

_LONG_NAMES = {
    "accuracy", "auc", "auroc", "auprc", "roc", "bleu", "rouge", "meteor", "chrf", "miou", "fmeasure", "fscore",
    "precision", "recall", "reward",
}  # fmt: skip
_HIGH = _LONG_NAMES | {
    "acc", "bacc", "matthews", "f1", "f2", "fbeta", "r2", "score", "map", "map50", "map75", "iou", "dice", "jaccard",
    "return", "returns", "sensitivity", "specificity", "mcc", "kappa", "ndcg", "mrr", "hits", "hit", "psnr", "ssim",
    "em", "exact", "top1", "top3", "top5", "success", "winrate", "win", "wins", "pearson", "spearman", "corr",
    "correlation", "ap", "ar", "ap50", "ap75", "rew", "rougel", "explained", "elbo", "likelihood", "silhouette",
    "lift", "profit", "throughput",
}  # fmt: skip
"""Words in the names of metrics of which higher is better."""
_LOW = {
    "loss", "losses", "error", "errors", "err", "cost", "regret", "distance", "nll", "ppl", "perplexity", "mse",
    "rmse", "mae", "mape", "rmsle", "logloss", "crossentropy", "entropy", "brier", "fid", "hinge", "time", "seconds",
    "duration", "latency", "memory", "size", "count", "num", "steps", "epoch", "step", "wer", "cer", "penalty", "neg",
    "negative", "divergence", "kl", "drop", "gap", "std", "deviation", "fpr", "fnr", "eer", "ece",
}  # fmt: skip
"""Words in the names of metrics of which lower is better, whatever else the name says, and of what is no quality."""
_PLACES = r"(?:train|training|val|valid|validation|test|dev|eval|best|mean|avg|macro|micro|weighted|balanced|roc|pr)?"
_GLUED = re.compile(rf"{_PLACES}(?:{'|'.join(sorted({*_LONG_NAMES, 'acc', 'f1', 'iou', 'score'}))})(?:\d+|s)?")
_WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


@dataclass(frozen=True)
class Goal:
    """A metric by its name, and its direction.

    Attributes:
        name: as the user calls it.
        maximize: whether higher is better.
    """

    name: str = LOSS
    maximize: bool = False

    def loss(self, value: float) -> float:
        """What `value` of the metric is inside, where lower is better."""
        return 0.0 - value if self.maximize else value

    def value(self, loss: float) -> float:
        """What a loss is in the user's own sign."""
        return 0.0 - loss if self.maximize else loss

    def values(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same of an array of any shape."""
        return 0.0 - losses if self.maximize else losses

    def others(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Metrics without this one, which is shown by itself."""
        return {name: value for name, value in metrics.items() if name != self.name}

    def like(self, other: Goal) -> bool:
        """Whether losses of both can mean the same; runs that say no name are of one direction."""
        return self.maximize == other.maximize and (
            self.name == other.name or bool({self.name, other.name} & set(UNNAMED))
        )

    @property
    def option(self) -> str:
        """With its direction, as ``--metric`` takes it."""
        return f"{'max' if self.maximize else 'min'}:{self.name}"

    @property
    def label(self) -> str:
        """For an axis or a column: ``validation loss``, or the metric's name."""
        return "validation loss" if self == Goal() else self.name

    @property
    def better(self) -> str:
        """Which way is better, in words."""
        return "higher is better" if self.maximize else "lower is better"

    def facts(self, loss: float | None) -> dict[str, str | float | bool | None]:
        """Of a result, for ``--json``: metric, direction and value; ``loss`` is the value where that is minimised."""
        value = None if loss is None else self.value(loss)
        found: dict[str, str | float | bool | None] = {
            "metric": self.name,
            "maximize": self.maximize,
            "value": value,
        }
        return found if self.maximize else {**found, "loss": value}


def split(text: str) -> tuple[str, bool | None]:
    """A metric as people give it: its name, and whether it is to be high, or None where that is not said.

    >>> split("max:val_acc"), split("val_loss")
    (('val_acc', True), ('val_loss', None))

    Raises:
        BadValue: a direction without a name.
    """
    direction, colon, name = text.partition(":")
    if not colon or direction.strip() not in DIRECTIONS:
        return text, None
    if not name.strip():
        raise BadValue(f"metric {text!r}: give its name behind the colon, such as {text.strip()}val_acc")
    return name.strip(), DIRECTIONS[direction.strip()]


def said(metric: str, maximize: bool | None) -> tuple[str, bool | None]:
    """The same with `maximize` beside it.

    Raises:
        BadValue: they say the opposite of each other.
    """
    name, direction = split(metric)
    if direction is not None and maximize is not None and direction != maximize:
        other = "maximize" if maximize else "minimize"
        raise BadValue(f"{other} and the metric {metric!r} say the opposite of each other; leave out one of the two")
    return name, maximize if direction is None else direction


def name_of(metric: str) -> str:
    """What a metric is called that a regular expression may find: the last word before its group.

    >>> name_of(r"val acc[:=] *(?P<loss>[0-9.]+)"), name_of("eval/f1"), name_of("([0-9.]+)")
    ('acc', 'eval/f1', 'metric')
    """
    if "(" not in metric:
        return metric
    words: list[str] = re.findall(
        r"[^\W\d][\w/.@-]*\w|[^\W\d]", re.sub(r"\\.|\[[^\]]*\]", " ", metric.partition("(")[0])
    )
    return words[-1] if words else "metric"


def sounds_maximized(name: str) -> bool:
    """Whether a metric is called like one of which higher is better.

    >>> [sounds_maximized(name) for name in ("val_acc", "eval/f1_macro", "mIoU", "map_loss", "error", "lr")]
    [True, True, True, False, False, False]
    """
    parts = re.split(r"[^A-Za-z0-9]+", unicodedata.normalize("NFKC", name))
    words = {word.lower() for part in parts for word in (part, *_WORDS.findall(part))} - {""}
    if words & _LOW or any(word.endswith(("loss", "error", "err")) for word in words):
        return False
    return any(word in _HIGH or _GLUED.fullmatch(word) for word in words)


def check_direction(name: str, maximize: bool | None) -> None:
    """Refuse a metric that is called like one that is maximised, and of which nobody has said so.

    Raises:
        BadValue: it is; shows both ways to say it.
    """
    if maximize is None and sounds_maximized(name):
        raise BadValue(
            f"metric {name!r}: is higher or lower better? Give max:{name} (the same as --maximize, or maximize=True in "
            f"Python) or min:{name}"
        )


def agree(goal: Goal, name: str, maximize: bool | None) -> None:
    """Make sure that a library that trains and the run are after the same.

    Args:
        goal: of the run.
        name: of the metric that the library measures.
        maximize: which way the library has it; None where it does not say.

    Raises:
        BadDirection: one is to be high and the other low, by what they say, or else by the metric's name.
    """
    if maximize is None and name.removeprefix("eval_") != goal.name.removeprefix("eval_"):
        low = name.lower().endswith(("loss", "error"))
        maximize = True if sounds_maximized(name) else False if low else None
    if maximize is not None and maximize != goal.maximize:
        direction = "max" if maximize else "min"
        raise BadDirection(
            f"{name!r} is to be {'high' if maximize else 'low'} where it is measured, the run is after {goal.option};"
            f" name what is measured in the task: mfbo.Task(..., metric='{direction}:{name}')"
        )
