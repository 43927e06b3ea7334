"""Where a run happens: versions and hardware, for its ledger."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from mfbo.errors import DISTRIBUTION

LIBRARIES = ("smac", "ConfigSpace", "numpy", "scikit-learn", "torch", "torchvision", "transformers", "datasets")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on; those not installed are absent."""
    found = {"python": platform.python_version()}
    for name, distribution in {"mfbo": DISTRIBUTION, **dict(zip(LIBRARIES, LIBRARIES, strict=True))}.items():
        try:
            found[name] = version(distribution)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str | int | float]:
    """Processor, cores this process may use, memory in GiB, operating system; no name of host or user."""
    facts: dict[str, str | int | float] = {"cpu": _processor(), "cores": cores(), "system": platform.system()}
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        facts["memory_gib"] = round(memory / 2**30, 1)
    except (ValueError, OSError):
        pass
    return facts


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.processor() or platform.machine()
