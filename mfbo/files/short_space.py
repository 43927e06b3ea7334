"""The short form of a space: one line a hyperparameter.

::

    lr: [0.0001, 0.1, log]     # a range of floats; log: searched on a log scale
    units: [16, 256]           # both ends are integers, and so is what lies between
    solver: [adam, sgd]        # one of these words
    batch: {choices: [16, 32]} # one of these: numbers, words, true, false, null
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadSpace

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

_PARTS = re.compile(r"[\s;:]+")
RANGE_FORMS = "give [low, high], [low, high, log], words, or {choices: [...]}"
MAX_WHOLE = 2**53  # beyond it, not every whole number is a float
MAX_END = 1e290  # of a range of floats: ConfigSpace computes with 10**13 times as much
DECIMALS = 13  # that ConfigSpace keeps of a float


def short_space(values: Mapping[Any, Any], lines: Mapping[str, int] | None = None) -> ConfigurationSpace:
    """The space of such lines.

    Args:
        values: by name.
        lines: where each name stands, for the message.

    >>> from ConfigSpace import Float
    >>> short_space({"lr": [1e-4, 0.1, "log"]})["lr"] == Float("lr", (1e-4, 0.1), log=True)
    True

    Raises:
        BadSpace: a line that has none of the forms; the text begins with its line and name.
    """
    from ConfigSpace import ConfigurationSpace

    space = ConfigurationSpace()
    for name, value in values.items():
        where = f"line {lines[str(name)]}: " if lines and str(name) in lines else ""
        try:
            if not isinstance(name, str):
                raise BadSpace(f"the name {name!r} is a {type(name).__name__} in YAML; quote it")
            space.add(_hyperparameter(name, value))
        except Exception as error:  # of ConfigSpace: a name that it does not take
            reason = error.__cause__ or error
            raise BadSpace(f"{where}{str(name)!r}: {value!r:.100}: {' '.join(str(reason).split())[:200]}") from error
    return space


def why_not_range(low: Any, high: Any, *, log: bool) -> str:
    """Why these can be no range; empty where they can."""
    if reason := _why_not_end(low) or _why_not_end(high):
        return reason
    if not low < high:
        return f"the low end {low} must be below the high end {high}; {{choices: [{low}]}} is a single value"
    if log and low <= 0:
        return f"a log scale needs a low end above 0, not {low}"
    if round(float(low), DECIMALS) == round(float(high), DECIMALS):
        return f"{low} and {high} are the same to {DECIMALS} decimals, as ConfigSpace keeps them; tune the difference"
    return ""


def _why_not_end(end: Any) -> str:
    if isinstance(end, int) and abs(end) > MAX_WHOLE:
        return f"whole numbers go to 2**53, which {end} is beyond; write it as a float"
    if not math.isfinite(end):
        return f"{end} is no end of a range; give a finite number"
    if abs(end) > MAX_END:
        return f"{end} is no end of a range; give numbers up to {MAX_END:g}"
    if abs(round(float(end), DECIMALS) - end) > 1e-3 * abs(end):
        return f"{end} is 0 or another number to {DECIMALS} decimals, as ConfigSpace keeps it; tune its logarithm"
    return ""


def why_not_choice(value: Any) -> str:
    """Why this can be no choice; empty where it can."""
    if isinstance(value, list | tuple | dict):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"choice {value!r:.60} is a {kind}; give words or numbers, such as '50-50', and take them apart in train"
    if isinstance(value, float) and not math.isfinite(value):
        return f"choice {value!r} is not finite; give finite numbers"
    if isinstance(value, int) and abs(value) > MAX_WHOLE:
        return f"choice {value!r:.60} is beyond 2**53; quote it, and make a number of it in train"
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        return f"choice {value!r:.60} is no text (a lone surrogate); give one that UTF-8 can hold"
    if not isinstance(value, bool | int | float | str | None):
        return f"choice {value!r:.60} is a {type(value).__name__}; give a number, a word, true, false or null"
    return ""


def _hyperparameter(name: str, value: Any) -> Any:
    if not name.strip():
        raise BadSpace("the name is empty; give the hyperparameter a name")
    if isinstance(value, Mapping) and list(value) == ["choices"]:
        return _choices(name, value["choices"])
    if isinstance(value, Mapping):
        raise BadSpace(f"a mapping with {', '.join(map(str, value)) or 'nothing'} is no range; {RANGE_FORMS}")
    if not isinstance(value, list) or not value:
        raise BadSpace(f"{value!r:.100} is no range; {RANGE_FORMS}")
    if len(value) == 1 and (parts := _numbers_in(value[0])):
        raise BadSpace(f"{value[0]!r} is one word; put commas between: [{', '.join(parts)}]")
    if all(isinstance(word, str) for word in value) and not (value[-1] == "log" and all(map(_spells, value[:-1]))):
        return _choices(name, value)
    return _range(name, value)


def _choices(name: str, choices: Any) -> Any:
    from ConfigSpace import Categorical

    if not isinstance(choices, list) or not choices:
        raise BadSpace(f"choices are {choices!r:.60}; give a list of one or more")
    if wrong := next(filter(None, map(why_not_choice, choices)), None):
        raise BadSpace(wrong)
    first: dict[Any, Any] = {}
    for choice in choices:
        if choice in first:  # 1, 1.0 and true are equal in Python
            raise BadSpace(f"choice {choice!r} equals {first[choice]!r}; give each once")
        first[choice] = choice
    return Categorical(name, choices)


def _range(name: str, value: list[Any]) -> Any:
    from ConfigSpace import Float, Integer

    ends, rest = value[:2], value[2:]
    if quoted := next((end for end in ends if isinstance(end, str) and _spells(end)), None):
        if not math.isfinite(float(quoted)):
            raise BadSpace(f"{quoted} is no end of a range; give a finite number")
        raise BadSpace(f"{quoted!r} is quoted, and so a word; write {quoted} without quotes for a number")
    if all(isinstance(end, bool) for end in value):
        raise BadSpace("true and false are no range; give {choices: [true, false]}")
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends) or len(ends) < 2:
        raise BadSpace(f"no range; {RANGE_FORMS}")
    if rest not in ([], ["log"]):
        numbers = all(isinstance(part, int | float) for part in rest)
        raise BadSpace(f"no range; {'for these values alone give {choices: [...]}' if numbers else RANGE_FORMS}")
    if reason := why_not_range(*ends, log=bool(rest)):
        raise BadSpace(reason)
    kind = Integer if all(isinstance(end, int) for end in ends) else Float
    return kind(name, tuple(ends), log=bool(rest))


def _numbers_in(word: Any) -> list[str]:
    """The numbers that one word holds, and what follows them; none where there are not several."""
    parts = _PARTS.split(word.strip("()")) if isinstance(word, str) else []
    return parts if len(parts) > 1 and all(map(_spells, parts[:2])) else []


def _spells(word: str) -> bool:
    """Whether a word spells a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True
