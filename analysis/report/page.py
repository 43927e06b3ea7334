"""The HTML page: one file that needs no network.

A run may come from a stranger. All of its text is escaped, its numbers and names reach the script as JSON that no
browser executes, and the page's own security policy lets two scripts run, plotly and ours, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from importlib.resources import files
from typing import Any

from mfbo.analysis import fronts
from mfbo.analysis.report import details, plots, plots_trials, sections, words
from mfbo.analysis.report.material import Material, Part
from mfbo.analysis.report.sections import escaped
from mfbo.display.text import clean

MOST_TRIALS = 20_000
"""Rows of a task's table of trials; a page with more of them takes long to open. ``--format csv`` has all."""


def page(material: Material, *, live: str = "") -> str:
    """The whole page.

    Args:
        material: what it shows.
        live: version of the runs, for a page that asks its server for newer ones; empty for one that stands alone.
    """
    names = list(dict.fromkeys(name for part in material.parts for name in part.groups))
    look = plots.looks_of(names)
    figures: dict[str, plots.Json] = {}
    parts = {f"t{number}": part for number, part in enumerate(material.parts)}
    shown = [_part(key, part, material, look, figures) for key, part in parts.items()]
    heading = escaped(words.title(material))
    body = [
        f"<header><h1>{heading}</h1><p class=question>{escaped(words.question(material), 2000)}</p></header>",
        *(f"<p class=progress>{escaped(said, words.PATH)}</p>" for said in words.progress(material)),
        sections.answers(material),
        sections.phases(material),
        sections.navigation(material),
        sections.toggles(look) if len(look) > 1 else "",
        _ranking(material, look, figures) if len(material.parts) > 1 else "",
        *shown,
        sections.again(material),
    ]
    tables = {key: details.trial_data(part, MOST_TRIALS) for key, part in parts.items()}
    for trace in (trace for figure in figures.values() for trace in figure["data"] if "meta" in trace):
        trace["meta"] = clean(trace["meta"])  # as the boxes that show and hide it have it
    data = {"figures": figures, "tables": tables}
    return _document(heading, "\n".join(body), data, live=live)


def waiting(*, live: str) -> str:
    """The page of a study of which no run has begun."""
    title = "No run has begun yet"
    body = f"<header><h1>{title}</h1><p class=question>This page shows the first as soon as it has.</p></header>"
    return _document(title, body, {"figures": {}, "tables": {}}, live=live)


def _ranking(material: Material, look: dict[str, Any], figures: dict[str, plots.Json]) -> str:
    """Over all tasks; the figures are added to `figures`."""
    if material.ranking is None:
        return ""
    figures["all-ranks"] = plots.ranks(material.ranking, look)
    figures["all-critical"] = plots.critical(material.ranking, look)
    caption = (
        f"Over {len(material.parts)} tasks: at each cost the optimizers are ranked by their mean loss, 1 is best; the "
        "mean of these ranks."
    )
    places = details.figure("all-ranks", "Average rank", caption) + details.critical("all", material.ranking)
    return f"<section><h2>All tasks</h2>{places}</section>"


def _part(key: str, part: Part, material: Material, look: dict[str, Any], figures: dict[str, plots.Json]) -> str:
    """All sections of one task; its figures are added to `figures`."""
    found = plots_trials.seen(part)
    drawn: dict[str, plots.Json | None] = {}
    if part.found:
        drawn["anytime"] = plots.anytime(part.found, look)
        drawn["quality"] = plots.quality(part.found, look) if not part.single else None
    if part.found and material.ranking and len(material.parts) == 1:
        drawn["ranks"] = plots.ranks(material.ranking, look)
        drawn["critical"] = plots.critical(material.ranking, look)
    drawn["correlation"] = plots.correlation(part, look)
    drawn["learning"] = plots_trials.learning(part, found, look)
    drawn["importance"] = plots_trials.importance(part.importances) if part.importances else None
    drawn |= {f"pareto{index}": plot for index, plot in enumerate(fronts.plots(part, look).values())}
    panels = plots_trials.panels(part, found, look, plots_trials.tuned(part))
    drawn |= {f"panel{index}": panel for index, panel in enumerate(panels.values())}
    figures |= {f"{key}-{name}": figure for name, figure in drawn.items() if figure}
    there = {name for name, figure in drawn.items() if figure}
    written: str = details.part(key, part, there, len(panels), titled=len(material.parts) > 1, ranks=material.ranking)
    return written


def _document(title: str, body: str, data: dict[str, Any], *, live: str) -> str:
    from plotly.offline import get_plotlyjs

    folder = files("mfbo.analysis.report")
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    scripts: list[str] = [get_plotlyjs().replace("\r", ""), script]
    hashes = " ".join(f"'sha256-{_digest(one)}'" for one in scripts)
    reach = "'self'" if live else "'none'"
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {reach}; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{title}</title><link rel="icon" href="data:,">',
            f"<style>\n{style}</style></head>",
            f"<body{' data-live' if live else ''}><main>",
            body,
            f'<script type="application/json" id="data">{as_json(data)}</script>',
            "</main>",
            f"<script>{scripts[0]}</script>",
            f"<script>{scripts[1]}</script>",
            "</body></html>\n",
        ]
    )


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
