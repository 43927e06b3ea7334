"""The display where there is no terminal: plain lines, few enough for a log."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from mfbo.display.forecast import lines
from mfbo.display.text import PATH, clean, headline, number, pairs, rung_words, status_words
from mfbo.display.watch import Watch
from mfbo.ledger.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run

FREE = 20  # lines on improvements and failures before they are rationed
STEP = 0.1  # of the budget, from one line on the progress to the next


class NoteDisplay(Observer):
    """Writes nothing but notes, such as which code of the user's own is run.

    Args:
        stream: where to write; standard error if not given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def note(self, text: str) -> None:
        """The line."""
        self._write(clean(text, PATH))

    def _write(self, line: str) -> None:
        """One line; a stream that is gone or cannot take a character ends no run."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        with suppress(OSError, ValueError):
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()


class LineDisplay(NoteDisplay):
    """Writes a line at the beginning, at each better incumbent, at a new kind of failure, now and then, at the end.

    A run of many short trials may improve or fail faster than anyone reads: after the first `FREE` of such lines there
    is one a second at most; the next line on the progress makes up for those left out.

    Args:
        stream: where to write; standard error if not given.
        every: seconds from one line to the next on the progress, or a tenth of the budget if that is sooner.
        clock: seconds, for tests.
    """

    def __init__(
        self, stream: TextIO | None = None, every: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(stream)
        self._every = every
        self._clock = clock
        self._watch: Watch | None = None
        self._written = 0
        self._wrote = self._share = 0.0

    def planned(self, plan: Plan, price: str | None) -> None:
        """What the budget is expected to buy."""
        for line in lines(plan, price) if plan.unit == "s" else []:
            self._write(line)

    def began(self, run: Run) -> None:
        """What is tuned, within which limits, where."""
        self._watch = watch = Watch(run, self._clock)
        header, limits = run.header, run.limits
        named = {"cost": limits.max_cost, "trials": limits.max_trials, "wall": limits.max_wall}
        within = ", ".join(f"{name} {clean(limit)}" for name, limit in named.items() if limit) or "no limit"
        verb = f"resuming at {self._state(watch)}:" if run.results else "tuning"
        what = f"{clean(header.task)} with {clean(header.optimizer)}, seed {clean(header.seed)}"
        price = clean(header.settings.get("price") or "")
        within += f", at {price}" if price else ""
        self._write(f"{verb} {what}; {within}" + (f"; in {clean(run.folder, PATH)}" if run.folder else ""))
        self._share = watch.share

    def told(self, result: Result, best: Result | None) -> None:
        """A line if there is something to say and there were not too many yet."""
        watch = self._watch
        if watch is None:
            return
        watch.told(result, best)
        outcome = result.outcome
        at = watch.meters()[0].words
        if best is result and self._spare():
            config = pairs(result.trial.config)
            fidelity = rung_words(outcome.rung)
            self._write(f"{at}: best {number(outcome.loss)} at {fidelity} (trial {result.trial.id}: {config})")
        elif outcome.error and watch.tally.errors[headline(outcome.error)] == 1 and self._spare():
            self._write(f"{at}: trial {result.trial.id} {clean(outcome.status)}: {headline(outcome.error)}")
        elif watch.share >= self._share + STEP or self._clock() >= self._wrote + self._every:
            self._share = watch.share
            self._write(self._state(watch))

    def ended(self, status: str) -> None:
        """Why it ended, and with what; the forecast beside what happened."""
        if self._watch:
            self._watch.ended()
            self._write(f"{status_words(status)}: {self._state(self._watch)}")
            for line in self._watch.tally.forecast():
                self._write(line)

    def _spare(self) -> bool:
        self._written += 1
        return self._written <= FREE or self._clock() >= self._wrote + 1.0

    def _state(self, watch: Watch) -> str:
        """Used of the limits, trials, failures and the incumbent, in one line."""
        cost, *others = watch.meters()
        words = [f"{cost.words} ({100 * cost.share:.0f}%)" if cost.limited else cost.words]
        words += [f"{meter.name} {meter.words}" for meter in others if meter.name != "trials"]
        trials = next((meter.words for meter in others if meter.name == "trials"), str(watch.tally.finished))
        words.append(f"{trials} trial{'' if trials == '1' else 's'}")
        if done := watch.tally.of_plan():
            words.append(f"{done} of the plan")
        if watch.tally.failed:
            words.append(f"{watch.tally.failed} failed")
        if watch.best:
            outcome = watch.best.outcome
            words.append(f"best {number(outcome.loss)} at {rung_words(outcome.rung)}")
        return ", ".join(words)

    def _write(self, line: str) -> None:
        """One line, and when it was written."""
        self._wrote = self._clock()
        super()._write(line)
