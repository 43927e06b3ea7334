"""``mfbo narrow``: a smaller space, from the results of a run."""

from __future__ import annotations

from pathlib import Path

import click

from mfbo.cli import options
from mfbo.errors import BadValue


@click.command()
@options.run
@options.out("A new space file.", metavar="FILE", default="narrowed.yaml", show_default=True)
def narrow(run: str, out: str) -> None:
    """Narrow the space of RUN to its promising region.

    A range is narrowed only where the values of the best configurations differ from the others by more than chance. The
    file gives the reasons as comments; use it with `mfbo tune TASK --space narrowed.yaml`.
    """
    from rich.console import Console

    from mfbo.display.narrowing import narrowing
    from mfbo.ledger.journal import read
    from mfbo.study.narrowing import narrow as narrowed

    path = Path(out)
    if path.exists():
        raise BadValue(f"{out!r} exists; name a new file with -o")
    found = narrowed(read(run))
    try:
        path.write_text(found.to_yaml(), encoding="utf-8")
    except OSError as error:
        raise BadValue(f"cannot write {out!r}: {error.strerror}; name another file with -o") from error
    Console().print(narrowing(found))
    click.echo(out)
