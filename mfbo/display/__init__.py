"""What a person sees of a run: a live display in a terminal, plain lines in a pipe, a page afterwards."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

from mfbo.display.lines import LineDisplay, NoteDisplay
from mfbo.display.live import LiveDisplay
from mfbo.display.show import summary
from mfbo.ledger.observer import Observer

__all__ = ["LineDisplay", "LiveDisplay", "NoteDisplay", "make", "summary"]


def make(quiet: bool, stream: TextIO | None = None) -> Observer:
    """The display that suits `stream`.

    Args:
        quiet: show notes only.
        stream: standard error if not given.
    """
    stream = stream or sys.stderr
    if quiet:
        return NoteDisplay(stream)
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveDisplay(Console(file=stream))
    return LineDisplay(stream)
