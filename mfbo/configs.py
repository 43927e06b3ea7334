"""Configurations that a person writes: in a YAML or JSON file, or words ``--name=value``; checked against a space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadValue, UnknownName

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.trial import Config

DEFAULT = "default"


def read(path: Path | str) -> dict[str, Any]:
    """The names and values in a YAML or JSON file, such as `mfbo best` prints; nothing in it is executed.

    Raises:
        BadValue: no such file, or no names with values.
    """
    import yaml

    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        raise BadValue(f"configuration {str(path)!r} cannot be read: {reason}") from error
    if not isinstance(found, Mapping):
        raise BadValue(f"configuration {str(path)!r} has no names and values; give lines such as: learning_rate: 0.001")
    return {str(name): value for name, value in found.items()}


def of_words(words: Sequence[str]) -> dict[str, Any]:
    """The names and values in words such as ``--learning_rate=0.001``, as `mfbo best --format args` prints them.

    Raises:
        BadValue: a word is not of that form.
    """
    found = {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not (name and equals):
            raise BadValue(f"{word!r} is no hyperparameter; give --name=value, such as --learning_rate=0.001")
        found[name] = value
    return found


def fitted(values: Mapping[str, Any], space: ConfigurationSpace, where: str, *, partial: bool = False) -> Config:
    """`values` as a configuration of `space`.

    A number may come as a word (YAML reads ``1e-3`` as one), or as 32.0 where an integer is meant. What is inactive
    under the other values is left out.

    Args:
        values: by hyperparameter.
        space: what they must be in.
        where: they come from, for the message.
        partial: take what is missing from the space's defaults, instead of refusing it.

    Raises:
        UnknownName: a name that is not in the space.
        BadValue: a value outside its range, one that is missing, or a combination that is forbidden.
    """
    from ConfigSpace.exceptions import ForbiddenValueError
    from ConfigSpace.util import deactivate_inactive_hyperparameters

    given = {}
    for name, value in values.items():
        if name not in space:
            raise UnknownName("hyperparameter", name, space, f"in {where}")
        given[name] = _value(space[name], value, where)
    defaults = {name: hyperparameter.default_value for name, hyperparameter in space.items()}
    try:
        found = dict(deactivate_inactive_hyperparameters({**defaults, **given}, space))
    except ForbiddenValueError as error:
        raise BadValue(f"{where}: the space forbids this combination: {' '.join(str(error).split())[:200]}") from error
    if not partial and (missing := [name for name in found if name not in given]):
        raise BadValue(f"{where} has no {missing[0]!r}; give every hyperparameter: {', '.join(found)}")
    return {name: value.item() if hasattr(value, "item") else value for name, value in found.items()}


def prior_of(source: Mapping[str, Any] | Path | str, space: ConfigurationSpace) -> Config:
    """The configuration to begin with: ``default``, a file, or names and values; what is missing is the default.

    Raises:
        UnknownName, BadValue: as `read` and `fitted`.
    """
    if isinstance(source, Mapping):
        return fitted(source, space, "the prior", partial=True)
    if source == DEFAULT:
        return fitted({}, space, "the prior", partial=True)
    if not Path(source).is_file():
        raise BadValue(f"prior {str(source)!r}: give {DEFAULT!r}, or a YAML file with names and values that exists")
    return fitted(read(source), space, repr(str(source)), partial=True)


def _value(hyperparameter: Any, value: Any, where: str) -> Any:
    """`value` in the form that the hyperparameter has it."""
    listed = _listed(hyperparameter)
    if listed is None:
        found = _number(value, whole=isinstance(hyperparameter.default_value, int))
    else:
        same = [own for own in listed if type(own) is type(value) and own == value]
        found = next(iter(same or [own for own in listed if str(own) == str(value) or _number(value) == own]), None)
        if found is None and None not in listed:
            found = value
    if isinstance(value, list | dict) or (found is None and value is not None) or not hyperparameter.legal_value(found):
        allowed = f"one of {listed}" if listed is not None else f"{hyperparameter.lower} to {hyperparameter.upper}"
        raise BadValue(f"{where}: {hyperparameter.name} {value!r} is not allowed; give {allowed}")
    return found


def _listed(hyperparameter: Any) -> list[Any] | None:
    """The values of a hyperparameter that lists them."""
    for name in ("choices", "sequence"):
        if hasattr(hyperparameter, name):
            return list(getattr(hyperparameter, name))
    return [hyperparameter.value] if hasattr(hyperparameter, "value") else None


def _number(value: Any, *, whole: bool = False) -> float | int | None:
    """The number that `value` is or spells; None where it is none, or no whole one."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(found):
        return None
    if not whole:
        return found
    return int(found) if found == int(found) else None
