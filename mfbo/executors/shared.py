"""A few bytes of memory that a keeper and its worker have in common: neither waits for the other."""

from __future__ import annotations

import mmap
import struct
import time

_PAUSED = struct.Struct("d")
_REASON = _PAUSED.size  # where the length of the reason stands, and the reason after it
SIZE = 128


class Shared:
    """Why the trial must end, and how long the worker stood still; made before the worker is forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)

    @property
    def paused(self) -> float:
        """Seconds that the worker was stopped so far."""
        return float(_PAUSED.unpack_from(self._memory, 0)[0])

    @paused.setter
    def paused(self, seconds: float) -> None:
        """Write it."""
        _PAUSED.pack_into(self._memory, 0, seconds)

    @property
    def reason(self) -> str | None:
        """Why the trial must end at its next report; None while it need not."""
        size = self._memory[_REASON]
        return self._memory[_REASON + 1 : _REASON + 1 + size].decode("utf-8", "replace") if size else None

    @reason.setter
    def reason(self, text: str | None) -> None:
        """Write it, cut to what fits."""
        raw = (text or "").encode()[: SIZE - _REASON - 1]
        self._memory[_REASON + 1 : _REASON + 1 + len(raw)] = raw
        self._memory[_REASON] = len(raw)

    def clock(self) -> float:
        """Seconds on a clock that stands still while the worker does."""
        return time.perf_counter() - self.paused
