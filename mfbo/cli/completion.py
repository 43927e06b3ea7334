"""``mfbo completion``: the completion script of a shell."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in SHELL.

    bash: add the line eval "$(mfbo completion bash)" to ~/.bashrc. zsh: the same with zsh, to ~/.zshrc. fish: add
    mfbo completion fish | source to ~/.config/fish/config.fish.
    """
    from click.shell_completion import get_completion_class

    from mfbo.cli import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "mfbo", "_MFBO_COMPLETE").source())
