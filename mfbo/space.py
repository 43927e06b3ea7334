"""Spaces and configurations as people write them: read from YAML and from words, and checked.

The short form of a space has one line a hyperparameter::

    lr: [0.0001, 0.1, log]     # a range of floats; log: searched on a log scale
    units: [16, 256]           # both ends are integers, and so is what lies between
    solver: [adam, sgd]        # one of these words
    batch: {choices: [16, 32]} # one of these numbers

Conditions, forbidden parts and defaults take ConfigSpace's own form, which `ConfigurationSpace.to_yaml` writes. Nothing
in a file is executed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadSpace, BadValue, UnknownName

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.trial import Config

DEFAULT = "default"
FORMS = "give [low, high], [low, high, log], words, or {choices: [...]}"


def read_space(path: Path) -> ConfigurationSpace:
    """The space in a YAML file, in ConfigSpace's format or the short one; nothing in it is executed.

    Raises:
        BadSpace: no such file, or not a space.
    """
    from ConfigSpace import ConfigurationSpace
    from yaml import SafeLoader

    class Loader(SafeLoader):
        """Knows tuples too, for ConfigSpace writes some."""

    def read_tuple(loader: Any, node: Any) -> tuple[Any, ...]:
        return tuple(loader.construct_sequence(node))

    Loader.add_constructor("tag:yaml.org,2002:python/tuple", read_tuple)
    if not path.is_file():
        raise BadSpace(f"space file {str(path)!r} does not exist")
    try:
        found = Loader(path.read_text(encoding="utf-8")).get_single_data()
        if isinstance(found, dict) and "hyperparameters" not in found:
            space = short_space(found)
        else:
            space = ConfigurationSpace.from_serialized_dict(found)
    except BadSpace as error:
        raise BadSpace(f"space file {str(path)!r}: {error}") from error
    except Exception as error:  # whatever a damaged file makes of the reader
        raise BadSpace(f"space file {str(path)!r} is not in ConfigSpace's format: {_reason(error)}") from error
    if len(space) == 0:
        raise BadSpace(f"space file {str(path)!r} has no hyperparameters; there is nothing to tune")
    return space


def is_space_file(name: str) -> bool:
    """Whether a name for ``--space`` is that of a file."""
    return name.endswith((".yaml", ".yml"))


def kept_space(kept: Mapping[str, Any]) -> ConfigurationSpace:
    """The space that a ledger keeps in ConfigSpace's JSON form; nothing in it is executed.

    Raises:
        BadSpace: it is none.
    """
    from ConfigSpace import ConfigurationSpace

    try:
        return ConfigurationSpace.from_serialized_dict(deepcopy(dict(kept)))  # it takes apart what it reads
    except Exception as error:  # whatever a damaged form makes of the reader
        reason = " ".join(str(error).split())[:200]
        raise BadSpace(
            f"the ledger's space is not in ConfigSpace's format: {type(error).__name__}: {reason}"
        ) from error


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
    ends, rest = [_end(end) for end in value[:2]], value[2:]
    if all(isinstance(word, str) for word in value) and None in ends:
        return Categorical(name, value)
    if len(ends) < 2 or None in ends or rest not in ([], ["log"]):
        raise BadSpace(f"{str(name)!r}: {value!r:.100} is no range; {FORMS}")
    kind = Integer if all(isinstance(end, int) for end in ends) else Float
    return kind(name, tuple(ends), log=bool(rest))


def _end(value: Any) -> int | float | None:
    """A number; YAML takes ``1e-4``, without a point, for text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return None


def read_config(path: Path | str) -> dict[str, Any]:
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


def _reason(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
