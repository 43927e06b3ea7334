"""What a trial is ended for, and what the end of its process means: a status and a text."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from mfbo.trial import Status

LEFT_SHARE = 0.2  # of the memory that a trial may hold: with more from trials before it, it is not to blame


def memory_of(pid: int) -> float:
    """Bytes that a process and what it has started hold."""
    try:
        worker = psutil.Process(pid)
        processes = [*worker.children(recursive=True), worker]
    except psutil.Error:
        return 0.0
    total = 0.0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def too_much(size: float, before: float, most: float) -> tuple[Status, str]:
    """Status and text where a trial holds more than it may; it runs again if others before it had left much of that."""
    text = f"the trial held {size / 2**30:.2f} GiB, more than {most / 2**30:.2f} (--max-trial-memory)"
    if before > LEFT_SHARE * most:
        return "lost", f"{text}, {before / 2**30:.2f} of them left by trials before it"
    return "memory", text


def cause(code: int, *, begun: bool, said: str, laden: bool = False) -> tuple[Status, str]:
    """Status and text for a process that ended by itself.

    Args:
        code: exit code, negative for a signal.
        begun: whether its trial had begun.
        said: the last line that it printed as it started.
        laden: whether trials before have left threads in it. One of them may have ended it, so that this trial runs
            again; not where it was killed (SIGKILL), which no thread does.
    """
    status, text = _cause(code, begun=begun, said=said)
    if laden and begun and status != "killed":
        return "lost", f"{text}, which a thread that a trial before has left may have done"
    return status, text


def _cause(code: int, *, begun: bool, said: str) -> tuple[Status, str]:
    when = "in mid-trial" if begun else "before its trial began"
    more = f"; its last line was {said!r}" if said and not begun else ""
    if code >= 0:
        return "exited", f"the worker process ended {when} with exit code {code}{more}"
    name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
    if -code == signal.SIGKILL:
        return "killed", f"the worker process was killed {when} ({name}); the system does so when memory runs out"
    return "crashed", f"the worker process crashed {when} ({name}){more}"
