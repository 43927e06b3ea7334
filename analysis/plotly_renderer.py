"""Charts in the page, as plotly's JSON.

Every trace has the name of its group in ``meta``, by which the page shows and hides it. Colours are those of light
pages; the page's script has the dark ones. Only SVG traces are used: those on WebGL need a graphics driver, and code
made from strings, which the page's security policy forbids.
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mfbo.analysis.style import Look
from mfbo.display.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mfbo.analysis.chart import Axis, Panel, Series

Json: TypeAlias = dict[str, Any]
NO_GROUP = Look("#595959", "o")
BAND_OPACITY = "2e"  # the last two digits of #rrggbbaa: 18%
JOINS_FROM = 0.88  # of the width, where the bars of a critical-difference diagram begin
ROW_HEIGHT = 42  # pixels
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
    """Text for plotly, which reads a little HTML, and ``%{...}`` as a value, in all that it draws."""
    return html.escape(clean(value, most), quote=False).replace("%{", "%&#123;")


def plot_of(panel: Panel, looks: Mapping[str, Look], *, small: bool = False) -> Json:
    """Traces and layout of one pair of axes; the page's script adds what all figures share."""
    data = [trace for one in panel.series for trace in _traces(one, panel, looks.get(one.group, NO_GROUP))]
    rows = len(panel.y.categories)
    layout: Json = {"xaxis": _axis(panel.x), "yaxis": _axis(panel.y), "shapes": _shapes(panel)}
    if panel.joins:
        layout["xaxis"]["domain"] = [0, JOINS_FROM]
    if rows:
        layout["height"] = 110 + ROW_HEIGHT * rows
    if small:
        layout["height"] = 240
    layout["showlegend"] = not (small or (rows and not any(one.draw == "bars" for one in panel.series)))
    return {"data": data, "layout": layout}


def _axis(axis: Axis) -> Json:
    made: Json = {"title": {"text": plain(axis.label.partition("\n")[0], 80)}}  # the caption says the rest
    if axis.scale == "categories":
        # listed, as plotly cannot sort those of traces that the reader has hidden
        names = [plain(name) for name in axis.categories]
        span = [len(names) - 0.5, -0.5] if axis.reversed else [-0.5, len(names) - 0.5]
        return {**made, "type": "category", "categoryorder": "array", "categoryarray": names, "range": span}
    made["type"] = axis.scale
    ticks = axis.ticks()
    if ticks is not None:
        texts = [f"{tick:g}" for tick in ticks]
        if axis.never is not None:
            ticks, texts = [*ticks, axis.never], [*texts, "never"]
        made |= {"tickvals": ticks, "ticktext": texts}
    if axis.limits:
        made["range"] = list(axis.limits)
    elif axis.reversed:
        made["autorange"] = "reversed"
    return made


def _traces(one: Series, panel: Panel, look: Look) -> list[Json]:
    colour = one.colour or look.colour
    shared: Json = {"meta": one.group} if one.group else {}
    shared |= {"name": plain(one.label or one.group), "x": _values(one.x, panel.x), "y": _values(one.y, panel.y)}
    texts = ["<br>".join(plain(line, 400) for line in text.split("\n")) for text in one.texts]
    said = {"text": texts, "hovertemplate": f"%{{text}}<extra>{plain(one.group)}</extra>"} if texts else {}
    if one.draw == "bars":
        errors = {"error_x": _whiskers(one.x, one, "#555555")} if len(one.low) else {}
        return [
            {
                **shared,
                **said,
                **errors,
                "textposition": "none",
                "type": "bar",
                "orientation": "h",
                "marker": {"color": colour},
            }
        ]
    if one.draw == "marks":
        return [_marks(one, {**shared, **said}, colour, SYMBOLS[look.marker])]
    if not said:
        said = {"hovertemplate": f"%{{y:.4g}} at %{{x:.4g}}<extra>{plain(one.group)}</extra>"}
    return _lines(one, {**shared, **said}, colour, SYMBOLS[look.marker], panel.y)


def _marks(one: Series, shared: Json, colour: str, symbol: str) -> Json:
    marker: Json = {"color": colour, "symbol": symbol, "size": 2 * one.size}
    marker["opacity"] = one.opacity if isinstance(one.opacity, float | int) else list(one.opacity)
    if any(one.crossed):
        marker["symbol"] = ["x-thin-open" if cross else symbol for cross in one.crossed]
        marker["line"] = {"width": 2, "color": colour}
    made = {**shared, "mode": "markers", "marker": marker, "showlegend": bool(one.label)}
    if one.names:
        sides = ["middle left" if name.startswith("<") else "middle right" for name in one.names]
        made |= {"mode": "markers+text", "texttemplate": [plain(name.strip("<>")) for name in one.names]}
        made["textposition"] = sides
    return made


def _lines(one: Series, shared: Json, colour: str, symbol: str, axis: Axis) -> list[Json]:
    """A line, dotted in its first part where it is so, with its band below it."""
    shape = {"shape": "hv" if one.draw == "steps" else "linear", "color": colour}
    found: list[Json] = []
    error: Json = {}
    if len(one.low) and np.isfinite(np.asarray(one.low, dtype=float)).all():
        if one.draw == "steps" or len(one.x) > 12:
            found = _band(one, shared, shape, axis)
        else:
            error = {"error_y": _whiskers(one.y, one, colour)}
    shared = {**shared, "mode": "lines+markers" if one.marked else "lines", "legendgroup": shared["name"], **error}
    shared["marker"] = {"symbol": symbol, "size": 1.5 * one.size, "color": colour}
    if one.opacity != 1.0:
        shared["opacity"] = one.opacity
    cuts = [("dot", slice(0, one.dotted + 1))] if one.dotted else []
    for dash, inside in [*cuts, ("solid", slice(one.dotted, None))]:
        part: Json = {name: shared[name][inside] for name in ("x", "y", "text") if name in shared}
        line = {**shape, "dash": dash, "width": 1.5 * one.width}
        found.append({**shared, **part, "line": line, "showlegend": bool(one.label) and dash == "solid"})
    return found


def _band(one: Series, shared: Json, shape: Json, axis: Axis) -> list[Json]:
    least = axis.low / 1.4 if axis.scale == "log" else -math.inf  # on such an axis a band that reaches 0 ends nowhere
    edge: Json = {name: shared[name] for name in ("meta", "name", "x") if name in shared}
    edge |= {"legendgroup": shared["name"], "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
    edge["line"] = {**shape, "width": 0}
    low = {**edge, "y": _numbers(np.maximum(np.asarray(one.low, dtype=float), least))}
    return [low, {**edge, "y": _numbers(one.high), "fill": "tonexty", "fillcolor": shape["color"] + BAND_OPACITY}]


def _whiskers(centre: Sequence[float], one: Series, colour: str) -> Json:
    middle = np.asarray(centre, dtype=float)
    above, below = np.asarray(one.high) - middle, middle - np.asarray(one.low)
    sides = {"array": _numbers(np.maximum(above, 0)), "arrayminus": _numbers(np.maximum(below, 0))}
    return {"type": "data", "symmetric": False, **sides, "color": colour, "thickness": 1.2, "width": 4}


def _shapes(panel: Panel) -> list[Json]:
    line = {"dash": "dot", "color": "#777777", "width": 1}
    end = {"type": "line", "x0": panel.end, "x1": panel.end, "y0": 0, "y1": 1, "yref": "paper", "line": line}
    found: list[Json] = [end] if panel.end is not None else []
    for lane, (low, high) in enumerate(panel.joins):
        place = JOINS_FROM + (1 - JOINS_FROM) * (lane + 1) / (len(panel.joins) + 1)
        sides = {"xref": "paper", "x0": place, "x1": place, "y0": low - 0.2, "y1": high + 0.2}
        found.append({"type": "line", **sides, "line": {"color": "#777777", "width": 4}})
    return found


def _values(values: Sequence[float], axis: Axis) -> list[Any]:
    if axis.scale == "categories":
        return [plain(axis.categories[int(value)]) for value in values]
    return _numbers(values)


def _numbers(values: Any) -> list[float | None]:
    """Numbers for JSON, which has no NaN; what a person cannot see is rounded away."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in np.asarray(values, dtype=float)]
