"""``mfbo tell``: add a result that was measured outside the run."""

from __future__ import annotations

import click

from mfbo.cli import options


@click.command()
@options.run
@click.argument("config", metavar="CONFIG.yaml")
@click.option(
    "--loss", type=float, required=True, metavar="L", help="Its validation loss, as the run's task measures it."
)
@click.option(
    "--epochs", type=int, metavar="N", help="Epochs that it was trained for; default: those of a full evaluation."
)
@click.option(
    "--data", type=float, metavar="F", help="Fraction of the training data; default: that of a full evaluation."
)
def tell(run: str, config: str, loss: float, epochs: int | None, data: float | None) -> None:
    """Add a result to RUN that was measured outside it.

    CONFIG.yaml has the hyperparameters, as `mfbo best` prints them. It costs nothing, and the optimizer uses it when
    the run continues: a result that is better than the run's best is tried first. It is listed apart, as the best of a
    run is always one that the run has measured itself.
    """
    from mfbo.cli.run import command_line
    from mfbo.display.text import number, pairs, rung_words
    from mfbo.engine.tell import tell as told
    from mfbo.ledger.journal import read
    from mfbo.optimizers.registry import names_with, spec_of

    known = told(run, config, loss, epochs=epochs, data=data, command=command_line())
    optimizer = read(run).header.optimizer
    others = ", ".join(names_with("takes_earlier_results"))
    use = "uses it" if spec_of(optimizer).takes_earlier_results else f"does not use it ({others} would)"
    click.echo(f"added: loss {number(known.loss)} at {rung_words(known.rung)}, measured outside the run, at no cost")
    click.echo(f"  {pairs(known.config)}")
    click.echo(f"  {optimizer} {use} when the run continues: mfbo resume {run}")
