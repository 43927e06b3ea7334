"""Quality against cost, and cost to reach the baseline's quality."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mfbo.analysis.chart import Axis, Chart, Panel, Series, axis_of
from mfbo.analysis.figures import only
from mfbo.analysis.style import label_of, plain
from mfbo.cost.price import beside
from mfbo.display.text import number
from mfbo.errors import NothingToShow
from mfbo.evidence.curves import common_costs, on
from mfbo.evidence.statistics import Band, mean_sem

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part
    from mfbo.evidence.comparison import Comparison, Group
    from mfbo.evidence.curves import Floats
    from mfbo.evidence.summary import Evidence

AXIS_UNITS = {"h": 3600, "min": 60, "s": 1}
NEVER_FACTOR = 1.6  # times the last cost: where runs are drawn that did not get there


def anytime(material: Material) -> Chart:
    """What incumbents were worth against the cost charged by then; see `anytime_chart`.

    Raises:
        NothingToShow: several tasks, or no comparison.
    """
    return anytime_chart(_compared(only(material)).comparison)


def anytime_chart(comparison: Comparison) -> Chart:
    """A line for each optimizer: of its one run, or the mean of several seeds with its standard error.

    It goes from the cost at which every seed has a result to the cost at which the first of them ends. Where the loss
    at full fidelity is known, that is what is drawn, as regret where the optimum is known too. Else it is the
    validation loss that was observed, at the fidelity that the incumbent had reached: it may rise where a higher rung
    takes over, and the line is dotted until the incumbents of all seeds were measured at full fidelity.
    """
    costs = [common_costs(group.curves) for group in comparison.groups]
    label, scale = cost_axis(comparison, max(float(one[-1]) for one in costs))
    series = tuple(
        _line(group, known, comparison, scale) for group, known in zip(comparison.groups, costs, strict=True)
    )
    regret, name = comparison.optimum is not None, plain(comparison.goal.name, 30)
    what = "Regret" if regret else f"True {name}" if comparison.true else label_of(comparison.goal)
    values = np.concatenate([one.y for one in series])
    y = axis_of(f"{what} of incumbent\n{_loss_note(comparison)}", values, log=True if regret else None)
    x = axis_of(label, np.concatenate([one.x for one in series]), log=True)
    several = any(len(group.seeds) > 1 for group in comparison.groups)
    return Chart(
        _title(comparison),
        "Quality against cost",
        _caption(comparison),
        (Panel(x, y, series),),
        key="mean ± standard error over seeds" if several else "",
        scales={"x": "cost", "y": "regret" if regret else name},
    )


def _line(group: Group, costs: Floats, comparison: Comparison, scale: float) -> Series:
    band = mean_sem(on(group.curves, costs) - (comparison.optimum or 0.0))
    if comparison.optimum is None and comparison.goal.maximize:  # what people see is in the metric's own sign
        band = Band(*(comparison.goal.values(losses) for losses in (band.centre, band.high, band.low)))
    full = 0.0 if comparison.true else max(curve.full_from for curve in group.curves)
    texts = []
    for cost, centre, high in zip(costs, band.centre, band.high, strict=True):
        error = f" ± {number(float(high - centre), 2)}" if math.isfinite(high) else ""
        money = beside(comparison.paid, float(cost))
        texts.append(f"cost {number(float(cost / scale))}{money}: {number(float(centre))}{error}")
    return Series(
        group.name,
        costs / scale,
        band.centre,
        "steps",
        _group_label(group),
        band.low if len(group.seeds) > 1 else (),
        band.high if len(group.seeds) > 1 else (),
        texts,
        dotted=int(np.searchsorted(costs, full)),
    )


def _group_label(group: Group) -> str:
    """``smac, workers=4 (5 seeds)``; the cost of a ``random-2x`` is halved, as it is given twice the others'."""
    seeds = f"{len(group.seeds)} seeds" if len(group.seeds) > 1 else f"seed {group.seeds[0]}"
    share = f", cost / {group.share:g}" if group.share != 1 else ""
    return f"{plain(group.name, 34)}{share} ({seeds})"


def _title(comparison: Comparison) -> str:
    """Task and budget; of a task in a file, not where that lies."""
    task = plain(comparison.task.replace("\\", "/").rpartition("/")[2])
    if not comparison.limits:
        return f"{task}, no cost limit"
    budgets = " to ".join(dict.fromkeys(str(comparison.limits[end]).rstrip("x") for end in (0, -1)))
    return f"{task}, budget {budgets}{' full evaluations' if comparison.unit == 'x' else ''}"


def _loss_note(comparison: Comparison) -> str:
    if comparison.optimum is not None:
        name, minus = plain(comparison.goal.name, 30), "\N{MINUS SIGN}"
        return (
            f"(optimum {minus} {name} at full fidelity)"
            if comparison.goal.maximize
            else (f"({name} at full fidelity {minus} optimum)")
        )
    return "(at full fidelity)" if comparison.true else "(at the fidelity reached)"


def _caption(comparison: Comparison) -> str:
    name, up = plain(comparison.goal.name, 30), comparison.goal.maximize and comparison.optimum is None
    if comparison.optimum is not None:
        side = f"the optimum's less the true {name}" if comparison.goal.maximize else f"true {name}"
        less = "." if comparison.goal.maximize else ", less that of the optimum."
        what = f"Regret: {side} at full fidelity{less}"
    elif comparison.true:
        what = f"{name[:1].upper()}{name[1:]}: the true one at full fidelity."
    else:
        change = "fall" if up else "rise"
        what = f"Dotted: measured below full fidelity; the line may {change} where a higher level takes over."
    if len(comparison.runs) == 1:
        return f"What the best configuration so far was worth by the time that cost was spent. {what}"
    return (
        f"{'Higher' if up else 'Lower'} and further left is better: what each optimizer's best configuration so far "
        f"was worth by the time that cost was spent; mean over seeds, the band is one standard error. {what}"
    )


def cost_axis(comparison: Comparison, end: float) -> tuple[str, float]:
    """The label of the cost axis, and how many of the budget's units one of its own is."""
    if comparison.unit == "x":
        return "Cost (full evaluations)", 1.0
    name, scale = next(((name, scale) for name, scale in AXIS_UNITS.items() if end >= 3 * scale), ("s", 1))
    paid = f" at {comparison.paid}" if comparison.paid else ""
    return f"Cost ({name}{paid}, {'virtual' if comparison.virtual else 'optimizer included'})", scale


def cost_to_quality(material: Material) -> Chart:
    """The cost at which each run reached what the baseline's mean had in the end; crosses had not by then.

    Raises:
        NothingToShow: several tasks, no comparison, or no baseline.
    """
    part = only(material)
    found = _compared(part)
    if found.baseline is None:
        raise NothingToShow("no random or grid search among the runs, so there is no quality to reach; add one of them")
    if found.quality is None:
        text = f"{found.baseline} has no result at a cost of {found.end:.3g}, where the first run ends"
        raise NothingToShow(f"{text}, so there is no quality to reach; give the runs more cost")
    if part.single:
        raise NothingToShow("one run has nothing to be compared with; give several")
    groups = found.comparison.groups
    label, scale = cost_axis(found.comparison, found.end)
    end, goal = found.end / scale, found.comparison.goal
    quality = f"a {plain(goal.name, 30)} of {number(goal.value(found.quality), 3)}"
    series = tuple(_marks(found, group, row, scale) for row, group in enumerate(groups))
    reached = np.array([x for one in series for x, cross in zip(one.x, one.crossed, strict=True) if not cross] + [end])
    never = any(any(one.crossed) for one in series)
    x = axis_of(f"{label.partition(',')[0].rstrip(')')}) to {quality}", reached, log=True,
                never=NEVER_FACTOR * end if never else None)  # fmt: skip
    y = Axis("", "categories", categories=tuple(group.name for group in groups), reversed=True)
    beside_ = tuple(f"{len(one.x) - sum(one.crossed)}/{len(one.x)}" for one in series)
    return Chart(
        f"{plain(part.name, 24)}: cost to {quality}",
        "Cost to reach the baseline's final quality",
        "One mark a seed, where it got there for good; further left is cheaper; a cross behind the dotted line is a "
        "seed that did not.",
        (Panel(x, y, series, end=end if never else None, beside=beside_),),
        scales={"x": "cost"},
    )


def _marks(found: Evidence, group: Group, row: int, scale: float) -> Series:
    costs = found.reached(group)
    crossed = [not cost <= found.end for cost in costs]
    x = [
        NEVER_FACTOR * found.end / scale if cross else cost / scale for cost, cross in zip(costs, crossed, strict=True)
    ]
    texts = [
        f"seed {seed}: " + ("not within the cost" if cross else f"at a cost of {number(cost / scale)}"
                            f"{beside(found.comparison.paid, cost)}")
        for seed, cost, cross in zip(group.seeds, costs, crossed, strict=True)
    ]  # fmt: skip
    return Series(group.name, x, [row] * len(x), "marks", texts=texts, crossed=crossed, size=5)


def _compared(part: Part) -> Evidence:
    if part.found is None:
        raise NothingToShow(part.problem or "no run had a result that can be compared; `mfbo show` says why")
    found: Evidence = part.found
    return found
