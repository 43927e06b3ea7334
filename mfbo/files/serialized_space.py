"""Checks of a space file in ConfigSpace's own format, before ConfigSpace reads it.

ConfigSpace takes what it is given: it rounds the ends of a range of whole numbers, drops steps, and speaks of its own
insides where a word stands for a number. A file that people write is checked first, and refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mfbo.errors import BadSpace
from mfbo.files.short_space import why_not_choice, why_not_range

NUMBERS = ("lower", "upper", "mu", "sigma", "alpha", "beta", "default_value")  # of a numeric hyperparameter
LISTS = ("choices", "sequence")
ABOUT = ("child", "parent", "name", "left", "right")  # keys of conditions and forbidden parts that name one


def check_serialized(found: Mapping[str, Any]) -> None:
    """Refuse what ConfigSpace would take for something else, or name in words of its own.

    Args:
        found: the content of the file.

    Raises:
        BadSpace: the text begins with the hyperparameter's name.
    """
    names = [_check_entry(number, entry) for number, entry in enumerate(found["hyperparameters"], 1)]
    for part in ("conditions", "forbiddens"):
        for name in _named(found.get(part) or []):
            if name not in names:
                raise BadSpace(f"{part} name {name!r}, which is no hyperparameter; there are: {', '.join(names)}")


def _check_entry(number: int, entry: Any) -> str:
    """The name of a hyperparameter that may be one."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise BadSpace(f"hyperparameter {number} is {entry!r:.60}; give a mapping with name, type and more")
    name, kind = str(entry["name"]), str(entry.get("type"))
    if entry.get("q") is not None:
        raise BadSpace(f"{name!r}: ConfigSpace knows no steps (q) any more; give the values as a categorical's choices")
    for key in LISTS:
        values = entry.get(key)
        if values is not None and (not isinstance(values, list | tuple) or not values):
            raise BadSpace(f"{name!r}: {key} are {values!r:.60}; give a list of one or more")
        if wrong := next(filter(None, map(why_not_choice, values or ())), None):
            raise BadSpace(f"{name!r}: {wrong}")
    if kind.endswith(("_int", "_float")):
        _check_numbers(name, entry, whole=kind.endswith("_int"))
    return name


def _check_numbers(name: str, entry: Mapping[str, Any], *, whole: bool) -> None:
    for key in NUMBERS:
        value = entry.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadSpace(f"{name!r}: {key} is {value!r:.60}; give a finite number, without quotes")
        if whole and key in ("lower", "upper", "default_value") and value != int(value):
            raise BadSpace(f"{name!r}: {key} is {value!r}, of whole numbers; give a whole number")
    low, high, default = entry.get("lower"), entry.get("upper"), entry.get("default_value")
    if low is None or high is None:
        return
    if reason := why_not_range(low, high, log=bool(entry.get("log"))):
        raise BadSpace(f"{name!r}: {reason}")
    if default is not None and not low <= default <= high:
        raise BadSpace(f"{name!r}: the default {default} is not in the range from {low} to {high}")


def _named(part: Any) -> Iterator[str]:
    """What conditions or forbidden parts name, those within others included."""
    if isinstance(part, Mapping):
        yield from (str(part[key]) for key in ABOUT if isinstance(part.get(key), str))
        for value in part.values():
            if isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
                yield from _named(value)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _named(inner)
