"""What the scripts that compare optimizers share: run what is missing, print the numbers, draw the figure."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from mfbo.analysis.runs import anytime
from mfbo.display.evidence import comparison
from mfbo.environment import hardware, versions
from mfbo.evidence import evidence
from mfbo.result import TuneResult
from mfbo.study import Entry, Study, compare, folders

HERE = Path(__file__).parent


def answer(study: Study, folder: Path, picture: str | None = None) -> None:
    """Run what is missing of `study` in `folder`, print its evidence, and draw the first task as `picture`."""

    def told(entry: Entry, result: TuneResult) -> None:
        print(
            f"{entry.task} {entry.optimizer} seed {entry.seed}: {result.best.loss if result.best else None}", flush=True
        )

    compare(study, folder, told=told)
    found = evidence(folders(folder))
    for task in found:
        Console(width=100).print(comparison(task))
    print(hardware(), versions())
    if picture:
        first = found[0].comparison.task
        anytime([run for run in folders(folder) if run.parts[-3] == first], HERE / picture)
