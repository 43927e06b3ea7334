"""Pretrained transformers from a folder or the Hugging Face hub: tokenizer, classifier, dropout, frozen layers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mfbo.data import hub
from mfbo.data.parquet import needed
from mfbo.errors import BadData

DROPOUT = (  # DistilBERT, BERT and its kin, ALBERT, DeBERTa, ModernBERT
    "dropout",
    "seq_classif_dropout",
    "hidden_dropout_prob",
    "classifier_dropout",
    "classifier_dropout_prob",
    "pooler_dropout",
    "cls_dropout",
    "embedding_dropout",
    "mlp_dropout",
)
ATTENTION = ("attention_dropout", "attention_probs_dropout_prob")
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "*.bpe.model")


class Classifier(nn.Module):  # type: ignore[misc, unused-ignore]
    """A transformers classifier as the training module calls it.

    Args:
        network: any of transformers' models for sequence classification.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Any, mask: Any = None, _lengths: Any = None) -> Any:
        """(b, longest) ids and mask, or (b, features) as `features` made them -> (b, classes) logits."""
        if mask is None:
            return self._head(ids)
        return self.network(input_ids=ids, attention_mask=mask.long()).logits

    @property
    def probes(self) -> bool:
        """Whether a linear probe of it can be trained on features: whether its head is of a known form."""
        return self._pooler is not None or hasattr(self.network, "pre_classifier")

    def features(self, ids: Any, mask: Any) -> Any:
        """(b, longest) -> (b, width): of the first token, what the head is given; the body as it was pretrained."""
        return self.network.base_model(input_ids=ids, attention_mask=mask.long())[0][:, 0]

    def freeze_body(self) -> None:
        """Train the head alone: the classifier, and the layer between it and the first token."""
        self.network.requires_grad_(False)
        between = self._pooler or self.network.pre_classifier
        for part in (between, self.network.classifier):
            part.requires_grad_(True)

    @property
    def _pooler(self) -> Any:
        """BERT's layer between the first token and the classifier; None in models of another form."""
        return getattr(self.network.base_model, "pooler", None)

    def _head(self, first: Any) -> Any:
        network = self.network
        if self._pooler is not None:  # BERT and its kin
            return network.classifier(network.dropout(self._pooler(first[:, None])))
        return network.classifier(network.dropout(nn.functional.relu(network.pre_classifier(first))))  # DistilBERT

    def freeze(self, what: str, layers: int = 0) -> None:
        """Stop training a part from the bottom up.

        Args:
            what: ``none``, ``embeddings``, or ``layers``: the embeddings and the lowest layers.
            layers: how many; at least the last one trains.
        """
        if what == "none":
            return
        base = self.network.base_model
        stack = next(module for module in base.modules() if isinstance(module, nn.ModuleList))
        lowest = list(stack)[: min(layers, len(stack) - 1)] if what == "layers" else []
        for part in (base.embeddings, *lowest):
            part.requires_grad_(False)


def tokenizer_of(name: str) -> Any:
    """The tokenizer of a model.

    Raises:
        BadData: no such folder or model, or it has no tokenizer.
        MissingExtra: transformers is not installed.
    """
    folder = Path(name).expanduser()
    if folder.is_dir() and not any(any(folder.glob(pattern)) for pattern in _TOKENIZER_FILES):
        # transformers would make up one of five words
        raise BadData(f"model folder {name!r} has no tokenizer: no {', '.join(_TOKENIZER_FILES)}; save one into it")
    return _loaded(name, "tokenizer", needed("transformers", "text").AutoTokenizer.from_pretrained)


def tokenizer_key(tokenizer: Any) -> str:
    """Stands for all that a tokenizer does, whatever its name."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    return hashlib.sha256(f"{type(tokenizer).__name__} {text}".encode()).hexdigest()


def classifier_of(
    name: str, classes: tuple[str, ...], tokenizer: Any, *, dropout: float, attention_dropout: float
) -> Classifier:
    """A pretrained model with a fresh classifier on top, on the CPU.

    Args:
        name: folder or name on the hub.
        classes: their names.
        tokenizer: its own; the model must have an embedding for each of its tokens.
        dropout: probability for the layers and the classifier, whatever the model calls it.
        attention_dropout: probability for the attention weights.

    Raises:
        BadData: no such model, it is damaged, or it has no dropout under a name that is known here.
    """
    transformers = needed("transformers", "text")
    config = _loaded(name, "configuration", transformers.AutoConfig.from_pretrained)
    config.id2label, config.label2id = dict(enumerate(classes)), {label: i for i, label in enumerate(classes)}
    known = config.to_dict()
    if not any(key in known for key in DROPOUT):
        raise BadData(f"model {name!r} ({config.model_type}) has no dropout of a known name: {', '.join(DROPOUT)}")
    if len(tokenizer) > known.get("vocab_size", len(tokenizer)):
        raise BadData(
            f"model {name!r} has {known['vocab_size']} embeddings, its tokenizer {len(tokenizer)} tokens; "
            "they are not of the same model"
        )
    for keys, value in ((DROPOUT, dropout), (ATTENTION, attention_dropout)):
        for key in (key for key in keys if key in known):
            setattr(config, key, value)
    make = transformers.AutoModelForSequenceClassification.from_pretrained
    settings = {"config": config, "dtype": torch.float32, "ignore_mismatched_sizes": True, "output_loading_info": True}
    network, info = _loaded(name, "model", make, **settings)
    _check_body(name, network.base_model_prefix, info)
    return Classifier(network)


def _check_body(name: str, prefix: str, info: Any) -> None:
    """The classifier may be new, or that of other classes; what is below it must have been in the model's files.

    (A pooler may be new too: models that were trained to fill gaps have none.)
    """
    missing = [str(key) for key in info["missing_keys"]] + [str(key[0]) for key in info["mismatched_keys"]]
    absent = sorted(key for key in missing if key.startswith(f"{prefix}.") and ".pooler." not in key)
    if absent:
        raise BadData(
            f"model {name!r}: its files lack {len(absent)} parameters of its configuration, such as {absent[0]}"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and from reporting that the classifier is new, as it is meant to be."""
    log = needed("transformers", "text").utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _loaded(name: str, what: str, load: Callable[..., Any], **settings: Any) -> Any:
    """What `load` makes of a folder, of what the hub's cache has, or of what the hub has."""
    folder = Path(name).expanduser()
    local = folder.is_dir()
    where = str(folder) if local else name
    with quiet():
        try:
            return load(where, local_files_only=True, **settings)
        except Exception as error:  # transformers and its readers raise nearly anything
            reason = _line(error)
            if local:
                raise BadData(f"model folder {name!r}: its {what} cannot be read: {reason}") from error
        if gone := hub.unreachable():
            raise BadData(
                f"model {name!r} is neither a folder nor in the hub's cache, and {gone}; name a folder with --model"
            )
        try:
            return load(where, **settings)
        except Exception as error:  # as above
            raise BadData(f"model {name!r}: its {what} cannot be had from the hub: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
