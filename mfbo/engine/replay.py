"""Bringing an optimizer back into the state that a ledger tells of, by asking and telling it all again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfbo.errors import BadLedger, RunChanged
from mfbo.ledger.environment import versions
from mfbo.optimizers.spec import AcceptsResults, GrowsLadder
from mfbo.optimizers.wary import MIN_FAILURES, Wary
from mfbo.trial import config_key

if TYPE_CHECKING:
    from mfbo.ledger.run import Run
    from mfbo.optimizers.spec import Optimizer
    from mfbo.search import Search
    from mfbo.task import Task
    from mfbo.trial import Known, Rung, Trial


_UNFIT = (ArithmeticError, LookupError, TypeError, ValueError)  # what an optimizer raises at what it cannot be told


@dataclass(frozen=True)
class Replay:
    """Whether a run is what its optimizer asks for.

    Attributes:
        asks: how many the run has.
        matched: how many came out the same, up to the first that did not.
        mismatch: that one, and what may be the cause; None where all match.
    """

    asks: int
    matched: int
    mismatch: str | None


def replay(run: Run) -> Replay:
    """Ask for all trials of `run` again, each after the results that it was asked after, from the ledger alone.

    Everything is computed anew, surrogates too; nothing is trained. The same seed and versions must ask the same, with
    however many workers and on whatever clock the run was.

    Raises:
        BadSpace, UnknownName, BadLedger: the ledger holds what cannot be used here.
    """
    matched = 0
    for then, now in _asks(_optimizer(run), run):
        if now != then:
            return Replay(len(run.asks), matched, _mismatch(run, then, now))
        matched += 1
    return Replay(len(run.asks), matched, None)


def rebuild(optimizer: Optimizer, run: Run) -> None:
    """Replay the events of `run` through a new `optimizer`, which is spared the search for what it asked.

    Raises:
        RunChanged: it asks for something else than it did.
        BadLedger: it cannot be asked or told what the ledger says.
    """
    configs = {config_key(trial.config): trial.config for trial in run.asks.values()}
    failures = sum(result.outcome.failed for result in run.results)
    if failures < MIN_FAILURES or not isinstance(optimizer, Wary):  # else some proposals may have been passed over
        optimizer.remember(list(configs.values()))
    for then, now in _asks(optimizer, run):
        if now != then:
            raise RunChanged(_mismatch(run, then, now))


def _asks(optimizer: Optimizer, run: Run) -> Iterator[tuple[Trial, Trial | None]]:
    """(what was asked, what is asked now), one after the other; `optimizer` is told the results in between.

    Raises:
        BadLedger: it has what no optimizer can have been told, such as a configuration from outside the space.
    """
    for kind, index in run.events:
        try:
            now = _next(optimizer, run, kind, index)
        except _UNFIT as error:
            raise _unfit(f"{kind} {index}", error) from error
        if kind == "ask":
            yield run.asks[index], now


def _unfit(what: str, error: Exception) -> BadLedger:
    reason = " ".join(str(error).split())[:200]
    text = f"{what} of the ledger cannot be replayed ({type(error).__name__}: {reason})"
    return BadLedger(f"{text}; is it damaged? Restore it, or start a new run")


def _next(optimizer: Optimizer, run: Run, kind: str, index: int) -> Trial | None:
    """Ask or tell, or tell, or tell of an outside result, as the event says; what is asked now."""
    if kind == "ask":
        return optimizer.ask()
    if kind == "told":
        if isinstance(optimizer, AcceptsResults):
            optimizer.add_result(run.told[index])
        return None
    if kind in ("ladder", "ladder for the best"):
        if not isinstance(optimizer, GrowsLadder):
            raise TypeError("an optimizer whose ladder does not grow")
        optimizer.grow(run.ladder(index + 1), best=kind != "ladder")
        return None
    result = run.results[index]
    if result.outcome.final:
        optimizer.tell(result.trial, result.outcome)
    return None


def begun(task: Task, run: Run) -> Optimizer:
    """The optimizer of a run at its beginning.

    Raises:
        BadLedger: what it began with, such as a prior, is from outside the space.
    """
    try:
        return build(run.header.search, task, run.ladder(0), run.header.known)
    except _UNFIT as error:
        raise _unfit("the beginning", error) from error


def build(search: Search, task: Task, rungs: Sequence[Rung], known: Sequence[Known] = ()) -> Optimizer:
    """The optimizer of a search of `task`; see `mfbo.optimizers.registry.make`."""
    from mfbo.optimizers.registry import make
    from mfbo.optimizers.wary import wary

    return wary(make(search, task, rungs, known), task)


def _optimizer(run: Run) -> Optimizer:
    """The run's optimizer at its beginning; of the task it needs the space and the grid, which the ledger keeps."""
    from mfbo.space import kept_space
    from mfbo.task import Task

    return begun(Task("replayed", kept_space(run.header.space), _never, grid=run.header.grid), run)


def _never(*arguments: object) -> float:
    raise NotImplementedError("a replay trains nothing")


def _mismatch(run: Run, then: Trial, now: Trial | None) -> str:
    installed = versions()
    changed = [f"{name} {was} -> {installed.get(name)}" for name, was in run.header.versions.items()]
    changed = [text for text in changed if text.split()[1] != text.split()[-1]]
    text = f"optimizer {run.header.optimizer!r} asks otherwise than it did at trial {then.id}"
    detail = f" ({then.rung}: {then.config}; now {f'{now.rung}: {now.config}' if now else 'nothing'})"
    cause = f"changed since: {', '.join(changed)}" if changed else "no version has changed: is the ledger edited?"
    return f"{text}{detail}; {cause}; install those versions again, or start a new run"
