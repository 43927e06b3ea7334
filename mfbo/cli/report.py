"""``mfbo report``: a report of runs, for a browser, a repository or a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import click

from mfbo.cli import options


@click.command()
@options.runs
@options.out("The file; default: report.html, .md or .csv in the first folder.", metavar="FILE")
@click.option("--format", "form", metavar="html|md|csv", help="Format; default: by the name of FILE, else html.")
@click.option("--figures", is_flag=True, help="For md: write figures as PNG files beside it, and link to them.")
@click.option("--watch", is_flag=True, help="Serve the report on this machine and update it, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Port for --watch; default: any free one.")
def report(
    *, runs: tuple[str, ...], out: str | None, form: str | None, figures: bool, watch: bool, port: int | None
) -> None:
    """Write a report of RUNs, a comparison or a study, as one file that needs no network.

    Several runs of a task are compared. HTML has the answer, figures and tables; md the answer and tables; csv one row
    per trial.
    """
    if watch:
        if out is not None or form is not None or figures:
            raise click.UsageError("--watch serves a page and writes no file; leave out --out, --format, --figures")
        _watch(runs, port or 0)
        return
    if port is not None:
        raise click.UsageError("--port is for --watch; give both, or neither")
    from mfbo.analysis.report import write

    click.echo(str(write(runs, Path(out) if out else None, form, figures=figures)))


def _watch(runs: tuple[str, ...], port: int) -> None:
    from mfbo.analysis.report.serve import serve

    serve(runs, port, lambda address: click.echo(f"{address} (Ctrl-C ends it)"))
    click.echo("stopped watching", err=True)
