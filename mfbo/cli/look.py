"""Commands that only read: runs, tasks, spaces, optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from mfbo.analysis.kinds import KINDS
from mfbo.cli import options

*_FIRST, _LAST = KINDS


@click.command()
@options.run
def show(run: str) -> None:
    """Show the results of RUN and what they cost."""
    from rich.console import Console

    from mfbo.display import summary
    from mfbo.ledger.journal import read

    Console().print(summary(read(run)))


@click.command()
@options.run
def replay(run: str) -> None:
    """Check that the optimizer proposes the trials of RUN again.

    Nothing is trained: the results are in the ledger. The exit code is 1 if a proposal differs.
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
@options.out("A .png, .svg or .pdf file.", metavar="FILE", default="curve.png", show_default=True)
@click.option("--kind", default="anytime", show_default=True, metavar="KIND", help=f"{', '.join(_FIRST)} or {_LAST}.")
def plot(runs: tuple[str, ...], out: str, kind: str) -> None:
    """Draw a figure of RUNs: quality against cost, or another kind.

    One line per run, or the mean and its interval where an optimizer has several seeds. For a comparison, all its runs.
    """
    from mfbo.analysis.kinds import draw

    draw(kind, runs, Path(out))
    click.echo(out)


@click.command()
@click.option("--all", "every", is_flag=True, help="Include variants of the synthetic tasks, and benchmark tables.")
def tasks(every: bool) -> None:
    """List the tasks that can be tuned.

    A task of your own is path/to/file.py:NAME; see `mfbo init` and `mfbo guide own-task`.
    """
    from mfbo.tasks.registry import names

    listed, known = names(every=every), names()
    _list(listed)
    if len(listed) < len(known):
        click.echo(f"and {len(known) - len(listed)} more: mfbo tasks --all", err=True)


@click.command()
def optimizers() -> None:
    """List the optimizers."""
    from mfbo.optimizers.registry import OPTIMIZERS

    _list({name: spec.description for name, spec in OPTIMIZERS.items()})


@click.command()
@options.task
@options.space
def space(task: str, space: str) -> None:
    """Show the hyperparameters and levels of TASK."""
    from mfbo.display.text import clean_lines
    from mfbo.tasks.registry import load

    options.say_whose(task)
    loaded = load(task).with_space(space)
    click.echo(clean_lines(str(loaded.space).strip()))
    click.echo(f"\n  Levels ({loaded.fidelity.default_path}):")
    for rung in loaded.fidelity.ladder():
        click.echo(f"    {rung} ({rung.work:.3g} of a full evaluation)")


def _list(lines: Mapping[str, str]) -> None:
    """Names and descriptions, in two columns."""
    width = max(map(len, lines), default=0)
    for name, description in lines.items():
        click.echo(f"{name:{width}}  {description}")
