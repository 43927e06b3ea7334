"""Starting a worker process: from nothing, without the main script, and below a daemon too."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any

_STARTING = threading.Lock()


class Process(SpawnProcess):
    """A spawned process that does not run the main script again: functions in it travel with the task.

    It can be started by a daemonic process too, which a Dask worker is below its nanny; it ends with it (`begin`).
    """

    def start(self) -> None:
        """Start it."""
        config: dict[str, Any] = current_process()._config  # type: ignore[attr-defined]
        with _STARTING:  # one at a time, for all that is changed here is the process's own
            daemon = config.pop("daemon", None)
            try:
                with _without_main():
                    super().start()
            finally:
                if daemon is not None:
                    config["daemon"] = daemon


class Context(SpawnContext):
    """For a pool of such processes."""

    Process = Process


@contextmanager
def _without_main() -> Iterator[None]:
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
