"""A Dask cluster on this machine's loopback, of real processes that can be killed: for tests and experiments."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

LONG = 60  # seconds; what waits for something gives up then


def awaited(path: Path) -> None:
    """Wait until there is a file of that name; for train functions too.

    Raises:
        TimeoutError: there is none.
    """
    limit = time.monotonic() + LONG
    while not path.exists():
        if time.monotonic() > limit:
            raise TimeoutError(f"{path} does not appear")
        time.sleep(0.01)


class Loopback:
    """A scheduler and its workers, each a process of its own, as a user would start them.

    Attributes:
        scheduler: the scheduler file.
        workers: their processes.
    """

    def __init__(self, *, nanny: bool = False) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="mfbo-loopback-", ignore_cleanup_errors=True)
        paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._nanny = ["--nanny"] if nanny else ["--no-nanny"]
        self.scheduler = str(Path(self._home.name) / "scheduler.json")
        self.workers: list[subprocess.Popen[bytes]] = []
        self._process = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        awaited(Path(self.scheduler))

    def add(self, number: int = 1) -> None:
        """Start so many workers; does not wait for them."""
        for _ in range(number):
            self.workers.append(self._start("worker", "--nthreads", "1", "--no-dashboard", *self._nanny))

    def kill(self, index: int = 0) -> None:
        """SIGKILL for one worker, which is taken off the list."""
        worker = self.workers.pop(index)
        worker.kill()
        worker.wait()

    def stop(self) -> None:
        """SIGKILL for the scheduler."""
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """What all of them have said."""
        return (Path(self._home.name) / "log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """SIGKILL for all."""
        while self.workers:
            self.kill()
        self.stop()
        self._home.cleanup()

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", self.scheduler, *options]
        with (Path(self._home.name) / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._home.name, env=self._environment)
