"""The parts of the HTML page. Whatever comes out of a ledger passes through `escaped`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mfbo.analysis.report import cells, repeat, words
from mfbo.cost.price import of_run
from mfbo.display.text import PATH, clean, number, status_words

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part
    from mfbo.analysis.style import Look
    from mfbo.ledger.run import Result, Run


ASKED = "Did multi-fidelity pay off here?"


def escaped(value: object, most: int = 300) -> str:
    """Text from elsewhere, in one line, that stands in HTML and attributes as itself."""
    return html.escape(clean(value, most))


def answers(material: Material) -> str:
    """The answer, before anything else."""
    if len(material.parts) == 1:
        return _answer(material.parts[0])
    rows = [[part.name, words.answer(part), _best_words(part)] for part in material.parts]
    return f"<section id=answer><h2>{ASKED}</h2>{table(['task', 'answer', 'best loss'], rows)}</section>"


def _best_words(part: Part) -> str:
    return f"{number(part.best[1].outcome.loss)} ({words.run_words(part.best[0])})" if part.best else "none"


def _answer(part: Part) -> str:
    numbers = cards(part) + best(part)
    if part.single:
        found = f"<h2>What was found</h2><p class=verdict>{escaped(words.finding(part), 1000)}</p>{numbers}"
        return f"<section id=answer>{found}<h2>{ASKED}</h2><p>{verdict(part)}</section>"
    return f"<section id=answer><h2>{ASKED}</h2><p class=verdict>{verdict(part)}{numbers}</section>"


def phases(material: Material) -> str:
    """What the three phases of a study came to."""
    found = material.phases
    if found is None:
        return ""
    steps = "".join(f"<li><b>{name}</b> {what}</li>" for name, what in cells.PHASES.items())
    ranges = "".join(f"<li>{escaped(line, 500)}</li>" for line in found.narrowed)
    head, rows = cells.phase_lines(found)
    narrowed = f"<h3>Ranges after exploration</h3><ul>{ranges}</ul>" if ranges else ""
    return (
        f"<section id=phases><h2>The three phases</h2><ol>{steps}</ol><p>{escaped(cells.phase_costs(found), 500)}</p>"
        f"{table(head, rows, kind='data')}<p class=caption>Mean ± standard deviation over trainings.</p>"
        f"{narrowed}</section>"
    )


def verdict(part: Part) -> str:
    """What the answer is, and what it rests on; the paragraph is begun already."""
    points = "".join(f"<li>{escaped(point, PATH)}</li>" for point in words.reasons(part))
    return f"{escaped(words.answer(part), 500)}</p><ul>{points}</ul>"


def cards(part: Part) -> str:
    """The main numbers, in large."""
    shown: list[tuple[str, str, str]] = []
    if part.best:
        run, result = part.best
        shown.append(("Best validation loss", number(result.outcome.loss), _measured(part, run, result)))
    if found := part.validation:
        tested = words.spread(found.mean("loss"), words.deviation(found, "loss"))
        shown.append(("Its loss on the test split", tested, words.trainings(found)))
    if part.found and not part.single and (row := part.found.standings[0]):
        shown.append(
            (f"Best mean {words.loss_words(part)}", words.spread(row.loss, row.error), _seeds(row.name, row.seeds))
        )
    for name, speed in part.payoff.speed_ups.items() if part.payoff else ():
        value = f"{number(speed.factor, 2)} times" if speed.factor else "not reached"
        interval = f"95% interval {number(speed.low, 2)} to {number(speed.high, 2)}"
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
    if part.single:
        return "one measurement: no interval"
    return f"{words.run_words(run)}, trial {result.trial.id}"


def _cost(part: Part) -> str:
    unit = words.unit_of(part.runs[0])
    total: str = words.cost_words(sum(run.spent for run in part.runs), unit)
    price = of_run(part.runs[0])
    return f"{total}, {price.of(sum(run.seconds for run in part.runs))}" if price else total


def _cost_note(part: Part) -> str:
    limit = words.limit_words(part.runs[0])
    virtual = ", virtual" if part.found and part.found.comparison.virtual else ""
    if part.single:
        return f"limit {limit}, optimizer included{virtual}; {status_words(part.runs[0].ended)}"
    return f"{words.counted(len(part.runs), 'run')}, limit {limit} each, optimizer included{virtual}"


def best(part: Part) -> str:
    """The best configuration, to be used again."""
    if not part.best:
        return ""
    run, result = part.best
    chosen = f"It was chosen as the best of {words.counted(len(part.results), 'trial')}, so its loss flatters it"
    afresh = (
        "" if part.found and part.found.comparison.true else "; mfbo validate measures it on data that it has not seen"
    )
    tested = words.tested(part) or f"{chosen}{afresh}."
    said = f"<p>{escaped(words.quality(run, result), 1000)}. {escaped(tested, 1000)}</p>"
    rows = table(["hyperparameter", "value"], cells.values(result.trial.config), kind="narrow")
    return f"<h3>Best configuration</h3>{said}{rows}"


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
        f'<label><input type=checkbox checked value="{escaped(name)}"><i style="background:{one.colour}"></i>'
        f"{escaped(name, 60)}</label>"
        for name, one in look.items()
    )
    return f"<fieldset id=toggles><legend>Show in figures</legend>{boxes}</fieldset>"


def again(material: Material) -> str:
    """What repeats it, where it ran, with which versions."""
    runs = [run for part in material.parts for run in part.runs]
    rows = cells.facts(runs)
    return (
        '<section id="again"><h2>Environment, and how to repeat it</h2>'
        f"<pre class=command>{html.escape(repeat.command(material))}</pre>{table(['', ''], rows, kind='facts')}"
        "<p class=caption>Where cost is virtual, the same command gives the same numbers everywhere; else cost is time "
        "on this machine, and another will differ.</p></section>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls within its box where it is too wide; a cell may break before a parenthesis."""
    cells = "".join(f"<th>{escaped(name)}</th>" for name in head)
    texts = ([escaped(cell, 2000).replace(" (", " <wbr>(") for cell in row] for row in rows)
    body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in texts)
    top = f"<thead><tr>{cells}</tr></thead>" if any(head) else ""
    return f'<div class=scroll><table class="{kind}">{top}<tbody>{body}</tbody></table></div>'
