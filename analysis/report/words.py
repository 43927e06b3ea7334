"""What a report says in sentences; each follows from the numbers, and says where they do not suffice."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfbo.budget import Budget
from mfbo.cost.price import beside, of_run
from mfbo.display.text import amount, clean, number, pairs, rung_words
from mfbo.evidence.gain import outlook
from mfbo.evidence.summary import BASELINES, SIGNIFICANCE_LEVEL
from mfbo.exports.model import metric_option
from mfbo.goal import Goal

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part
    from mfbo.engine.validate import Validation
    from mfbo.evidence.importance import Importances
    from mfbo.evidence.payoff import Payoff
    from mfbo.evidence.ranking import Ranking
    from mfbo.evidence.statistics import SpeedUp
    from mfbo.ledger.run import Result, Run
    from mfbo.study.spec import Entry

FULL_NAMES = {"random": "random search", "grid": "grid search", "random-2x": "random search at twice the cost"}
MAX_PATH = 4096
MAX_NAMED_RUNS = 6


def title(material: Material) -> str:
    """Of the page."""
    if run := material.single:
        return f"{clean(run.header.optimizer, 40)} on {material.parts[0].name}: what it found and what it cost"
    if material.phases:
        return f"{material.parts[0].name}: explored, optimized, validated within {clean(material.phases.max_cost, 40)}"
    names = [part.name for part in material.parts]
    where = names[0] if len(names) == 1 else f"{len(names)} tasks"
    return f"Does multi-fidelity tuning pay off on {where}?"


def question(material: Material) -> str:
    """What was asked, in a sentence."""
    run = material.parts[0].runs[0]
    if material.phases:
        return (
            f"Which configuration of {material.parts[0].name} is best on unseen data, and which optimizer finds it, "
            "within one cost for exploration, optimization and validation?"
        )
    if material.single:
        limit = f" within a cost of {budget_words(run.limits.max_cost)}" if run.limits.max_cost else ""
        return f"Which configuration of {material.parts[0].name} does {clean(run.header.optimizer, 40)} find{limit}?"
    optimizers = list(dict.fromkeys(clean(one.header.optimizer, 40) for part in material.parts for one in part.runs))
    tasks = [part.name for part in material.parts]
    runs = sum(len(part.runs) for part in material.parts)
    cost = f" ({equal_cost(material)})" if any(part.found for part in material.parts) else ""
    return (
        f"Which optimizer finds the better configuration of {listed(tasks)} at equal cost{cost}, "
        f"and do cheap trials at low fidelity help? {counted(runs, 'run')} of {listed(optimizers)}."
    )


def progress(material: Material) -> list[str]:
    """What is not there of a comparison: runs that have not come to their end, and those that bought nothing."""
    several = len({entry.task for entry, _ in material.missing}) > 1 or len(material.parts) > 1
    lost = [
        f"No run of {entry_words(entry, several)}: {clean(why, MAX_PATH)}." for entry, why in material.missing if why
    ]
    runs = [run for part in material.parts for run in part.runs]
    open_, awaited = [run_words(run) for run in runs if not run.finished], material.awaited
    if material.single or not (open_ or awaited):
        return lost
    ended = f"{len(runs) - len(open_)} of {counted(len(runs) + len(awaited), 'run')} have ended so far"
    said = [f"What is shown may still change: {ended}."]
    said += [f"Begun: {_some(open_)}."] if open_ else []
    said += [f"To come: {_some([entry_words(entry, several) for entry in awaited])}."] if awaited else []
    return [" ".join(said), *lost]


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = len(names) - MAX_NAMED_RUNS
    return "; ".join(names[:MAX_NAMED_RUNS]) + (f"; and {more} more" if more > 0 else "")


def equal_cost(material: Material) -> str:
    """What a run of the comparison may cost: ``2h a run``, or where they differ the least and the most."""
    found = [part.found.comparison.limits for part in material.parts if part.found]
    limits = sorted(set().union(*found), key=lambda budget: budget.amount)
    ends = list(dict.fromkeys(budget_words(budget) for budget in (limits[:1] + limits[-1:])))
    double = any(run.header.optimizer == "random-2x" for part in material.parts for run in part.runs)
    twice = ", random-2x twice that" if double and limits else ""
    return (" to ".join(ends) + " a run" if ends else "no limit") + twice


def limit_words(run: Run) -> str:
    """``limit 2h``, ``limit 20 full evaluations``, or ``no limit``, of cost."""
    return f"limit {budget_words(run.limits.max_cost)}" if run.limits.max_cost else "no limit"


def budget_words(budget: Budget) -> str:
    """``2h``, or ``20 full evaluations``."""
    return f"{budget.amount:g} full evaluations" if budget.unit == "x" else str(budget)


def answer(part: Part) -> str:
    """Whether multi-fidelity paid off here, in a sentence."""
    if part.single:
        return "It cannot be told: this is one run, and there is nothing at equal cost to compare it with."
    if part.problem:
        return f"It cannot be told: {clean(part.problem)}."
    if part.awaited and (part.payoff is None or part.payoff.answer == "unknown"):
        return "It cannot be told yet: more runs are to come."
    if part.payoff is None:
        return "It cannot be told: no trial had a result."
    if part.payoff.answer == "unknown":
        return f"It cannot be told: {_why_unknown(part)}."
    return _claim(part.payoff)


def finding(part: Part) -> str:
    """The best configuration's quality, and what it cost, in a sentence."""
    failed = sum(result.outcome.failed for _, result in part.results)
    if not part.results:
        return "There is no result yet."
    if not part.best:
        trials = counted(len(part.results), "trial")
        return f"Nothing: of {trials} none had a result, {failed} failed; see Failures."
    run, result = part.best
    metrics = _other_metrics(result, part.goal)
    return (
        f"The best of {counted(len(part.results), 'trial')} has a {part.label} of {value(part, result)} "
        f"({rung_words(result.outcome.rung)}{metrics}); it was found at a cost of "
        f"{cost_words(result.spent, unit_of(run))}{beside(of_run(run), result.at)}."
    )


def tested(part: Part) -> str:
    """What ``mfbo validate`` found of the best configuration; empty where it was not run."""
    found = part.validation
    if found is None:
        return ""
    said = ", ".join(f"{clean(name, 40)} {spread(found.mean(name), deviation(found, name))}" for name in found.names)
    return f"On the test split, trained anew: {said} ({trainings(found)})."


def selected(part: Part) -> str:
    """What the result of the best configuration is worth, as it was chosen for it."""
    chosen = f"It is the best of {counted(len(part.results), 'trial')}, so this value is probably a bit too good"
    if part.found and part.found.comparison.true:
        return f"{chosen}."
    return f"{chosen}; `mfbo validate` measures it on unseen data."


def best_value(part: Part) -> str:
    """The best loss or metric, and which run found it."""
    if not part.best:
        return "none"
    name = "" if part.goal == Goal() else f"{clean(part.goal.name, 40)} "
    return f"{name}{value(part, part.best[1])} ({run_words(part.best[0])})"


def value(part: Part, result: Result) -> str:
    """What a result came to, in the metric's own sign."""
    loss = result.outcome.loss
    return "-" if loss is None else number(part.goal.value(loss))


def _other_metrics(result: Result, goal: Goal) -> str:
    metrics = goal.others(result.outcome.metrics)
    return f"; {pairs(metrics)}" if metrics else ""


def deviation(found: Validation, metric: str) -> float:
    """Over the trainings; NaN for one."""
    return found.deviation(metric) if len(found.scores) > 1 else math.nan


def trainings(found: Validation) -> str:
    """What stands behind the numbers of a validation."""
    several = len(found.scores) > 1
    return f"mean ± standard deviation over {len(found.scores)} trainings" if several else "one training: no interval"


def _why_unknown(part: Part) -> str:
    judged = part.payoff
    assert judged is not None
    if judged.optimizer is None:
        return "no optimizer that uses low fidelities was run"
    if judged.baseline is None:
        if lost := [run.header.optimizer for run, _ in part.left_out if run.header.optimizer in BASELINES]:
            return f"no run of {full_name(lost[0])} counts"
        return "neither random search nor grid search was run"
    if judged.seeds < 2:
        return "one seed is chance; run two or more, better ten"
    return "there is no cost at which all runs have a result; give them more"


def _claim(judged: Payoff) -> str:
    assert judged.optimizer is not None
    assert judged.baseline is not None
    name, base = clean(judged.optimizer.name, 60), full_name(judged.baseline.name)
    found = judged.speed_ups[judged.baseline.name]
    few = f", though {judged.seeds} seeds cannot prove it"
    if found.factor:
        more = found.factor >= 1
        times = number(found.factor if more else 1 / found.factor, 2)
        at = "the same cost" if found.factor == 1 else f"{times} times {'less' if more else 'the'} cost"
        fact = f"{name} reached what {base} had in the end at {at}"
    else:
        fact = f"{name} did not reach what {base} had in the end"
    return {
        "yes": f"Yes: {fact}.",
        "likely": f"It seems so: {fact}{few}.",
        "no": f"No: {fact}.",
        "unlikely": f"It does not seem so: {fact}{few}.",
        "open": f"It cannot be told: {_open(fact, judged)}.",
    }[judged.answer]


def _open(fact: str, judged: Payoff) -> str:
    """What leaves it open."""
    assert judged.optimizer is not None
    assert judged.baseline is not None
    found = judged.speed_ups[judged.baseline.name]
    if judged.optimizer.below:
        base = full_name(judged.baseline.name)
        return (
            f"{fact}, but not all of its results were measured at the fidelity of those of {base}, and only such count"
        )
    if found.low == found.high:
        return f"{fact}, whichever seeds are drawn"
    return f"{fact}, but the seeds differ so much that it may be chance"


def reasons(part: Part) -> list[str]:
    """What the answer rests on, and what to beware of."""
    said = []
    if part.found and part.payoff and part.payoff.optimizer:
        said += _numbers(part)
    if part.single:
        said += _of_one(part)
    said += [f"Left out: {run_words(run)} ({reason})." for run, reason in part.left_out if not part.single]
    if part.found and part.payoff and 1 < part.payoff.seeds < 6:
        smallest = number(part.payoff.smallest_pvalue, 2)
        said.append(
            f"With {part.payoff.seeds} seeds a signed-rank test cannot fall below p = {smallest}, and a bootstrap "
            "interval is too narrow; from 6 seeds on it can be settled."
        )
    return said


def _numbers(part: Part) -> list[str]:
    """Final losses, and speed-up over each baseline."""
    assert part.found is not None
    assert part.payoff is not None
    judged, unit = part.payoff, part.found.comparison.unit
    rows = [row for row in (judged.optimizer, judged.baseline) if row]
    value = part.goal.value
    losses = " against ".join(f"{spread(value(row.loss), row.error)} ({full_name(row.name)})" for row in rows)
    said = []
    known = not any(math.isnan(row.loss) for row in rows)
    if judged.baseline and judged.seeds > 0 and known and not part.single:
        spent = cost_words(part.found.end, unit) + beside(part.found.comparison.paid, part.found.end)
        said.append(f"At a cost of {spent} the {loss_words(part)} is {losses}.")
    for row in part.found.standings:
        if row.below:
            base = full_name(str(part.found.baseline))
            said.append(
                f"{row.below} of {row.seeds} {part.results_called} of {full_name(row.name)} were measured at a lower "
                f"fidelity than those of {base}: they do not compare, and do not count as having reached its quality."
            )
    for name, found in judged.speed_ups.items():
        said.append(f"Speed-up over {full_name(name)}: {speed_words(found)}, 95% bootstrap interval over seeds.")
    if judged.optimizer and judged.optimizer.pvalue is not None:
        said.append(
            f"Difference of the final {part.results_called}: p = {number(judged.optimizer.pvalue, 2)} (Wilcoxon "
            "signed-rank over paired seeds, Holm-adjusted)."
        )
    return said


def _of_one(part: Part) -> list[str]:
    """What one run can say of its fidelities."""
    run = part.runs[0]
    configurations = len({trial.key for trial in run.asks.values()})
    said = [f"It looked at {counted(configurations, 'configuration')} in {counted(len(run.results), 'trial')}."]
    said += (
        [f"Do cheap trials predict full ones? {predicts(part)}"]
        if len({r.outcome.rung for r in run.results}) > 1
        else []
    )
    more = outlook(run) if run.results else ""
    return [*said, f"Going on: {clean(more)}."] if more else said


def compare_command(part: Part) -> str:
    """What finds out whether multi-fidelity pays off, of one run."""
    run = part.runs[0]
    limit = str(run.limits.max_cost or "COST")
    optimizers = ",".join(dict.fromkeys((run.header.optimizer, "random", "grid")))
    command = ["mfbo", "compare", run.header.task, "--optimizers", optimizers, "--seeds", "5", "--max-cost", limit]
    metric = metric_option(run.header.search, run.header.settings.options)
    command += ["--metric", metric] if metric else []
    command += ["--space", run.header.settings.space] if run.header.settings.space != "default" else []
    return str(clean(shlex.join(command), MAX_PATH))


def predicts(part: Part) -> str:
    """Whether cheap trials predict full ones, by the cheapest rung of which it can be told, in a sentence."""
    found = [one for group in part.groups for one in part.rung_correlations(group)]
    known = [one for one in found if one.known]
    if len({result.outcome.rung for _, result in part.results if not result.outcome.failed}) < 2:
        return "It cannot be told: every trial was at one fidelity."
    if not known:
        return "It cannot be told: too few configurations were promoted and seen at a higher level."
    best = min(known, key=lambda one: (one.low.work, one.upper - one.lower))
    judged = (
        "Yes"
        if best.lower >= 0.5
        else "Partly"
        if best.lower > 0
        else "No"
        if best.upper < 0.5
        else "It is not certain"
    )
    return (
        f"{judged}: the order of configurations at {rung_words(best.low)} has a rank correlation of {best.rho:.2f} "
        f"({best.lower:.2f} to {best.upper:.2f}) with that at {rung_words(best.high)}, corrected for promotion."
    )


def importance_trust(found: Importances) -> str:
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
        f"fidelity. R² of the forest within levels, for configurations that it has not seen: {100 * share:.0f}%, "
        f"{judged}. Whiskers: one standard deviation over resampled trials."
    )


def full_name(name: str) -> str:
    """``random search`` for ``random``; others as they are."""
    return FULL_NAMES.get(name, clean(name, 60))


def loss_words(part: Part) -> str:
    """What losses of the comparison are."""
    if part.found is not None and part.found.comparison.true:
        return f"true {clean(part.goal.name, 40)} at full fidelity"
    return str(part.label)


def spread(value: float, error: float) -> str:
    """``0.123 ± 0.004``; the error is left out where there is none, and a dash stands where there is no value."""
    if math.isnan(value):
        return "-"
    return number(float(value)) + ("" if math.isnan(error) else f" ± {number(float(error), 2)}")


def speed_words(found: SpeedUp) -> str:
    """``17 (4.2 to 25)``, or what stands in its place where the optimizer never got there."""
    range_ = f"({number(found.low, 2)} to {number(found.high, 2)})"
    return f"{number(found.factor, 2)} {range_}" if found.factor else f"not reached within the cost {range_}"


def quality(run: Run, best: Result) -> str:
    """The incumbent's measurement in words: where, when, and its other metrics."""
    unit = unit_of(run)
    goal, metrics = run.header.goal, _other_metrics(best, run.header.goal)
    spent = cost_words(best.spent, unit) + beside(of_run(run), best.at)
    where = f"found by {run_words(run)}, trial {best.trial.id}, at a cost of {spent}"
    name = "Loss" if goal == Goal() else clean(goal.name, 40)
    measured = f"{name} {number(goal.value(best.outcome.loss or 0.0))}"
    return f"{measured} ({rung_words(best.outcome.rung)}{metrics}), {where}"


def cost_words(cost: float, unit: str) -> str:
    """``1m20s``, or ``3.2 full evaluations``."""
    return f"{number(float(cost))} full evaluations" if unit == "x" else amount(cost, unit)


def unit_of(run: Run) -> str:
    """Of its cost: ``s`` or ``x``."""
    return run.limits.unit


def run_words(run: Run) -> str:
    """``smac, seed 3``."""
    return _seeded(run.header.optimizer, run.header.seed)


def entry_words(entry: Entry, several: bool) -> str:
    """As `run_words`, of a run of a study; with its task where there are several."""
    return _seeded(entry.optimizer, entry.seed) + (f" on {clean(entry.task, 60)}" if several else "")


def _seeded(optimizer: str, seed: int) -> str:
    return f"{clean(optimizer, 40)}, seed {seed}"


def counted(many: int, what: str) -> str:
    """``1 trial``, ``12 trials``."""
    return f"{many} {what}{'' if many == 1 else 's'}"


def ranked(found: Ranking, joins: str) -> str:
    """What the final ranks are means of, by which test `joins` has its optimizers, and what that could find."""
    blocks = f"{len(found.final)} {found.kind}"
    of = " (each by its mean over seeds)" if found.kind == "tasks" else ""
    loss = clean(found.metric or "result", 40)
    loss = f"true {loss} at full fidelity" if found.true else loss
    said = (
        f"Mean rank by final {loss} over {blocks}{of}; 1 is best. {joins} optimizers that do not differ "
        f"significantly (p > {SIGNIFICANCE_LEVEL}: Wilcoxon signed-rank over the {blocks}, Holm-adjusted for "
        f"{counted(found.pairs, 'pair')})."
    )
    if len(found.final) < found.needed:
        said += f" With so few {found.kind} the test finds no difference, however large; from {found.needed} on it can."
    return said


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
