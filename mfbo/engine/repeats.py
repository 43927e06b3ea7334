"""Failures that every trial will repeat: a run ends after the first few of them, and says where in the user's code.

An error of the kinds that a program has, whatever its hyperparameters (a name that is not there, a missing file or
library, a call with the wrong arguments), is taken to come again once several trials in a row had the very same, in the
same line, and have no value of a choice in common that could be its cause.
"""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.ledger.run import Result

ALIKE = 3  # trials with the very same error of a program, and the run ends
OF_PROGRAMS = (
    "NameError", "UnboundLocalError", "AttributeError", "ImportError", "ModuleNotFoundError", "SyntaxError", "KeyError",
    "TypeError", "NotImplementedError", "FileNotFoundError", "PermissionError", "RecursionError", "BadData", "BadTask",
    "BadSpace", "MissingExtra", "UnknownName",
)  # fmt: skip
_FRAME = re.compile(r'^ *File "(.+)", line (\d+), in .*\n((?! *File ") +(\S.*))?', re.MULTILINE)
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?(e-?\d+)?")
_OWN = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple({os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")})


class Place(NamedTuple):
    """A line of the user's."""

    file: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.file!r} line {self.line}{f': {self.code}' if self.code else ''}"


def place_of(error: str) -> Place | None:
    """The innermost line of a traceback that is neither mfbo's nor a library's; None where there is none."""
    frames = [Place(found[1], int(found[2]), (found[4] or "").strip()) for found in _FRAME.finditer(error)]
    return next((frame for frame in reversed(frames) if not _is_library(frame.file)), None)


class Repeats:
    """Looks at one failure after another.

    Args:
        space: of the task; its choices may be what trials fail of.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        listed = {name: getattr(hp, "choices", getattr(hp, "sequence", ())) for name, hp in space.items()}
        self._choices = {name for name, values in listed.items() if len(values) > 1}
        self._error: tuple[str, Place | None] | None = None
        self._number = 0
        self._shared: set[tuple[str, str]] = set()  # choices that all trials with the error have in common

    def add(self, result: Result) -> None:
        """One more trial has ended."""
        text = result.outcome.error or ""
        error = (_NUMBER.sub("#", last_line(text)), place_of(text))
        if not result.outcome.failed or not error[0].partition(":")[0].endswith(OF_PROGRAMS):
            self._error, self._number = None, 0
            return
        chosen = {(name, repr(value)) for name, value in result.trial.config.items() if name in self._choices}
        if error != self._error:
            self._error, self._number, self._shared = error, 0, chosen
        self._number += 1
        self._shared &= chosen

    @property
    def certain(self) -> bool:
        """Whether all further trials will fail in the same way, as far as can be told."""
        return self._number >= ALIKE and not self._shared


def last_line(text: str) -> str:
    """The line of a traceback that names the exception."""
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "\t"))]
    return lines[-1] if lines else ""


def _is_library(file: str) -> bool:
    path = os.path.realpath(file)
    return path.startswith((_OWN + os.sep, *(folder + os.sep for folder in _LIBRARIES))) or file.startswith("<frozen")
