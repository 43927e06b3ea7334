"""Word between a run and a trial in another process: files, which a killed process cannot leave locked.

In the folder of a worker, each trial has ``<id>.jsonl``, in which the worker writes down when it begins and each of its
reports; the run leaves ``<id>.stop`` with the reason when the trial must end. A line that was cut off is no report.
Both are on one machine, and read the same monotonic clock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from mfbo.trial import Report


class Mailbox:
    """The two files of one trial.

    Args:
        folder: of the worker; it must exist.
        name: of the trial, different for each time that it runs.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._said = folder / f"{name}.jsonl"
        self._stop = str(folder / f"{name}.stop")
        self._read = 0
        self._reports: list[Report] = []
        self.pid: int | None = None
        self.began = 0.0

    def begin(self) -> None:
        """In the worker: the trial begins here."""
        self._write([os.getpid(), time.monotonic()])

    def report(self, report: Report) -> None:
        """In the worker: a report is made."""
        self._write([report.epoch, report.loss, report.cost])

    def stopped(self) -> str | None:
        """In the worker: why the trial must end, if it must."""
        try:
            return Path(self._stop).read_text(encoding="utf-8") if os.path.exists(self._stop) else None  # noqa: PTH110
        except OSError:
            return None

    def stop(self, reason: str) -> None:
        """In the run: the trial must end at its next report."""
        aside = Path(f"{self._stop}.new")
        aside.write_text(reason, encoding="utf-8")
        aside.rename(self._stop)

    def reports(self) -> tuple[Report, ...]:
        """In the run: what has been reported so far; `pid` and `began` are known once the trial has begun."""
        try:
            with self._said.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return tuple(self._reports)
        self._read += len(whole) + len(newline)
        for line in whole.splitlines():
            values = json.loads(line)
            if len(values) == 2:
                self.pid, self.began = int(values[0]), float(values[1])
            else:
                self._reports.append(Report(int(values[0]), float(values[1]), float(values[2])))
        return tuple(self._reports)

    def clear(self) -> None:
        """In the run: the trial is over."""
        for path in (self._said, Path(self._stop)):
            path.unlink(missing_ok=True)

    def _write(self, values: list[float]) -> None:
        with self._said.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def stopper(mailbox: Mailbox, parent: int) -> Callable[[float], str | None]:
    """In the worker: asked at each report, why the trial must end; the end of the run's process is a reason too."""

    def stop(elapsed: float) -> str | None:
        return mailbox.stopped() or ("the run is gone" if os.getppid() != parent else None)

    return stop
