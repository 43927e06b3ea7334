"""A figure before it is drawn: numbers, axes and words, prepared once for print (matplotlib) and page (plotly)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Scale = Literal["linear", "log", "categories"]
MAX_INTEGER_TICKS = 8
NARROW = 0.3  # decades of a logarithmic axis, below which its ticks are evenly spaced


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: what it shows; with its unit.
        scale: of numbers, or ``categories``, at the places 0, 1, ...
        low, high: range of the values on it; NaN for an axis that has none.
        categories: their names.
        whole: whether only whole numbers can stand on it.
        reversed: whether the lowest is at the top, as for ranks and rows.
        limits: where it begins and ends; by its values if None.
        never: where marks of what never happened stand, beyond the last number; None where there are none.
    """

    label: str
    scale: Scale = "linear"
    low: float = math.nan
    high: float = math.nan
    categories: tuple[str, ...] = ()
    whole: bool = False
    reversed: bool = False
    limits: tuple[float, float] | None = None
    never: float | None = None

    def ticks(self, most: int = 8) -> list[float] | None:
        """Where numbers stand, at most about `most` of them; None where the renderer may choose.

        Numbers on a logarithmic axis are round; of whole numbers each stands there where they are few.
        """
        if self.scale == "categories" or math.isnan(self.low):
            return None
        if self.scale == "log":
            found = round_numbers(self.low, self.high)
            if self.whole:
                found = [tick for tick in found if tick == round(tick)]
            inside = [tick for tick in found if self.low / 1.2 <= tick <= self.high * 1.2]
            inside = inside or [self.low]
            return inside[:: math.ceil(len(inside) / most)]
        if self.whole:
            low, high = math.floor(self.low), math.ceil(self.high)
            step = _round_up((high - low) / (min(most, MAX_INTEGER_TICKS) - 1))
            return [float(tick) for tick in range(low - low % step, high + step, step) if low <= tick <= high]
        return None


@dataclass(frozen=True)
class Series:
    """Points of one optimizer, or of no one in particular.

    Attributes:
        group: of the runs that they are of; the page shows and hides a group in all figures. Empty for none.
        x, y: of the points; a category by its place. NaN breaks a line.
        draw: ``steps`` hold each value until the next.
        label: in the legend; empty for none.
        low, high: of an interval around each point; empty for none.
        texts: what each point says when it is pointed at; several lines.
        names: what is written beside each point.
        dotted: of a line, how many points from the left were measured below full fidelity.
        opacity: of each point, or of all.
        crossed: which points are drawn as crosses; empty for none.
        size, width: of marks and lines, in points of print.
        marked: whether a line has marks.
        colour: in place of the group's.
    """

    group: str
    x: Sequence[float]
    y: Sequence[float]
    draw: Literal["line", "steps", "marks", "bars"] = "line"
    label: str = ""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    texts: Sequence[str] = ()
    names: Sequence[str] = ()
    dotted: int = 0
    opacity: float | Sequence[float] = 1.0
    crossed: Sequence[bool] = ()
    size: float = 4.0
    width: float = 1.3
    marked: bool = True
    colour: str | None = None


@dataclass(frozen=True)
class Panel:
    """A pair of axes.

    Attributes:
        x, y: the axes.
        series: what is drawn in it, the first lowest.
        end: on the x axis, where a dotted line stands: nothing is known beyond it.
        joins: rows from and to which a bar is drawn beside the marks.
        beside: what is written at the right of each row, in print.
    """

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    end: float | None = None
    joins: tuple[tuple[int, int], ...] = ()
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        title: above it in print: task, and what it shows.
        heading: above it in the page.
        caption: how to read it, in the page.
        panels: one, or several side by side.
        key: heading of the legend in print.
        columns: of panels in print.
        scales: axes of which the reader of the page may change the scale, ``x`` or ``y``, and what they show.
    """

    title: str
    heading: str
    caption: str
    panels: tuple[Panel, ...]
    key: str = ""
    columns: int = 1
    scales: dict[str, str] = field(default_factory=dict)


def axis_of(label: str, values: Any, *, log: bool | None = None, **more: Any) -> Axis:
    """An axis for `values`: logarithmic where `log` says so, or if None, where they are above 0 and span a decade."""
    known = np.asarray([value for value in np.ravel(np.asarray(values, dtype=float)) if math.isfinite(value)])
    above = known[known > 0]
    if log is None:
        log = len(above) == len(known) > 0 and above.max() >= 10 * above.min()
    if log and len(above):
        return Axis(label, "log", float(above.min()), float(above.max()), **more)
    low, high = (float(known.min()), float(known.max())) if len(known) else (math.nan, math.nan)
    return Axis(label, "linear", low, high, **more)


def round_numbers(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`, as many as can be read: 3 to 7 between them."""
    decades = math.log10(high) - math.log10(low)  # their ratio may be beyond what a float holds
    if 1e-4 < decades < NARROW:  # round numbers of a decade would lie beside it, and six digits tell these apart
        power = 10.0 ** math.floor(math.log10((high - low) / 3))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= (high - low) / 5)
        return [float(f"{step * count:.12g}") for count in range(math.floor(low / step), math.ceil(high / step) + 1)]
    steps: tuple[float, ...] = (1, 1.5, 2, 3, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2.2 else (1, 3)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if decades >= 3.2:
        steps, exponents = (1,), exponents[:: math.ceil(decades / 7)]
    found = [float(f"{step}e{k}") for k in exponents for step in steps]
    return [number for number in found if 0 < number < math.inf]


def _round_up(step: float) -> int:
    """The next of 1, 2, 5, 10, 20, ..."""
    power = 10 ** max(0, math.floor(math.log10(max(step, 1))))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= step)
