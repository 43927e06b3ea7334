"""``mfbo tell``: add a result that was measured outside the run."""

from __future__ import annotations

from typing import Any

import click

from mfbo.cli import options
from mfbo.errors import BadValue


@click.command()
@options.run
@click.argument("config", metavar="CONFIG.yaml")
@click.option(
    "--value", type=float, metavar="V", help="The run's metric, in its own sign, as the run's task measures it."
)
@click.option("--loss", type=float, metavar="L", help="The same of a run whose metric is a loss.")
@click.option(
    "--epochs", type=int, metavar="N", help="Epochs that it was trained for; default: those of a full evaluation."
)
@click.option(
    "--data", type=float, metavar="F", help="Fraction of the training data; default: that of a full evaluation."
)
@options.at
def tell(
    run: str, config: str, *, value: float | None, loss: float | None, at: tuple[str, ...], **trained: Any
) -> None:
    """Add a result to RUN that was measured outside it.

    CONFIG.yaml has the hyperparameters, as `mfbo best` prints them. It costs nothing, and the optimizer uses it when
    the run continues: a result that is better than the run's best is tried first. It is listed apart, as the best of a
    run is always one that the run has measured itself.
    """
    from mfbo.cli.run import command_line
    from mfbo.display.text import clean, number, pairs, rung_words
    from mfbo.engine.tell import tell as told
    from mfbo.fidelity_point import read_numbers
    from mfbo.ledger.journal import read
    from mfbo.optimizers.registry import names_with, spec_of

    goal = read(run).header.goal
    if (value is None) == (loss is None):
        raise BadValue(f"give one value: --value V of {goal.name}, {goal.better}")
    if loss is not None and goal.maximize:
        raise BadValue(f"this run maximizes {goal.name}: give --value, in its own sign")
    measured = value if loss is None else loss
    assert measured is not None
    known = told(run, config, measured, **trained, at=read_numbers(at), command=command_line())
    optimizer = read(run).header.optimizer
    others = ", ".join(names_with("takes_earlier_results"))
    use = "uses it" if spec_of(optimizer).takes_earlier_results else f"does not use it ({others} would)"
    said = f"{clean(goal.name, 40)} {number(goal.value(known.loss))}"
    click.echo(f"added: {said} at {rung_words(known.rung)}, measured outside the run, at no cost")
    click.echo(f"  {pairs(known.config)}")
    click.echo(f"  {optimizer} {use} when the run continues: mfbo resume {run}")
