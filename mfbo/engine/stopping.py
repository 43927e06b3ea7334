"""Ending a run by `mfbo.Search.stop_when`, before its limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mfbo.evidence import gain

if TYPE_CHECKING:
    from mfbo.ledger.run import Run


class Stopping:
    """Judges after each result whether what is left is worth going on.

    Args:
        run: the running one.
        note: is told why it ends, or why its rule cannot be judged.
    """

    def __init__(self, run: Run, note: Callable[[str], None]) -> None:
        self._run, self._note = run, note
        self._rule = run.header.search.stop_rule
        self._judged, self._enough = 0, False
        self._warned = False

    def enough(self) -> bool:
        """Whether the rule of the search ends the run now; never where it has none."""
        rule, count = self._rule, len(self._run.results)
        if rule is None or count == self._judged:
            return self._enough
        self._judged, found = count, gain.stops(self._run, rule)
        self._enough = found is not None
        if found is not None:
            self._note(gain.gain_words(self._run, found, rule))
        elif not self._warned and (said := gain.unknown_noise(self._run, rule)):
            self._warned = True
            self._note(said)
        return self._enough
