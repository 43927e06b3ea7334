"""Tables as the experiments print them, and as their docstrings keep them."""

from __future__ import annotations

import sys

from mfbo.ledger.environment import hardware, versions

LIBRARIES = ("python", "smac", "ConfigSpace", "distributed")


class Table:
    """A table in Markdown, printed row by row; each column is as wide as its title.

    Args:
        titles: of the columns; spaces at the end make one wider.
    """

    def __init__(self, *titles: str) -> None:
        self._widths = [len(title) for title in titles]
        self.row(*titles)
        print(f"|{'|'.join('-' * (width + 2) for width in self._widths)}|", flush=True)

    def row(self, *cells: object) -> None:
        """Print a row: words to the left, numbers to the right."""
        texts = [
            f"{cell:{width}}" if isinstance(cell, str) and not cell[:1].isdigit() else f"{cell!s:>{width}}"
            for cell, width in zip(cells, self._widths, strict=True)
        ]
        print(f"| {' | '.join(texts)} |", flush=True)


def footer() -> None:
    """Hardware and versions."""
    from importlib.metadata import version

    machine = hardware()
    found = versions()
    names = ", ".join(f"{name} {found.get(name) or version(name)}" for name in LIBRARIES)
    print(f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; {names}")


def judged(good: bool) -> None:
    """Exit code 1 where a promise was broken."""
    sys.exit(0 if good else 1)
