"""The README and the guides as tests see them: their blocks of code, and what runs them.

A block is known by the marker ``<!-- name -->`` in the line before it, or without one by its language:

    bash      every mfbo command is parsed, and run where it needs no network; other lines are checked by `other_lines`
    console   one command and what it prints
    python    run, one block after another, in one namespace
    file: X   written to the file X before any of the commands
    anything  by a test of its own
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from click.testing import CliRunner
from conftest import ROOTS

from mfbo.cli import main
from mfbo.guides import GUIDES

ROOT = Path(__file__).parent.parent
DATA_SETS = ("cifar10", "agnews", "imdb")  # data that a machine may not have
LESS = {  # options that make a command take seconds; the last one of an option counts
    "tune": ("--max-cost", "3x", "--workers", "0", "--quiet"),
    "compare": ("--max-cost", "1x", "--seeds", "2", "--workers", "0", "--quiet"),
    "study": ("--max-cost", "6x", "--workers", "0", "--quiet"),
    "validate": ("--seeds", "1"),
    "train": ("--epochs", "1"),
}


class Document:
    """A Markdown file.

    Attributes:
        name: of the file, without its suffix.
        text: all of it.
        blocks: (marker, language, code) of each block of code, in order.
    """

    def __init__(self, path):
        self.name = path.stem
        self.text = path.read_text(encoding="utf-8")
        self.blocks = re.findall(r"(?:<!-- ([^\n]+?) -->\n)?```(\w*)\n(.*?)```", self.text, re.DOTALL)

    def block(self, marker):
        """The code after ``<!-- marker -->``."""
        (found,) = [code for name, _, code in self.blocks if name == marker]
        return found

    def lines(self):
        """(marker, line) of each single command in a shell block, comments left out."""
        for marker, language, code in self.blocks:
            if language in ("bash", "console"):
                shown = [line for line in code.splitlines() if language == "bash" or line.startswith("$ ")]
                for line in shown:
                    for part in re.sub(r"(^|\s)#.*", "", line.removeprefix("$ ")).split("&&"):
                        if part.strip():
                            yield marker, shlex.split(part)

    def commands(self, marked=True):
        """The words after ``mfbo`` of every mfbo command; without `marked`, those of blocks that have no marker."""
        for marker, words in self.lines():
            if words[0] == "mfbo" and (marked or not marker):
                yield words[1:]

    def others(self):
        """Every other command of blocks that have no marker."""
        return [words for marker, words in self.lines() if words[0] != "mfbo" and not marker]

    def outputs(self):
        """Of each block of console output, the command and what it is shown to print."""
        for _, language, code in self.blocks:
            if language == "console":
                typed, _, printed = code.removeprefix("$ mfbo ").partition("\n")
                yield tuple(shlex.split(typed)), printed

    def write_files(self):
        """The files that it shows, written here."""
        for marker, _, code in self.blocks:
            if marker.startswith("file: "):
                Path(marker.removeprefix("file: ")).write_text(code, encoding="utf-8")


README = Document(ROOT / "README.md")
GUIDE_DOCUMENTS = {name: Document(ROOTS["mfbo"] / "guides" / f"{name}.md") for name in GUIDES}
DOCUMENTS = {"README": README, **GUIDE_DOCUMENTS}


def parsed(words):
    """The command that `words` call, its options read; an error where there is no such command or option."""
    command = main
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    assert command is not main, words
    command.make_context("mfbo", list(words))
    return command


def needs_network(words):
    """Whether a command needs data or a model from the hub, or a page that stays open."""
    return bool({*words} & {*DATA_SETS, "--watch", "--scheduler", "--model"}) or words[:2] == ("data", "get")


def shorter(words, run="runs/digits-smac-s0"):
    """What to type for `words`, so that it takes seconds; RUN is `run`."""
    found = [word.replace("RUN", run) for word in words] + [*LESS.get(words[0], ())]
    if words[0] == "resume":  # a little more than the run was given, in its own unit
        limit = words[words.index("--max-cost") + 1]
        found += ["--max-cost", "4x" if limit.endswith("x") else "21s", "--quiet"]
    return found


def typed(words):
    """Run a command, which must succeed."""
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 0, (words, result.output)
    return result


def place(name):
    """Where a file of the tree lies; one of the packages may be where a wheel was installed."""
    top, _, rest = name.partition("/")
    return {root.name: root for root in ROOTS.values()}.get(top, ROOT / top) / rest
