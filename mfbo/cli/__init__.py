"""The command line: thin, and quick to start; what is heavy is imported inside the commands."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from mfbo import __version__
from mfbo.cli.compare import compare
from mfbo.cli.completion import completion
from mfbo.cli.data import data
from mfbo.cli.export import export
from mfbo.cli.final import best, validate
from mfbo.cli.init import init
from mfbo.cli.look import optimizers, plot, replay, show, space, tasks
from mfbo.cli.narrow import narrow
from mfbo.cli.options import INTERRUPTED
from mfbo.cli.plan import plan
from mfbo.cli.report import report
from mfbo.cli.run import resume, tune
from mfbo.cli.study import study
from mfbo.cli.tell import tell
from mfbo.cli.train import train
from mfbo.errors import MfboError

MISTAKE = 2


class Commands(click.Group):
    """Turns a user's mistake into one line and exit code 2; lists commands in the order in which they are used."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file name need be no text
        try:
            return super().invoke(ctx)
        except MfboError as error:
            click.echo(f"mfbo: {_harmless(str(error))}", err=True)
            ctx.exit(MISTAKE)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else ctx.command_path
            click.echo(f"mfbo: {_harmless(error.format_message()).rstrip('.')}; see {where} --help", err=True)
            ctx.exit(MISTAKE)
        except OSError as error:  # a name too long, a folder where a file must be, a full disk
            what = f"{error.filename!r:.300}: {error.strerror}" if error.filename else str(error)
            click.echo(f"mfbo: {_harmless(what)}", err=True)
            ctx.exit(MISTAKE)
        except KeyboardInterrupt:
            click.echo("mfbo: stopped", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)


def _harmless(text: str) -> str:
    """What an error says, on one line; names in it may come from a ledger that somebody sent."""
    if text.isprintable():
        return text
    from mfbo.display.text import PATH, clean

    return clean(text, PATH)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mfbo")
def main() -> None:
    """Multi-fidelity hyperparameter tuning within a cost you name."""


for command in (
    init,
    tune,
    plan,
    resume,
    tell,
    show,
    best,
    plot,
    train,
    validate,
    compare,
    study,
    narrow,
    report,
    export,
    replay,
    tasks,
    space,
    optimizers,
    data,
    completion,
):
    main.add_command(command)
