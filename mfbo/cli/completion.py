"""``mfbo completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what lets SHELL complete commands.

    bash: put the line eval "$(mfbo completion bash)" into ~/.bashrc. zsh: the same with zsh, into ~/.zshrc. fish: put
    mfbo completion fish | source into ~/.config/fish/config.fish.
    """
    from click.shell_completion import get_completion_class

    from mfbo.cli import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "mfbo", "_MFBO_COMPLETE").source())
