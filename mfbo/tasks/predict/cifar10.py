"""Name what is on pictures: ``python predict.py PICTURE...`` prints the likeliest class of each, and how likely it is.

Stands alone beside the folder ``model``; needs torch, torchvision, safetensors and pillow. The network is torchvision's
ResNet-18 with the stem that pictures of 32x32 pixels need: a 3x3 convolution of stride 1, and no pooling after it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MEAN = (125.3, 123.0, 113.9)  # of CIFAR-10's training images, red, green and blue from 0 to 255
STD = (63.0, 62.1, 66.7)
SIZE = 32  # pixels, both ways


def network(classes: int) -> Any:
    """The network with random weights: (b, 3, 32, 32), normalised -> (b, classes) logits."""
    import torch
    from torchvision.models import resnet18

    model = resnet18(num_classes=classes)
    model.conv1 = torch.nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    torch.nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's own
    model.maxpool = torch.nn.Identity()
    return model


def load(folder: Path) -> tuple[Any, list[str]]:
    """The trained network, with the side of the pictures that it learnt from as ``side``, and its classes' names."""
    from safetensors.torch import load_file

    described = json.loads((folder / "model.json").read_text())
    classes = described["classes"]
    model = network(len(classes))
    model.side = described.get("side", SIZE)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval(), classes


def predict(folder: Path, pictures: list[str]) -> list[tuple[str, float]]:
    """(class, probability) of each picture file."""
    import numpy as np
    import torch
    from PIL import Image

    model, classes = load(folder)
    size = (model.side, model.side)
    pixels = [np.asarray(Image.open(path).convert("RGB").resize(size), np.float32) for path in pictures]
    x = (torch.from_numpy(np.stack(pixels)) - torch.tensor(MEAN)) / torch.tensor(STD)
    with torch.inference_mode():
        sure, best = model(x.permute(0, 3, 1, 2)).softmax(dim=1).max(dim=1)
    return [(classes[i], p) for i, p in zip(best.tolist(), sure.tolist(), strict=True)]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python predict.py PICTURE...")
    for name, (label, probability) in zip(
        sys.argv[1:], predict(Path(__file__).resolve().parent / "model", sys.argv[1:]), strict=True
    ):
        print(f"{name}\t{label}\t{probability:.3f}")  # noqa: T201
