"""``mfbo data``: the data of the real tasks."""

from __future__ import annotations

import click

from mfbo.cli import options
from mfbo.cli.groups import Commands


@click.group(cls=Commands)
def data() -> None:
    """Download the data sets of the real tasks, or list them."""


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def get(names: tuple[str, ...]) -> None:
    """Download each NAME from the Hugging Face hub: cifar10, ag_news or imdb."""
    from mfbo.data import get as download

    for name in names:
        click.echo(str(download(name)))


@data.command()
@options.data_dir
def status(data_dir: str | None) -> None:
    """Show where each data set is, and its size."""
    from rich.console import Console

    from mfbo.data import status as look
    from mfbo.display.scores import data_sets

    Console().print(data_sets(look(data_dir)))
