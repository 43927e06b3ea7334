"""What a train function may change in its process to the harm of what runs there after it, and is put back."""

from __future__ import annotations

import builtins
import faulthandler
import gc
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "time_ns", "monotonic_ns", "perf_counter_ns", "sleep")
HOOKS = ("stdin", "stdout", "stderr", "__stdout__", "__stderr__", "excepthook", "unraisablehook")


class Surroundings:
    """The interpreter and the process as they are now, before a trial; `restore` after it.

    What a library adds when it is imported stays: variables of the environment, modules, places to look for them.
    """

    def __init__(self) -> None:
        self._home = _directory()
        self._mask = os.umask(0o077)
        os.umask(self._mask)
        self._handlers = _handlers()
        self._cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        self._limits = sys.getrecursionlimit(), sys.getswitchinterval()
        self._traces = sys.gettrace(), sys.getprofile()
        self._numpy, self._filters = _numpy_errors(), list(warnings.filters)
        self._collects, self._patience = gc.isenabled(), socket.getdefaulttimeout()
        self._lists: list[tuple[list[Any], list[Any]]] = [
            (found, list(found)) for found in (sys.path, sys.meta_path, sys.path_hooks)
        ]
        clocks = {name: getattr(time, name) for name in CLOCKS}
        self._kept: list[tuple[MutableMapping[Any, Any], dict[Any, Any]]] = [
            (vars(time), clocks),
            (vars(sys), {name: getattr(sys, name) for name in HOOKS}),
            (vars(builtins), dict(vars(builtins))),
            (sys.modules, dict(sys.modules)),
            (os.environ, dict(os.environ)),
        ]

    def restore(self) -> None:
        """Put back what has changed; the depth of calls first, as nothing else can be done in too little of it."""
        sys.setrecursionlimit(self._limits[0])
        sys.settrace(self._traces[0])
        sys.setprofile(self._traces[1])
        sys.setswitchinterval(self._limits[1])
        for where, before in self._kept:
            for name, value in before.items():
                if where.get(name) is not value and where.get(name) != value:
                    where[name] = value
        for found, kept in self._lists:
            if any(one not in found for one in kept):
                found[:] = [*kept, *(one for one in found if one not in kept)]
        more = [one for one in warnings.filters if one not in self._filters and one[0] != "error"]
        warnings.filters = [*more, *self._filters]
        _end_timers()
        socket.setdefaulttimeout(self._patience)
        if self._collects:
            gc.enable()
        os.umask(self._mask)
        _try(os.chdir, self._home)
        _try(os.sched_setaffinity if self._cores else None, 0, self._cores)
        if self._numpy is not None:
            sys.modules["numpy"].seterr(**self._numpy)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                _try(signal.signal, number, handler)


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it was deleted
        return None


def _handlers() -> dict[int, Any]:
    """What Python does at each signal; nothing outside the main thread, where that cannot be set."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in signal.valid_signals()}
    return {number: handler for number, handler in found.items() if handler is not None}


def _end_timers() -> None:
    """Those by which the system or Python would end the process later; an alarm is seen to by who has set one."""
    for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    faulthandler.cancel_dump_traceback_later()


def _numpy_errors() -> dict[str, Any] | None:
    numpy = sys.modules.get("numpy")
    with suppress(AttributeError):
        return dict(numpy.geterr()) if numpy is not None else None
    return None


def _try(do: Callable[..., object] | None, *given: object) -> None:
    """Where it is known what was before, and the system lets it be put back."""
    if do is not None and None not in given:
        with suppress(OSError, ValueError):
            do(*given)
