"""What a train function is given beside its configuration and fidelity."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import index
from pathlib import Path

from mfbo.checkpoint import ALONE, Checkpoints
from mfbo.errors import TrialStopped
from mfbo.goal import Goal
from mfbo.trial import MAX_COUNT, Pace, Report

MAX_MARKS = 64  # of a training's progress that are kept; of more, every second one goes
MAX_REPORTS = 10_000  # of a trial that are kept; of more, every second one goes, but for the last


class Context:
    """A trial's link to its run: seed, device, checkpoint, and the report that can end it.

    Attributes:
        seed: of the run; the validation split, the subset and the initial weights follow from it.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``, as the user asked.
        options: further settings of the task, from the command line, such as ``model``.
        start_epoch: epochs that this configuration has behind it; train from here to ``fidelity.epochs``.
        checkpoint: folder with what `save` wrote after `start_epoch` epochs; None where there is nothing.
        reports: the learning curve so far, in the sign of the metric.
        goal: of the run: the name of its metric, and whether it is maximised.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        device: str = "auto",
        options: Mapping[str, str] | None = None,
        key: str = "",
        epochs: int = 1,
        start_epoch: int = 0,
        checkpoints: Checkpoints | None = None,
        stop: Callable[[float], str | None] | None = None,
        on_report: Callable[[Report], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        goal: Goal | None = None,
    ) -> None:
        self.goal = goal or Goal()
        self.seed = seed
        self.device = device
        self.options = dict(options or {})
        self.start_epoch = start_epoch
        self.checkpoint: Path | None = None
        self.reports: list[Report] = []
        self.evaluation = 0.0
        self.virtual = False
        self.stop_reason: str | None = None
        self._key, self._epochs = key, epochs
        self._checkpoints = checkpoints
        self._stop = stop
        self._on_report = on_report
        self._seconds = clock  # which stands still while the process does
        self._began = clock()
        self._clock = Clock()
        if checkpoints is not None and (found := checkpoints.find(key, below=epochs)):
            self.start_epoch, self.checkpoint = found

    @property
    def elapsed(self) -> float:
        """Seconds since the trial began."""
        return self._seconds() - self._began

    def report(self, loss: float, *, epoch: float | None = None, cost: float | None = None) -> None:
        """Say how the training goes, once an epoch; ends the trial in order when its time is up.

        Within long epochs, say how far it is with `poll`, or report with a fraction as `epoch`, so that a trial that is
        stopped there has a result; without `epoch` each report is an epoch.

        Args:
            loss: validation loss now, or what the run's metric is now where that is another. NaN or infinity ends the
                trial as ``diverged``.
            epoch: epochs done, those of the checkpoint included, with the fraction of one that was begun; default: one
                more than at the last report.
            cost: seconds of this trial so far, for surrogates that charge a predicted cost.

        Raises:
            TrialStopped: let it pass; what was reported is kept as a partial result.
            ValueError: an epoch or a cost that is below 0 or not finite.
        """
        last = self.reports[-1].epoch if self.reports else self.start_epoch
        done = int(last) + 1 if epoch is None else _epochs(epoch)
        if not 0 <= done <= MAX_COUNT or (cost is not None and not 0 <= cost < math.inf):
            raise ValueError(f"report(epoch={epoch!r}, cost={cost!r}): give what is finite and not below 0")
        self.virtual = self.virtual or cost is not None
        if not math.isfinite(loss):
            self.stop_reason = "diverged"
            raise TrialStopped(self.stop_reason)
        spent = self.elapsed if cost is None else float(cost)
        if len(self.reports) >= MAX_REPORTS:
            del self.reports[:-1:2]
        self.reports.append(Report(done, float(loss), spent))
        if self._on_report:
            self._on_report(self.reports[-1])
        self.poll(done)

    def poll(self, epochs: float | None = None, *, evaluated: float | None = None) -> None:
        """End the trial in order if its time is up; for use inside long epochs, between reports.

        Args:
            epochs: done so far, with the fraction of the present one, those of the checkpoint included. A plan can
                tell from it what an epoch costs where that takes long; say it once before the first step.
            evaluated: the fraction of the present evaluation that is done, inside of `evaluating`.

        Raises:
            TrialStopped: let it pass.
            ValueError: a number that is below 0 or not finite.
        """
        if not all(0 <= number <= MAX_COUNT for number in (epochs, evaluated) if number is not None):
            raise ValueError(f"poll({epochs!r}, evaluated={evaluated!r}): give what is finite and not below 0")
        if epochs is not None:
            self._clock.trained(epochs - self.start_epoch, self.elapsed - self.evaluation)
        if evaluated is not None:
            self._clock.evaluated(evaluated)
        self.stop_reason = self._stop(self.elapsed) if self._stop else None
        if self.stop_reason:
            raise TrialStopped(self.stop_reason)

    @contextmanager
    def save(self, epoch: int) -> Iterator[Path]:
        """A folder to write a checkpoint into, complete once the block is left.

        A later, higher rung of this configuration finds it as `checkpoint` with `start_epoch` equal to `epoch`.
        Write data, not code: ``.npz``, ``.safetensors``, JSON; never pickle.
        """
        if self._checkpoints is None:
            raise RuntimeError("this run keeps no checkpoints; look at context.keeps_checkpoints first")
        with self._checkpoints.save(self._key, epoch, keep=self.start_epoch) as folder:
            yield folder

    @contextmanager
    def keep_model(self) -> Iterator[Path]:
        """A folder for the trained model, where training cannot continue from it; complete once the block is left.

        ``mfbo export RUN --to model`` copies that of the best trial. What `save` wrote is copied as well, so a task
        needs one of the two; of a folder ``model`` in it, that alone.
        """
        with self.save(self._epochs) as folder:
            (folder / ALONE).touch()
            yield folder

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether `save` works here; not with ``--from-scratch``."""
        return self._checkpoints is not None

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Time spent inside counts as evaluation, not as training."""
        before, began = self.evaluation, self._seconds()
        try:
            yield
            self._clock.evaluated(1.0)
        finally:
            self.evaluation = before + self._seconds() - began  # once, where one is inside another

    @property
    def pace(self) -> Pace | None:
        """How fast the trial went; None on a virtual clock, or where it has told nothing."""
        return None if self.virtual else self._clock.pace(self.evaluation)


def _epochs(value: float) -> float:
    """A number of epochs in plain Python, whole ones as an int; TypeError where it is none."""
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        if not isinstance(value, float):
            raise
    return int(value) if math.isfinite(value) and value == int(value) else float(value)


class Clock:
    """Keeps marks of a training, and counts evaluations."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []
        self._whole = 0
        self._part = 0.0

    def trained(self, epochs: float, seconds: float) -> None:
        """`epochs` are trained after `seconds`, evaluations left out."""
        if epochs < 0 or (self._marks and epochs <= self._marks[-1][0]):
            return  # behind what was there before the trial, or told already
        if len(self._marks) >= MAX_MARKS:
            del self._marks[2::2]
        self._marks.append((epochs, seconds))

    def evaluated(self, fraction: float) -> None:
        """Of an evaluation, such a fraction is done; 1 ends it."""
        if fraction >= 1:
            self._whole, self._part = self._whole + 1, 0.0
        else:
            self._part = fraction

    def pace(self, evaluation: float) -> Pace | None:
        """What the marks tell, with so many seconds of evaluation; None where they tell nothing.

        Its second half tells how long it all took; what the first steps took beyond that belongs to the start, as
        libraries wake up then.
        """
        marks = self._marks
        if len(marks) < 2 and not (marks and marks[0][0] > 0):
            return None
        last, end = marks[-1]
        first, began = marks[0]
        if first == 0 and last < min(1.0, 2 * marks[1][0]):
            return None  # one step of many: libraries woke up in it, and it took up to 70 times as long as the others
        if first == 0:
            first, began = [mark for mark in marks[:-1] if mark[0] <= last / 2][-1]
        if first > 0:
            rate = (end - began) / (last - first) if last > first else began / first
            began -= first * rate
        began = min(max(0.0, began), end)
        return Pace(began, last, end - began, self._whole + self._part, evaluation)
