"""What the scripts that compare optimizers share: run what is missing, print the numbers, draw the figure."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from pathlib import Path

from rich.console import Console

from mfbo.analysis.kinds import draw
from mfbo.display.evidence import comparison
from mfbo.engine.result import TuneResult
from mfbo.engine.validate import kept, validate
from mfbo.evidence.curves import incumbent
from mfbo.evidence.statistics import wilcoxon
from mfbo.evidence.summary import evidence
from mfbo.ledger.environment import hardware, versions
from mfbo.ledger.journal import read
from mfbo.study.folder import folders
from mfbo.study.runner import run_study
from mfbo.study.spec import Entry, Study

HERE = Path(__file__).parent


def answer(study: Study, folder: Path, picture: str | None = None) -> None:
    """Run what is missing of `study` in `folder`, print its evidence, and draw the first task as `picture`."""

    def told(entry: Entry, result: TuneResult) -> None:
        print(
            f"{entry.task} {entry.optimizer} seed {entry.seed}: {result.best.loss if result.best else None}", flush=True
        )

    run_study(study, folder, on_result=told, on_failure=print)
    found = evidence(folders(folder))
    for task in found:
        Console(width=100).print(comparison(task))
    print(hardware(), versions())
    if picture:
        first = found[0].comparison.task
        draw("anytime", [run for run in folders(folder) if run.parts[-3] == first], HERE / picture)


def unseen(folder: Path, seeds: int = 3) -> None:
    """Print what the incumbents of a study's runs do on the test split, each trained anew `seeds` times in full."""
    losses: dict[str, list[float]] = defaultdict(list)
    for run in map(read, folders(folder)):
        best = incumbent(run)
        assert best is not None
        found = kept(run, best.trial.config) or validate(run, seeds)
        losses[run.header.optimizer].append(found.mean("loss"))
    for optimizer, all_seeds in losses.items():
        error = statistics.stdev(all_seeds) / len(all_seeds) ** 0.5
        versus = wilcoxon(all_seeds, losses["random"]) if "random" in losses else math.nan
        print(f"{optimizer}: test loss {statistics.mean(all_seeds):.4f} ± {error:.4f}, against random p = {versus:.2g}")
