"""Optimizers that evaluate a list of configurations, each at full fidelity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mfbo.optimizers.spec import numbered
from mfbo.trial import Config, Outcome, Rung, Trial


class FullFidelity:
    """Asks for the configurations of `source` one by one; learns nothing from results."""

    def __init__(self, source: Iterator[Config], rung: Rung) -> None:
        self._source = source
        self._rung = rung
        self._asked = 0

    def ask(self) -> Trial | None:
        """The next configuration; None when there are no more."""
        config = next(self._source, None)
        if config is None:
            return None
        self._asked += 1
        return Trial(self._asked - 1, config, self._rung)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Nothing to learn."""

    def pending(self) -> tuple[str, ...]:
        """None is asked twice."""
        return ()

    def remember(self, configs: Sequence[Config]) -> None:
        """Drawing them again costs nothing."""


def schedule(rungs: Sequence[Rung], eta: int) -> FullFidelity:
    """The same over numbered configurations, for planning."""
    return FullFidelity(numbered(), rungs[-1])
