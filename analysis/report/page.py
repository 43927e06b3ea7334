"""The HTML page: one file that needs no network.

A run may come from a stranger. Whatever a template shows is cleaned and escaped, numbers and names reach the script
as JSON that no browser executes, and the page's security policy lets two scripts run, plotly and ours, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from mfbo.analysis.kinds import KINDS, prepared
from mfbo.analysis.plotly_renderer import Json, plot_of
from mfbo.analysis.report import cells, repeat, tables, words
from mfbo.analysis.style import DARK, Look, looks_of
from mfbo.display.text import PATH, clean, clean_lines
from mfbo.errors import NothingToShow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mfbo.analysis.chart import Chart
    from mfbo.analysis.report.material import Material, Part

ASKED = "Did multi-fidelity pay off here?"
MAX_TRIALS = 20_000  # rows of a task's table; a page with more takes long to open, and ``--format csv`` has all
OVER_TASKS = "over tasks"


@dataclass(frozen=True)
class PlacedFigure:
    """A figure, and the identifiers of the elements that its panels are drawn in."""

    chart: Chart
    places: list[str]


@dataclass(frozen=True)
class TaskView:
    """What a template needs of one task: its prefix of identifiers, its runs, its figures by section."""

    key: str
    part: Part
    figures: dict[str, list[PlacedFigure]]


def page(material: Material, *, live: str = "") -> str:
    """The whole page.

    Args:
        material: what it shows.
        live: version of the runs, for a page that asks its server for newer ones; empty for one that stands alone.
    """
    looks = looks_of(material.groups)
    plots: dict[str, Json] = {}
    parts = [
        TaskView(f"t{number}", part, _figures(f"t{number}", material.of(part), looks, plots))
        for number, part in enumerate(material.parts)
    ]
    several = len(parts) > 1
    over_all = _figures("all", material, looks, plots, only=OVER_TASKS)[OVER_TASKS] if several else []
    for trace in (trace for plot in plots.values() for trace in plot["data"] if "meta" in trace):
        trace["meta"] = clean(trace["meta"])  # as the boxes that show and hide it have it
    trials = {view.key: vars(tables.trials(view.part, MAX_TRIALS)) for view in parts}
    return _rendered(
        "report.html.jinja",
        {"figures": plots, "tables": trials, "dark": DARK},
        live=live,
        title=words.title(material),
        material=material,
        parts=parts,
        looks=looks,
        over_all=over_all,
        runs=[run for part in material.parts for run in part.runs],
        command=repeat.command(material),
    )


def waiting(*, live: str) -> str:
    """The page of a study of which no run has begun."""
    data = {"figures": {}, "tables": {}, "dark": DARK}
    return _rendered("waiting.html.jinja", data, live=live, title="No run has begun yet")


def _figures(
    key: str, material: Material, looks: Mapping[str, Look], plots: dict[str, Json], only: str = ""
) -> dict[str, list[PlacedFigure]]:
    """The figures that show something, by section; what plotly needs is added to `plots`."""
    found: dict[str, list[PlacedFigure]] = {kind.section: [] for kind in KINDS.values()}
    for name, kind in KINDS.items():
        if only and kind.section != only:
            continue
        try:
            chart = prepared(name, material)
        except NothingToShow:
            continue
        several = len(chart.panels) > 1
        places = [f"{key}-{name}{number}" if several else f"{key}-{name}" for number in range(len(chart.panels))]
        plots |= {
            place: plot_of(panel, looks, small=several)
            for place, panel in zip(places, chart.panels, strict=True)
        }  # fmt: skip
        found[kind.section].append(PlacedFigure(chart, places))
    return found


def _rendered(template: str, data: Json, *, live: str, **shown: Any) -> str:
    from plotly.offline import get_plotlyjs

    style, script = (_resource(name) for name in ("page.css", "page.js"))
    scripts = [get_plotlyjs().replace("\r", ""), script]
    hashes = " ".join(f"'sha256-{_digest(one)}'" for one in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {'self' if live else 'none'!r}; base-uri 'none'; form-action 'none'"
    )
    own = {"style": Markup(style), "scripts": [Markup(one) for one in scripts], "data": Markup(as_json(data))}  # noqa: S704 - ours
    return environment().get_template(template).render(policy=policy, live=bool(live), **own, **shown)


@lru_cache
def environment() -> Environment:
    """Templates that clean and escape whatever they show, unless a macro or a filter made it."""
    made = Environment(
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(value, PATH),
        loader=FunctionLoader(lambda name: _resource(f"templates/{name}")),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {
        "breakable": lambda text: escape(clean(text, 2000)).replace(" (", Markup(" <wbr>(")),
        "clean": clean,
        "lines": lambda text: escape("\n".join(clean_lines(text).splitlines())),
    }
    made.globals |= {"asked": ASKED, "cells": cells, "tables": tables, "words": words}
    made.globals["dark"] = lambda colour: DARK.get(colour, colour)  # an installed optimizer has one of its own
    return made


def _resource(name: str) -> str:
    place = files("mfbo.analysis.report")
    for step in name.split("/"):
        place = place / step
    return place.read_text(encoding="utf-8")


def as_json(data: object) -> str:
    r"""JSON that stands within a script element of a page: nothing in it can end that element.

    >>> as_json(["</script>", "\u2028"])
    '["\\u003c/script\\u003e","\\u2028"]'
    """
    text = json.dumps(_finite(data), separators=(",", ":"), allow_nan=False)  # ASCII: line separators are escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    """Without infinity and NaN, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
