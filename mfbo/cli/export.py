"""``mfbo export``: the model of a run, or the run in another tool's format."""

from __future__ import annotations

from pathlib import Path

import click

from mfbo.cli import options
from mfbo.errors import BadValue, UnknownName

MODEL = "model"


@click.command(name="export")
@options.run
@click.option(
    "--to", "form", required=True, metavar="FORMAT", help="model, csv, parquet, optuna, smac, mlflow or tensorboard."
)
@click.option("--trial", type=int, metavar="N", help="For model: that of trial N, not of the best.")
@options.out("A new file or folder.", metavar="PATH", required=True)
def export(run: str, form: str, trial: int | None, out: str) -> None:
    """Write the model of RUN, or RUN in another tool's format.

    model is a folder with the trained model of the best configuration (nothing is trained again) and a predict.py that
    needs no mfbo. csv and parquet are tables with one row per trial. optuna is a file for optuna-dashboard, smac a
    folder for DeepCAVE, mlflow a file for `mlflow ui`, tensorboard a folder.
    """
    from mfbo.exports import FORMATS, export_run
    from mfbo.exports.model import export as export_model
    from mfbo.ledger.journal import read

    if form == MODEL:
        click.echo(str(export_model(read(run), out, trial)))
        return
    if form not in FORMATS:
        raise UnknownName("format", form, [MODEL, *FORMATS])
    if trial is not None:
        raise BadValue(f"--trial {trial} is for --to model; {form} has all trials")
    click.echo(str(export_run(read(run), form, Path(out))))
