"""The third phase of a study: each optimizer's best configuration is trained anew and measured on unseen data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mfbo.engine.validate import Score, Validation, validate
from mfbo.errors import BadValue, RunError
from mfbo.evidence.curves import incumbent, iterations_to_best, standing
from mfbo.files.plain import replace_text
from mfbo.files.reading import read_json
from mfbo.study.phases_result import StudyLine
from mfbo.trial import Amount, Config

if TYPE_CHECKING:
    from mfbo.budget import Budget
    from mfbo.engine.result import TuneResult
    from mfbo.goal import Goal
    from mfbo.task import Task

KEPT = "validation.json"


class _Row(TypedDict):
    """A training: `score` is None where it came to no end, which costs all the same."""

    optimizer: str
    config: Config
    score: Score | None
    seconds: Amount


class Trainings:
    """The final trainings of a study, in a file of its folder: what is there is not trained again, and stays paid for.

    Args:
        folder: of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEPT
        self._rows: list[_Row] = []
        try:
            self._rows = read_json(self._path, "file", list[_Row])
        except FileNotFoundError:
            pass
        except BadValue as error:
            raise RunError(f"{error}; move it away to train again") from error

    def charged(self, unit: str) -> float:
        """What all of them cost, those of configurations that are no longer the best included."""
        if unit == "x":
            return float(sum(row["score"] is not None for row in self._rows))
        return float(sum(row["seconds"] for row in self._rows))

    def scores(self, optimizer: str, config: Mapping[str, Any], goal: Goal) -> list[Score]:
        """Of that configuration, lowest seed first."""
        rows = [row for row in self._rows if row["optimizer"] == optimizer and row["config"] == dict(config)]
        found = [replace(row["score"], goal=goal) for row in rows if row["score"] is not None]
        return sorted(found, key=lambda score: score.seed)

    def keep(self, optimizer: str, config: Mapping[str, Any], score: Score | None, seconds: float) -> None:
        """Write down a training; None for one that did not end, which costs all the same."""
        self._rows.append(_Row(optimizer=optimizer, config=dict(config), score=score, seconds=seconds))
        rows = [{**row, "score": _kept(row["score"])} for row in self._rows]
        replace_text(self._path, json.dumps(rows, indent=1) + "\n")


def _kept(score: Score | None) -> dict[str, Any] | None:
    """A score as it is written down: what its metric is, the run says."""
    return {name: value for name, value in asdict(score).items() if name != "goal"} if score else None


def validated(
    task: Task,
    budget: Budget,
    found: Sequence[TuneResult],
    *,
    seeds: int,
    kept: Trainings,
    on_score: Callable[[str, Score], None],
) -> list[StudyLine]:
    """Each optimizer's line with its final validation, within what is left; the most promising first.

    What an optimizer does not need of its share goes on to the next.

    Args:
        task: of the study.
        budget: of all phases.
        found: the exploration, and the optimizers.
        seeds: trainings of each.
        kept: those that are there; what is trained is added.
        on_score: is given the optimizer and each score as it comes.
    """
    left = budget.amount - sum(result.cost for result in found)
    results, lines = sorted(found[1:], key=promise), []
    for place, result in enumerate(results):
        share = (left - kept.charged(budget.unit)) / (len(results) - place)
        one = _Validating(task, budget.unit, result, seeds=seeds, kept=kept, on_score=on_score)
        lines.append(_line(result, *one.within(share)))
    return lines


def promise(result: TuneResult) -> tuple[float, float]:
    """What optimizers are put in order by: highest rung first, then lowest loss; without a result last."""
    best = incumbent(result.ledger)
    return standing(result.ledger, best) if best else (0.0, 0.0)


class _Validating:
    """The final validation of one optimizer."""

    def __init__(
        self,
        task: Task,
        unit: str,
        result: TuneResult,
        *,
        seeds: int,
        kept: Trainings,
        on_score: Callable[[str, Score], None],
    ) -> None:
        self._task, self._unit, self._result, self._seeds = task, unit, result, seeds
        self._kept, self._on_score = kept, on_score
        self._since = time.monotonic()

    def within(self, left: float) -> tuple[Validation | None, str]:
        """What it found at a cost of no more than that, and what kept it from being complete."""
        if self._result.best is None:
            return None, "no result to validate"
        if self._task.validate is None:
            return None, "the task has no unseen data"
        have = self._kept.scores(self._result.optimizer, self._result.best.config, self._result.goal)
        have = have[: self._seeds]
        most, why = self._affordable(left, self._seeds - len(have))
        if not have and not most:
            return None, why
        try:
            found = self._train(len(have) + most, have, left)
        except RunError as error:
            return None, str(error)
        missing = self._seeds - len(found.scores)
        return found, f"{len(found.scores)} of {self._seeds} seeds: {why or 'no cost was left'}" if missing else ""

    def _affordable(self, left: float, most: int) -> tuple[int, str]:
        """How many of so many trainings the cost may be enough for, and why it is not for all."""
        if self._unit == "x":
            many = min(most, max(0, int(left + 1e-9)))
            return many, "" if many == most else "no cost was left for a full evaluation"
        if (needs := _needs(self._result)) <= left:
            return most, ""
        return 0, f"a training needs about {needs:.3g}s, {max(0.0, left):.3g}s were left"

    def _train(self, seeds: int, have: Sequence[Score], left: float) -> Validation:
        assert self._result.best is not None
        optimizer, config, whole = self._result.optimizer, self._result.best.config, False
        self._since = time.monotonic()

        def keep(score: Score) -> None:
            self._kept.keep(optimizer, config, score, score.train + score.evaluation)
            self._since = time.monotonic()
            self._on_score(optimizer, score)

        try:
            found = validate(
                self._result.ledger, seeds, seconds=None if self._unit == "x" else left, have=have, on_score=keep
            )
            whole = len(found.scores) == seeds
            return found
        finally:
            if not whole:  # stopped by the limit, a failure or Ctrl-C
                self._kept.keep(optimizer, config, None, time.monotonic() - self._since)


def _needs(result: TuneResult) -> float:
    """Seconds that training the incumbent in full will take, judged by its own trials."""
    assert result.best is not None
    own = [r.outcome for r in result.ledger.results if r.trial.config == result.best.config]
    work = max(outcome.rung.work for outcome in own)
    return sum(outcome.cost for outcome in own) / work


def _line(result: TuneResult, validation: Validation | None, note: str) -> StudyLine:
    best = result.best
    names = validation.names if validation else []
    return StudyLine(
        optimizer=result.optimizer,
        value=best.value if best else None,
        fidelity=str(best.fidelity) if best else "",
        trials=result.trials,
        iterations=iterations_to_best(result.ledger),
        cost=result.cost,
        config=dict(best.config) if best else {},
        test={name: validation.mean(name) for name in names} if validation else {},
        deviation={name: validation.deviation(name) for name in names} if validation else {},
        seeds=len(validation.scores) if validation else 0,
        note=note,
    )
