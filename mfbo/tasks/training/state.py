"""What a checkpoint of a real task holds: tensors as safetensors, the rest as JSON; nothing that is executed.

::

    state.safetensors   weights and the optimizer's moments before the decay; a higher rung continues from here
    state.json          how far that is
    model/              the model after the decay, as the task writes it: what was measured
    measurement.json    loss, metrics and confusion matrix of that model
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from mfbo.errors import BadData, BadValue, RunError
from mfbo.files.reading import read_json
from mfbo.tasks.training.setup import write_json

TENSORS, PROGRESS = "state.safetensors", "state.json"
_WEIGHT, _MOMENT = "model.", "optimizer."
_MEND = "delete its folder to start over"


@dataclass
class Progress:
    """How far the stable phase is.

    Attributes:
        step: steps done.
        per_epoch: steps of an epoch, at the data fraction of then.
        best: lowest validation loss at the end of an epoch so far.
        stale: epochs since then.
        trained: parameters that were trained, as tensors: moments of a probe are none of the whole model's. 0: all.
    """

    step: int = 0
    per_epoch: int = 1
    best: float = 1e30  # JSON has no infinity
    stale: int = 0
    trained: int = 0

    def at(self, per_epoch: int) -> Progress:
        """The same point in epochs, where an epoch has another number of steps; the same where it has not."""
        return Progress(round(self.step / self.per_epoch * per_epoch), per_epoch, self.best, self.stale, self.trained)


@dataclass(frozen=True)
class Snapshot:
    """A copy, in the host's memory, of what training is about to change."""

    tensors: dict[str, torch.Tensor]
    progress: Progress

    @classmethod
    def take(cls, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> Snapshot:
        """Copy weights, buffers and moments."""
        found = {_WEIGHT + name: tensor for name, tensor in model.state_dict().items()}
        for place, state in optimizer.state_dict()["state"].items():
            found |= {f"{_MOMENT}{place}.{name}": value for name, value in state.items() if torch.is_tensor(value)}
        trained = sum(len(group["params"]) for group in optimizer.param_groups)
        return cls(_copied(found), replace(progress, trained=trained))

    def save(self, folder: Path) -> None:
        """Write it into a checkpoint."""
        save_file(self.tensors, folder / TENSORS)
        write_json(folder / PROGRESS, asdict(self.progress))


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put what `Snapshot.save` wrote into a model and its optimizer.

    Raises:
        BadData: the files are missing or damaged, or belong to another network.
    """
    try:
        tensors = load_file(folder / TENSORS)
        progress = read_json(folder / PROGRESS, "progress", Progress)
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name in [name for name in tensors if name.startswith(_MOMENT)]:
            _, place, kind = name.split(".", 2)
            moments.setdefault(int(place), {})[kind] = tensors.pop(name)
        model.load_state_dict({name.removeprefix(_WEIGHT): tensor for name, tensor in tensors.items()})
        laid = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if progress.trained not in (0, len(laid)):
            moments = {}
        state = {
            place: {kind: _like(laid[place], value) for kind, value in kinds.items()}
            for place, kinds in moments.items()
        }
    except (OSError, BadValue, ValueError, TypeError, IndexError, SafetensorError) as error:
        raise BadData(f"checkpoint {str(folder)!r} cannot be read: {_line(error)}; {_MEND}") from error
    except RuntimeError as error:  # what load_state_dict raises
        raise BadData(f"checkpoint {str(folder)!r} is of another network: {_line(error)}; {_MEND}") from error
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress


@contextmanager
def writing() -> Iterator[None]:
    """What goes wrong where a checkpoint is written, in one line: most often the disk is full.

    Raises:
        RunError: it does.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise RunError(f"the checkpoint cannot be written: {_line(error)}; make room, or set --max-disk") from error


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write named tensors as safetensors."""
    save_file(_copied(tensors), path)


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In the host's memory, each with its own, as safetensors wants it (tied weights share theirs)."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def _like(parameter: torch.Tensor, moment: torch.Tensor) -> torch.Tensor:
    """A moment in the memory layout of its parameter: fused optimizers go through both as they lie."""
    if moment.shape != parameter.shape:  # the count of steps
        return moment
    return torch.empty_like(parameter, requires_grad=False).copy_(moment)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
