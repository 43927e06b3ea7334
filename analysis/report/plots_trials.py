"""Figures of a report that show trials and hyperparameters, as plotly's JSON; see `plots`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mfbo.analysis.report.plots import SYMBOLS, Json, logarithmic, losses_axis, plain
from mfbo.display.text import pairs, rung_words

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Part
    from mfbo.analysis.style import Look
    from mfbo.evidence.importance import Importances
    from mfbo.ledger.run import Result, Run

BEST, OTHERS = 300, 300
"""Configurations that are drawn: so many of the best, and so many drawn by lot from the rest."""
CURVES = 60
PANELS = 12
FEW = 8  # hyperparameters that a label has room for


class Seen(NamedTuple):
    """A configuration of a run: its results that have a loss, and the last at the highest fidelity that it reached."""

    group: str
    run: Run
    results: list[Result]
    result: Result
    loss: float


def seen(part: Part) -> list[Seen]:
    """The last result of each configuration, best first: high fidelity before low, then low loss before high."""
    found = []
    for group, run in ((group, run) for group, runs in part.groups.items() for run in runs):
        by_config: dict[str, list[Result]] = {}
        for result in run.results:
            if result.outcome.loss is not None and not result.outcome.failed:
                by_config.setdefault(result.trial.key, []).append(result)
        for results in by_config.values():
            last = max(reversed(results), key=lambda result: result.outcome.rung.work)
            assert last.outcome.loss is not None
            found.append(Seen(group, run, results, last, last.outcome.loss))
    return sorted(found, key=lambda one: (-one.result.outcome.rung.work, one.loss))


def some(found: Sequence[Seen], best: int, others: int) -> list[Seen]:
    """The best, and as many of the others by lot; the same every time."""
    rest = list(found[best:])
    return [*found[:best], *(random.Random(0).sample(rest, others) if len(rest) > others else rest)]


def learning(part: Part, found: Sequence[Seen], look: dict[str, Look]) -> Json | None:
    """Learning curves: validation loss against work, a line for a configuration."""
    curves = [(one, curve(one)) for one in some(found, CURVES // 2, CURVES // 2)]
    data: list[Json] = []
    for group in part.groups:
        xs: list[float | None] = []
        ys: list[float | None] = []
        texts: list[str] = []
        for one, points in ((one, points) for one, points in curves if one.group == group):
            xs += [*(point[0] for point in points), None]
            ys += [*(point[1] for point in points), None]
            texts += [_label(one)] * len(points) + [""]
        if xs:
            data.append(
                {
                    "meta": group,
                    "name": plain(group),
                    "mode": "lines+markers",
                    "x": xs,
                    "y": ys,
                    "text": texts,
                    "hovertemplate": "%{y:.4g} at %{x:.3g}% of a full evaluation<br>%{text}<extra></extra>",
                    "line": {"color": look[group].colour, "width": 1},
                    "marker": {"size": 3},
                    "opacity": 0.75,
                }
            )
    if not any(len(points) > 1 for _, points in curves):
        return None
    best, points = curves[0]
    data.append(
        {
            "meta": best.group,
            "name": "the best",
            "mode": "lines",
            "x": [point[0] for point in points],
            "y": [point[1] for point in points],
            "hovertemplate": "the best: %{y:.4g} at %{x:.3g}%<extra></extra>",
            "line": {"color": look[best.group].colour, "width": 4},
        }
    )
    works = [work for _, points in curves for work, _ in points]
    losses = [loss for _, points in curves for _, loss in points]
    axes = {
        "xaxis": {**logarithmic(works), "title": {"text": "Work (% of a full evaluation)"}},
        "yaxis": {**losses_axis(losses), "title": {"text": "Validation loss"}},
    }
    return {"data": data, "layout": axes}


def curve(one: Seen) -> list[tuple[float, float]]:
    """Work in percent and loss: what the trials of a configuration reported, and what came of them."""
    points: dict[float, float] = {}
    for result in one.results:
        outcome = result.outcome
        whole = result.trial.rung
        for report in outcome.reports:
            points[_round(100 * whole.work * report.epoch / whole.epochs)] = report.loss
        if outcome.loss is not None:
            points[_round(100 * outcome.rung.work)] = outcome.loss
    return [(work, loss) for work, loss in sorted(points.items()) if work > 0]


def _round(value: float) -> float:
    return float(f"{value:.5g}")


def _label(one: Seen) -> str:
    """Which trial of which run, at which rung, of which configuration."""
    config = one.result.trial.config
    shown = pairs(dict(list(config.items())[:FEW]))
    more = ", …" if len(config) > FEW else ""
    head = (
        f"{one.group}, seed {one.run.header.seed}, trial {one.result.trial.id}, {rung_words(one.result.outcome.rung)}"
    )
    first: str = plain(head, 120)
    return first + "<br>" + _wrapped(plain(shown + more, 400))


def _wrapped(text: str, width: int = 60) -> str:
    """Lines of at most about `width` characters, broken at commas."""
    lines = [""]
    for piece in text.split(", "):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + piece
    return "<br>".join(lines)


def panels(part: Part, found: Sequence[Seen], look: dict[str, Look], names: Sequence[str]) -> dict[str, Json]:
    """Loss against each hyperparameter in `names`, one small figure each; faint at low fidelity."""
    chosen = some(found, BEST, OTHERS)
    if not chosen:
        return {}
    known = hyperparameters(part)
    top = max(one.result.outcome.rung.work for one in chosen)
    return {name: _panel(name, known.get(name, {}), chosen, look, top) for name in names[:PANELS]}


def _panel(name: str, known: dict[str, Any], chosen: Sequence[Seen], look: dict[str, Look], top: float) -> Json:
    data: list[Json] = []
    for group in dict.fromkeys(one.group for one in chosen):
        mine = [one for one in chosen if one.group == group and name in one.result.trial.config]
        values = [one.result.trial.config[name] for one in mine]
        data.append(
            {
                "meta": group,
                "name": plain(group),
                "mode": "markers",
                "x": [plain(value, 30) if isinstance(value, str | bool) else value for value in values],
                "y": [one.loss for one in mine],
                "text": [_label(one) for one in mine],
                "hovertemplate": "%{y:.4g}<br>%{text}<extra></extra>",
                "marker": {
                    "color": look[group].colour,
                    "symbol": SYMBOLS[look[group].marker],
                    "size": 6,
                    "opacity": [0.85 if one.result.outcome.rung.work >= top - 1e-9 else 0.25 for one in mine],
                },
            }
        )
    kind = "log" if known.get("log") is True else "linear"
    if any(isinstance(value, str) for trace in data for value in trace["x"]):
        kind = "category"
    values = [x for trace in data for x in trace["x"]]
    axis = logarithmic(values) if kind == "log" else {"type": kind}
    if kind == "category":
        # listed, as plotly cannot sort them where the traces that have them are hidden
        axis |= {"categoryorder": "array", "categoryarray": sorted(set(map(str, values)))}
        for trace in data:
            trace["x"] = list(map(str, trace["x"]))
    layout = {
        "xaxis": {**axis, "title": {"text": plain(name, 40)}},
        "yaxis": {**losses_axis([one.loss for one in chosen]), "title": {"text": "Loss"}},
        "height": 240,
        "showlegend": False,
    }
    return {"data": data, "layout": layout}


def hyperparameters(part: Part) -> dict[str, dict[str, Any]]:
    """What the ledger says of each, by name; what is damaged is passed over."""
    entries = part.runs[0].header.space.get("hyperparameters", [])
    if not isinstance(entries, list):
        return {}
    return {str(entry["name"]): entry for entry in entries if isinstance(entry, dict) and "name" in entry}


def tuned(part: Part) -> list[str]:
    """Names of the hyperparameters, the most important first, where that is known."""
    ranked = [row.name for row in part.importances.rows] if part.importances else []
    configs = [trial.config for run in part.runs for trial in run.asks.values()]
    values: dict[str, set[Any]] = {}
    for config in configs:
        for name, value in config.items():
            values.setdefault(name, set()).add(value)
    varied = [name for name, different in values.items() if len(different) > 1]
    return [*(name for name in ranked if name in varied), *(name for name in varied if name not in ranked)]


def importance(found: Importances) -> Json:
    """Bars: what each hyperparameter explains by itself, and with its interactions."""
    rows = found.rows[:20]
    names = [plain(row.name, 40) for row in rows]

    def bars(label: str, values: list[float], colour: str) -> Json:
        return {
            "type": "bar",
            "orientation": "h",
            "name": label,
            "x": [round(100 * value, 2) for value in values],
            "y": names,
            "marker": {"color": colour},
            "hovertemplate": "%{y}: %{x:.1f}%<extra>" + label + "</extra>",
        }

    total = bars("with its interactions", [row.total for row in rows], "#A6CBE3")
    total["error_x"] = {
        "type": "data",
        "array": [round(100 * row.error, 2) for row in rows],
        "color": "#555",
        "thickness": 1,
    }
    data = [bars("by itself", [row.alone for row in rows], "#0072B2"), total]
    layout = {
        "barmode": "group",
        "xaxis": {"title": {"text": "Share of the variance (%)"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        "height": 130 + 34 * len(rows),
    }
    return {"data": data, "layout": layout}
