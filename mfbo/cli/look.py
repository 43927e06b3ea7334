"""Commands that only look: at a run, at tasks, at a space, at the optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from mfbo.cli import options

KINDS = "anytime, quality, ranks, critical, correlation, learning, scatter, importance or pareto."


@click.command()
@options.run
def show(run: str) -> None:
    """Show what RUN has found and what it cost."""
    from rich.console import Console

    from mfbo.display import summary
    from mfbo.ledger.journal import read

    Console().print(summary(read(run)))


@click.command()
@options.run
def replay(run: str) -> None:
    """Ask for the trials of RUN again, and compare.

    Nothing is trained: the ledger has the results. Exit code 1 if the optimizer asks for something else now.
    """
    from mfbo.display.text import PATH, clean
    from mfbo.engine.replay import replay as again
    from mfbo.ledger.journal import read

    found = again(read(run))
    click.echo(f"{found.matched} of {found.asks} asks match")
    if found.mismatch:
        click.echo(clean(found.mismatch, PATH))
        raise SystemExit(1)


@click.command()
@options.runs
@click.option("--output", "-o", default="curve.png", show_default=True, help="A .png, .svg or .pdf file.")
@click.option("--kind", default="anytime", show_default=True, metavar="KIND", help=KINDS)
def plot(runs: tuple[str, ...], output: str, kind: str) -> None:
    """Draw the quality of RUNs against cost, or another figure of them.

    One line a run, or a mean with its interval where an optimizer has several seeds. A study stands for its runs.
    """
    from mfbo.analysis.kinds import draw

    draw(kind, runs, Path(output))
    click.echo(output)


@click.command()
def tasks() -> None:
    """List the tasks that can be tuned."""
    from mfbo.tasks.registry import names

    _list(names())


@click.command()
def optimizers() -> None:
    """List the optimizers."""
    from mfbo.optimizers.registry import OPTIMIZERS

    _list(OPTIMIZERS)


@click.command()
@options.task
@options.space
def space(task: str, space: str) -> None:
    """Show the hyperparameters of TASK, and its rungs."""
    from mfbo.display.text import clean_lines
    from mfbo.tasks.registry import load

    loaded = load(task).with_space(space)
    click.echo(clean_lines(str(loaded.space).strip()))
    click.echo(f"\n  Rungs ({loaded.fidelity.default_path}):")
    for rung in loaded.fidelity.ladder():
        click.echo(f"    {rung} ({rung.work:.3g} of a full evaluation)")


def _list(lines: Mapping[str, str]) -> None:
    """Names and descriptions, in two columns."""
    width = max(map(len, lines), default=0)
    for name, description in lines.items():
        click.echo(f"{name:{width}}  {description}")
