"""What stands in the tables of a report, for HTML and Markdown alike: text, not yet escaped for either."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfbo.analysis.report import tables, words
from mfbo.cost.price import beside, of_run
from mfbo.display.forecast import compared, headline
from mfbo.display.phases import charged
from mfbo.display.text import amount, clean, number, pairs, rung_words, seconds
from mfbo.evidence.summary import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Part
    from mfbo.cost.price import Price
    from mfbo.evidence.importance import Importances
    from mfbo.evidence.ranking import Ranking
    from mfbo.ledger.run import Run
    from mfbo.study.phases_result import Line, Phases
    from mfbo.trial import Config

NONE = "-"
TOLD = "Results that a person told the run; they cost nothing of its budget, and none of them counts as its best."
MAIN = ("accuracy", "macro_f1")
PHASES = {
    "exploration": "on small subsets, to set preliminary ranges",
    "optimization": "in the narrowed space, an equal share of the cost for each optimizer",
    "validation": "of each optimizer's best configuration, trained anew and measured on unseen data",
}


def standings(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the comparison."""
    found = part.found
    assert found is not None
    unit = found.comparison.unit
    head = ["optimizer", "seeds", words.loss_words(part), "median (quartiles)", "area under the curve"]
    head += ["trials", "trials to within 1%"]
    if found.quality is not None:
        head += [f"seeds at {words.full_name(found.baseline)}'s final loss", "median cost of it", "speed-up", "p"]
    rows = []
    for row in found.standings:
        cells = [
            row.name,
            str(row.seeds),
            words.spread(row.loss, row.error),
            NONE if math.isnan(row.median) else f"{number(row.median)} ({number(row.low)} to {number(row.high)})",
            NONE if math.isnan(row.area) else number(row.area),
            f"{row.trials:.0f}",
            f"{row.iterations:.0f}",
        ]
        if found.quality is not None:
            cost = amount(row.cost, unit) + beside(found.comparison.paid, row.cost) if row.cost < math.inf else "never"
            cells += [f"{row.reached} of {row.seeds}", cost, words.speed_words(row.speed_up) if row.speed_up else NONE]
            cells.append(NONE if row.pvalue is None else number(row.pvalue, 2))
        rows.append(cells)
    return head, rows


def note(part: Part) -> str:
    """What the numbers of `standings` are."""
    found = part.found
    assert found is not None
    unit = found.comparison.unit
    end = amount(found.end, unit) + beside(found.comparison.paid, found.end)
    said = (
        f"At a cost of {end}. Losses are means ± standard error over seeds, trials are means, "
        "costs and trials to within 1% of the final best are medians. The area under the anytime curve is a mean loss "
        "over the logarithm of cost: lower where good configurations come early. "
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
        rows.append([name, f"{found.ranks[index, -1]:.2f}", ", ".join(others) or NONE])
    return ["optimizer", "average rank", "not told apart from"], rows


def phase_lines(found: Phases) -> tuple[list[str], list[list[str]]]:
    """Head and rows of what the optimizers came to in the three phases, measured on unseen data."""
    names = list(dict.fromkeys(name for line in found.lines for name in line.test))
    names.sort(key=lambda name: (name == "loss", name not in MAIN))
    head = ["optimizer", *(f"{name} on unseen data" for name in names), "trainings", "validation loss"]
    rows = []
    for line in found.lines:
        scores = [
            words.spread(line.test[name], _deviation(line, name)) if name in line.test else NONE for name in names
        ]
        loss = NONE if line.loss is None else number(line.loss)
        counts = [str(line.trials), NONE if line.iterations is None else str(line.iterations)]
        rows.append([line.optimizer, *scores, str(line.seeds), loss, *counts, charged(found, line.cost), line.note])
    return [*head, "trials", "trials to within 1%", "cost", "note"], rows


def _deviation(line: Line, name: str) -> float:
    return line.deviation.get(name, math.nan) if line.seeds > 1 else math.nan


def phase_costs(found: Phases) -> str:
    """What each phase cost."""
    spent = ", ".join(f"{clean(name, 40)} {charged(found, cost)}" for name, cost in found.costs.items())
    total = charged(found, found.total)
    return f"{total} of {clean(found.max_cost, 40)}: {spent}."


def rung_rows(found: Sequence[tables.RungRow], price: Price | None) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table of rungs."""
    head = ["rung", "work", "done", "stopped", "failed", "best loss", "spent", "foretells the highest"]
    rows = [
        [
            row.name,
            f"{row.work:.3g}%",
            str(row.done),
            str(row.stopped),
            str(row.failed),
            NONE if row.best is None else number(row.best),
            seconds(row.seconds) + beside(price, row.seconds),
            NONE if math.isnan(row.rho) else f"{row.rho:.2f} ({row.n} configurations)",
        ]
        for row in found
    ]
    return head, rows


def told(part: Part) -> tuple[list[str], list[list[str]]]:
    """Head and rows of what the runs were told from elsewhere; no rows where that is nothing."""
    rows = [
        [words.run_words(run), number(known.loss), rung_words(known.rung), pairs(known.config)]
        for run in part.runs
        for known in sorted(run.told, key=lambda known: (-known.rung.work, known.loss))
    ]
    return ["run", "loss", "fidelity", "configuration"], rows


def forecast(run: Run) -> tuple[str, list[str], list[list[str]]]:
    """Of a run whose cost was measured before it began: the plan in words; head and rows of forecast and outcome."""
    plan, found = run.header.plan, compared(run)
    head = ["rung", "trials planned", "done", "cost of a trial, forecast", "mean cost", "forecast off by"]
    if plan is None or plan.unit != "s" or not found:
        return "", head, []
    price = of_run(run)
    rows = [
        [
            rung_words(line.rung),
            str(line.planned),
            str(line.trials),
            seconds(line.expected) + beside(price, line.expected),
            NONE if line.cost is None else seconds(line.cost) + beside(price, line.cost),
            NONE if not line.cost else f"{100 * (line.expected / line.cost - 1):+.0f}%",
        ]
        for line in found
    ]
    probe = f" The probe took {seconds(plan.spent)}{beside(price, plan.spent)}." if plan.spent else ""
    return f"{headline(plan, price)}.{probe}", head, rows


def trust(found: Importances) -> str:
    """Where the importances come from, and how far they can be relied on."""
    share = max(0.0, found.r_squared)
    judged = (
        "so these numbers can be relied on"
        if share >= 0.5
        else "so take them as a hint"
        if share >= 0.2
        else "so they mean little: more trials would tell more"
    )
    return (
        f"Functional ANOVA (Hutter et al. 2014) of a random forest over {found.trials} complete trials, at the highest "
        f"fidelity. The forest foretells {100 * share:.0f}% of the variance of configurations that it has not seen, "
        f"{judged}. Whiskers: one standard deviation over resampled trials."
    )


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
        said |= {f"machine: {name}": value for name, value in header.hardware.items()}
        said |= {f"version: {name}": value for name, value in header.versions.items()}
        for name, value in said.items():
            if value not in ("", None):
                found.setdefault(clean(name, 60), {})[clean(value, 1000)] = None
    return [[name, _few(list(values))] for name, values in found.items()]


def _few(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}" if len(values) > 3 else "; ".join(values)
