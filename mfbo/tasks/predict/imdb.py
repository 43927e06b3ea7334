"""Tell whether reviews like a film: ``python predict.py TEXT...`` prints ``pos`` or ``neg``, and how likely it is.

Stands alone beside the folder ``model``; needs torch and safetensors. The network is an LSTM over the words of a
review, whose outputs are averaged over the words.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PADDING, UNKNOWN = 0, 1  # ids of the first two words of the vocabulary
EMBEDDING_STD = (
    0.1  # of untrained ones: with PyTorch's 1 what is learnt drowns in what was drawn for thousands of steps
)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


class ReviewLSTM(nn.Module):  # type: ignore[misc, unused-ignore]
    """Word embeddings, an LSTM, the mean of its outputs, and a linear classifier.

    Args:
        words: size of the vocabulary.
        classes: how many.
        embedding_size: numbers a word.
        hidden_size: units of the LSTM in each direction.
        layers: of the LSTM.
        bidirectional: whether a second LSTM reads backwards.
        dropout: of the embeddings, and before the classifier.
        layer_dropout: between LSTM layers.
    """

    def __init__(
        self,
        *,
        words: int,
        classes: int = 2,
        embedding_size: int = 128,
        hidden_size: int = 256,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.3,
        layer_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding_size, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        self.embedding.weight.data[PADDING] = 0
        self.lstm = nn.LSTM(
            embedding_size,
            hidden_size,
            num_layers=layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=layer_dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_size * (2 if bidirectional else 1), classes)

    def forward(self, ids: Any, mask: Any, lengths: Any) -> Any:
        """(b, longest) ids and mask, (b,) lengths on the CPU, longest first -> (b, classes) logits.

        Texts in another order would have to be sorted here, and a GPU be waited for.
        """
        outputs = self._outputs(self.dropout(self.embedding(ids)), mask, lengths)
        mean = outputs.sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return self.classifier(self.dropout(mean))

    def _outputs(self, x: Any, mask: Any, lengths: Any) -> Any:
        """Of the LSTM, (b, longest, features), zero beyond each text's end; by packed sequences.

        On a CPU those are slow to learn from: PyTorch's backward pass fills a tensor as large as all of them at each
        word. There the padded texts are read instead, each turned round within its length for the way back, so that no
        direction sees padding before it has seen the text, and the outputs are the same.
        """
        if x.device.type != "cpu":
            packed = pack_padded_sequence(x, lengths, batch_first=True)
            return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]
        x = self._both_ways(x, mask) if self.lstm.bidirectional else self.lstm(x)[0]
        return x * mask[:, :, None]

    def _both_ways(self, x: Any, mask: Any) -> Any:
        places = torch.arange(x.shape[1])
        turned = torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)[:, :, None]
        start = x.new_zeros(1, len(x), self.lstm.hidden_size)

        def read(y: Any, weights: Any) -> Any:
            return torch.lstm(y, (start, start), weights, True, 1, 0.0, self.training, False, True)[0]

        for layer in range(self.lstm.num_layers):
            there, back = self.lstm.all_weights[2 * layer : 2 * layer + 2]
            if layer:
                x = nn.functional.dropout(x, self.lstm.dropout, self.training)
            ahead, behind = read(x, there), read(x.gather(1, turned.expand_as(x)), back)
            x = torch.cat([ahead, behind.gather(1, turned.expand_as(behind))], dim=2)
        return x


def load(folder: Path) -> tuple[ReviewLSTM, dict[str, Any], dict[str, int]]:
    """The trained network, its description, and the id of each word it knows."""
    from safetensors.torch import load_file

    described = json.loads((folder / "model.json").read_text())
    words = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    model = ReviewLSTM(words=len(words), classes=len(described["classes"]), **described["network"])
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval(), described, {word: place for place, word in enumerate(words)}


def encode(text: str, ids: dict[str, int], most: int) -> list[int]:
    """Ids of a review's last words."""
    found = _WORD.findall(text.replace("<br />", " ").lower())
    return [ids.get(word, UNKNOWN) for word in found[-most:]] or [UNKNOWN]


def predict(folder: Path, texts: list[str]) -> list[tuple[str, float]]:
    """(class, probability) of each text."""
    model, described, ids = load(folder)
    rows = [torch.tensor(encode(text, ids, described["max_length"])) for text in texts]
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    lengths = torch.tensor([len(rows[i]) for i in order])
    padded = nn.utils.rnn.pad_sequence([rows[i] for i in order], batch_first=True, padding_value=PADDING)
    mask = torch.arange(padded.shape[1]) < lengths[:, None]
    with torch.inference_mode():
        sure, best = model(padded, mask, lengths).softmax(dim=1).max(dim=1)
    found = dict(zip(order, zip(best.tolist(), sure.tolist(), strict=True), strict=True))
    return [(described["classes"][found[i][0]], found[i][1]) for i in range(len(rows))]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python predict.py TEXT...")
    for label, probability in predict(Path(__file__).resolve().parent / "model", sys.argv[1:]):
        print(f"{label}\t{probability:.3f}")  # noqa: T201
