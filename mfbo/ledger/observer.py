"""Who watches a run: the tuning loop tells an observer what happens, and asks it nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial


class Observer:
    """Does nothing; a display or a logger overrides what it needs.

    `run` is the same object from `on_start` to `on_end`, and grows during the run.
    """

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """What is done before the first trial, such as ``preparing the data``, and how many seconds it may take."""

    def on_plan(self, plan: Plan, price: str | None) -> None:
        """What a new run is expected to buy, before it begins; `price` is that of an hour, if there is one."""

    def on_start(self, run: Run) -> None:
        """The run begins, or is resumed (`run` then has results already)."""

    def on_trial(self, trial: Trial) -> None:
        """`trial` starts."""

    def on_result(self, result: Result, best: Result | None) -> None:
        """A trial ended; `best` is the incumbent now, the very `result` where it has just become so."""

    def on_note(self, text: str) -> None:
        """Something that the user should know, in one line."""

    def on_end(self, status: str) -> None:
        """The run is over: ``budget``, ``trials``, ``wall``, ``exhausted``, ``interrupted`` or ``failed``."""


class Several(Observer):
    """Passes everything on to several observers."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_stage(what, at_most)

    def on_plan(self, plan: Plan, price: str | None) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_plan(plan, price)

    def on_start(self, run: Run) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_start(run)

    def on_trial(self, trial: Trial) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_trial(trial)

    def on_result(self, result: Result, best: Result | None) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_result(result, best)

    def on_note(self, text: str) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_note(text)

    def on_end(self, status: str) -> None:
        """To each."""
        for observer in self._observers:
            observer.on_end(status)
