"""YAML and JSON files that people write or hand on: read within bounds, nothing in them executed, and written again.

YAML is read as its version 1.2 means it where 1.1 surprises: ``1e-4`` is a number and a date is a word, while ``010``
(octal 8 in 1.1), ``1:30`` (90) and a bare ``no`` (false) are refused with their line. A quoted number is a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from mfbo.errors import BadValue
from mfbo.files.plain import read_plain

MAX_BYTES = 2**20  # of a YAML file
MAX_JSON_BYTES = 64 * 2**20
MAX_DEPTH = 50  # levels of lists and names within one another
MAX_VALUES = 200_000  # values and names, those that an alias repeats included
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_ODD = re.compile(r"[-+]?0\d[\d_]*|[-+]?[\d_]+(?::[0-5]?\d)+(?:\.\d*)?|(?i:yes|no|on|off)")
_ODD_TAG = "!odd"
T = TypeVar("T")


class Document(NamedTuple):
    """What is in a file: its content, and the line (from 1) of each name at the top."""

    content: Any
    lines: dict[str, int]


def read_yaml(path: Path, what: str) -> Document:
    """The content of a YAML file, or of a JSON file, which ends in ``.json``; JSON under another name is YAML too.

    Args:
        path: of the file.
        what: it is, for the message, such as ``study``.

    Raises:
        BadValue: it cannot be read, is no YAML, names something twice, or is larger or deeper than the bounds.
    """
    try:
        if Path(path).is_fifo() and Path(path).parent != Path("/dev/fd"):  # nobody may ever write to it
            raise BadValue("it is a pipe; give a file")
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise BadValue(f"it has more than {MAX_BYTES // 2**20} MiB")
        text = content.decode("utf-8-sig")
        return parse_json(text) if Path(path).suffix == ".json" else parse_yaml(text)
    except OSError as error:
        raise BadValue(f"{what} {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadValue(f"{what} {str(path)!r} cannot be read: it is not UTF-8 text") from error
    except BadValue as error:
        raise BadValue(f"{what} {str(path)!r}: {error}") from error


def read_json(path: Path, what: str, form: type[T], max_bytes: int = MAX_JSON_BYTES) -> T:
    """The content of a JSON file that lies in a folder of ours, which anybody may have written; no link is followed.

    Args:
        path: of the file.
        what: it is, for the message, such as ``measurement``.
        form: what it must hold, as msgspec takes it.
        max_bytes: that it may have.

    Raises:
        FileNotFoundError: it is not there.
        BadValue: it cannot be read, is no JSON, or holds something else; in one line.
    """
    try:
        return msgspec.convert(json.loads(read_plain(path, max_bytes)), form)
    except FileNotFoundError:
        raise
    except RecursionError as error:
        raise BadValue(f"{what} {str(path)!r} is damaged: it is too many levels deep") from error
    except OSError as error:
        raise BadValue(f"{what} {str(path)!r} cannot be read: {error.strerror}") from error
    except (BadValue, msgspec.ValidationError, ValueError) as error:
        raise BadValue(f"{what} {str(path)!r} is damaged: {' '.join(str(error).split())[:200]}") from error


def parse_yaml(text: str) -> Document:
    """The same of a text.

    Raises:
        BadValue: as `read_yaml`; the message begins with the line where there is one.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None, {})
        if _size(node, {}) > MAX_VALUES:
            raise BadValue(f"its aliases unfold to more than {MAX_VALUES} values")
        lines = {str(key.value): key.start_mark.line + 1 for key, _ in _pairs(node)}
        return Document(loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise BadValue(f"{where}{error.problem or error.context}") from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise BadValue(" ".join(str(error).split())[:200]) from error
    except (
        RecursionError,
        ValueError,
        OverflowError,
        AttributeError,
        TypeError,
    ) as error:  # of a tag that does not fit
        raise BadValue(" ".join(str(error).split())[:200] or type(error).__name__) from error


def parse_json(text: str) -> Document:
    """The same of JSON text; it has no lines to tell.

    Raises:
        BadValue: as `read_yaml`; ``NaN`` and ``Infinity`` are no JSON.
    """
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_no_json)
    except json.JSONDecodeError as error:
        raise BadValue(f"line {error.lineno}: it is no JSON: {error.msg}") from error
    except RecursionError as error:
        raise BadValue(f"more than {MAX_DEPTH} levels deep") from error
    if _values(content) > MAX_VALUES:
        raise BadValue(f"it has more than {MAX_VALUES} values")
    return Document(content, {})


def to_yaml(content: Any) -> str:
    """Names and values as YAML that `parse_yaml` reads as the same: what would be taken for another kind is quoted."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False))


class _Loader(yaml.SafeLoader):
    """Plain data, and tuples, as ConfigSpace writes some."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As that of PyYAML, to a bounded depth."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadValue(f"line {self.get_mark().line + 1}: more than {MAX_DEPTH} levels deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """As that of PyYAML, but a name that comes twice is refused."""
        seen: dict[str, int] = {}
        for key, _ in _pairs(node):
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                raise _error(key, f"{key.value!r} is there twice, in line {seen[key.value]} too; name it once")
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Quotes what `_Loader` would take for a number."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write what is there twice a second time."""
        return True


def _odd(loader: _Loader, node: Any) -> Any:
    text = node.value
    if text[0].isalpha():
        raise _error(
            node, f"{text} is {'true' if text.lower() in ('yes', 'on') else 'false'} in YAML; quote it: '{text}'"
        )
    plain = text.replace("_", "").lstrip("+-0") or "0"
    kind = "base 60" if ":" in text else "an octal number"
    raise _error(node, f"{text} may be {kind} in YAML; write {plain if ':' not in text else 'seconds'}, or quote it")


def _sequence(loader: _Loader, node: Any) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


def _word(loader: _Loader, node: Any) -> Any:
    return loader.construct_scalar(node)


def _resolve(kind: Any) -> None:
    """Give a loader or dumper the words of this file's docstring."""
    plain = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in kind.yaml_implicit_resolvers.items()
    }
    for first in {*plain, *"0123456789+-.yYnNoO"}:
        own = [("tag:yaml.org,2002:float", _whole(_FLOAT)), (_ODD_TAG, _whole(_ODD))]
        plain[first] = own + plain.get(first, [])
    kind.yaml_implicit_resolvers = plain


def _whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern.pattern})\Z")


_resolve(_Loader)
_resolve(_Dumper)
_Loader.add_constructor(_ODD_TAG, _odd)
_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _sequence)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that comes twice is refused."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadValue(f"{name!r} is there twice; name it once")
        found[name] = value
    return found


def _no_json(word: str) -> Any:
    raise BadValue(f"{word} is no JSON; give a finite number")


def _values(content: Any, depth: int = 0) -> int:
    """Values in what was read, to a bounded depth."""
    if depth > MAX_DEPTH:
        raise BadValue(f"more than {MAX_DEPTH} levels deep")
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return 1 + sum(_values(part, depth + 1) for part in inner)


def _error(node: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _pairs(node: Any) -> Iterator[tuple[Any, Any]]:
    yield from node.value if isinstance(node, yaml.MappingNode) else ()


def _size(node: Any, known: dict[int, int]) -> int:
    """Values in a node, each alias counted as often as it stands there."""
    if id(node) in known:
        if known[id(node)] < 0:
            raise _error(node, "it holds itself")
        return known[id(node)]
    known[id(node)] = -1
    inner = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in _pairs(node) for part in pair]
    known[id(node)] = 1 + sum(_size(part, known) for part in inner)
    return known[id(node)]
