"""What stands in the tables of a report, for HTML and Markdown alike: text, not yet escaped for either."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mfbo.analysis.figures.pareto import fronts
from mfbo.analysis.report import tables, words
from mfbo.cost.price import beside, of_run, of_runs
from mfbo.display.forecast import compared, headline
from mfbo.display.phases import charged
from mfbo.display.text import amount, clean, number, pairs, rung_words, seconds, status_words
from mfbo.evidence.summary import SIGNIFICANCE_LEVEL
from mfbo.goal import LOSS, Goal
from mfbo.objectives import shown, title

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Part
    from mfbo.cost.price import Price
    from mfbo.evidence.ranking import Ranking
    from mfbo.ledger.run import Run
    from mfbo.study.phases_result import Phases, StudyLine
    from mfbo.trial import Config

NO_VALUE = "-"
TOLD_NOTE = "Results that a person added with `mfbo tell`, at no cost; none of them counts as its best."
FIRST_METRICS = ("accuracy", "macro_f1")
PHASES = {
    "exploration": "on small subsets, to set preliminary ranges",
    "optimization": "in the narrowed space, an equal share of the cost for each optimizer",
    "validation": "of each optimizer's best configuration, trained anew and measured on unseen data",
}


def standings(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the comparison."""
    found = part.found
    assert found is not None
    unit, goal = found.comparison.unit, part.goal
    head = ["optimizer", "seeds", words.loss_words(part), "median (quartiles)", "area under the curve"]
    head += ["trials", "trials to within 1%"]
    if found.quality is not None:
        head += [
            f"seeds at {words.full_name(found.baseline)}'s final {clean(goal.name, 40)}",
            "median cost of it",
            "speed-up",
            "p",
        ]
    rows = []
    for row in found.standings:
        own = row.shown(goal)
        median, low, high = (number(own[name]) for name in ("median", "low", "high"))
        cells = [
            row.name,
            str(row.seeds),
            words.spread(own["value"], row.error),
            NO_VALUE if math.isnan(row.median) else f"{median} ({low} to {high})",
            NO_VALUE if math.isnan(row.area) else number(own["area"]),
            f"{row.trials:.0f}",
            f"{row.iterations:.0f}",
        ]
        if found.quality is not None:
            cost = amount(row.cost, unit) + beside(found.comparison.paid, row.cost) if row.cost < math.inf else "never"
            cells += [
                f"{row.reached} of {row.seeds}",
                cost,
                words.speed_words(row.speed_up) if row.speed_up else NO_VALUE,
            ]
            cells.append(NO_VALUE if row.pvalue is None else number(row.pvalue, 2))
        rows.append(cells)
    return head, rows


def note(part: Part) -> str:
    """What the numbers of `standings` are."""
    found = part.found
    assert found is not None
    unit = found.comparison.unit
    end = amount(found.end, unit) + beside(found.comparison.paid, found.end)
    said = (
        f"At a cost of {end}. {part.results_called.capitalize()} are means ± standard error over seeds, trials are "
        "means, costs and trials to within 1% of the final best are medians. The area under the anytime curve is a "
        f"mean {clean(part.goal.name, 40)} over the logarithm of cost: {'higher' if part.goal.maximize else 'lower'} "
        "where good configurations come early. "
    )
    said += "3x: the cost of three full evaluations. " if unit == "x" else ""
    if found.quality is not None:
        said += (
            f"Speed-up is over {words.full_name(found.baseline)}, with 95% bootstrap interval; p: Wilcoxon signed-rank "
            "over paired seeds, Holm-adjusted."
        )
    return said


def ranks(found: Ranking) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the final ranks."""
    rows, pvalues = [], found.pvalues
    for index in found.order:
        name = found.names[index]
        others = [found.names[one] for one in found.order if one != index and pvalues[index, one] > SIGNIFICANCE_LEVEL]
        rows.append([name, f"{found.ranks[index, -1]:.2f}", ", ".join(others) or NO_VALUE])
    return ["optimizer", "average rank", "not told apart from"], rows


def phase_lines(found: Phases) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the optimizers' results in the three phases, measured on unseen data."""
    names = list(dict.fromkeys(name for line in found.lines for name in line.test))
    names.sort(key=lambda name: (name == LOSS, name != found.goal.name, name not in FIRST_METRICS))
    validation = clean(found.goal.label if found.goal == Goal() else f"validation {found.goal.name}", 40)
    head = ["optimizer", *(f"{name} on unseen data" for name in names), "trainings", validation]
    rows = []
    for line in found.lines:
        scores = [
            words.spread(line.test[name], _deviation(line, name)) if name in line.test else NO_VALUE for name in names
        ]
        value = NO_VALUE if line.value is None else number(line.value)
        counts = [str(line.trials), NO_VALUE if line.iterations is None else str(line.iterations)]
        rows.append([line.optimizer, *scores, str(line.seeds), value, *counts, charged(found, line.cost), line.note])
    return [*head, "trials", "trials to within 1%", "cost", "note"], rows


def _deviation(line: StudyLine, name: str) -> float:
    return line.deviation.get(name, math.nan) if line.seeds > 1 else math.nan


def phase_costs(found: Phases) -> str:
    """What each phase cost."""
    spent = ", ".join(f"{clean(name, 40)} {charged(found, cost)}" for name, cost in found.costs.items())
    total = charged(found, found.total)
    return f"{total} of {clean(found.max_cost, 40)}: {spent}."


def rung_rows(found: Sequence[tables.RungRow], price: Price | None, goal: Goal) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table of rungs."""
    best = f"best {clean(goal.name, 40)}"
    head = ["level", "work", "done", "stopped", "failed", best, "cost", "rank correlation with the highest"]
    rows = [
        [
            row.name,
            f"{row.work:.3g}%",
            str(row.done),
            str(row.stopped),
            str(row.failed),
            NO_VALUE if row.best is None else number(goal.value(row.best)),
            seconds(row.seconds) + beside(price, row.seconds),
            row.predicts,
        ]
        for row in found
    ]
    return head, rows


def rung_tables(part: Part) -> list[tuple[str, list[str], list[list[str]]]]:
    """Name, head and rows for each optimizer that uses low fidelities; of the only one in any case."""
    found = []
    for name, runs in part.groups.items():
        rows = tables.rungs(runs, part.rung_correlations(name))
        if len(rows) > 1 or len(part.groups) == 1:
            found.append((name, *rung_rows(rows, of_runs(runs), part.goal)))
    return found


def told(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the results that people added; no rows where there are none."""
    rows = [
        [words.run_words(run), number(run.header.goal.value(known.loss)), rung_words(known.rung), pairs(known.config)]
        for run in part.runs
        for known in sorted(run.told, key=lambda known: (-known.rung.work, known.loss))
    ]
    return ["run", clean(part.goal.name, 40), "fidelity", "configuration"], rows


def forecast(run: Run) -> tuple[str, list[str], list[list[str]]]:
    """Of a run whose cost was measured before it began: the plan in words; head and rows of forecast and outcome."""
    plan, found = run.header.plan, compared(run)
    head = ["level", "trials planned", "done", "cost of a trial, forecast", "mean cost", "forecast off by"]
    if plan is None or plan.unit != "s" or not found:
        return "", head, []
    price = of_run(run)
    rows = [
        [
            rung_words(line.rung),
            str(line.planned),
            str(line.trials),
            seconds(line.expected) + beside(price, line.expected),
            NO_VALUE if line.cost is None else seconds(line.cost) + beside(price, line.cost),
            NO_VALUE if not line.cost else f"{100 * (line.expected / line.cost - 1):+.0f}%",
        ]
        for line in found
    ]
    probe = f" The test run took {seconds(plan.spent)}{beside(price, plan.spent)}." if plan.spent else ""
    return f"{headline(plan, price)}.{probe}", head, rows


def forecasts(part: Part) -> list[tuple[Run, str, list[str], list[list[str]]]]:
    """What the budget was expected to buy, beside what it bought, for each run that was planned."""
    return [(run, said, head, rows) for run in part.runs for said, head, rows in [forecast(run)] if rows]


def front_rows(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the members of all Pareto fronts; no rows where there is none."""
    found = fronts(part)
    names = list(dict.fromkeys(name for _, one in found for name in one.names))
    rows = []
    for group, one in found:
        for result, scores in one.members:
            known = dict(zip(one.names, scores, strict=True))
            cells = [number(shown(name, known[name], part.goal)) if name in known else NO_VALUE for name in names]
            rows.append([group, str(result.trial.id), *cells, pairs(result.trial.config)])
    return ["optimizer", "trial", *(clean(title(name, part.goal), 40) for name in names), "configuration"], rows


def single_fronts(part: Part) -> list[str]:
    """A sentence for each Pareto front that is one configuration."""
    found = fronts(part)
    return [f"{group}: {one.single}" if len(found) > 1 else one.single for group, one in found if one.single]


class Card(NamedTuple):
    """One of the main numbers, in large."""

    name: str
    value: str
    note: str


def cards(part: Part) -> list[Card]:
    """The main numbers."""
    numbers: list[Card] = []
    if part.best:
        run, result = part.best
        note = "one measurement: no interval" if part.single else f"{words.run_words(run)}, trial {result.trial.id}"
        numbers.append(Card(f"Best {part.label}", words.value(part, result), note))
    if found := part.validation:
        name = found.goal.name
        tested = words.spread(found.mean(name), words.deviation(found, name))
        numbers.append(Card(f"Its {clean(name, 40)} on the test split", tested, words.trainings(found)))
    if part.found and not part.single:
        row = part.found.standings[0]
        seeds = f"mean ± standard error over {row.seeds} seeds" if row.seeds > 1 else "one seed: no interval"
        value = words.spread(part.goal.value(row.loss), row.error)
        numbers.append(Card(f"Best mean {words.loss_words(part)}", value, f"{clean(row.name, 40)}, {seeds}"))
    for name, speed in part.payoff.speed_ups.items() if part.payoff else ():
        value = f"{number(speed.factor, 2)} times" if speed.factor else "not reached"
        interval = f"95% interval {number(speed.low, 2)} to {number(speed.high, 2)}"
        numbers.append(Card(f"Speed-up over {words.full_name(name)}", value, interval))
    return [*numbers, _cost_card(part)]


def _cost_card(part: Part) -> Card:
    run = part.runs[0]
    total = words.cost_words(sum(run.spent for run in part.runs), words.unit_of(run))
    if price := of_run(run):
        total += f", {price.of(sum(run.seconds for run in part.runs))}"
    virtual = ", virtual" if part.found and part.found.comparison.virtual else ""
    each = " each" if run.limits.max_cost and not part.single else ""
    note = f"{words.limit_words(run)}{each}, optimizer included{virtual}"
    if part.single:
        return Card("Cost", total, f"{note}; {status_words(run.ended)}")
    return Card("Cost", total, f"{words.counted(len(part.runs), 'run')}, {note}")


def values(config: Config) -> list[list[str]]:
    """Names and values in full, to be used again."""
    return [[name, repr(value) if isinstance(value, float) else str(value)] for name, value in config.items()]


def facts(runs: Sequence[Run]) -> list[list[str]]:
    """What the headers say; values in which runs differ are listed one after another."""
    found: dict[str, dict[str, None]] = {}
    said: dict[str, object]
    for run in runs:
        header = run.header
        said = {"begun": header.created, "recorded command": header.command, "space": header.space_hash}
        said |= {f"search: {name.replace('_', ' ')}": _asked(value) for name, value in vars(header.search).items()}
        said |= {f"machine: {name}": value for name, value in header.hardware.items()}
        said |= {f"version: {name}": value for name, value in header.versions.items()}
        for name, value in said.items():
            if value not in ("", None):
                found.setdefault(clean(name, 60), {})[clean(value, 1000)] = None
    return [[name, _few(list(values))] for name, values in found.items()]


def _asked(value: Any) -> str:
    if isinstance(value, Mapping):
        return pairs(value)
    return ", ".join(value) if isinstance(value, tuple) else NO_VALUE if value in (None, False) else str(value)


def _few(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}" if len(values) > 3 else "; ".join(values)
