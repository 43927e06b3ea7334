"""What each worker of this machine gets of it."""

from __future__ import annotations

import os
import shutil
import subprocess

from mfbo.executors.worker import THREADS
from mfbo.ledger.environment import cores


def gpus() -> list[str]:
    """The NVIDIA GPUs that may be used here, as ``CUDA_VISIBLE_DEVICES`` names them; does not touch them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    return [str(i) for i, line in enumerate(asked.stdout.splitlines()) if line.startswith("GPU ")]


def automatic() -> int:
    """Workers for ``--workers auto``: one a GPU, else one a core."""
    return len(gpus()) or cores()


def shares(workers: int) -> list[dict[str, str]]:
    """Environment variables for each of so many workers: its threads, and its GPU if there are several workers.

    A number of threads that the user has set stays; OMP_NUM_THREADS is then for all libraries, as PyTorch would
    rather go by MKL_NUM_THREADS.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0] or str(max(1, cores() // workers))
    own = {name: threads for name in THREADS if name not in os.environ}
    cards = gpus() if workers > 1 else []
    return [{**own, **({"CUDA_VISIBLE_DEVICES": cards[i % len(cards)]} if cards else {})} for i in range(workers)]
