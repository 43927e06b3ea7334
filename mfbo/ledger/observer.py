"""Who watches a run: the tuning loop tells an observer what happens, and asks it nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial


class Observer:
    """Does nothing; a display or a logger overrides what it wants to hear of.

    `run` is the same object from `began` to `ended`, and grows as the run goes on.
    """

    def stage(self, what: str, at_most: float | None = None) -> None:
        """What is done before the first trial, such as ``preparing the data``, and how many seconds it may take."""

    def planned(self, plan: Plan, price: str | None) -> None:
        """What a new run is expected to buy, before it begins; `price` is that of an hour, if there is one."""

    def began(self, run: Run) -> None:
        """The run begins, or is taken up again (`run` then has results already)."""

    def asked(self, trial: Trial) -> None:
        """`trial` starts."""

    def told(self, result: Result, best: Result | None) -> None:
        """A trial ended; `best` is the incumbent now, the very `result` where it has just become so."""

    def note(self, text: str) -> None:
        """Something that the user should know, in one line."""

    def ended(self, status: str) -> None:
        """The run is over: ``budget``, ``trials``, ``wall``, ``exhausted``, ``interrupted`` or ``failed``."""


class Several(Observer):
    """Passes everything on to several observers."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def stage(self, what: str, at_most: float | None = None) -> None:
        """To each."""
        for observer in self._observers:
            observer.stage(what, at_most)

    def planned(self, plan: Plan, price: str | None) -> None:
        """To each."""
        for observer in self._observers:
            observer.planned(plan, price)

    def began(self, run: Run) -> None:
        """To each."""
        for observer in self._observers:
            observer.began(run)

    def asked(self, trial: Trial) -> None:
        """To each."""
        for observer in self._observers:
            observer.asked(trial)

    def told(self, result: Result, best: Result | None) -> None:
        """To each."""
        for observer in self._observers:
            observer.told(result, best)

    def note(self, text: str) -> None:
        """To each."""
        for observer in self._observers:
            observer.note(text)

    def ended(self, status: str) -> None:
        """To each."""
        for observer in self._observers:
            observer.ended(status)
