"""``mfbo guide``: the guides that come with the package."""

from __future__ import annotations

import sys

import click
from click.shell_completion import CompletionItem

from mfbo.guides import GUIDES, text


def _names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of guides that begin so."""
    return [CompletionItem(name) for name in GUIDES if name.startswith(begun)]


@click.command()
@click.argument("name", required=False, shell_complete=_names)
def guide(name: str | None) -> None:
    """Print the guide NAME, or list the guides.

    In a terminal it is formatted, in a pipe it is plain Markdown.
    """
    if name is None:
        width = max(map(len, GUIDES))
        for known, about in GUIDES.items():
            click.echo(f"{known:{width}}  {about}")
        return
    found = text(name)
    if not sys.stdout.isatty():
        click.echo(found)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=min(100, Console().width)).print(Markdown(found))
