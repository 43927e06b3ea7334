"""How fast a trial goes, told from what it says of its progress."""

from __future__ import annotations

from mfbo.trial import Pace


class Clock:
    """Keeps the first and the last mark of a training, and counts evaluations."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []
        self._whole = 0
        self._part = 0.0

    def trained(self, epochs: float, seconds: float) -> None:
        """So many epochs are trained after so many seconds, evaluations left out."""
        if self._marks and epochs <= self._marks[-1][0]:
            return
        self._marks[1:] = [(epochs, seconds)] if self._marks else []
        self._marks = self._marks or [(epochs, seconds)]

    def evaluated(self, fraction: float) -> None:
        """Of an evaluation, such a fraction is done; 1 ends it."""
        if fraction >= 1:
            self._whole, self._part = self._whole + 1, 0.0
        else:
            self._part = fraction

    def pace(self, evaluation: float) -> Pace | None:
        """What the marks tell, with so many seconds of evaluation; None where they tell nothing.

        Where nobody said when the first step began, the epochs after the first mark tell how long those before it took.
        """
        marks = self._marks
        if len(marks) < 2 and not (marks and marks[0][0] > 0):
            return None
        (first, began), (last, end) = marks[0], marks[-1]
        if first > 0:
            rate = (end - began) / (last - first) if last > first else began / first
            first, began = 0.0, max(0.0, began - first * rate)
        evaluations = self._whole + self._part
        return Pace(max(0.0, began), last - first, max(0.0, end - began), evaluations, evaluation)
