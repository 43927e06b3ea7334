"""Stops a trial in mid-call that runs in the process of the run: an alarm that raises `ForcedStop` in its code.

It is raised only while the train function is on the stack, or its error is asked for its text: our own code, which
turns the stop into an outcome, is never hit, however late or often the alarm rings. A library's call that does not come
back to Python is not stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mfbo.executors.evaluate import ForcedStop, failure_of, trained

LONGEST = 10.0**6  # seconds; with no limit to speak of there is no alarm
AGAIN = 1.0  # seconds until a trial that went on after its stop is stopped again
SOONEST = 0.01  # seconds
SLACK = 0.02  # seconds by which an alarm may come early


def can_ring() -> bool:
    """Whether Python lets a call be interrupted here: in the main thread, if nobody else uses the alarm."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN, None)


@contextmanager
def alarm(seconds: float, elapsed: Callable[[], float]) -> Iterator[None]:
    """Stop the trial that runs in the block after so many seconds.

    Args:
        seconds: on the trial's clock.
        elapsed: what that clock shows; it stands still while the process does, unlike the alarm.
    """
    if not seconds < LONGEST or not can_ring():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        left = seconds - elapsed()
        _set(left if left > SLACK else AGAIN)  # also where the train function has set one of its own
        if left <= SLACK and _in_train(frame):
            raise ForcedStop("time")

    before = signal.signal(signal.SIGALRM, ring)
    _set(seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _set(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, max(seconds, SOONEST))


def _in_train(frame: FrameType | None) -> bool:
    """Whether the code that was interrupted is the train function's, was called by it, or is that of its error."""
    while frame is not None:
        if frame.f_code in (trained.__code__, failure_of.__code__):
            return True
        frame = frame.f_back
    return False
