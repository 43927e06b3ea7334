"""``mfbo export``: a run in another tool's form."""

from __future__ import annotations

from pathlib import Path

import click

from mfbo.cli import options


@click.command(name="export")
@options.run
@click.option("--to", "form", required=True, metavar="FORMAT", help="csv, parquet, optuna, smac, mlflow, tensorboard.")
@click.option("--output", "-o", required=True, metavar="PATH", help="A new file, or a new folder.")
def export(run: str, form: str, output: str) -> None:
    """Write RUN for another tool.

    csv and parquet are tables, one row a trial. optuna is a file for optuna-dashboard, smac a folder for DeepCAVE,
    mlflow a file for `mlflow ui`, tensorboard a folder. The model is exported by `mfbo best --export`.
    """
    from mfbo.exports import export_run
    from mfbo.ledger.journal import read

    click.echo(str(export_run(read(run), form, Path(output))))
