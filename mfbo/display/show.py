"""What ``mfbo show RUN`` prints: a run on one page, from its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mfbo.cost.price import beside, of_run
from mfbo.display.counts import RunCounts, rung_table
from mfbo.display.forecast import headline
from mfbo.display.tables import facts_table, measured, one_line, plain_table
from mfbo.display.text import (
    PATH,
    amount,
    budget,
    clean,
    number,
    pairs,
    resume_words,
    rung_words,
    seconds,
)
from mfbo.evidence import feasibility, gain
from mfbo.evidence.curves import improvements, incumbent
from mfbo.evidence.pareto import front_of
from mfbo.goal import LOSS
from mfbo.objectives import shown, title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType
    from rich.table import Table

    from mfbo.cost.price import Price
    from mfbo.evidence.pareto import Front
    from mfbo.goal import Goal
    from mfbo.ledger.run import Header, Result, Run

MAX_ROWS = 20  # of each table


def summary(run: Run) -> RenderableType:
    """Settings, cost and results of a run.

    Args:
        run: as `mfbo.ledger.journal.read` gives it; nothing in it is trusted.
    """
    counts, best, better = RunCounts.of(run), incumbent(run), list(improvements(run))
    unit = _unit(run)
    parts: list[RenderableType] = [_facts(run, counts)]
    if counts.rungs:
        parts += [Text(), rung_table(counts, best.outcome.rung if best else None)]
    if said := feasibility.none_feasible(run):
        parts += [Text(), Text(clean(said))]
    if best:
        parts += [Text(), _incumbent(best, unit, run.header, counts.price)]
    if found := front_of(run):
        parts += [Text(), front_table(found, run.header.goal)]
    if run.told:
        parts += [Text(), told_table(run, best)]
    if len(better) > 1:
        parts += [Text(), _history(better, unit, counts.price, run.header.goal)]
    if counts.errors:
        parts += [Text(), _failures(counts)]
    return Group(*parts)


def _unit(run: Run) -> str:
    limit = budget(run.limits)
    return limit.unit if limit else "s"


def _facts(run: Run, counts: RunCounts) -> Table:
    """The facts of a run, one per row."""
    header = run.header
    goal, rows_of_their_own = header.goal, {"prior", "objectives", "metric", "maximize", "subject_to"}
    if header.search.path in (None, header.fidelity.default_path):  # nobody asked for it
        rows_of_their_own.add("fidelity")
    asked = {name: value for name, value in header.search.options().items() if name not in rows_of_their_own}
    metric = f"{clean(goal.name, 60)}, {goal.better}" if header.search.metric or goal.maximize else ""
    rows = {
        "task": clean(header.task),
        "optimizer": f"{clean(header.optimizer)}, seed {clean(header.seed)}",
        "run": clean(run.folder, PATH) if run.folder else "",
        "status": resume_words(run.ended, run.folder),
        "cost": _cost(run, counts),
        "plan": _plan(run),
        "trials": _trials(run, counts),
        "wall": f"{seconds(run.wall)} of {clean(run.limits.max_wall)}" if run.limits.max_wall else "",
        "search": pairs(asked),
        "metric": metric,
        "options": pairs({name: v for name, v in header.settings.changed().items() if v != header.search.metric}),
        "prior": pairs(header.prior or {}),
        "objectives": clean(", ".join(goal.name if name == LOSS else name for name in header.search.objectives)),
        "subject to": clean(feasibility.feasible_words(run)),
        "more": clean(gain.outlook(run)) if run.results else "",
        "begun": clean(header.created),
        "command": clean(header.command, PATH),
        "machine": _values(header.hardware),
        "versions": ", ".join(f"{clean(name, 40)} {clean(value, 40)}" for name, value in header.versions.items()),
    }
    table = facts_table()
    for name, text in rows.items():
        if text:
            table.add_row(Text(name), Text(text, "bold" if name in ("task", "status") else ""))
    return table


def _cost(run: Run, counts: RunCounts) -> str:
    limit, unit = budget(run.limits), _unit(run)
    total = amount(run.spent, unit) + (f" of {limit}" if limit else "")
    probe = run.header.plan.spent if run.header.plan else 0.0
    overhead = max(0.0, run.seconds - counts.training - counts.evaluation - probe)
    parts = {"probe": probe, "training": counts.training, "evaluation": counts.evaluation, "overhead": overhead}
    split = ", ".join(
        f"{name} {seconds(value)}{beside(counts.price, value)}"
        for name, value in parts.items()
        if value or name != "probe"
    )
    return f"{total}{beside(counts.price, run.seconds)}: {split}"


def _plan(run: Run) -> str:
    """The forecast for the budget that the run began with."""
    plan = run.header.plan
    return headline(plan, of_run(run)) if plan and plan.steps and plan.unit == "s" else ""


def _trials(run: Run, counts: RunCounts) -> str:
    limit = f" of {run.limits.max_trials}" if run.limits.max_trials else ""
    others = {"failed": counts.failed, "unfinished": len(run.open)}
    return f"{counts.finished}{limit}" + "".join(f", {count} {name}" for name, count in others.items() if count)


def _values(facts: Mapping[str, object]) -> str:
    """``AMD EPYC, cores 2, Linux, memory_gib 23.5``: text alone, numbers with their name."""
    return ", ".join(
        clean(value) if isinstance(value, str) else f"{clean(name, 40)} {number(value)}"
        for name, value in facts.items()
    )


def _incumbent(best: Result, unit: str, header: Header, price: Price | None) -> Group:
    """The incumbent with all of its configuration."""
    outcome, goal, optimum = best.outcome, header.goal, header.optimum
    text, metrics = measured(best, goal), goal.others(best.outcome.metrics)
    found = amount(best.spent, unit) + beside(price, best.at)
    text.append(f" at {rung_words(outcome.rung)}; trial {best.trial.id}, found at {found}")
    if optimum is not None and outcome.loss is not None:
        side = "below" if goal.maximize else "above"
        text.append(f"\n{number(outcome.loss - optimum)} {side} the optimum of {number(goal.value(optimum))}")
    if metrics:
        text.append(f"\n{pairs(metrics)}")
    table = facts_table()
    for name, value in best.trial.config.items():
        table.add_row(Text(f"  {clean(name, 60)}"), Text(_exact(value)))
    return Group(text, table)


def _exact(value: object) -> str:
    """A hyperparameter with all its digits."""
    return clean(repr(value) if isinstance(value, float) else value, PATH)


def front_table(found: Front, goal: Goal) -> Group:
    """The Pareto front: the values of each member, and which trial it was."""
    many = len(found.members) + len(found.others)
    configurations = "1 configuration" if many == 1 else f"{many} configurations"
    text = Text(f"Pareto front: {len(found.members)} of {configurations} at {rung_words(found.rung)}; ")
    text.append("to get one: mfbo best RUN --trial N", "dim")
    table = plain_table("trial", *(clean(title(name, goal), 40) for name in found.names), "configuration")
    for result, values in found.members[:MAX_ROWS]:
        mine = [shown(name, value, goal) for name, value in zip(found.names, values, strict=True)]
        figures = [Text(str(result.trial.id)), *(Text(number(value)) for value in mine)]
        table.add_row(*figures, one_line(pairs(result.trial.config)))
    more = len(found.members) - MAX_ROWS
    notes = [found.single] if found.single else [f"and {more} more"] if more > 0 else []
    return Group(text, table, *(Text(note, "dim") for note in notes))


def told_table(run: Run, best: Result | None) -> Group:
    """Results measured outside the run, best first, and whether one of them beats the run's own."""
    found = sorted(run.told, key=lambda known: (-known.rung.work, known.loss))
    text = Text(f"measured outside this run, at no cost: {len(found)} result{'' if len(found) == 1 else 's'}")
    mine = (-best.outcome.rung.work, best.outcome.loss) if best and best.outcome.loss is not None else (0.0, 0.0)
    if (-found[0].rung.work, found[0].loss) < mine:
        text.append("; the first is better than any that this run has measured", "yellow")
    goal = run.header.goal
    table = plain_table(clean(goal.name, 40), "fidelity", "configuration")
    for known in found[:MAX_ROWS]:
        table.add_row(
            Text(number(goal.value(known.loss))), one_line(rung_words(known.rung)), one_line(pairs(known.config))
        )
    return Group(text, table)


def _history(better: list[Result], unit: str, price: Price | None, goal: Goal) -> Group:
    """Each improvement: cost, loss or metric, rung."""
    table = plain_table("found at", clean(goal.name, 40), "trial", "fidelity")
    for result in better[-MAX_ROWS:]:
        found = amount(result.spent, unit) + beside(price, result.at)
        figures = (found, number(goal.value(result.outcome.loss or 0.0)), str(result.trial.id))
        table.add_row(*(Text(figure) for figure in figures), one_line(rung_words(result.outcome.rung)))
    earlier = len(better) - MAX_ROWS
    return Group(table, Text(f"and {earlier} earlier", "dim")) if earlier > 0 else Group(table)


def _failures(counts: RunCounts) -> Group:
    """How many trials failed or were lost, and their errors."""
    kinds = {"failed": counts.failed, "lost with their worker and run again": counts.lost}
    lines = [Text(", ".join(f"{count} {name}" for name, count in kinds.items() if count), "red")]
    lines += [Text(f"{count:>5}  {error}") for error, count in counts.errors.most_common(MAX_ROWS)]
    more = len(counts.errors) - MAX_ROWS
    return Group(*lines, *([Text(f"and {more} other errors", "dim")] if more > 0 else []))
