"""What ``mfbo show RUN`` prints: all that a ledger tells of a run, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mfbo.cost.price import beside, of_run
from mfbo.display.forecast import headline
from mfbo.display.tables import facts_table, one_line, plain_table
from mfbo.display.tally import Tally, rung_table
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
from mfbo.evidence.curves import improvements, incumbent
from mfbo.evidence.pareto import front_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType
    from rich.table import Table

    from mfbo.cost.price import Price
    from mfbo.evidence.pareto import Front
    from mfbo.ledger.run import Result, Run

MOST = 20
"""So many improvements and kinds of failure are shown."""


def summary(run: Run) -> RenderableType:
    """What a run was, what it used and what it found.

    Args:
        run: as `mfbo.ledger.journal.read` gives it; nothing in it is trusted.
    """
    tally, best, better = Tally.of(run), incumbent(run), list(improvements(run))
    unit = _unit(run)
    parts: list[RenderableType] = [_facts(run, tally)]
    if tally.rungs:
        parts += [Text(), rung_table(tally, best.outcome.rung if best else None)]
    if best:
        parts += [Text(), _incumbent(best, unit, run.header.optimum, tally.price)]
    if found := front_of(run):
        parts += [Text(), front_table(found)]
    if run.told:
        parts += [Text(), told_table(run, best)]
    if len(better) > 1:
        parts += [Text(), _history(better, unit, tally.price)]
    if tally.errors:
        parts += [Text(), _failures(tally)]
    return Group(*parts)


def _unit(run: Run) -> str:
    limit = budget(run.limits)
    return limit.unit if limit else "s"


def _facts(run: Run, tally: Tally) -> Table:
    """Names and what they stand for, a row each."""
    header = run.header
    options = {name: value for name, value in header.settings.items() if value not in (None, False, "", {})}
    rows = {
        "task": clean(header.task),
        "optimizer": f"{clean(header.optimizer)}, seed {clean(header.seed)}",
        "run": clean(run.folder, PATH) if run.folder else "",
        "status": resume_words(run.ended, run.folder),
        "cost": _cost(run, tally),
        "plan": _plan(run),
        "trials": _trials(run, tally),
        "wall": f"{seconds(run.wall)} of {clean(run.limits.max_wall)}" if run.limits.max_wall else "",
        "options": pairs(options),
        "prior": pairs(header.prior or {}),
        "objectives": clean(", ".join(header.objectives)),
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


def _cost(run: Run, tally: Tally) -> str:
    limit, unit = budget(run.limits), _unit(run)
    total = amount(run.spent, unit) + (f" of {limit}" if limit else "")
    probe = run.header.plan.spent if run.header.plan else 0.0
    thinking = max(0.0, run.seconds - tally.training - tally.evaluation - probe)
    parts = {"probe": probe, "training": tally.training, "evaluation": tally.evaluation, "optimizer": thinking}
    split = ", ".join(
        f"{name} {seconds(value)}{beside(tally.price, value)}"
        for name, value in parts.items()
        if value or name != "probe"
    )
    return f"{total}{beside(tally.price, run.seconds)}: {split}"


def _plan(run: Run) -> str:
    """What was expected of the budget that the run began with."""
    plan = run.header.plan
    return headline(plan, of_run(run)) if plan and plan.steps and plan.unit == "s" else ""


def _trials(run: Run, tally: Tally) -> str:
    limit = f" of {run.limits.max_trials}" if run.limits.max_trials else ""
    counts = {"failed": tally.failed, "unfinished": len(run.open)}
    return f"{tally.finished}{limit}" + "".join(f", {count} {name}" for name, count in counts.items() if count)


def _values(facts: Mapping[str, object]) -> str:
    """``AMD EPYC, cores 2, Linux, memory_gib 23.5``: words stand for themselves, numbers need their name."""
    return ", ".join(
        clean(value) if isinstance(value, str) else f"{clean(name, 40)} {number(value)}"
        for name, value in facts.items()
    )


def _incumbent(best: Result, unit: str, optimum: float | None, price: Price | None) -> Group:
    """The incumbent with all of its configuration."""
    outcome = best.outcome
    text = Text("best ").append(number(outcome.loss), "bold green")
    found = amount(best.spent, unit) + beside(price, best.at)
    text.append(f" at {rung_words(outcome.rung)}; trial {best.trial.id}, found at {found}")
    if optimum is not None and outcome.loss is not None:
        text.append(f"\n{number(outcome.loss - optimum)} above the optimum of {number(optimum)}")
    if outcome.metrics:
        text.append(f"\n{pairs(outcome.metrics)}")
    table = facts_table()
    for name, value in best.trial.config.items():
        table.add_row(Text(f"  {clean(name, 60)}"), Text(_exact(value)))
    return Group(text, table)


def _exact(value: object) -> str:
    """A hyperparameter in full, to be used again."""
    return clean(repr(value) if isinstance(value, float) else value, PATH)


def front_table(found: Front) -> Group:
    """The Pareto front: the values of each member, and which trial it was."""
    many = len(found.members) + len(found.others)
    text = Text(f"Pareto front: {len(found.members)} of {many} configurations at {rung_words(found.rung)}; ")
    text.append("one of them: mfbo best RUN --trial N", "dim")
    table = plain_table("trial", *(clean(name, 40) for name in found.names), "configuration")
    for result, values in found.members[:MOST]:
        figures = [Text(str(result.trial.id)), *(Text(number(value)) for value in values)]
        table.add_row(*figures, one_line(pairs(result.trial.config)))
    more = len(found.members) - MOST
    return Group(text, table, *([Text(f"and {more} more", "dim")] if more > 0 else []))


def told_table(run: Run, best: Result | None) -> Group:
    """Results from elsewhere, best first, and whether one of them beats what the run has measured itself."""
    found = sorted(run.told, key=lambda known: (-known.rung.work, known.loss))
    text = Text(f"told from elsewhere, at no cost of this run: {len(found)} result{'' if len(found) == 1 else 's'}")
    mine = (-best.outcome.rung.work, best.outcome.loss) if best and best.outcome.loss is not None else (0.0, 0.0)
    if (-found[0].rung.work, found[0].loss) < mine:
        text.append("; the first is better than what this run has measured", "yellow")
    table = plain_table("loss", "fidelity", "configuration")
    for known in found[:MOST]:
        table.add_row(Text(number(known.loss)), one_line(rung_words(known.rung)), one_line(pairs(known.config)))
    return Group(text, table)


def _history(better: list[Result], unit: str, price: Price | None) -> Group:
    """Each improvement: cost, loss, rung."""
    table = plain_table("found at", "loss", "trial", "fidelity")
    for result in better[-MOST:]:
        found = amount(result.spent, unit) + beside(price, result.at)
        figures = (found, number(result.outcome.loss), str(result.trial.id))
        table.add_row(*(Text(figure) for figure in figures), one_line(rung_words(result.outcome.rung)))
    earlier = len(better) - MOST
    return Group(table, Text(f"and {earlier} earlier", "dim")) if earlier > 0 else Group(table)


def _failures(tally: Tally) -> Group:
    """How many trials failed or were lost, and of what."""
    counts = {"failed": tally.failed, "lost with their worker and run again": tally.lost}
    lines = [Text(", ".join(f"{count} {name}" for name, count in counts.items() if count), "red")]
    lines += [Text(f"{count:>5}  {error}") for error, count in tally.errors.most_common(MOST)]
    more = len(tally.errors) - MOST
    return Group(*lines, *([Text(f"and {more} other errors", "dim")] if more > 0 else []))
