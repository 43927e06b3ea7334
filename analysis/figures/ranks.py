"""Which optimizers are ahead, over tasks or over seeds: average ranks, normalised regret, critical difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.analysis.chart import Axis, Chart, Panel, Series, axis_of
from mfbo.analysis.report.words import counted, ranked
from mfbo.analysis.style import plain
from mfbo.errors import NothingToShow
from mfbo.evidence.summary import SIGNIFICANCE_LEVEL
from mfbo.goal import Goal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.analysis.report.material import Material
    from mfbo.evidence.curves import Floats
    from mfbo.evidence.ranking import Ranking, Regrets
    from mfbo.evidence.statistics import Band

TRUE = "by what their best configuration so far is worth at full fidelity"
OBSERVED = "by the {} observed so far, at whatever fidelity"
SHARE = "Cost (% of the budget)"
TEST = f"Wilcoxon, Holm, p > {SIGNIFICANCE_LEVEL}"


def ranks(material: Material) -> Chart:
    """Average rank against the share of the cost that was spent.

    Raises:
        NothingToShow: fewer than two optimizers or blocks.
    """
    found = _ranked(material)
    blocks = f"{len(found.final)} {found.kind}"
    by = TRUE if found.true else OBSERVED.format(_observed(found))
    series = _bands(found.names, 100 * found.shares, found.band, "rank")
    y = Axis("Average rank (1 is best)", reversed=True, low=1, high=len(found.names), whole=True)
    return Chart(
        f"Average rank over {blocks}",
        "Average rank",
        f"At each cost the optimizers are ranked {by}; 1 is best. Mean over {blocks}, with 95% bootstrap intervals.",
        (Panel(axis_of(SHARE, 100 * found.shares, log=True), y, series),),
        key=f"mean, 95% interval over {found.kind}",
        scales={"x": "cost"},
    )


def regret(material: Material) -> Chart:
    """Normalised regret against the share of the cost that was spent, over all tasks.

    Raises:
        NothingToShow: fewer than two optimizers, or nothing got better than the first configurations.
    """
    found = material.regrets
    if found is None:
        raise NothingToShow("normalised regret needs two optimizers or more, and a configuration better than the first")
    best = "the optimum" if found.optimum else "the best that any run found"
    what = f"true {found.metric or 'result'} at full fidelity" if found.true else f"{_observed(found)} observed"
    over = "tasks and seeds" if found.tasks > 1 else "seeds"
    values = found.band.centre
    # what is below a thousandth is rounding, and would take half of the axis
    y = axis_of("Normalised regret", values[values > 1e-3] if (values > 1e-3).any() else values, log=True)
    return Chart(
        f"Normalised regret over {counted(found.tasks, 'task')}",
        "Normalised regret",
        f"0 is {best}, 1 is what the first configurations tried were worth ({what}); mean over {over}, with 95% "
        "bootstrap intervals.",
        (
            Panel(
                axis_of(SHARE, 100 * found.shares, log=True),
                y,
                _bands(found.names, 100 * found.shares, found.band, "regret"),
            ),
        ),
        key=f"mean, 95% interval over {over}",
        scales={"x": "cost", "y": "regret"},
    )


def critical(material: Material) -> Chart:
    """Critical-difference diagram: final average ranks; a bar joins optimizers that do not differ significantly.

    Raises:
        NothingToShow: as `ranks`.
    """
    found = _ranked(material)
    last, order = found.ranks[:, -1], found.order
    rows = {found.names[index]: row for row, index in enumerate(order)}
    middle = (1 + len(order)) / 2
    series = tuple(
        Series(
            found.names[index],
            [float(last[index])],
            [row],
            "marks",
            texts=[f"rank {last[index]:.2f}"],
            names=[f"{'<' if last[index] > middle else '>'}{last[index]:.2f}"],
            size=5,
        )
        for row, index in enumerate(order)
    )
    joins = tuple((min(rows[name] for name in group), max(rows[name] for name in group)) for group in found.alike())
    x = Axis("Average rank (1 is best)", low=1, high=len(order), whole=True, limits=(0.7, len(order) + 0.3))
    y = Axis("", "categories", categories=tuple(found.names[index] for index in order), reversed=True)
    beside = tuple(f"{last[index]:.2f}" for index in order)
    return Chart(
        f"Final ranks over {len(found.final)} {found.kind}; bars join what does\nnot differ ({TEST})",
        "Final ranks, and which differ significantly",
        ranked(found, "A grey bar at the right joins"),
        (Panel(x, y, series, joins=joins, beside=beside),),
    )


def _bands(names: Sequence[str], shares: Floats, band: Band, what: str) -> tuple[Series, ...]:
    found = []
    for name, centre, low, high in zip(names, band.centre, band.low, band.high, strict=True):
        texts = [
            f"{what} {one:.3g} ({below:.3g} to {above:.3g}) at {share:.3g}% of the cost"
            for share, one, below, above in zip(shares, centre, low, high, strict=True)
        ]
        found.append(Series(name, shares, centre, label=name, low=low, high=high, texts=texts, marked=False))
    return tuple(found)


def _observed(found: Ranking | Regrets) -> str:
    """What is observed, in words."""
    return Goal(plain(found.metric, 30)).label if found.metric else "result"


def _ranked(material: Material) -> Ranking:
    if material.ranking is None:
        raise NothingToShow("ranks need two optimizers or more, over two tasks or two seeds that all of them share")
    found: Ranking = material.ranking
    return found
