"""Trials that a user's own loop runs: each is handed out when it is asked for, and ends when the user tells of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mfbo.context import Context

if TYPE_CHECKING:
    from mfbo.executors import Allowance
    from mfbo.executors.evaluate import TrialSetup
    from mfbo.trial import Outcome, Trial


class OwnLoopExecutor:
    """Hands trials out, and keeps what they report.

    Args:
        wall: what the run's clock showed when it was left; 0 for a new run.

    Attributes:
        flights: the trials that were handed out and not told of yet, with the context of each, by their number.
        setup: of the run; to be set before the first trial.
    """

    setup: TrialSetup

    def __init__(self, wall: float = 0.0) -> None:
        self.flights: dict[int, tuple[Trial, Context]] = {}
        self._wanted = 0
        self._began = time.perf_counter() - wall
        self._last: Trial | None = None

    @property
    def slots(self) -> int:
        """One more than trials are out while another one is asked for."""
        return len(self.flights) + self._wanted

    @property
    def busy(self) -> int:
        """Trials that are out."""
        return len(self.flights)

    @property
    def now(self) -> float:
        """Seconds on the run's clock."""
        return time.perf_counter() - self._began

    @property
    def paused(self) -> float:
        """Nobody can tell."""
        return 0.0

    def want(self) -> None:
        """Have room for one trial."""
        self._wanted, self._last = 1, None

    def handed(self) -> Trial | None:
        """The trial that was started since `want`; None where there was none to start."""
        self._wanted = 0
        return self._last

    def ready(self) -> None:
        """The user's loop is."""

    def printed(self) -> list[tuple[Trial, str]]:
        """Goes where the user's loop lets it go."""
        return []

    def submit(self, trial: Trial, start_epoch: int, began: float | None = None) -> None:
        """Hand `trial` out."""
        context = Context(
            seed=self.setup.seed,
            device=self.setup.device,
            options=self.setup.options,
            key=trial.key,
            epochs=trial.rung.epochs,
            start_epoch=start_epoch,
            checkpoints=self.setup.checkpoints,
            goal=self.setup.goal,
        )
        self.flights[trial.id] = trial, context
        self._wanted, self._last = 0, trial

    def seconds(self) -> float:
        """That all trials which are out have taken so far."""
        return sum(context.elapsed for _, context in self.flights.values())

    def wait(self, allowance: Allowance) -> tuple[Trial, Outcome] | None:
        """Nothing ends by itself."""
        return None

    def abandon(self) -> list[tuple[Trial, Outcome]]:
        """Nothing runs here."""
        return []

    def close(self) -> None:
        """Nothing runs here."""
