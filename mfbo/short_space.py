"""The short form of a space in YAML: one line a hyperparameter.

::

    lr: [0.0001, 0.1, log]     # a range of floats; log: searched on a log scale
    units: [16, 256]           # both ends are integers, and so is what lies between
    solver: [adam, sgd]        # one of these words
    batch: {choices: [16, 32]} # one of these numbers

Conditions, forbidden parts and defaults take ConfigSpace's own form, which `ConfigurationSpace.to_yaml` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadSpace

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

FORMS = "give [low, high], [low, high, log], words, or {choices: [...]}"


def short_space(values: Mapping[Any, Any]) -> ConfigurationSpace:
    """The space of such lines.

    >>> from ConfigSpace import Float
    >>> short_space({"lr": ["1e-4", 0.1, "log"]})["lr"] == Float("lr", (1e-4, 0.1), log=True)
    True

    Raises:
        BadSpace: a line that has none of the forms; the text begins with its name.
    """
    from ConfigSpace import ConfigurationSpace

    space = ConfigurationSpace()
    for name, value in values.items():
        try:
            space.add(_hyperparameter(str(name), value))
        except BadSpace:
            raise
        except Exception as error:  # of ConfigSpace: a range that is reversed, a name or a choice that comes twice
            raise BadSpace(f"{str(name)!r}: {value!r:.100}: {' '.join(str(error).split())[:160]}") from error
    return space


def _hyperparameter(name: str, value: Any) -> Any:
    from ConfigSpace import Categorical, Float, Integer

    if isinstance(value, Mapping) and list(value) == ["choices"]:
        choices = value["choices"]
        if isinstance(choices, list) and choices and all(isinstance(one, bool | int | float | str) for one in choices):
            return Categorical(name, choices)
    if not isinstance(value, list) or not value:
        raise BadSpace(f"{str(name)!r}: {value!r:.100} is no range; {FORMS}")
    ends, rest = [_number(end) for end in value[:2]], value[2:]
    if all(isinstance(word, str) for word in value) and None in ends:
        return Categorical(name, value)
    if len(ends) < 2 or None in ends or rest not in ([], ["log"]):
        raise BadSpace(f"{str(name)!r}: {value!r:.100} is no range; {FORMS}")
    kind = Integer if all(isinstance(end, int) for end in ends) else Float
    return kind(name, tuple(ends), log=bool(rest))


def _number(value: Any) -> int | float | None:
    """A number; YAML takes ``1e-4``, without a point, for text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return None
