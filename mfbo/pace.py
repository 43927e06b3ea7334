"""How fast a trial goes, told from what it says of its progress."""

from __future__ import annotations

from mfbo.trial import Pace


class Clock:
    """Keeps the first two marks of a training and the last, and counts evaluations."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []
        self._whole = 0
        self._part = 0.0

    def trained(self, epochs: float, seconds: float) -> None:
        """So many epochs are trained after so many seconds, evaluations left out."""
        if self._marks and epochs <= self._marks[-1][0]:
            return
        self._marks[2:] = []
        self._marks.append((epochs, seconds))

    def evaluated(self, fraction: float) -> None:
        """Of an evaluation, such a fraction is done; 1 ends it."""
        if fraction >= 1:
            self._whole, self._part = self._whole + 1, 0.0
        else:
            self._part = fraction

    def pace(self, evaluation: float) -> Pace | None:
        """What the marks tell, with so many seconds of evaluation; None where they tell nothing.

        What follows the first step tells how long that took; its rest, when libraries wake up, belongs to the start.
        """
        marks = self._marks
        if len(marks) < 2 and not (marks and marks[0][0] > 0):
            return None
        last, end = marks[-1]
        first, began = marks[0]
        if first == 0 and last >= 2 * marks[1][0]:
            first, began = marks[1]
        if first > 0:
            rate = (end - began) / (last - first) if last > first else began / first
            began -= first * rate
        began = min(max(0.0, began), end)
        return Pace(began, last, end - began, self._whole + self._part, evaluation)
