"""Who watches a run: the tuning loop tells an observer what happens, and asks it only whether to stop."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial


class StopRun(Exception):
    """Raised by an observer: the run ends in order, as interrupted, and can be resumed; its text says why."""


class Observer:
    """Does nothing; a display or a logger overrides what it needs.

    `run` is the same object from `on_start` to `on_end`, and grows during the run. All methods are called in the
    process and the thread of the run, between its trials; the time that they take is not charged.

    Attributes:
        stop_requested: the loop starts no more trials once it is true, and stops those in flight.
    """

    stop_requested: bool = False

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

    def on_output(self, trial: Trial, line: str) -> None:
        """What a running trial has printed last: at most once a second, and with ``workers=0`` as it prints it."""

    def on_note(self, text: str) -> None:
        """Something that the user should know, in one line."""

    def on_end(self, status: str) -> None:
        """The run is over: ``budget``, ``trials``, ``wall``, ``exhausted``, ``gain``, ``interrupted`` or ``failed``."""


class Several(Observer):
    """Passes everything on to several observers."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    @property
    def stop_requested(self) -> bool:  # type: ignore[override]
        """Whether any of them asks to stop."""
        return any(observer.stop_requested for observer in self._observers)

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """To each."""
        self._each("on_stage", what, at_most)

    def on_plan(self, plan: Plan, price: str | None) -> None:
        """To each."""
        self._each("on_plan", plan, price)

    def on_start(self, run: Run) -> None:
        """To each."""
        self._each("on_start", run)

    def on_trial(self, trial: Trial) -> None:
        """To each."""
        self._each("on_trial", trial)

    def on_result(self, result: Result, best: Result | None) -> None:
        """To each."""
        self._each("on_result", result, best)

    def on_output(self, trial: Trial, line: str) -> None:
        """To each."""
        self._each("on_output", trial, line)

    def on_note(self, text: str) -> None:
        """To each."""
        self._each("on_note", text)

    def on_end(self, status: str) -> None:
        """To each."""
        self._each("on_end", status)

    def _each(self, event: str, *values: Any) -> None:
        for observer in self._observers:
            getattr(observer, event)(*values)


class Guarded(Several):
    """Stands before a user's observer: an exception of it is told, the first of each method, and the run goes on.

    Args:
        observer: of the user.
        say: is given one line for each method that raised.
    """

    def __init__(self, observer: Observer, say: Callable[[str], None] | None = None) -> None:
        if not isinstance(observer, Observer):
            name = getattr(observer, "__name__", None)
            what = f"the class {name}; give one of it: {name}()" if isinstance(observer, type) else f"{observer!r:.60}"
            raise BadValue(f"observer is {what}{'' if isinstance(observer, type) else '; give a mfbo.Observer'}")
        super().__init__(observer)
        self._say = say or (lambda text: warnings.warn(text, RuntimeWarning, stacklevel=2))
        self._raised: set[str] = set()
        self._stopped = False

    @property
    def stop_requested(self) -> bool:  # type: ignore[override]
        """Whether it has raised `StopRun`, or says so."""
        return self._stopped or super().stop_requested

    def _each(self, event: str, *values: Any) -> None:
        (observer,) = self._observers
        name = f"observer {type(observer).__name__}"
        try:
            getattr(observer, event)(*values)
        except StopRun as stop:
            if not self._stopped:
                self._say(f"{name} ends the run{f': {stop}' if str(stop) else ''}")
            self._stopped = True
        except Exception as error:
            if event not in self._raised:
                self._raised.add(event)
                where = _line(error)
                self._say(
                    f"{name} raised {type(error).__name__} in {event}{where}: {' '.join(str(error).split())}; the run "
                    "goes on, and further errors there are not shown; to end it from an observer, raise mfbo.StopRun"
                )


def _line(error: Exception) -> str:
    """Where in the user's file it was raised; empty where the method could not even be called."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    inside = last is not None and last.tb_frame.f_code.co_filename != __file__
    return f" (line {last.tb_lineno} of {last.tb_frame.f_code.co_filename})" if last is not None and inside else ""
