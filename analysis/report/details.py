"""The sections of one task in the HTML page. Whatever comes out of a ledger passes through `escaped`."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from mfbo.analysis import fronts
from mfbo.analysis.report import cells, tables, words
from mfbo.analysis.report.sections import best, cards, escaped, table, verdict
from mfbo.cost.price import of_runs
from mfbo.display.text import PATH, clean

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Part
    from mfbo.evidence.ranking import Ranking

KINDS = 20  # of failures that are shown
SCALES = {
    "anytime": {"x": "cost", "y": "loss"},
    "quality": {"x": "cost"},
    "ranks": {"x": "cost"},
    "learning": {"x": "work", "y": "loss"},
}
CAPTIONS = {
    "anytime": (
        "Quality against cost",
        "Lower and further left is better: what each optimizer's best configuration so far was worth by the time that "
        "cost was spent; mean over seeds, the band is one standard error.",
    ),
    "quality": (
        "Cost to reach the baseline's final quality",
        "One mark a seed, where it got there for good; further left is cheaper; a cross behind the dotted line is a "
        "seed that did not.",
    ),
    "ranks": (
        "Average rank",
        "At each cost the optimizers are ranked seed by seed, 1 is best; the mean of these ranks.",
    ),
    "correlation": (
        "Do cheap trials foretell expensive ones?",
        "Rank correlation between losses at a lower rung and at the highest: near 1 cheap trials choose well, near 0 "
        "they choose by chance. Only configurations that were promoted are in it, so it understates.",
    ),
    "learning": (
        "Learning curves",
        "Validation loss as training goes on, a line a configuration: the best 30, and 30 others drawn by lot.",
    ),
    "importance": ("Which hyperparameters matter", ""),
}


def part(key: str, part: Part, there: set[str], panels: int, *, titled: bool, ranks: Ranking | None) -> str:
    """All sections of one task; `there` are the figures that it has."""
    shown = [name for name in ("anytime", "quality", "ranks") if name in there]
    cheap = [name for name in ("correlation", "learning") if name in there]
    pieces = [
        f'<h2 class=task id="{key}">{escaped(part.name)}</h2><p class=verdict>{verdict(part)}{cards(part)}{best(part)}'
        if titled
        else "",
        _section(f"{key}-compared", "Optimizers at equal cost", compared(part)) if not part.single else "",
        _section(
            f"{key}-figures",
            "Quality and cost",
            *(_captioned(key, name, _meaning(part) if name == "anytime" else "", single=part.single) for name in shown),
            critical(key, ranks) if ranks and "critical" in there else "",
        ),
        _section(f"{key}-front", "Pareto front", *pareto(key, part, there)),
        _section(f"{key}-rungs", "What low fidelity foretold", rungs(part), *(_captioned(key, name) for name in cheap)),
        _section(f"{key}-forecast", "The forecast, and what came of it", forecasts(part)),
        _section(f"{key}-matters", "Hyperparameters", matters(key, part, there, panels)),
        _section(f"{key}-trials", "Trials", trials(key, part)),
        _section(f"{key}-told", "Told from elsewhere", told(part)),
        _section(f"{key}-failures", "Failures", failures(part)),
    ]
    return "\n".join(pieces)


def _section(identifier: str, heading: str, *content: str) -> str:
    return f'<section id="{identifier}"><h2>{heading}</h2>{"".join(content)}</section>' if any(content) else ""


def _captioned(key: str, name: str, more: str = "", *, single: bool = False) -> str:
    heading, caption = CAPTIONS[name]
    if single and name == "anytime":
        caption = "What the best configuration so far was worth by the time that cost was spent."
    return figure(f"{key}-{name}", heading, f"{caption} {more}")


def critical(key: str, found: Ranking) -> str:
    """A place for the critical-difference diagram, and how to read it."""
    caption = words.ranked(found, "A grey bar at the right joins")
    return figure(f"{key}-critical", "Final ranks, and who can be told apart", caption)


def _meaning(part: Part) -> str:
    """What the losses of the first figure are."""
    if part.found is None:
        return ""
    comparison = part.found.comparison
    if comparison.optimum is not None:
        return "Regret: true loss at full fidelity, less that of the optimum."
    if comparison.true:
        return "Loss: the true one at full fidelity."
    return "Dotted: measured below full fidelity; the line may rise where an incumbent is first measured higher up."


def figure(identifier: str, heading: str, caption: str) -> str:
    """A place for a figure, which the script fills."""
    buttons = "".join(
        f'<button type=button data-scale="{identifier}" data-axis={letter}>linear / log {what}</button>'
        for letter, what in SCALES.get(identifier.rpartition("-")[2], {}).items()
    )
    top = f"<div class=top><h3>{heading}</h3><span>{buttons}</span></div>"
    return f'<figure>{top}<p class=caption>{caption}</p><div class=plot id="{identifier}"></div></figure>'


def compared(part: Part) -> str:
    """The optimizers, best final loss first."""
    if part.found is None:
        return f"<p>{escaped(part.problem or 'No run came to a result that can be compared.', 1000)}</p>"
    rows: str = table(*cells.standings(part), kind="data")
    return rows + f"<p class=caption>{escaped(cells.note(part), 1000)}</p>"


def rungs(part: Part) -> str:
    """A table for each optimizer that uses low fidelities; one for all where that is one."""
    groups = part.groups
    pieces = []
    for name, runs in groups.items():
        found = tables.rungs(runs)
        if len(found) < 2 and len(groups) > 1:
            continue
        title = f"<h3>{escaped(name, 60)}</h3>" if len(groups) > 1 else ""
        pieces.append(title + table(*cells.rung_rows(found, of_runs(runs)), kind="data"))
    if not pieces:
        return "<p>Every trial was at full fidelity.</p>"
    return "".join(pieces) + (
        "<p class=caption>Foretells the highest: rank correlation between losses there and at the highest rung, over "
        "configurations seen at both.</p>"
    )


def forecasts(part: Part) -> str:
    """What the budget was expected to buy, beside what it bought, for each run that was planned."""
    pieces = []
    for run in part.runs:
        said, head, rows = cells.forecast(run)
        if rows:
            title = f"<h3>{escaped(words.run_words(run), 60)}</h3>" if not part.single else ""
            pieces.append(f"{title}<p>{escaped(said, 500)}</p>{table(head, rows, kind='data')}")
    return "".join(pieces)


def matters(key: str, part: Part, there: set[str], panels: int) -> str:
    """Importance, and loss against each hyperparameter."""
    pieces = []
    if part.importances and "importance" in there:
        caption = cells.trust(part.importances)
        pieces.append(figure(f"{key}-importance", "Which hyperparameters matter", caption))
    elif part.results:
        pieces.append("<p>Too few complete trials (fewer than 20) to say which hyperparameters matter.</p>")
    if panels:
        plots_ = "".join(f'<div class=plot id="{key}-panel{index}"></div>' for index in range(panels))
        pieces.append(
            "<figure><h3>Loss against each hyperparameter</h3><p class=caption>A point a configuration, at the "
            "highest fidelity that it reached; faint points were measured at lower fidelity than the best. The most "
            f"important first; of many configurations the best 300 and 300 others drawn by lot.</p>"
            f"<div class=panels>{plots_}</div></figure>"
        )
    return "".join(pieces)


def trial_data(part: Part, most: int) -> dict[str, Any]:
    """The table of trials, for the script."""
    found = tables.trials(part, most)
    return {"columns": found.columns, "rows": found.rows}


def trials(key: str, part: Part) -> str:
    """A place for the table of trials, which the script fills."""
    return (
        f'<div class=trials data-table="{key}"><p class=controls><label>Filter <input type=search '
        'placeholder="words, such as: smac failed"></label> <span class=count></span></p>'
        "<div class=scroll><table><thead></thead><tbody></tbody></table></div>"
        "<p class=controls><button type=button data-step=-1>previous</button> <span class=where></span> "
        "<button type=button data-step=1>next</button></p>"
        "<noscript><p>It needs JavaScript; <code>mfbo report --format csv</code> has the same rows.</p></noscript>"
        "</div>"
    )


def pareto(key: str, part: Part, there: set[str]) -> list[str]:
    """A figure for each objective beside the loss, and the members of the front; nothing for the loss alone."""
    head, rows = fronts.rows(part)
    if not rows:
        return []
    caption = (
        "Lower and further left is better. Large: the front, of which no other configuration is as good in every "
        "objective and better in one; faint: what it dominates. Only results at the highest rung are compared."
    )
    places = [f"{key}-{name}" for name in sorted(there) if name.startswith("pareto")]
    return [
        *(figure(place, "Loss against another objective", caption) for place in places),
        table(head, rows, kind="data"),
    ]


def told(part: Part) -> str:
    """Results that nobody here has measured."""
    head, rows = cells.told(part)
    if not rows:
        return ""
    rows_: str = table(head, rows, kind="data")
    return f"{rows_}<p class=caption>{cells.TOLD}</p>"


def failures(part: Part) -> str:
    """Why trials failed, with tracebacks."""
    found = tables.failures(part)
    if not found:
        return "<p>No trial failed.</p>"
    total = sum(len(failure.trials) for failure in found)
    pieces = [f"<p>{escaped(words.counted(total, 'trial'))} of {len(part.results)} failed.</p>"]
    for failure in found[:KINDS]:
        which = "; ".join(failure.trials[:20]) + (" …" if len(failure.trials) > 20 else "")
        config = ", ".join(f"{clean(name, 60)}={clean(value, 60)}" for name, value in failure.config.items())
        pieces.append(
            f"<details><summary>{len(failure.trials)} {escaped(failure.status)}: "
            f"<b>{escaped(failure.reason)}</b></summary>"
            f"<p>{escaped(which, PATH)}</p><p>The first with {escaped(config, 2000)}</p>"
            f"<pre>{html.escape(failure.text)}</pre></details>"
        )
    more = len(found) - KINDS
    return "".join(pieces) + (f"<p>and {more} other kinds</p>" if more > 0 else "")
