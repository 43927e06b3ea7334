"""Reports without a browser: Markdown for a repository or an issue, CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mfbo.analysis.report import cells, repeat, tables, words
from mfbo.display.text import PATH, clean
from mfbo.exports.table import harmless, rows

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def plain(value: object, most: int = 300) -> str:
    r"""Text out of a ledger that stands in Markdown as itself.

    >>> plain("a|b <script>")
    'a\\|b \\<script\\>'
    """
    return SPECIAL.sub(r"\\\1", clean(value, most))


def markdown(material: Material, figures: Sequence[str] = ()) -> str:
    """The answer and the tables.

    Args:
        material: what it says.
        figures: files of figures to show, as the reader's place sees them.
    """
    lines = [f"# {plain(words.title(material))}", "", plain(words.question(material), 2000), ""]
    for said in words.progress(material):
        lines += [plain(said, PATH), ""]
    if found := material.phases:
        lines += ["## The three phases", "", *(f"- {name}: {what}" for name, what in cells.PHASES.items()), ""]
        lines += [plain(cells.phase_costs(found)), "", *table(*cells.phase_lines(found))]
        lines += [*(f"- {plain(line, 500)}" for line in found.narrowed), ""]
    for part in material.parts:
        lines += _part(part, titled=len(material.parts) > 1)
    if material.ranking:
        lines += ["## Average ranks", "", *table(*cells.ranks(material.ranking))]
        lines += [plain(words.ranked(material.ranking, "Not told apart are"), 1000), ""]
    lines += [f"![{plain(name)}]({name})\n" for name in figures]
    lines += ["## How to repeat it", "", *_indented(repeat.command(material)), ""]
    facts = cells.facts([run for part in material.parts for run in part.runs])
    return "\n".join([*lines, *table(["", ""], facts)]) + "\n"


def _part(part: Part, *, titled: bool) -> list[str]:
    lines = [f"## {plain(part.name)}", ""] if titled else []
    if part.single:
        lines += [f"**{plain(words.finding(part), 1000)}**", ""]
    lines += [f"Did multi-fidelity pay off here? {plain(words.answer(part), 500)}", ""]
    lines += [*(f"- {plain(reason, PATH)}" for reason in words.reasons(part)), ""]
    if part.single:
        lines += ["To find out:", "", *_indented(words.compare_command(part)), ""]
    if part.best:
        run, result = part.best
        said = f"{words.quality(run, result)}. {words.tested(part) or words.selected(part)}"
        lines += ["### Best configuration", "", plain(said, 2000), ""]
        lines += table(["hyperparameter", "value"], cells.values(result.trial.config))
    if part.found and not part.single:
        lines += [
            "### Optimizers at equal cost",
            "",
            *table(*cells.standings(part)),
            plain(cells.note(part), 1000),
            "",
        ]
    lines += ["### Do cheap trials predict full ones?", "", plain(words.predicts(part), 500), ""]
    for name, head, rungs in cells.rung_tables(part):
        lines += [f"Levels of {plain(name)}:", "", *table(head, rungs)]
    for run, said, head, planned in cells.forecasts(part):
        title = f" ({plain(words.run_words(run))})" if not part.single else ""
        lines += [f"### Forecast and outcome{title}", "", plain(said, 500), "", *table(head, planned)]
    if part.importances:
        rows = [[row.name, f"{100 * row.alone:.0f}%", f"{100 * row.total:.0f}%"] for row in part.importances.rows]
        lines += ["### Importance", "", *table(["hyperparameter", "by itself", "with its interactions"], rows)]
        lines += [plain(words.importance_trust(part.importances), 1000), ""]
    names, members = cells.front_rows(part)
    if members:
        lines += ["### Pareto front", "", *table(names, members), *map(plain, cells.single_fronts(part)), ""]
    head, told = cells.told(part)
    if told:
        lines += ["### Results that were added", "", cells.TOLD_NOTE, "", *table(head, told)]
    return [*lines, *_failures(part)]


def _failures(part: Part) -> list[str]:
    found = tables.failures(part)[: tables.MAX_FAILURE_KINDS]
    if not found:
        return []
    lines = [
        "### Failures",
        "",
        *table(["trials", "status", "reason"], [[str(len(one.trials)), one.status, one.reason] for one in found]),
    ]
    return [*lines, *(line for one in found[:1] for line in [*_indented(one.text), ""])]


def _indented(text: str) -> list[str]:
    """A code block that nothing in it can end."""
    return [f"    {line}" for line in text.splitlines()]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in GitHub's form, and an empty line."""
    lines = [head, ["---"] * len(head), *([plain(cell, 2000) for cell in row] for row in rows)]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def trials_csv(material: Material) -> str:
    """A row a result: task, optimizer and seed of its run, then the columns of `mfbo.exports.table.rows`."""
    found: list[dict[str, Any]] = []
    for run in (run for part in material.parts for run in part.runs):
        header = run.header
        whose = {"run.task": header.task, "run.optimizer": header.optimizer, "run.seed": header.seed}
        found += [{**whose, **row} for row in rows(run)]
    written = io.StringIO()
    columns = list(dict.fromkeys(name for row in found for name in row))
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([harmless(name) for name in columns])
    writer.writerows([harmless(row.get(name)) for name in columns] for row in found)
    return written.getvalue()
