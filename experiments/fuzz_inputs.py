"""Numbers that a command may print, and spaces in YAML, made at random: is any taken for something else than it says?

Part of `fuzz.py`. Each function tries one input and says what was wrong with how it was taken.
"""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import CategoricalHyperparameter, FloatHyperparameter, IntegerHyperparameter

from mfbo.adapters.metric_file import read_metric
from mfbo.adapters.printed import Printed
from mfbo.errors import MfboError, TrialFailed
from mfbo.space import read_space

PIECES = [
    *"0123456789", *"0123456789", ".", ",", "'", "e", "E", "-", "+", "e-3", "D-02", "/", ":", "%", "x10^-3", "m", "ms",
    "k", "_", "nan", "inf", "Infinity", "0x", "j", "\u2212", "\u221e", "\u00bd", "\u00a0", "\u202f", "\u0663", "\u00d7",
    "#IND", "(4)", "\u00b1", "\u00b2", "°", "$", "~", "<", "1.5", "0.25", "1e-3", "12", "-0.5", ".5", "5.",
]  # fmt: skip
FORMS = ["loss: {}", "loss={}", "loss={} n=3", "epoch 3 loss: {}, acc: 1", '{{"loss": {}, "n": 2}}', "| loss | {} |",
         "\x1b[32mloss: {}\x1b[0m", "1/2 loss: 9\rloss: {}"]  # fmt: skip
WHOLE = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf(inity)?)", re.IGNORECASE | re.ASCII)
ENDS = re.compile(r"[,;'](?!\d)")  # what ends a number in a line, unless a digit follows


def number(draw: random.Random, home: Path) -> str | None:
    """One token, printed in a line or written to a file: read whole, refused with its line, or passed over."""
    token = "".join(draw.choices(PIECES, k=draw.randint(1, 5)))
    if draw.random() < 0.3:
        return _written(token, draw, home)
    line = draw.choice(FORMS).format(token)
    head = token.lstrip("\u00a0\u202f").removeprefix("'").lstrip("\u00a0\u202f")  # white space, an opening quote
    head = ENDS.split(head, maxsplit=1)[0].rstrip(".:!?")
    head = head if WHOLE.fullmatch(head) else head + "." if WHOLE.fullmatch(head + ".") else head
    try:
        found = Printed("loss").read(line)
    except TrialFailed as error:
        if "\n" in str(error) or ("the line was" not in str(error)):
            return f"misread: the refusal does not quote the line: {error}"
        return f"misread: {line!r} is refused" if WHOLE.fullmatch(token) else None
    if found is None or found.loss == 9 or (WHOLE.fullmatch(head) and _same(found.loss, float(head))):
        return None
    return f"misread: {line!r} is taken for {found.loss!r}"


def _written(token: str, draw: random.Random, home: Path) -> str | None:
    """The same in a metric file."""
    form = draw.choice(["m.json", "m.csv"])
    quoted = token.replace('"', "")
    text = json.dumps({"loss": token}) if form == "m.json" else f'epoch,loss\n1,"{quoted}"\n'
    (home / form).write_text(text, encoding="utf-8")
    try:
        found = read_metric(home / form, "loss")
    except TrialFailed as error:
        if "\n" in str(error):
            return f"misread: two lines: {error}"
        return f"misread: {token!r} in a file is refused" if WHOLE.fullmatch(token) else None
    if WHOLE.fullmatch(token.strip()) and _same(found, float(token)):
        return None
    return f"misread: {token!r} in a file is taken for {found!r}"


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


NAMES = ["lr", "x", "depth", "layers", "batch size", "'a b'", "on", "no", "1", "1.5", "null", "~", "é", "a.b", "{}"]
NUMBERS = ["0", "1", "5", "10", "-3", "2.5", "1e-4", "1.0e-4", "010", "0o10", "0x10", "1_000", "1:30", ".5", "5.",
           ".inf", ".nan", "-0.0", "1e400", "9" * 30]  # fmt: skip
WORDS = ["'3'", "'5'", '"0.1"', "a", "b", "yes", "no", "on", "true", "False", "null", "~", "'null'", "2026-11-28", "''",
         "[1, 2]", "{a: 1}", "adam", "sgd", "é", "!!python/object:os.system x", "&a 1", "*a", "<<"]  # fmt: skip


def space(draw: random.Random, home: Path) -> str | None:
    """One file: refused in one line, or a space with what stands there."""
    entries = [_entry(draw) for _ in range(draw.randint(0, 4))]
    text = "\n".join(f"{name}: {value}" for name, value, _ in entries)
    if draw.random() < 0.15:
        text = _broken(text, draw)
        entries = []
    path = home / "drawn.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        found = read_space(path)
    except MfboError as error:
        return f"misread: two lines: {error}" if "\n" in str(error) else None
    return next((f"misread: {wrong}\n{text}" for wrong in _wrong(found, entries)), None)


def _entry(draw: random.Random) -> tuple[str, str, Any]:
    """Name, value and, where that is beyond doubt, what it must become."""
    name = draw.choice(NAMES)
    kind = draw.random()
    if kind < 0.3:
        low, high = sorted(draw.sample(range(-50, 50), 2))
        return name, f"[{low}, {high}]", ("int", low, high)
    if kind < 0.5:
        low, high = round(draw.uniform(0.001, 1), 4), round(draw.uniform(1.1, 5), 4)
        log = draw.random() < 0.5
        return name, f"[{low!r}, {high!r}{', log' if log else ''}]", ("float", low, high)
    if kind < 0.65:
        words = draw.sample(["adam", "sgd", "'3'", "'5'", '"0.1"', "relu"], draw.randint(2, 4))
        return name, f"[{', '.join(words)}]", ("words", [word.strip("'\"") for word in words])
    some = draw.choices(NUMBERS + WORDS, k=draw.randint(0, 4))
    value = f"[{', '.join(some)}]"
    forms = [value, value, value, f"{{choices: {value}}}", some[0] if some else ""]
    return name, draw.choice(forms), None


def _broken(text: str, draw: random.Random) -> str:
    place = draw.randint(0, len(text))
    return text[:place] + draw.choice(["\t", "{", "]", ":", "\x00", "- ", "\n---\n", "%", "\ufeff", "'"]) + text[place:]


def _wrong(found: ConfigurationSpace, entries: list[tuple[str, str, Any]]) -> list[str]:
    """What is not as it stands in the file."""
    names = [name for name, _, _ in entries]
    wrong = [f"{name} is given twice, and one was taken" for name in set(names) if names.count(name) > 1]
    for name, value, meant in entries:
        if meant is None or name not in found:
            continue
        kind, *rest = meant
        one = found[name]
        if kind == "words":
            good = isinstance(one, CategoricalHyperparameter) and sorted(one.choices) == sorted(rest[0])
        else:
            numeric = IntegerHyperparameter if kind == "int" else FloatHyperparameter
            good = isinstance(one, numeric) and [one.lower, one.upper] == rest
        wrong += [] if good else [f"{name}: {value} became {one}"]
    return wrong
