"""``mfbo completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what lets SHELL complete commands.

    For bash and zsh, add the line eval "$(mfbo completion SHELL)" to ~/.bashrc or ~/.zshrc; for fish, mfbo completion
    fish | source to its configuration.
    """
    from click.shell_completion import get_completion_class

    from mfbo.cli import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "mfbo", "_MFBO_COMPLETE").source())
