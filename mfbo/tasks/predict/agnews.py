"""Sort news: ``python predict.py TEXT...`` prints the likeliest class of each text, and how likely it is.

Stands alone beside the folder ``model``, which is one that transformers reads; needs torch and transformers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def predict(folder: Path, texts: list[str]) -> list[tuple[str, float]]:
    """(class, probability) of each text."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading, which takes a moment
    described = json.loads((folder / "model.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    found = tokenizer(texts, truncation=True, max_length=described["max_length"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model(input_ids=found["input_ids"], attention_mask=found["attention_mask"]).logits
    sure, best = logits.softmax(dim=1).max(dim=1)
    return [(described["classes"][i], p) for i, p in zip(best.tolist(), sure.tolist(), strict=True)]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python predict.py TEXT...")
    for label, probability in predict(Path(__file__).resolve().parent / "model", sys.argv[1:]):
        print(f"{label}\t{probability:.3f}")  # noqa: T201
