"""The parts of the HTML page. Whatever comes out of a ledger passes through `escaped`."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mfbo.analysis.report import plots, tables, words
from mfbo.display.text import PATH, amount, clean, number, seconds, status_words

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part
    from mfbo.analysis.style import Look
    from mfbo.importance import Importances
    from mfbo.ledger import Result, Run
    from mfbo.trial import Config

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
        "One mark a seed, further left is cheaper; a cross behind the dotted line is a seed that never got there.",
    ),
    "ranks": (
        "Average rank",
        "At each cost the optimizers are ranked seed by seed, 1 is best; the mean of these ranks.",
    ),
    "correlation": (
        "Do cheap trials foretell expensive ones?",
        "Rank correlation between losses at a lower rung and at the highest: near 1 cheap trials choose well, near 0 they "
        "choose by chance. Only configurations that were promoted are in it, so it understates.",
    ),
    "learning": (
        "Learning curves",
        "Validation loss as training goes on, a line a configuration: the best 30, and 30 others drawn by lot.",
    ),
    "importance": ("Which hyperparameters matter", ""),
}


def escaped(value: object, most: int = 300) -> str:
    """Text from elsewhere, in one line, that stands in HTML and attributes as itself."""
    return html.escape(clean(value, most))


def answers(material: Material) -> str:
    """The answer, before anything else."""
    if len(material.parts) == 1:
        return _answer(material.parts[0])
    rows = [[part.name, words.answer(part), _best_words(part)] for part in material.parts]
    return f"<section id=answer><h2>Did multi-fidelity pay off here?</h2>{table(['task', 'answer', 'best loss'], rows)}</section>"


def _best_words(part: Part) -> str:
    return f"{number(part.best[1].outcome.loss)} ({words.run_words(part.best[0])})" if part.best else "none"


def _answer(part: Part) -> str:
    points = "".join(f"<li>{escaped(point, PATH)}</li>" for point in words.reasons(part))
    asked = "Did multi-fidelity pay off here?"
    if len(part.runs) == 1:
        first = (
            f"<h2>What was found</h2><p class=verdict>{escaped(words.finding(part), 1000)}</p>{cards(part)}{best(part)}"
        )
        return f"<section id=answer>{first}<h2>{asked}</h2><p>{escaped(words.answer(part), 500)}</p><ul>{points}</ul></section>"
    verdict = f"<h2>{asked}</h2><p class=verdict>{escaped(words.answer(part), 500)}</p><ul>{points}</ul>"
    return f"<section id=answer>{verdict}{cards(part)}{best(part)}</section>"


def cards(part: Part) -> str:
    """The main numbers, in large."""
    shown: list[tuple[str, str, str]] = []
    if part.best:
        run, result = part.best
        shown.append(("Best validation loss", number(result.outcome.loss), _measured(part, run, result)))
    if part.found and len(part.runs) > 1 and (row := part.found.standings[0]):
        shown.append(
            (f"Best mean {words.loss_words(part)}", words.spread(row.loss, row.error), _seeds(row.name, row.seeds))
        )
    for name, found in part.payoff.speed_ups.items() if part.payoff else ():
        value = f"{number(found.factor, 2)}×" if found.factor else "not reached"
        interval = f"95% interval {number(found.low, 2)} to {number(found.high, 2)}"
        shown.append((f"Speed-up over {words.full_name(name)}", value, interval))
    shown.append(("Cost", _cost(part), _cost_note(part)))
    cells = "".join(
        f"<div class=card><h3>{escaped(name)}</h3><p class=value>{escaped(value)}</p><p>{escaped(note)}</p></div>"
        for name, value, note in shown
    )
    return f"<div class=cards>{cells}</div>"


def _seeds(name: str, seeds: int) -> str:
    return f"{clean(name, 40)}, " + (
        f"mean ± standard error over {seeds} seeds" if seeds > 1 else "one seed: no interval"
    )


def _measured(part: Part, run: Run, result: Result) -> str:
    if len(part.runs) == 1:
        return "one measurement: no interval"
    return f"{words.run_words(run)}, trial {result.trial.id}"


def _cost(part: Part) -> str:
    unit = words.unit_of(part.runs[0])
    total = sum(run.spent for run in part.runs)
    return f"{number(total)} full evaluations" if unit == "x" else amount(total, unit)


def _cost_note(part: Part) -> str:
    limit = words.limit_words(part.runs[0])
    virtual = ", virtual" if part.found and part.found.comparison.virtual else ""
    if len(part.runs) == 1:
        return f"limit {limit}, optimizer included{virtual}; {status_words(part.runs[0].ended)}"
    return f"{len(part.runs)} runs, limit {limit} each, optimizer included{virtual}"


def best(part: Part) -> str:
    """The best configuration, to be used again."""
    if not part.best:
        return ""
    run, result = part.best
    chosen = (
        f" The best of {len(part.results)} trials: its loss flatters it; <code>mfbo validate</code> measures it afresh."
    )
    folder = f"mfbo validate {clean(run.folder, PATH)}" if run.folder else ""
    return (
        f"<h3>Best configuration</h3><p>{escaped(words.quality(run, result), 1000)}.{chosen if folder else ''}</p>"
        + table(["hyperparameter", "value"], values(result.trial.config))
    )


def values(config: Config) -> list[list[str]]:
    """Names and values in full, to be used again."""
    return [[name, repr(value) if isinstance(value, float) else str(value)] for name, value in config.items()]


def navigation(material: Material) -> str:
    """Links to the parts of the page."""
    if len(material.parts) > 1:
        links = [(f"t{number}", part.name) for number, part in enumerate(material.parts)]
    else:
        links = [("t0-compared", "Comparison")] if len(material.parts[0].runs) > 1 else []
        links += [("t0-figures", "Figures"), ("t0-rungs", "Rungs"), ("t0-matters", "Hyperparameters")]
        links += [("t0-trials", "Trials"), ("t0-failures", "Failures")]
    links.append(("again", "Environment"))
    return "<nav>" + " ".join(f'<a href="#{where}">{escaped(name)}</a>' for where, name in links) + "</nav>"


def toggles(look: Mapping[str, Look]) -> str:
    """A box for each optimizer, that shows and hides it in all figures."""
    boxes = "".join(
        f'<label><input type=checkbox checked value="{escaped(name)}"><i style="background:{one.colour}"></i>{escaped(name, 60)}</label>'
        for name, one in look.items()
    )
    return f"<fieldset id=toggles><legend>Show in figures</legend>{boxes}</fieldset>"


def ranking(material: Material, look: Mapping[str, Look], figures: dict[str, Any]) -> str:
    """Over all tasks."""
    if material.ranking is None:
        return ""
    figures["all-ranks"] = plots.ranks(material.ranking, dict(look))
    note = f"Over {len(material.parts)} tasks: at each cost the optimizers are ranked by their mean loss, 1 is best; the mean of these ranks."
    return f"<section><h2>All tasks</h2>{figure('all-ranks', 'Average rank', note)}</section>"


def part(key: str, part: Part, there: set[str], panels: int, *, titled: bool) -> str:
    """All sections of one task; `there` are the figures that it has."""
    shown = [name for name in ("anytime", "quality", "ranks") if name in there]
    cheap = [name for name in ("correlation", "learning") if name in there]
    pieces = [
        f'<h2 class=task id="{key}">{escaped(part.name)}</h2><p class=verdict>{escaped(words.answer(part), 500)}</p>'
        f"{cards(part)}{best(part)}"
        if titled
        else "",
        _section(f"{key}-compared", "Optimizers at equal cost", compared(part)) if len(part.runs) > 1 else "",
        _section(
            f"{key}-figures",
            "Quality and cost",
            *(
                _captioned(key, name, _meaning(part) if name == "anytime" else "", single=len(part.runs) == 1)
                for name in shown
            ),
        ),
        _section(f"{key}-rungs", "What low fidelity foretold", rungs(part), *(_captioned(key, name) for name in cheap)),
        _section(f"{key}-matters", "Hyperparameters", matters(key, part, there, panels)),
        _section(f"{key}-trials", "Trials", trials(key, part)),
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
    return table(*standings(part)) + f"<p class=caption>{escaped(note(part), 1000)}</p>"


def standings(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the comparison."""
    found = part.found
    assert found is not None
    unit = found.comparison.unit
    head = ["optimizer", "seeds", words.loss_words(part), "trials", "trials to within 1%"]
    if found.baseline:
        head += [f"seeds at {words.full_name(found.baseline)}'s final loss", "median cost of it", "speed-up", "p"]
    rows = []
    for row in found.standings:
        cells = [
            row.name,
            str(row.seeds),
            words.spread(row.loss, row.error),
            f"{row.trials:.0f}",
            f"{row.iterations:.0f}",
        ]
        if found.baseline:
            cost = amount(row.cost, unit) if row.cost < math.inf else "never"
            cells += [f"{row.reached} of {row.seeds}", cost, words.speed_words(row.speed_up) if row.speed_up else "–"]
            cells.append("–" if row.pvalue is None else number(row.pvalue, 2))
        rows.append(cells)
    return head, rows


def note(part: Part) -> str:
    """What the numbers of `standings` are."""
    found = part.found
    assert found is not None
    unit = found.comparison.unit
    said = (
        f"At a cost of {amount(found.end, unit)}. Losses are means ± standard error over seeds, trials are means, costs and "
        "trials to within 1% of the final best are medians. "
    )
    said += "3x: the cost of three full evaluations. " if unit == "x" else ""
    if found.baseline:
        said += (
            f"Speed-up is over {words.full_name(found.baseline)}, with 95% bootstrap interval; p: Wilcoxon signed-rank over "
            "paired seeds, Holm-adjusted."
        )
    return said


def rungs(part: Part) -> str:
    """A table for each optimizer that uses low fidelities; one for all where that is one."""
    groups = part.groups
    pieces = []
    for name, runs in groups.items():
        found = tables.rungs(runs)
        if len(found) < 2 and len(groups) > 1:
            continue
        title = f"<h3>{escaped(name, 60)}</h3>" if len(groups) > 1 else ""
        pieces.append(title + table(*rung_rows(found)))
    if not pieces:
        return "<p>Every trial was at full fidelity.</p>"
    return "".join(pieces) + (
        "<p class=caption>Foretells the highest: rank correlation between losses there and at the highest rung, over "
        "configurations seen at both.</p>"
    )


def rung_rows(found: Sequence[tables.RungRow]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table of rungs."""
    head = ["rung", "work", "done", "stopped", "failed", "best loss", "spent", "foretells the highest"]
    rows = [
        [
            row.name,
            f"{row.work:.3g}%",
            str(row.done),
            str(row.stopped),
            str(row.failed),
            "–" if row.best is None else number(row.best),
            seconds(row.seconds),
            "–" if math.isnan(row.rho) else f"{row.rho:.2f} ({row.n} configurations)",
        ]
        for row in found
    ]
    return head, rows


def trust(found: Importances) -> str:
    """Where the importances come from, and how far they can be relied on."""
    share = max(0.0, found.explained)
    words_ = (
        "so these numbers can be relied on"
        if share >= 0.5
        else "so take them as a hint"
        if share >= 0.2
        else "so they mean little: more trials would tell more"
    )
    return (
        f"Functional ANOVA (Hutter et al. 2014) of a random forest over {found.trials} complete trials, at the highest "
        f"fidelity. The forest foretells {100 * share:.0f}% of the variance of configurations that it has not seen, "
        f"{words_}. Whiskers: one standard deviation over resampled trials."
    )


def matters(key: str, part: Part, there: set[str], panels: int) -> str:
    """Importance, and loss against each hyperparameter."""
    pieces = []
    if part.importances and "importance" in there:
        caption = trust(part.importances)
        pieces.append(figure(f"{key}-importance", "Which hyperparameters matter", caption))
    elif part.results:
        pieces.append("<p>Too few complete trials (fewer than 20) to say which hyperparameters matter.</p>")
    if panels:
        plots_ = "".join(f'<div class=plot id="{key}-panel{index}"></div>' for index in range(panels))
        pieces.append(
            "<figure><h3>Loss against each hyperparameter</h3><p class=caption>A point a configuration, at the highest fidelity "
            "that it reached; faint points were measured at lower fidelity than the best. The most important first; of many "
            f"configurations the best 300 and 300 others drawn by lot.</p><div class=panels>{plots_}</div></figure>"
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
        "<noscript><p>The table of trials needs JavaScript; <code>mfbo report --format csv</code> has the same rows.</p></noscript></div>"
    )


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
            f"<details><summary><b>{len(failure.trials)}×</b> {escaped(failure.status)}: {escaped(failure.reason)}</summary>"
            f"<p>{escaped(which, PATH)}</p><p>The first with {escaped(config, 2000)}</p>"
            f"<pre>{html.escape(failure.text)}</pre></details>"
        )
    more = len(found) - KINDS
    return "".join(pieces) + (f"<p>and {more} other kinds</p>" if more > 0 else "")


def again(material: Material) -> str:
    """What repeats it, where it ran, with which versions."""
    runs = [run for part in material.parts for run in part.runs]
    rows = facts(runs)
    return (
        '<section id="again"><h2>Environment, and how to repeat it</h2>'
        f"<pre class=command>{html.escape(words.command(material))}</pre>{table(['', ''], rows, kind='facts')}"
        "<p class=caption>Where cost is virtual, the same command gives the same numbers everywhere; else cost is time on this "
        "machine, and another will differ.</p></section>"
    )


def facts(runs: Sequence[Run]) -> list[list[str]]:
    """What the headers say; values in which runs differ are listed one after another."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        header = run.header
        said = {"begun": header.created, "recorded command": header.command, "space": header.space_hash}
        said |= {f"machine: {name}": value for name, value in header.hardware.items()}
        said |= {f"version: {name}": value for name, value in header.versions.items()}
        for name, value in said.items():
            if value not in ("", None):
                found.setdefault(clean(name, 60), {})[clean(value, 1000)] = None
    return [[name, _few(list(values))] for name, values in found.items()]


def _few(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}" if len(values) > 3 else "; ".join(values)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls within its box where it is too wide."""
    cells = "".join(f"<th>{escaped(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escaped(cell, 2000)}</td>" for cell in row) + "</tr>" for row in rows)
    top = f"<thead><tr>{cells}</tr></thead>" if any(head) else ""
    return f'<div class=scroll><table class="{kind}">{top}<tbody>{body}</tbody></table></div>'
