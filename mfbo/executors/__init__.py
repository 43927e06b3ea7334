"""Executors: where trials run. Each has the same interface, and stops trials when the money or the time is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mfbo.trial import Outcome, Trial


@dataclass(frozen=True)
class Allowance:
    """What the trials in flight may still use together.

    Attributes:
        cost: seconds, summed over the trials; infinite where there is no limit.
        wall: seconds on the executor's clock.
    """

    cost: float
    wall: float


FORCE = 0.1  # seconds from the decision to end a trial by force until it is ended and charged no more


def patience(grace: float, trials: int) -> float:
    """Seconds that each of so many trials has to report, where `grace` is what they may use together beyond a limit.

    A tenth is kept back, and `FORCE` seconds of each trial where that is not more than half of its share; and nobody
    waits longer than 10 s.
    """
    share = grace / trials
    return min(max(0.5 * share, min(0.9 * share, share - FORCE)), 10.0)


class Executor(Protocol):
    """Runs trials on workers, and has the clock of the run."""

    @property
    def slots(self) -> int:
        """Workers there are now; may grow and shrink."""

    @property
    def busy(self) -> int:
        """Trials submitted and not yet waited for."""

    @property
    def now(self) -> float:
        """Seconds on the run's clock, interruptions left out; virtual ones for surrogates."""

    def ready(self) -> None:
        """Wait until trials can begin at once: the workers of this machine have imported the task."""

    def submit(self, trial: Trial, start_epoch: int, began: float | None = None) -> None:
        """Start `trial` on a free worker.

        Args:
            trial: what to run.
            start_epoch: what a stateless task has behind it.
            began: on a virtual clock: when it began, before the run was interrupted.
        """

    def wait(self, allowance: Allowance) -> tuple[Trial, Outcome] | None:
        """The next trial that ends, or None when there is room for another one, or nothing has happened for a second.

        All are stopped when the allowance is used up.
        """

    def printed(self) -> list[tuple[Trial, str]]:
        """What trials in flight have printed last, of those that have printed; none where that is not known."""

    @property
    def paused(self) -> float:
        """Seconds that the trials in flight were stopped by the user or the system, in all; they are not charged."""

    def abandon(self) -> list[tuple[Trial, Outcome]]:
        """End all trials in flight at once, without waiting for anything; what has become of them."""

    def close(self) -> None:
        """End the workers."""
