"""The display for pipes and files: plain lines, few enough for a log."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from mfbo.display.forecast import lines
from mfbo.display.progress import Progress
from mfbo.display.tables import measured
from mfbo.display.text import PATH, clean, headline, overtaking, pairs, rung_words, status_words
from mfbo.ledger.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run

UNLIMITED_LINES = 20  # on improvements and failures; after these, one a second at most
PROGRESS_STEP = 0.1  # of the budget, from one progress line to the next


class NoteDisplay(Observer):
    """Writes notes only, such as which file of the user is executed.

    Args:
        stream: where to write; standard error if not given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def on_note(self, text: str) -> None:
        """The line."""
        self._write(clean(text, PATH))

    def _write(self, line: str) -> None:
        """Write a line; a closed stream or one that cannot encode it does not end the run."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        with suppress(OSError, ValueError):
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()


class LineDisplay(NoteDisplay):
    """Writes a line at the beginning, at each better incumbent, at a new kind of failure, now and then, at the end.

    A run of many short trials may improve or fail faster than anyone reads: after `UNLIMITED_LINES` such lines there
    is one a second at most; the next progress line covers those left out.

    Args:
        stream: where to write; standard error if not given.
        every: seconds between progress lines; a tenth of the budget if that is sooner.
        clock: seconds, for tests.
    """

    def __init__(
        self, stream: TextIO | None = None, every: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(stream)
        self._every = every
        self._clock = clock
        self._progress: Progress | None = None
        self._written = 0
        self._wrote = self._share = 0.0

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """A line where it may take long."""
        if at_most:
            self._write(f"{what}, for at most {at_most:.0f}s")

    def on_plan(self, plan: Plan, price: str | None) -> None:
        """Write the plan."""
        for line in lines(plan, price) if plan.unit == "s" else []:
            self._write(line)

    def on_start(self, run: Run) -> None:
        """Write what is tuned, its limits and its folder."""
        self._progress = progress = Progress(run, self._clock)
        header, limits = run.header, run.limits
        named = {"cost": limits.max_cost, "trials": limits.max_trials, "wall": limits.max_wall}
        within = ", ".join(f"{name} {clean(limit)}" for name, limit in named.items() if limit) or "no limit"
        verb = f"resuming at {self._state(progress)}:" if run.results else "tuning"
        what = f"{clean(header.task)} with {clean(header.optimizer)}, seed {clean(header.seed)}"
        price = clean(header.settings.price or "")
        within += f", at {price}" if price else ""
        self._write(f"{verb} {what}; {within}" + (f"; in {clean(run.folder, PATH)}" if run.folder else ""))
        self._share = progress.share

    def on_result(self, result: Result, best: Result | None) -> None:
        """Write a line on an improvement or a new error, or now and then on the progress."""
        progress = self._progress
        if progress is None:
            return
        progress.told(result, best)
        outcome = result.outcome
        at = progress.meters()[0].words
        if best is result and self._may_write():
            config = pairs(result.trial.config)
            fidelity = rung_words(outcome.rung)
            over, best_words = overtaking(progress.overtaken), measured(result, progress.counts.goal)
            self._write(f"{at}: {best_words} at {fidelity}{over} (trial {result.trial.id}: {config})")
        elif outcome.error and progress.counts.errors[headline(outcome.error)] == 1 and self._may_write():
            self._write(f"{at}: trial {result.trial.id} {clean(outcome.status)}: {headline(outcome.error)}")
        elif progress.share >= self._share + PROGRESS_STEP or self._clock() >= self._wrote + self._every:
            self._share = progress.share
            self._write(self._state(progress))

    def on_end(self, status: str) -> None:
        """Write why it ended and the result; measured beside expected costs."""
        if self._progress:
            self._progress.ended()
            self._write(f"{status_words(status)}: {self._state(self._progress, by_level=False)}")
            for line in self._progress.counts.forecast_check():
                self._write(line)

    def _may_write(self) -> bool:
        self._written += 1
        return self._written <= UNLIMITED_LINES or self._clock() >= self._wrote + 1.0

    def _state(self, progress: Progress, by_level: bool = True) -> str:
        """The used part of the limits, trials, failures and the incumbent, in one line."""
        cost, *others = progress.meters()
        words = [f"{cost.words} ({100 * cost.share:.0f}%)" if cost.limited else cost.words]
        words += [f"{meter.name} {meter.words}" for meter in others if meter.name != "trials"]
        trials = next((meter.words for meter in others if meter.name == "trials"), str(progress.counts.finished))
        words.append(f"{trials} trial{'' if trials == '1' else 's'}")
        if by_level and (done := progress.counts.plan_progress()):
            words.append(done)
        if progress.counts.failed:
            words.append(f"{progress.counts.failed} failed")
        if progress.best:
            best = measured(progress.best, progress.counts.goal)
            words.append(f"{best} at {rung_words(progress.best.outcome.rung)}")
        return ", ".join(words)

    def _write(self, line: str) -> None:
        """Write a line and remember when."""
        self._wrote = self._clock()
        super()._write(line)
