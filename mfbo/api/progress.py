"""The progress that Python shows: a display in a terminal, an output that is updated in a notebook, lines in a pipe."""

from __future__ import annotations

import html
import sys
import time
from typing import TYPE_CHECKING, Any

from mfbo.display import make
from mfbo.display.progress import Progress
from mfbo.display.tables import measured
from mfbo.display.text import PATH, clean, pairs, rung_words, status_words
from mfbo.ledger.observer import Guarded, Observer, Several

if TYPE_CHECKING:
    from mfbo.ledger.plan import Plan
    from mfbo.ledger.run import Result, Run
    from mfbo.trial import Trial

UPDATE = 0.5  # seconds between updates of a notebook's output


def shown(progress: bool, observer: Observer | None) -> Observer:
    """What watches a run: the progress that suits the place, and the user's own observer, whose errors are told."""
    display = [_display()] if progress else []
    own = [Guarded(observer, display[0].on_note if display else None)] if observer else []
    return Several(*display, *own)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def _display() -> Observer:
    return NotebookDisplay() if in_notebook() else make(quiet=False)


class NotebookDisplay(Observer):
    """One output cell that is updated during the run."""

    def __init__(self) -> None:
        from IPython.display import display

        self._lines: list[str] = []
        self._state = "starting"
        self._progress: Progress | None = None
        self._best: Result | None = None
        self._printed: dict[int, str] = {}
        self._updated = 0.0
        self._handle: Any = display(self, display_id=True)

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>{html.escape(line)}</div>" for line in self._lines)
        best = ""
        if self._best is not None and self._progress is not None:
            said = measured(self._best, self._progress.counts.goal)
            what = f"{said} at {rung_words(self._best.outcome.rung)}: {pairs(self._best.trial.config)}"
            best = f"<div><b>{html.escape(what)}</b></div>"
        printed = [f"{number}&gt; {html.escape(clean(line, PATH))}" for number, line in sorted(self._printed.items())]
        faint = "".join(f"<div style='opacity: 0.6'>{line}</div>" for line in printed)
        return f"<div>{notes}<div>{html.escape(self._state)}</div>{best}{faint}</div>"

    def __repr__(self) -> str:
        return self._state

    def on_stage(self, what: str, at_most: float | None = None) -> None:
        """Show what is done."""
        self._state = what + (f", for at most {at_most:.0f}s" if at_most else "")
        self._update(now=True)

    def on_plan(self, plan: Plan, price: str | None) -> None:
        """Show the plan."""
        from mfbo.display.forecast import lines

        self._lines += lines(plan, price) if plan.unit == "s" else []
        self._state = ""  # what was done for it is done
        self._update(now=True)

    def on_note(self, text: str) -> None:
        """Show a line."""
        self._lines.append(clean(text))
        self._update(now=True)

    def on_start(self, run: Run) -> None:
        """Show what is tuned."""
        self._progress = Progress(run)
        self._state = f"tuning {clean(run.header.task)} with {clean(run.header.search.optimizer)}"
        self._update(now=True)

    def on_output(self, trial: Trial, line: str) -> None:
        """Show what a running trial has printed last."""
        self._printed[trial.id] = line
        self._update(now=False)

    def on_result(self, result: Result, best: Result | None) -> None:
        """Show the progress, twice a second at most."""
        self._best = best
        self._printed.pop(result.trial.id, None)
        if self._progress:
            self._progress.told(result, best)
        self._say("")
        self._update(now=False)

    def on_end(self, status: str) -> None:
        """Show the end."""
        self._printed.clear()
        self._say(f"{status_words(status)}: ")
        self._update(now=True)

    def _say(self, before: str) -> None:
        if self._progress:
            meters = self._progress.meters()
            words = [f"{meter.name} {meter.words}" for meter in meters]
            if all(meter.name != "trials" for meter in meters):
                words.append(f"{self._progress.counts.finished} trials")
            self._state = before + ", ".join(words)

    def _update(self, *, now: bool) -> None:
        if now or time.monotonic() >= self._updated + UPDATE:
            self._updated = time.monotonic()
            self._handle.update(self)
