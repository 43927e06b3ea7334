"""Reports of a trial in another process: a file, which a killed process cannot leave locked.

In the folder of a worker, each trial has ``<id>.jsonl``, in which the worker writes down each of its reports. A line
that was cut off is no report.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from mfbo.context import MAX_REPORTS
from mfbo.trial import Report


class Mailbox:
    """The reports of one trial.

    Args:
        folder: of the worker; it must exist.
        name: of the trial, different for each time that it runs.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / f"{name}.jsonl"
        self._read = 0
        self._reports: list[Report] = []
        self._told = 0

    def report(self, report: Report) -> None:
        """In the worker: a report is made. On a full disk, or one of very many, it is told with the outcome only."""
        self._told += 1
        if self._told % (1 + self._told // MAX_REPORTS):
            return
        with suppress(OSError), self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([report.epoch, report.loss, report.cost]) + "\n")

    def reports(self) -> tuple[Report, ...]:
        """In the run: what has been reported so far."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return tuple(self._reports)
        self._read += len(whole) + len(newline)
        for line in whole.splitlines():
            with suppress(ValueError):  # half a line, where the disk was full
                epoch, loss, cost = json.loads(line)
                self._reports.append(Report(epoch, float(loss), float(cost)))
        return tuple(self._reports)

    def clear(self) -> None:
        """In the run: the trial is over."""
        self._file.unlink(missing_ok=True)
