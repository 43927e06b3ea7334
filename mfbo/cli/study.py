"""``mfbo study``: exploration, optimization and validation within one budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mfbo.cli import options
from mfbo.errors import BadValue

if TYPE_CHECKING:
    from mfbo.engine.validate import Score


@click.command()
@options.task
@click.option(
    "--max-cost", metavar="COST", help="Cost of all three phases together: 45s, 90m, 4h; in full evaluations: 60x."
)
@click.option(
    "--optimizers",
    default="smac,random,grid",
    show_default=True,
    metavar="NAMES",
    help="Names, separated by commas; see `mfbo optimizers`.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Random seed of all runs.")
@click.option(
    "--seeds",
    default=3,
    show_default=True,
    metavar="N",
    help="Trainings, each with its own seed, of each final validation.",
)
@options.out("Folder of the study; default: runs/TASK-study.")
@options.search
@options.running
@options.output
def study(
    *,
    task: str,
    max_cost: str | None,
    optimizers: str,
    out: str | None,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Explore, optimize and validate TASK within one cost.

    Exploration on small subsets narrows the ranges; each optimizer then searches the narrowed space; its best
    configuration is trained again and measured on unseen data. The same command continues after an interruption.
    """
    from mfbo.cli.run import command_line
    from mfbo.display import make
    from mfbo.display.text import clean, number, pairs
    from mfbo.ledger.observer import Observer
    from mfbo.study.phases import study as run
    from mfbo.study.phases_result import EXPLORE, OPTIMIZE
    from mfbo.study.runner import check_codes
    from mfbo.study.spec import Study, file_name, names_of

    if max_cost is None:
        raise BadValue("no cost given; give the cost of all three phases, such as --max-cost 4h or --max-cost 60x")

    def observer_of(phase: str) -> Observer:
        if not (quiet or as_json):
            click.echo(f"\n{phase}", err=True)
        return make(quiet=quiet or as_json)

    def on_score(optimizer: str, score: Score) -> None:
        if not (quiet or as_json):
            (name, value), *others = score.measured.items()
            metrics = f", {pairs(dict(others))}" if others else ""
            said = f"{clean(name, 40)} {number(value)} on unseen data{metrics}"
            click.echo(f"{optimizer}, seed {score.seed}: {said}", err=True)

    search, seeds, chosen = options.search_of(given), given.pop("seeds"), names_of(optimizers)
    asked = Study((task,), chosen, seeds, max_cost, search=search, settings=options.settings_of(**given))
    folder = Path(out) if out else Path("runs") / f"{file_name(task)}-study"
    check_codes([folder / EXPLORE, *(folder / OPTIMIZE).glob("*")])
    options.say_whose(task)
    found = run(asked, folder, observer_of=observer_of, on_score=on_score, command=command_line())
    if found.interrupted:
        click.echo("mfbo: interrupted; the same command continues", err=True)
        sys.exit(options.INTERRUPTED)
    if as_json:
        options.answer(found.to_dict())
        return
    from rich.console import Console

    from mfbo.display.phases import phases

    Console().print(phases(found))
