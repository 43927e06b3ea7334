"""``mfbo tell``: a result from elsewhere."""

from __future__ import annotations

import click

from mfbo.cli import options


@click.command()
@options.run
@click.argument("config", metavar="CONFIG.yaml")
@click.option("--loss", type=float, required=True, metavar="L", help="Its validation loss, as TASK measures it.")
@click.option("--epochs", type=int, metavar="N", help="Epochs that it was trained for; default: a full evaluation's.")
@click.option("--data", type=float, metavar="F", help="Fraction of the training data; default: a full evaluation's.")
def tell(run: str, config: str, loss: float, epochs: int | None, data: float | None) -> None:
    """Tell RUN a result from elsewhere.

    CONFIG.yaml has the hyperparameters, as `mfbo best` prints them. It costs nothing of the budget, is used when the
    run goes on, and is shown by its name: the best of the run is what it has measured itself.
    """
    from mfbo.cli.run import typed
    from mfbo.display.text import number, pairs, rung_words
    from mfbo.engine.tell import tell as told
    from mfbo.ledger.journal import read
    from mfbo.optimizers.registry import LEARNERS

    known = told(run, config, loss, epochs=epochs, data=data, command=typed())
    optimizer = read(run).header.optimizer
    use = "uses it" if optimizer in LEARNERS else f"makes no use of it ({', '.join(LEARNERS)} would)"
    click.echo(f"told: loss {number(known.loss)} at {rung_words(known.rung)}, from elsewhere, at no cost")
    click.echo(f"  {pairs(known.config)}")
    click.echo(f"  {optimizer} {use} when the run goes on: mfbo resume {run}")
