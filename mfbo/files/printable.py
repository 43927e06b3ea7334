"""Text that anybody may have written, made safe to print: no escape codes, control or direction characters."""

from __future__ import annotations

import re
import unicodedata

PATH = 4096  # characters; the limit for paths and for what a user may want to copy
_STRING = r"[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # a title, a link, a device's own string: as long as its writer likes
_ESCAPE = re.compile(rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b(?:{_STRING}|[ -/]*[0-~]?)", re.DOTALL)


def clean(value: object, max_length: int = 300) -> str:
    r"""One line that is safe to print: no escape codes, control or direction characters.

    >>> clean("\x1b[31mred\x1b[0m\n[bold]line")
    'red [bold]line'
    """
    text = _ESCAPE.sub("", value if isinstance(value, str) else str(value))
    if not text.isprintable():
        text = "".join(character if character.isprintable() else _harmless(character) for character in text)
    text = " ".join(text.split())
    return text if len(text) <= max_length else text[: max_length - 3] + "..."


def clean_lines(text: str) -> str:
    """The same for a text of several lines, which keep their indentation."""
    lines = text.splitlines()
    return "\n".join(" " * (len(line) - len(line.lstrip())) + clean(line, PATH) for line in lines)


def _harmless(character: str) -> str:
    """Space for white space and line ends, ``?`` for half a surrogate pair, nothing for the rest."""
    if character.isspace():
        return " "
    return "?" if unicodedata.category(character) == "Cs" else ""
