"""The loss in what a command prints: behind its name, in a column under it, or where a regular expression says.

Read are ``loss: 0.5``, ``loss=0.5``, JSON lines, the dictionaries that the transformers Trainer prints, progress lines
of Keras and of tqdm, and tables with a row or a column for the metric, as Lightning's and fastai's. What stands there
must be one whole number as Python and JSON write it: ``0,123``, ``1/3`` or ``0.87m`` fail the trial, as no reading of
them is sure to be what was meant.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from mfbo.errors import BadValue, TrialFailed

NUMERAL = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)", re.IGNORECASE | re.ASCII)
LINE_SHOWN = 200  # characters of a line that an error quotes
_STYLES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x08")  # colours, links, backspaces of a bar
_BAR = "|│┃║"  # of tables
_END = rf" \t\n\r\f\v\]}})>\"'`,;{_BAR}…"  # no-break spaces part thousands, and so belong to a number
_TOKEN = rf"(?:[^{_END}]|[,;'](?=\d))+"
_SYMBOLS = "\u221e\xb9\xb2\xb3\xbc-\xbe\u2150-\u215f\u2460-\u249b"  # infinity, powers, fractions, numbers in circles
_STARTS = rf"[-+\u2212\u2013]?[.,]?(?:\d|[{_SYMBOLS}])|[-+]?(?:nan|inf(?:inity)?)(?=$|[{_END}(.%])"
_SYMBOL = r"[^\w\s\"'\[({<|│┃║-]\s?(?=[-+\u2212]?[.,]?\d)|[<>]=?\s?(?=\d)"  # ~0.5, $0.5, <0.001
_WRAPPED = r"(?:(?:\w+\.)?(?:tensor|array|decimal|float\d*|int\d+)\()?[\"']?"  # np.float64(0.5), tensor(0.5)
_GOES_ON = re.compile(
    r"\s*[%‰°]|\s*[x\xd7*·⋅]\s*10(?:\b|\^)|\s*/\s*\d+|\s+[eEdD][-+]?\d"  # 12 %, 2.5 x 10^-3, 1 / 3, 1 e-3
    r"|\s(?:[numµμ]?s|sec|min|[kKMGTPmnuµμ]|[kKMGT]i?B)(?=$|[\s,;)\]}\"'|│])"  # 950 ms in one line, 1.2 s in another
)
_THOUSANDS = re.compile(r"\s\d{3}(?![\d\w])")  # behind one to three digits: 1 234.5


class Said(NamedTuple):
    """What a line says: the loss, and the epoch where a regular expression finds it."""

    loss: float
    epoch: int | None


class Printed:
    """Reads a command's lines, one after another.

    Args:
        metric: the name in front of the number, as ``val_loss`` in ``val_loss=0.3``, or of its column; or a regular
            expression with a group for the number, named ``loss`` if there are several. A group named ``epoch`` finds
            the epoch, counted from 1. Of several in a line the last one counts.

    Raises:
        BadValue: the regular expression is none, or has no group.
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._own = "(" in metric
        self._pattern = _own_pattern(metric) if self._own else _named(metric)
        self._column: tuple[str, int, int] | None = None  # separator, place, and number of columns

    def read(self, line: str) -> Said | None:
        """What the line says; None where it says nothing of the metric.

        Raises:
            TrialFailed: what stands there is not a number.
        """
        line = _STYLES.sub("", line) if "\x1b" in line or "\x08" in line else line
        if not self._own and self._column is None and self._metric.lower() not in line.lower():
            return None  # most lines; the patterns take a hundred times as long
        matches = list(self._pattern.finditer(line))
        if self._own:
            return self._matched(matches[-1], line) if matches else None
        if matches:
            return Said(self._number(matches[-1], line), None)
        return self._under_header(line)

    def _matched(self, found: re.Match[str], line: str) -> Said:
        """What a regular expression of the user's has found, unless it stops in the middle of a number."""
        group: str | int = "loss" if "loss" in self._pattern.groupindex else 1
        text = found[group] or ""
        before, after = line[: found.start(group)], line[found.end(group) :]
        cut = found.end(group) == found.end() and re.match(r"\w|[.,'\u2019:/]\d", after)
        signed = "-" not in self._metric.partition("(")[0] and re.search(r"(?<!\w)[-\u2212]$", before)
        if cut or signed or re.search(r"\d[.,]?$", before):
            raise self._refused(text, line, f"--metric finds a part of a number, {text!r}")
        loss = self._checked(text.strip(), line)
        if "epoch" not in self._pattern.groupindex or found["epoch"] is None:
            return Said(loss, None)
        epoch = self._checked(found["epoch"].strip(), line)
        if not math.isfinite(epoch):
            raise self._refused(found["epoch"], line)
        return Said(loss, int(epoch))

    def _number(self, found: re.Match[str], line: str) -> float:
        token = found["token"]
        rest = line[found.end() :]
        short = re.fullmatch(r"[-+]?\d{1,3}", token)
        if more := _GOES_ON.match(rest) or (short and _THOUSANDS.match(rest)):
            token += more[0]
        if found["symbol"]:
            token = found["symbol"] + token
        return self._checked(token if NUMERAL.fullmatch(token) else token.rstrip(".:!?"), line)

    def _under_header(self, line: str) -> Said | None:
        """What stands under the metric's name in a table: columns parted by bars, tabs, commas or wide gaps."""
        if (header := self._header(line)) is not None:
            self._column = header
            return None
        if self._column is None:
            return None
        separator, place, count = self._column
        cells = _cells(line, separator)
        if len(cells) != count or any(re.match(r"[^\W\d_]", cell) for cell in cells if not NUMERAL.fullmatch(cell)):
            return None  # a line of words
        return Said(self._checked(cells[place], line), None) if re.match(_STARTS, cells[place], re.I) else None

    def _header(self, line: str) -> tuple[str, int, int] | None:
        for separator in (rf"[{_BAR}]", r"\t", ",", r" {2,}"):
            cells = _cells(line, separator)
            names = [cell.lower() for cell in cells]
            if len(cells) < 2 or self._metric.lower() not in names or any(NUMERAL.fullmatch(cell) for cell in cells):
                continue
            if len(set(names)) == len(names):
                return separator, names.index(self._metric.lower()), len(cells)
        return None

    def _checked(self, text: str, line: str) -> float:
        if not NUMERAL.fullmatch(text):
            raise self._refused(text, line)
        return float(text)

    def _refused(self, text: str, line: str, why: str = "") -> TrialFailed:
        why = why or f"{text!r} is not a number"
        return TrialFailed(
            f"{why} for {self._metric!r}; print it as 0.123 or 1.2e-3, without units and separators; the line was "
            f"{line[:LINE_SHOWN]!r}"
        )


def number(value: object) -> float | None:
    """The number that a JSON or CSV file holds, as itself or as a word; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.copysign(math.inf, value)
    text = value.strip() if isinstance(value, str) else ""
    return float(text) if NUMERAL.fullmatch(text) else None


def _named(metric: str) -> re.Pattern[str]:
    name = re.escape(metric)
    value = rf"(?P<symbol>(?<=[:={_BAR} \"'])(?:{_SYMBOL}))?(?=[-+]?(?:{_STARTS}))(?P<token>{_TOKEN})"
    return re.compile(rf"(?<![\w./-]){name}[\"']?\s*(?:[:={_BAR}]\s*)?{_WRAPPED}{value}", re.IGNORECASE)


def _own_pattern(metric: str) -> re.Pattern[str]:
    try:
        found = re.compile(metric)
    except re.error as error:
        raise BadValue(f"metric {metric!r} is not a regular expression: {error}") from error
    if not found.groups or (found.groups > 1 and "loss" not in found.groupindex):
        raise BadValue(f"metric {metric!r}: give one group for the number, such as (?P<loss>[0-9.]+)")
    return found


def _cells(line: str, separator: str) -> list[str]:
    """What stands in a line's columns; the frame around a table is none."""
    return [cell.strip() for cell in re.split(separator, line.strip().strip(_BAR).strip())]
