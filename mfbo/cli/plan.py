"""``mfbo plan``."""

from __future__ import annotations

import sys
from typing import Any

import click

from mfbo.cli import options


@click.command()
@options.task
@click.option(
    "--max-cost", metavar="COST", help="Total cost: 45s, 90m, 2h, 1h30m, 1d; in full evaluations: 20x; in money: 5USD."
)
@click.option("--max-wall", metavar="TIME", help="Wall-clock time.")
@options.optimizer
@click.option("--seed", default=0, show_default=True, metavar="N", help="Random seed of the planned run.")
@options.search
@options.objectives
@options.subject_to
@options.running
@options.as_json
def plan(
    *,
    task: str,
    max_cost: str | None,
    max_wall: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Show what a budget would buy for TASK, without a run.

    Training for up to 5% of the budget, and a minute at most, measures the costs on this machine; then the levels are
    chosen. `mfbo tune` does the same, and goes on with what was trained.
    """
    from mfbo.cost.price import in_time
    from mfbo.display.forecast import lines, to_dict
    from mfbo.display.lines import NoteDisplay
    from mfbo.engine.tune import plan as make
    from mfbo.ledger.observer import Several

    search = options.search_of(given)
    cost, chosen = in_time(max_cost, options.settings_of(**given))
    found = make(
        task,
        cost,
        search=search,
        max_wall=max_wall,
        settings=chosen,
        observer=Several(NoteDisplay(), *options.sign_of_life()),
    )
    if found is None:
        click.echo("mfbo: stopped", err=True)
        sys.exit(options.INTERRUPTED)
    if as_json:
        options.answer(to_dict(found, chosen.price))
    else:
        click.echo("\n".join(lines(found, chosen.price)))
