"""Is the forecast right? Cost of a trial as foretold and as it was, by rung, on digits and the real tasks.

    OMP_NUM_THREADS=1 MFBO_DATA=... python experiments/forecast.py [TASK COST [OPTION=VALUE ...]]
    python experiments/forecast.py runs/imdb-3m/imdb/*/*      # of runs that are there

Each run is planned by its probe. "plan" is the cost that the plan gave a rung before the run, against the mean of its
trials; "asked" is the same model asked for the configurations that were run, which no plan knows; "next" is what was
foretold of each trial right before it began, by probes and all trials until then: the median of how far that was off,
and how far off the sum of a rung's forecasts was. The goal is 15% a rung.

Result (one core of an AMD EPYC; 2026-11-25):

| task | plan, median | sum of next, median | next, median |
|---|---|---|---|
| digits, 60 s | 14%, 4 rungs | 3% | 16%, 201 trials |
| digits, 60 s, two runs with the other core busy | 36% and 29%, 4 rungs each | 7% and 13% | 18% and 21%, 310 trials |
| IMDb, 2,000 reviews, 4 min | 45%, 2 rungs | 1% | 6%, 20 trials |
| AG News with MiniLM, 500 texts, 8 min | 14%, 2 rungs | 10% | 10%, 10 trials |
| the same, with a second probe that comes to an evaluation | 11%, 2 rungs | 8% | 11%, 9 trials |
| IMDb, 12 runs of `real_tasks.py` by one plan | 25%, 18 rungs | 7% | 13%, 94 trials |
| AG News, 12 runs of `real_tasks.py` by one plan | 31%, 18 rungs | 12% | 15%, 63 trials |
| CIFAR-10, 12 runs of `real_tasks.py` | 9%, 15 rungs | 7% | 9%, 27 trials |
| CIFAR-10, 2 h | 17%, 3 rungs | | 9%, 32 trials |

So what the model says of a rung, taking in every trial that has ended, is within 15% on all four. What a plan says
before the first trial is not always: a probe of a second speaks for a minute on digits, in which other work came and
went; and a plan is for a configuration drawn at random, where an optimizer likes some more than others (on IMDb the
largest network costs six times what the smallest does: asked for the configurations of the 12 runs, its plan is off
by 13%). A single trial of digits, a tenth of a second to one, is off by about 18%; a fit to all trials of a run is off
by 13 to 15% itself, so that the rest is the machine. A Gaussian process in place of the ridge regression did no better.
The one plan of AG News was too low as no probe had come to an evaluation: the first was cut in it. Since then the
second does in such a case: 47 s were planned at the lowest rung, and it took 47 s.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import mfbo
from mfbo.cost.model import CostModel
from mfbo.display.forecast import compared, headline
from mfbo.ledger.environment import hardware
from mfbo.ledger.journal import read
from mfbo.ledger.run import Run
from mfbo.task import Task
from mfbo.tasks.registry import load

RUNS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("digits", "60s", {}),
    ("cifar10", "5m", {"samples": "500"}),
    ("imdb", "5m", {}),
    ("agnews", "5m", {}),
)
MIN_COST = 0.02  # seconds; what takes less is not worth a forecast


def foretold(run: Run, task: Task, *, learn: bool = True) -> dict[str, list[tuple[float, float]]]:
    """By rung, of each trial: the forecast right before it began, and what it cost, in seconds.

    Args:
        run: which.
        task: its task.
        learn: whether forecasts take in the trials before, or are by the probes alone.
    """
    model, found = CostModel(task), defaultdict(list)
    if run.header.plan is not None:
        model.probed(run.header.plan.probes, [run.header.rungs[0], task.fidelity.full])
    for result in run.results:
        outcome, config = result.outcome, result.trial.config
        if outcome.status == "ok" and model.known and outcome.cost > MIN_COST:
            guess = model.seconds(outcome.rung, outcome.start_epoch, config)
            found[str(outcome.rung)].append((guess, outcome.cost))
        if learn:
            model.add(config, outcome)
    return found


def off(forecast: float, cost: float) -> float:
    """How far, as a fraction of the cost; below 0 where it was too low."""
    return forecast / cost - 1


def show(run: Run) -> dict[str, list[float]]:
    """Print the rows of one run; how far off it was by plan, rung and trial."""
    assert run.header.plan is not None
    trials, asked = (foretold(run, load(run.header.task), learn=learn) for learn in (True, False))
    options = run.header.settings.options or ""
    words = headline(run.header.plan) if run.header.plan.steps else "no plan"
    print(f"\n{run.header.task} {run.header.optimizer} {run.limits.max_cost} {options}: {words}\n")
    print("| rung | trials, plan | done | plan | mean cost | plan off by | sum of next off by | next off by |")
    print("|---|---|---|---|---|---|---|---|")
    found: dict[str, list[float]] = {"plan": [], "asked": [], "rung": [], "trial": []}
    for line in compared(run):
        actual, after = "- | -", "- | -"
        if line.cost:
            found["plan"].append(off(line.expected, line.cost))
            actual = f"{line.cost:.3g} s | {found['plan'][-1]:+.0%}"
        if own := trials.get(str(line.rung)):
            found["rung"].append(off(*map(sum, zip(*own, strict=True))))
            found["asked"].append(off(*map(sum, zip(*asked[str(line.rung)], strict=True))))
            each = [abs(off(*pair)) for pair in own]
            found["trial"] += each
            after = f"{found['rung'][-1]:+.0%} | {statistics.median(each):.0%}"
        print(
            f"| {line.rung} | {line.planned} | {line.trials} | {line.expected:.3g} s | {actual} | {after} |", flush=True
        )
    return found


def runs(words: list[str]) -> Iterator[Run]:
    """Those in the folders that are named, or new ones."""
    if words and all(Path(word).is_dir() for word in words):
        yield from map(read, words)
        return
    name, cost, *pairs = words or ("", "")
    for task, limit, options in [(name, cost, dict(pair.split("=", 1) for pair in pairs))] if name else RUNS:
        yield mfbo.tune(task, limit, settings=mfbo.Settings(options=options)).ledger


def main() -> None:
    """Run and print."""
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs(sys.argv[1:]):
        for kind, values in show(run).items():
            found[kind] += map(abs, values)
    for kind, values in found.items():
        print(
            f"\n{kind}: off by {statistics.median(values):.0%}, median of {len(values)}"
            if values
            else f"\n{kind}: none"
        )
    print(hardware())


if __name__ == "__main__":
    main()
