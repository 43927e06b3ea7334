"""Figures of a report that compare optimizers, as plotly's JSON.

Every trace has the name of its optimizer in ``meta``, by which the page shows and hides it. Only SVG traces are used:
those on WebGL need a graphics driver, and code made from strings, which the page's security policy forbids.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mfbo.analysis.runs import Line, cost_unit, mean_lines
from mfbo.analysis.style import Look, looks
from mfbo.cost.price import beside
from mfbo.display.text import clean, number, rung_words
from mfbo.evidence.rung_correlation import rung_correlations

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Part
    from mfbo.cost.price import Price
    from mfbo.evidence.ranking import Ranking
    from mfbo.evidence.summary import Evidence

Json: TypeAlias = dict[str, Any]
BESIDE = 0.88  # of the width, where the bars of a critical-difference diagram begin
NEVER = 1.6  # times the last cost: where runs are drawn that did not get there
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "<": "triangle-left",
    ">": "triangle-right",
    "v": "triangle-down",
    "D": "diamond",
    "d": "diamond-tall",
    "P": "cross",
    "X": "x",
    "*": "star",
    "p": "pentagon",
    "h": "hexagon",
}


def plain(value: object, most: int = 60) -> str:
    """Text from elsewhere for plotly, which reads a little HTML, and ``%{...}`` as a value, in all that it draws."""
    return html.escape(clean(value, most), quote=False).replace("%{", "%&#123;")


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """A look for each optimizer, the same in all figures of a page."""
    return dict(zip(names, looks(list(names)), strict=True))


def anytime(found: Evidence, look: dict[str, Look]) -> Json:
    """Means with standard errors against cost; dotted below full fidelity."""
    comparison = found.comparison
    lines = mean_lines(comparison)
    unit, scale = cost_unit(comparison, max(line.costs[-1] for line in lines))
    values = np.concatenate([line.band.centre for line in lines])
    axis = losses_axis(values, regret=comparison.optimum is not None)
    log = axis["type"] == "log"
    least = values[values > 0].min() / 1.4 if log else -math.inf  # a band that reaches 0 ends nowhere on such an axis
    data: list[Json] = []
    paid = comparison.paid
    for group, line in zip(comparison.groups, lines, strict=True):
        low = np.maximum(line.band.low, least)
        data += _band(group.name, line.costs / scale, low, line.band.high, look[group.name].colour)
        data += _steps(line, group.name, scale, paid, look[group.name])
    label = "Regret" if comparison.optimum is not None else "True loss" if comparison.true else "Validation loss"
    costs = np.concatenate([line.costs for line in lines]) / scale
    layout = {"xaxis": {**logarithmic(costs), "title": {"text": unit}}, "yaxis": {**axis, "title": {"text": label}}}
    return {"data": data, "layout": layout}


def _steps(line: Line, name: str, scale: float, paid: Price | None, look: Look) -> list[Json]:
    """The line in two parts, the first of them dotted, and a marker where it changes."""
    base = {"meta": name, "legendgroup": plain(name), "mode": "lines+markers", "x": [], "y": []}
    costs, band, full = line.costs / scale, line.band, line.full
    money = [beside(paid, float(cost)) for cost in line.costs]
    errors = [
        f" ± {number(float(high - centre), 2)}" if math.isfinite(high) else ""
        for high, centre in zip(band.high, band.centre, strict=True)
    ]
    parts: list[Json] = []
    for dash, inside in (("dot", slice(0, full + 1)), ("solid", slice(full, None))):
        if len(costs[inside]) < (2 if dash == "dot" else 1):
            continue
        parts.append(
            {
                **base,
                "name": plain(name),
                "showlegend": not any(part["showlegend"] for part in parts),
                "x": tolist(costs[inside]),
                "y": tolist(band.centre[inside]),
                "customdata": errors[inside],
                "text": money[inside],
                "line": {"shape": "hv", "dash": dash, "color": look.colour, "width": 2},
                "marker": {"symbol": SYMBOLS[look.marker], "size": 6},
                "hovertemplate": "cost %{x:.4g}%{text}: %{y:.4g}%{customdata}<extra>" + plain(name) + "</extra>",
            }
        )
    if len(parts) == 2:
        parts[0]["showlegend"], parts[1]["showlegend"] = False, True
    return parts


def _band(name: str, costs: Any, low: Any, high: Any, colour: str) -> list[Json]:
    if not np.isfinite(low).all():
        return []
    edge = {
        "meta": name,
        "legendgroup": plain(name),
        "mode": "lines",
        "x": tolist(costs),
        "showlegend": False,
        "hoverinfo": "skip",
    }
    line = {"shape": "hv", "width": 0, "color": colour}
    fill = {"fill": "tonexty", "fillcolor": faint(colour)}
    return [{**edge, "y": tolist(low), "line": line}, {**edge, "y": tolist(high), "line": line, **fill}]


def quality(found: Evidence, look: dict[str, Look]) -> Json | None:
    """The cost at which each run came to what the baseline's mean had in the end; crosses had not by then."""
    if found.quality is None:
        return None
    paid = found.comparison.paid
    unit, scale = cost_unit(found.comparison, found.end)
    data: list[Json] = []
    never = False
    for group in found.comparison.groups:
        costs = found.reached(group)
        said = [f"at a cost of {number(cost / scale)}{beside(paid, cost)}" for cost in costs]
        reached = [cost <= found.end for cost in costs]
        never = never or not all(reached)
        data.append(
            {
                "meta": group.name,
                "name": plain(group.name),
                "mode": "markers",
                "x": [
                    cost / scale if there else NEVER * found.end / scale
                    for cost, there in zip(costs, reached, strict=True)
                ],
                "y": [plain(group.name)] * len(costs),
                "text": [
                    f"seed {seed}: {words if there else 'not within the cost'}"
                    for seed, words, there in zip(group.seeds, said, reached, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "color": look[group.name].colour,
                    "symbol": [SYMBOLS[look[group.name].marker] if there else "x-thin-open" for there in reached],
                    "size": 10,
                    "line": {"width": 2, "color": look[group.name].colour},
                },
            }
        )
    end = found.end / scale
    axis = logarithmic([x for trace in data for x in trace["x"]])
    short = unit.partition(",")[0].rstrip(")") + ")"
    if never:
        kept = [tick for tick in axis["tickvals"] if tick <= end]
        axis |= {"tickvals": [*kept, NEVER * end], "ticktext": [*(f"{tick:g}" for tick in kept), "never"]}
    layout: Json = {
        "xaxis": {**axis, "title": {"text": f"{short} to a loss of {number(found.quality, 3)}"}},
        "yaxis": {"type": "category", "automargin": True, "autorange": "reversed"},
        "showlegend": False,
        "height": 110 + 42 * len(data),
    }
    if never:
        line = {"dash": "dot", "color": "#777", "width": 1}
        layout["shapes"] = [{"type": "line", "x0": end, "x1": end, "y0": 0, "y1": 1, "yref": "paper", "line": line}]
    return {"data": data, "layout": layout}


def ranks(found: Ranking, look: dict[str, Look]) -> Json:
    """Average rank against the share of the cost that was spent."""
    data = [
        {
            "meta": name,
            "name": plain(name),
            "mode": "lines",
            "x": tolist(100 * found.shares),
            "y": tolist(row),
            "line": {"color": look[name].colour, "width": 2},
            "hovertemplate": "rank %{y:.2f} at %{x:.3g}% of the cost<extra>" + plain(name) + "</extra>",
        }
        for name, row in zip(found.names, found.ranks, strict=True)
    ]
    axis = {"title": {"text": "Average rank (1 is best)"}, "autorange": "reversed"}
    return {
        "data": data,
        "layout": {
            "xaxis": {**logarithmic(100 * found.shares), "title": {"text": "Cost (% of the budget)"}},
            "yaxis": axis,
        },
    }


def critical(found: Ranking, look: dict[str, Look]) -> Json:
    """Critical-difference diagram: final average ranks; a bar beside them joins what differs by no more than chance."""
    data = []
    for index in found.order:
        name, rank = found.names[index], float(found.ranks[index, -1])
        data.append(
            {
                "meta": name,
                "name": plain(name),
                "mode": "markers+text",
                "x": tolist([rank]),
                "y": [plain(name)],
                "text": [f"{rank:.2f}"],
                "textposition": "middle left" if rank > (1 + len(found.names)) / 2 else "middle right",
                "hovertemplate": "rank %{text}<extra>" + plain(name) + "</extra>",
                "marker": {"color": look[name].colour, "symbol": SYMBOLS[look[name].marker], "size": 10},
            }
        )
    rows = [found.names[index] for index in found.order]
    joined = found.alike()
    layout: Json = {
        "xaxis": {
            "domain": [0, BESIDE],
            "dtick": 1,
            "range": [0.7, len(rows) + 0.3],
            "title": {"text": "Average rank (1 is best)"},
        },
        "yaxis": {
            "type": "category",
            "categoryarray": [plain(name) for name in rows],  # all of them, whichever the reader has hidden
            "range": [len(rows) - 0.5, -0.5],
        },
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": (place := BESIDE + (1 - BESIDE) * (lane + 1) / (len(joined) + 1)),
                "x1": place,
                "y0": rows.index(group[0]) - 0.2,
                "y1": rows.index(group[-1]) + 0.2,
                "line": {"color": "#777", "width": 4},
            }
            for lane, group in enumerate(joined)
        ],
        "showlegend": False,
        "height": 110 + 42 * len(data),
    }
    return {"data": data, "layout": layout}


def correlation(part: Part, look: dict[str, Look]) -> Json | None:
    """How losses at each rung rank configurations like losses at the highest, by optimizer."""
    data: list[Json] = []
    for optimizer, runs in part.groups.items():
        found = rung_correlations(*runs)
        top = max((one.high for one in found), key=lambda rung: rung.work, default=None)
        known = [one for one in found if one.high == top and not math.isnan(one.rho)]
        if known:
            shade = look[optimizer]
            data.append(
                {
                    "meta": optimizer,
                    "name": plain(optimizer),
                    "mode": "lines+markers",
                    "x": [100 * one.low.work for one in known],
                    "y": [one.rho for one in known],
                    "text": [f"{rung_words(one.low)}: {one.rho:.2f}, {one.n} configurations" for one in known],
                    "hovertemplate": "%{text}<extra>" + plain(optimizer) + "</extra>",
                    "line": {"color": shade.colour, "width": 2},
                    "marker": {"symbol": SYMBOLS[shade.marker], "size": 9},
                }
            )
    if not data:
        return None
    works = [x for trace in data for x in trace["x"]]
    layout = {
        "xaxis": {**logarithmic(works), "title": {"text": "Work of the lower rung (%)"}},
        "yaxis": {"range": [-1.05, 1.05], "title": {"text": "Rank correlation"}},
    }
    return {"data": data, "layout": layout}


def faint(colour: str) -> str:
    """``#rrggbb`` with little opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def tolist(values: Any) -> list[float | None]:
    """Numbers for JSON, which has no NaN; what a person cannot see is rounded away."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in np.asarray(values, dtype=float)]


def losses_axis(values: Any, *, regret: bool = False) -> Json:
    """Logarithmic for regret, and for losses above 0 that span a decade."""
    known = np.asarray(values, dtype=float)
    above = known[known > 0]
    log = len(above) and (regret or (len(above) == len(known) and above.max() >= 10 * above.min()))
    return logarithmic(above) if log else {"type": "linear"}


def logarithmic(values: Any) -> Json:
    """An axis with plain numbers at its ticks, about as many as `mfbo.analysis.style.log_ticks` has."""
    above = [value for value in np.asarray(values, dtype=float) if value > 0 and math.isfinite(value)]
    low, high = (min(above), max(above)) if above else (1.0, 1.0)
    decades = math.log10(high / low)
    steps: tuple[float, ...] = (1, 1.5, 2, 3, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2.2 else (1,)
    apart = max(1, math.ceil(decades / 7))
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2, apart)
    ticks = [float(f"{step * 10.0**k:.6g}") for k in exponents for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
