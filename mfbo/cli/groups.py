"""The group of all commands: its help by topic, and errors in one line."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from mfbo.cli.options import INTERRUPTED
from mfbo.errors import MfboError

MISTAKE = 2  # exit code after a user's mistake


class Commands(click.Group):
    """Turns a user's mistake into one line and exit code 2; lists commands by topic, in the order of their use.

    Args:
        topics: commands by the heading that the help puts above them; None for a group without headings.
    """

    def __init__(self, *args: Any, topics: dict[str, list[click.Command]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._topics = topics or {}
        for commands in self._topics.values():
            for command in commands:
                self.add_command(command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be valid text
        try:
            return super().invoke(ctx)
        except MfboError as error:
            click.echo(f"mfbo: {_printable(str(error))}", err=True)
            ctx.exit(MISTAKE)
        except click.exceptions.NoArgsIsHelpError as error:  # a group without a command
            click.echo(error.format_message())
            ctx.exit(0)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else ctx.command_path
            click.echo(f"mfbo: {_printable(error.format_message()).rstrip('.')}; see {where} --help", err=True)
            ctx.exit(MISTAKE)
        except OSError as error:  # a name too long, a folder where a file must be, a full disk
            what = f"{error.filename!r:.300}: {error.strerror}" if error.filename else str(error)
            click.echo(f"mfbo: {_printable(what)}", err=True)
            ctx.exit(MISTAKE)
        except KeyboardInterrupt:
            click.echo("mfbo: stopped", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A section for each topic."""
        if not self._topics:
            super().format_commands(ctx, formatter)
            return
        width = max(map(len, self.commands))
        limit = formatter.width - 6 - width
        for heading, commands in self._topics.items():
            with formatter.section(heading):
                rows = [(f"{command.name:{width}}", command.get_short_help_str(limit)) for command in commands]
                formatter.write_dl(rows)


def _printable(text: str) -> str:
    """An error on one line; names in it may come from a ledger that anybody may have written."""
    if text.isprintable():
        return text
    from mfbo.display.text import PATH, clean

    return clean(text, PATH)
