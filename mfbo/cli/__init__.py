"""The command line: thin, and quick to start; what is heavy is imported inside the commands."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

import click

from mfbo import __version__
from mfbo.cli.compare import compare
from mfbo.cli.completion import completion
from mfbo.cli.data import data
from mfbo.cli.export import export
from mfbo.cli.final import best, validate
from mfbo.cli.groups import Commands
from mfbo.cli.guide import guide
from mfbo.cli.init import init
from mfbo.cli.look import optimizers, plot, replay, show, space, tasks
from mfbo.cli.ls import ls
from mfbo.cli.narrow import narrow
from mfbo.cli.plan import plan
from mfbo.cli.report import report
from mfbo.cli.run import resume, tune
from mfbo.cli.sign_of_life import SignOfLife
from mfbo.cli.study import study
from mfbo.cli.tell import tell
from mfbo.cli.train import train

TOPICS: dict[str, list[click.Command]] = {
    "Run": [tune, plan, resume, tell, train, validate],
    "Look": [ls, show, best, plot, report, export, replay],
    "Compare": [compare, study, narrow],
    "Make your own": [init, tasks, space, optimizers, data],
    "Help": [guide, completion],
}


@click.group(
    cls=Commands,
    topics=TOPICS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with: mfbo tune digits --max-cost 60s. Guides, such as `mfbo guide own-task`, say more.",
)
@click.version_option(__version__, prog_name="mfbo")
def main() -> None:
    """Multi-fidelity hyperparameter tuning within a cost you name."""


SILENT = {"-q", "--quiet", "--json"}


def start() -> None:
    """What the shell starts: `main`, which gives a sign of life whenever it is silent for long."""
    try:
        if SILENT & set(sys.argv) or "_MFBO_COMPLETE" in os.environ:
            main(prog_name="mfbo")
        with SignOfLife() as sign:
            main(prog_name="mfbo", obj=sign)
    except SystemExit as ended:
        if "--json" in sys.argv:
            with suppress(OSError):
                os.dup2(2, 1)  # what threads print, and Python as it ends, is no part of the answer
        _leave(ended)


def _leave(ended: SystemExit) -> NoReturn:
    """End now: a thread that a train function has left would keep this process for as long as it likes.

    Raises:
        SystemExit: there is none, so that Python ends as usual.
    """
    own = threading.current_thread()
    if not any(thread is not own and not thread.daemon for thread in threading.enumerate()):
        raise ended
    from multiprocessing.util import _run_finalizers  # type: ignore[attr-defined]

    _run_finalizers()  # temporary folders; what the train function has registered with `atexit` is left out
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(ended.code if isinstance(ended.code, int) else 1 if ended.code else 0)
