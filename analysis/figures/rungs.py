"""Do cheap trials predict full ones? Rank correlation of rungs, and learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.analysis.chart import Axis, Chart, Panel, Series, axis_of
from mfbo.analysis.figures import only
from mfbo.analysis.figures.tried import configuration_text, sampled, tried
from mfbo.analysis.style import label_of, plain
from mfbo.display.text import rung_words
from mfbo.errors import NothingToShow

if TYPE_CHECKING:
    from mfbo.analysis.figures.tried import Tried
    from mfbo.analysis.report.material import Material

MAX_CURVES = 60


def correlation(material: Material) -> Chart:
    """How well losses at each rung predict the order at the highest, by optimizer.

    Raises:
        NothingToShow: several tasks, or too few configurations were seen at two rungs.
    """
    part = only(material)
    series = []
    for group in part.groups:
        known = [one for one in part.rung_correlations(group) if one.known]
        if known:
            texts = [
                f"{rung_words(one.low)}: {one.rho:.2f} ({one.lower:.2f} to {one.upper:.2f})\n{one.n} configurations"
                for one in known
            ]
            works, values = [100 * one.low.work for one in known], [one.rho for one in known]
            low, high = [one.lower for one in known], [one.upper for one in known]
            series.append(Series(group, works, values, label=group, low=low, high=high, texts=texts))
    if not series:
        raise NothingToShow(
            "too few configurations were seen at two levels to tell whether cheap trials predict full ones"
        )
    x = axis_of(
        "Work of the lower level (% of a full evaluation)", [work for one in series for work in one.x], log=True
    )
    y = Axis("Rank correlation\nwith the highest level", low=-1, high=1, limits=(-1.05, 1.05))
    return Chart(
        f"{plain(part.name, 24)}: do cheap trials predict full ones?",
        "Rank correlation with the highest level",
        "Near 1 a cheap trial orders configurations as a full one does, near 0 it says nothing. For all configurations "
        "that were tried, estimated from those that were promoted: these are alike, so their own correlation would say "
        "too little. Whiskers: 95% interval.",
        (Panel(x, y, tuple(series)),),
    )


def learning(material: Material) -> Chart:
    """Validation loss during training, a line a configuration: the best, and a random sample of the others.

    Raises:
        NothingToShow: several tasks, or no trial that reported more than once.
    """
    part = only(material)
    curves = [(one, curve(one)) for one in sampled(tried(part), MAX_CURVES // 2, MAX_CURVES // 2)]
    if not any(len(points) > 1 for _, points in curves):
        raise NothingToShow("no trial reported on the way, so there are no learning curves")
    series, labelled = [], set()
    for one, points in reversed(curves[1:]):
        label = one.group if one.group not in labelled else ""
        labelled.add(one.group)
        series.append(_curve(one, points, label, opacity=0.5, width=0.7))
    best, points = curves[0]
    series.append(_curve(best, points, "the best", opacity=1.0, width=2.4))
    x = axis_of("Work (% of a full evaluation)", [work for _, points in curves for work, _ in points], log=True)
    label = label_of(part.goal)
    y = axis_of(label, [value for _, points in curves for _, value in points])
    return Chart(
        f"{plain(part.name, 24)}: learning curves",
        "Learning curves",
        f"{label} during training, a line a configuration: the best {MAX_CURVES // 2}, and a random sample "
        f"of {MAX_CURVES // 2} others. Thick: the best.",
        (Panel(x, y, tuple(series)),),
        scales={"x": "work", "y": plain(part.goal.name, 30)},
    )


def _curve(one: Tried, points: list[tuple[float, float]], label: str, *, opacity: float, width: float) -> Series:
    texts = [f"{value:.4g} at {work:.3g}% of a full evaluation\n{configuration_text(one)}" for work, value in points]
    xs, ys = [work for work, _ in points], [value for _, value in points]
    dots = len(points) == 1
    return Series(one.group, xs, ys, "line", label, texts=texts, opacity=opacity, width=width, marked=dots, size=2.5)


def curve(one: Tried) -> list[tuple[float, float]]:
    """Work in percent, and what was measured in its own sign: reports and results of a configuration's trials."""
    points: dict[float, float] = {}
    goal = one.run.header.goal
    for result in one.results:
        outcome, whole = result.outcome, result.trial.rung
        for report in outcome.reports:
            points[float(f"{100 * whole.work * report.epoch / whole.epochs:.5g}")] = goal.value(report.loss)
        if outcome.loss is not None:
            points[float(f"{100 * outcome.rung.work:.5g}")] = goal.value(outcome.loss)
    return [(work, value) for work, value in sorted(points.items()) if work > 0]
