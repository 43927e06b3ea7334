"""``mfbo ls``: the runs of a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mfbo.cli import options
from mfbo.errors import BadValue

PIPE_WIDTH = 200  # columns where there is no terminal


@click.command()
@click.argument("folder", default="runs", type=click.Path(path_type=Path))
@options.as_json
def ls(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER, by default those in runs.

    For each run: task, optimizer and seed, state, best loss and cost. Runs of a comparison or a study are listed too;
    what cannot be read is listed with the reason.
    """
    from rich.console import Console

    from mfbo.display.listing import listed, table, to_dict

    if not folder.is_dir():
        raise BadValue(f"no folder {str(folder)!r}; give one that holds runs, such as the parent of --out")
    runs, left_out = listed(folder)
    if as_json:
        options.answer([to_dict(run) for run in runs])
    elif runs:
        console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
        console.print(table(runs, folder))
    else:
        click.echo(f"no runs in {folder}; make one with: mfbo tune digits --max-cost 60s")
    if left_out:
        click.echo(f"mfbo: {left_out}", err=True)
