"""What was tried: loss against each hyperparameter, and which hyperparameters matter."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mfbo.analysis.chart import Axis, Chart, Panel, Series, axis_of
from mfbo.analysis.figures import only
from mfbo.analysis.report.words import importance_trust
from mfbo.analysis.style import plain
from mfbo.display.text import number, pairs, rung_words
from mfbo.errors import NothingToShow
from mfbo.goal import Goal

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part
    from mfbo.ledger.run import Result, Run

MAX_BEST, MAX_OTHERS = 300, 300  # configurations that are drawn: of the best, and of a random sample of the rest
MAX_PANELS = 12
MAX_BARS = 20
MAX_NAMED = 8  # hyperparameters that a text has room for
LINE_WIDTH = 60  # characters of such a text
FAINT_OPACITY = 0.25  # opacity of what was measured below the best's fidelity


class Tried(NamedTuple):
    """A configuration of a run: its results that have a loss, and the last at the highest fidelity that it reached."""

    group: str
    run: Run
    results: list[Result]
    result: Result
    loss: float

    @property
    def value(self) -> float:
        """What it came to, in the metric's own sign."""
        return self.run.header.goal.value(self.loss)


def tried(part: Part) -> list[Tried]:
    """Every configuration, best first: high fidelity before low, then low loss before high."""
    found = []
    for group, run in ((group, run) for group, runs in part.groups.items() for run in runs):
        by_config: dict[str, list[Result]] = {}
        for result in run.results:
            if result.outcome.loss is not None and not result.outcome.failed:
                by_config.setdefault(result.trial.key, []).append(result)
        for results in by_config.values():
            last = max(reversed(results), key=lambda result: result.outcome.rung.work)
            assert last.outcome.loss is not None
            found.append(Tried(group, run, results, last, last.outcome.loss))
    return sorted(found, key=lambda one: (-one.result.outcome.rung.work, one.loss))


def sampled(found: Sequence[Tried], best: int, others: int) -> list[Tried]:
    """The best, and a random sample of the others; the same every time."""
    rest = list(found[best:])
    return [*found[:best], *(random.Random(0).sample(rest, others) if len(rest) > others else rest)]


def configuration_text(one: Tried) -> str:
    """Which trial of which run, at which rung, of which configuration: lines."""
    config = one.result.trial.config
    trial = f"trial {one.result.trial.id}, {rung_words(one.result.outcome.rung)}"
    lines = [f"{one.group}, seed {one.run.header.seed}, {trial}", ""]
    shown = pairs(dict(list(config.items())[:MAX_NAMED])) + (", …" if len(config) > MAX_NAMED else "")
    for piece in shown.split(", "):
        if lines[-1] and len(lines[-1]) + len(piece) > LINE_WIDTH:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + piece
    return "\n".join(lines)


def scatter(material: Material) -> Chart:
    """Loss against each hyperparameter, the most important first; faint points were measured below the best's fidelity.

    Raises:
        NothingToShow: several tasks, or no trial that had a loss.
    """
    part = only(material)
    chosen, names = sampled(tried(part), MAX_BEST, MAX_OTHERS), tuned(part)[:MAX_PANELS]
    if not chosen or not names:
        raise NothingToShow(
            "no trial had a result, or nothing was tuned, so there is nothing to draw; `mfbo show` says why"
        )
    known, label = hyperparameters(part), "Loss" if part.goal == Goal() else plain(part.goal.name, 30)
    top = max(one.result.outcome.rung.work for one in chosen)
    return Chart(
        f"{plain(part.name, 24)}: what was tried",
        f"{label} against each hyperparameter",
        "A point a configuration, at the highest fidelity that it reached; faint points were measured at lower "
        f"fidelity than the best. The most important first; of many configurations the best {MAX_BEST} and a random "
        f"sample of {MAX_OTHERS} others.",
        tuple(_panel(name, known.get(name, {}), chosen, top, label) for name in names),
        columns=min(2, len(names)),
    )


def _panel(name: str, known: dict[str, Any], chosen: Sequence[Tried], top: float, label: str) -> Panel:
    mine = [one for one in chosen if name in one.result.trial.config]
    settings = [one.result.trial.config[name] for one in mine]
    words = any(isinstance(value, str | bool) for value in settings)
    categories = tuple(sorted({str(value) for value in settings})) if words else ()
    if words:
        x = Axis(name, "categories", categories=categories)
    else:
        x = axis_of(
            name, settings, log=known.get("log") is True, whole=all(isinstance(value, int) for value in settings)
        )
    series = []
    for group in dict.fromkeys(one.group for one in mine):
        own = [one for one in mine if one.group == group]
        raw = [one.result.trial.config[name] for one in own]
        opacity = [0.85 if one.result.outcome.rung.work >= top - 1e-9 else FAINT_OPACITY for one in own]
        texts = [f"{number(one.value)}\n{configuration_text(one)}" for one in own]
        xs = [categories.index(str(value)) if words else float(value) for value in raw]
        values = [one.value for one in own]
        series.append(Series(group, xs, values, "marks", group, texts=texts, opacity=opacity, size=3))
    return Panel(x, axis_of(label, [one.value for one in chosen]), tuple(series))


def hyperparameters(part: Part) -> dict[str, dict[str, Any]]:
    """What the ledger says of each, by name; what is damaged is passed over."""
    entries = part.runs[0].header.space.get("hyperparameters", [])
    if not isinstance(entries, list):
        return {}
    return {str(entry["name"]): entry for entry in entries if isinstance(entry, dict) and "name" in entry}


def tuned(part: Part) -> list[str]:
    """Names of the hyperparameters that vary, the most important first, where that is known."""
    ranked = [row.name for row in part.importances.rows] if part.importances else []
    values: dict[str, set[Any]] = {}
    for trial in (trial for run in part.runs for trial in run.asks.values()):
        for name, value in trial.config.items():
            values.setdefault(name, set()).add(value)
    varied = [name for name, different in values.items() if len(different) > 1]
    return [*(name for name in ranked if name in varied), *(name for name in varied if name not in ranked)]


def importance(material: Material) -> Chart:
    """What each hyperparameter explains of the loss's variance, by itself and with its interactions.

    Raises:
        NothingToShow: several tasks, or too few trials.
    """
    part = only(material)
    found = part.importances
    if found is None:
        raise NothingToShow(
            "importance needs 20 complete trials or more, in which the result varies; let the run go on"
        )
    rows = found.rows[:MAX_BARS]
    places = list(range(len(rows)))
    totals, errors = [100 * row.total for row in rows], [100 * row.error for row in rows]
    low, high = ([total + sign * error for total, error in zip(totals, errors, strict=True)] for sign in (-1, 1))
    texts = [
        f"{row.name}: {100 * row.alone:.1f}% by itself, {100 * row.total:.1f}% with its interactions" for row in rows
    ]
    bars = (
        Series("", totals, places, "bars", "with its interactions", low, high, texts, colour="#A6CBE3"),
        Series("", [100 * row.alone for row in rows], places, "bars", "by itself", texts=texts, colour="#0072B2"),
    )
    r_squared = 100 * max(0.0, found.r_squared)
    x = Axis(f"Share of the variance (%); R² of the forest: {r_squared:.0f}%", limits=(0, max(5.0, 1.05 * max(high))))
    y = Axis("", "categories", categories=tuple(row.name for row in rows), reversed=True)
    measured = plain(part.goal.name, 30)
    title, heading = f"{plain(part.name, 24)}: what decides the {measured}", "Which hyperparameters matter"
    return Chart(title, heading, importance_trust(found), (Panel(x, y, bars),))
