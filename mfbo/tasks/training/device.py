"""Where training runs and at which precision, the optimizers, and the seeds of what is random on a device."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mfbo.errors import BadValue

DEVICES = ("auto", "cpu", "cuda", "mps")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h
_FUSED = ("cpu", "cuda", "mps")  # devices for which PyTorch has fused optimizers; asked for others it fails in mid-step
_ROOM = 0.5  # part of a GPU's free memory that data may take; the rest is for activations


def device_of(name: str) -> torch.device:
    """The device that ``--device`` stands for; ``auto`` is a CUDA GPU, else Apple's, else the CPU.

    Raises:
        BadValue: there is no such name, or no such device here.
    """
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if here[kind])
    if name not in here:
        raise BadValue(f"device {name!r}: give one of {', '.join(DEVICES)}")
    if not here[name]:
        found = ", ".join(kind for kind, there in here.items() if there)
        raise BadValue(
            f"device {name!r}: PyTorch {torch.__version__} finds none here, only {found}; give 'auto' or 'cpu'"
        )
    return torch.device(name)


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware has units for matrices in bfloat16, so that it is faster than float32.

    Of processors only those with AMX: where there are just AVX-512's instructions for bfloat16, all three tasks train
    at 0.6 to 0.9 of the speed that float32 has (one core of a Xeon, torch 2.15.0).
    """
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device) >= (8, 0))
    if device.type == "cpu":
        probe = getattr(torch.cpu, "_is_amx_tile_supported", None)  # there is no public one
        return bool(probe and probe())
    return False


def autocast(device: torch.device) -> Any:
    """A context in which matrix products and convolutions run in bfloat16, where the hardware has it."""
    if not has_bf16(device):
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


@contextlib.contextmanager
def keeping_memory(device: torch.device) -> Iterator[None]:
    """On a CPU, have the process keep the memory that it frees inside: the next step needs as much.

    PyTorch itself does so on a GPU only. Else glibc hands large blocks back to the system and asks for them again at
    each step, which takes 4% (ResNet-18) to 30% (LSTM) of the processor's time. Nothing happens with another C library.
    """
    libc = None
    if device.type == "cpu":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never
            libc.mallopt(_M_MMAP_MAX, 0)
    try:
        yield
    finally:
        if libc is not None:
            libc.malloc_trim(0)


def resident(size: int, device: torch.device) -> torch.device:
    """Where data of `size` bytes should lie: on the device if it fits, else in the host's memory."""
    if device.type == "cuda" and size > _ROOM * torch.cuda.mem_get_info(device)[0]:
        return torch.device("cpu")
    return device


def reseed(device: torch.device, *key: int) -> None:
    """Have what is random on `device` (dropout, initial weights) follow from `key` alone.

    It is done at every step, so that a checkpoint needs no state of a generator. ``torch.manual_seed`` would also queue
    a call for each kind of GPU that is not in use, with a stack trace, which takes longer than a small step.
    """
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def optimizer_of(
    name: str, model: nn.Module, *, weight_decay: float, momentum: float = 0.9, nesterov: bool = True
) -> torch.optim.Optimizer:
    """AdamW (``adamw``, ``adam``) or ``sgd`` over what trains; fused where PyTorch has it for the device.

    Matrices and kernels decay; biases and the parameters of norms, which have one dimension, do not. The step size is
    set at each step by the schedule.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = all(parameter.device.type in _FUSED for parameter in trained)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=0.1, momentum=momentum, nesterov=nesterov and momentum > 0, fused=fused)
    return torch.optim.AdamW(groups, lr=1e-3, fused=fused)


def import_all() -> None:
    """Import now what PyTorch else does with the first optimizer: a second or two, which a trial would be charged."""
    optimizer_of("adamw", nn.Linear(1, 1), weight_decay=0.0)
