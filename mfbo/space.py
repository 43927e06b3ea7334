"""Spaces and configurations as people write them: read from YAML and from words, and checked.

A space has the short form (see `mfbo.files.short_space`), or ConfigSpace's own, which `ConfigurationSpace.to_yaml`
writes, for conditions, forbidden parts and defaults. Nothing in a file is executed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadSpace, BadValue, UnknownName
from mfbo.files.reading import read_yaml
from mfbo.files.serialized_space import check_serialized
from mfbo.files.short_space import short_space

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.trial import Config

DEFAULT = "default"
MAX_HYPERPARAMETERS, MAX_CHOICES = 500, 5000  # ConfigSpace takes time that grows with their square
LINES = "give a line a hyperparameter, such as lr: [0.0001, 0.1, log]"


def read_space(path: Path) -> ConfigurationSpace:
    """The space in a YAML or JSON file, in ConfigSpace's format or the short one; nothing in it is executed.

    Raises:
        BadSpace: no such file, or not a space.
    """
    from ConfigSpace import ConfigurationSpace

    where = f"space file {str(path)!r}"
    if not path.is_file():
        raise BadSpace(f"{where} does not exist")
    try:
        found, lines = read_yaml(path, "space file")
    except BadValue as error:
        raise BadSpace(str(error)) from error
    try:
        _refuse_large(found)
        if isinstance(found, dict) and not isinstance(found.get("hyperparameters"), list):
            space = short_space(found, lines)
        elif isinstance(found, dict):
            check_serialized(found)
            space = ConfigurationSpace.from_serialized_dict(found)
        else:
            raise BadSpace(_no_names(found))
    except BadSpace as error:
        raise BadSpace(f"{where}: {error}") from error
    except Exception as error:  # whatever a damaged file makes of the reader
        raise BadSpace(f"{where} is not in ConfigSpace's format: {_reason(error)}") from error
    if len(space) == 0:
        raise BadSpace(f"{where} has no hyperparameters; there is nothing to tune")
    return space


def _refuse_large(found: Any) -> None:
    """Refuse what ConfigSpace would take minutes or hours for, in either form.

    Raises:
        BadSpace: it is such a space.
    """
    if not isinstance(found, Mapping):
        return
    listed = found.get("hyperparameters")
    values: Sequence[Any] = listed if isinstance(listed, list | tuple) else list(found.values())
    rules = [rule for name in ("conditions", "forbiddens") for rule in found.get(name) or ()] if listed else []
    if (count := max(len(values), len(rules))) > MAX_HYPERPARAMETERS:
        raise BadSpace(f"it has {count} hyperparameters or rules; give {MAX_HYPERPARAMETERS} or less")
    for value in values:
        parts = list(value.values()) if isinstance(value, Mapping) else [value]
        if (most := max((len(part) for part in parts if isinstance(part, list | tuple)), default=0)) > MAX_CHOICES:
            raise BadSpace(f"a hyperparameter has {most} values; give {MAX_CHOICES} or less, or a range")


def _no_names(found: Any) -> str:
    """What to say of a file that has none."""
    if found is None:
        return f"it is empty; {LINES}"
    if isinstance(found, str) and ":" in found:
        return f"line 1: {found[:60]!r} has no space behind the colon; {LINES}"
    return f"it holds a {type(found).__name__} and no names; {LINES}"


def is_space_file(name: str) -> bool:
    """Whether a name for ``--space`` is that of a file."""
    return name.endswith((".yaml", ".yml", ".json"))


def kept_space(kept: Mapping[str, Any]) -> ConfigurationSpace:
    """The space that a ledger keeps in ConfigSpace's JSON form; nothing in it is executed.

    Raises:
        BadSpace: it is none.
    """
    from ConfigSpace import ConfigurationSpace

    try:
        _refuse_large(kept)
        return ConfigurationSpace.from_serialized_dict(deepcopy(dict(kept)))  # it takes apart what it reads
    except Exception as error:  # whatever a damaged form makes of the reader
        reason = " ".join(str(error).split())[:200]
        raise BadSpace(
            f"the ledger's space is not in ConfigSpace's format: {type(error).__name__}: {reason}"
        ) from error


def read_config(path: Path | str) -> dict[str, Any]:
    """The names and values in a YAML or JSON file, such as `mfbo best` prints; nothing in it is executed.

    Raises:
        BadValue: no such file, or no names with values.
    """
    found = read_yaml(Path(path), "configuration").content
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
        UnknownName, BadValue: as `read_config` and `fitted`.
    """
    if isinstance(source, Mapping):
        return fitted(source, space, "the prior", partial=True)
    if source == DEFAULT:
        return fitted({}, space, "the prior", partial=True)
    if not Path(source).is_file():
        raise BadValue(f"prior {str(source)!r}: give {DEFAULT!r}, or a YAML file with names and values that exists")
    return fitted(read_config(source), space, repr(str(source)), partial=True)


def _value(hyperparameter: Any, value: Any, where: str) -> Any:
    """`value` in the form that the hyperparameter has it."""
    listed = _listed(hyperparameter)
    if listed is None:
        found = _number(value, whole=isinstance(hyperparameter.default_value, int))
    else:
        same = [own for own in listed if type(own) is type(value) and own == value]
        alike = [own for own in listed if str(own) == str(value)]
        equal = [own for own in listed if _number(own) is not None and _number(own) == _number(value)]
        found = next(iter(same or alike or equal), None)
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


def _reason(error: BaseException) -> str:
    """An error in one line; ConfigSpace's own reason is behind it."""
    behind = f" ({' '.join(str(error.__cause__).split())[:200]})" if error.__cause__ else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{behind}"
