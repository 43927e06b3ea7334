"""The lines of a ledger: one JSON object each, with a checksum that chains it to the line before.

What a line may hold is said by the types here, in `mfbo.trial` and in `mfbo.ledger.run`; msgspec reads nothing else.
The checksum is of the line and of the checksum before it, so that a line that is changed, dropped, doubled or moved is
noticed, by its number.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, TypeAlias, TypedDict

import msgspec

from mfbo.errors import MfboError
from mfbo.goal import LOSS
from mfbo.ledger.plan import Step
from mfbo.ledger.run import Header, Limits
from mfbo.trial import Amount, Config, Count, Known, Outcome, Rung

FORMAT = 3
DAMAGE = (  # of what is kept in a file
    msgspec.MsgspecError, MfboError, KeyError, TypeError, ValueError, AttributeError, RecursionError,
)  # fmt: skip
_CHECK = re.compile(rb',"check":"([0-9a-f]{16})"\}\Z')


class _Line(msgspec.Struct, frozen=True, tag_field="record"):
    """A line of a ledger."""


class Begin(_Line, frozen=True, tag="run"):
    """The first line."""

    format: int
    run: Header


class Ask(_Line, frozen=True, tag="ask"):
    """A trial begins."""

    trial: Count
    config: Config
    rung: Rung


class Ended(_Line, frozen=True, tag="result"):
    """What became of a trial; `overhead` is seconds of the run itself, `spent` in the unit of the budget."""

    trial: Count
    outcome: Outcome
    overhead: Amount
    spent: Amount
    wall: Amount


class Told(_Line, frozen=True, tag="told"):
    """A result that was measured outside the run."""

    known: Known
    at: str = ""
    command: str = ""


class Ladder(_Line, frozen=True, tag="ladder", omit_defaults=True):
    """The ladder has these rungs from now on: more above, or fewer; where `best`, the best goes to the highest next."""

    rungs: tuple[Rung, ...]
    best: bool = False


class Planned(_Line, frozen=True, tag="plan"):
    """What the whole budget buys by what trials cost now; it takes the place of what was planned before."""

    steps: tuple[Step, ...]


class NewLimits(_Line, frozen=True, tag="limits"):
    """Other limits from now on."""

    limits: Limits


class Resumed(_Line, frozen=True, tag="resume"):
    """The run is resumed."""

    at: str = ""
    command: str = ""


class End(_Line, frozen=True, tag="end"):
    """The run ended; `overhead` since the last result, `charge` in the unit of the budget."""

    status: Annotated[str, msgspec.Meta(max_length=100)]
    overhead: Amount
    charge: Amount


Record: TypeAlias = Begin | Ask | Ended | Told | Ladder | Planned | NewLimits | Resumed | End


class _Hyperparameter(TypedDict, total=False):
    """What is read of a hyperparameter in ConfigSpace's own JSON form."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    type: str
    lower: float
    upper: float
    log: bool
    choices: list[bool | int | float | str | None]
    sequence: list[bool | int | float | str | None]


class _Space(TypedDict, total=False):
    hyperparameters: list[_Hyperparameter]
    conditions: list[dict[str, Any]]
    forbiddens: list[dict[str, Any]]


_DECODER = msgspec.json.Decoder(Record)


def encode(line: Record, before: str) -> tuple[bytes, str]:
    """The line as it is written, and its checksum.

    Args:
        line: what to write.
        before: checksum of the line before; empty for the first.

    Raises:
        ValueError: it has a number that JSON does not know, so that nobody could read it.
    """
    values = msgspec.to_builtins(line)
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    if "\\ud" in text:  # a surrogate without its other half, as in a file name that is no UTF-8
        text = json.dumps(_paired(values), separators=(",", ":"), allow_nan=False)
    body = text.encode()
    check = checksum(body, before)
    return body[:-1] + f',"check":"{check}"}}\n'.encode(), check


def decode(line: bytes, before: str) -> tuple[Record, str]:
    """What `encode` has written, without the end of the line, and its checksum.

    Raises:
        DAMAGE: it is not what was written there.
    """
    found = _CHECK.search(line)
    if found is None:
        raise ValueError("no checksum")
    body, check = line[: found.start()] + b"}", found[1].decode()
    if checksum(body, before) != check:
        raise ValueError("its checksum is another")
    record = _DECODER.decode(body)
    if isinstance(record, Begin):
        _check(record.run)
    return record, check


def checksum(body: bytes, before: str) -> str:
    """Sixteen hexadecimal digits of a line and of all before it."""
    return hashlib.sha256(before.encode() + body).hexdigest()[:16]


def _check(header: Header) -> None:
    """What no type says of a header."""
    if not header.rungs or not all(rung.epochs >= 1 and rung.work > 0 for rung in header.rungs):
        raise ValueError("no rungs, or one of no work")
    header.fidelity.moved_by(header.search.path)
    if isinstance(header.search.prior, str):
        raise ValueError("its prior is no configuration")
    if header.search.objectives and LOSS not in header.search.objectives:
        raise ValueError("objectives without the loss")
    space = msgspec.convert(dict(header.space), _Space)
    if not all({"name", "type"} <= entry.keys() for entry in space.get("hyperparameters", [])):
        raise ValueError("a hyperparameter without a name or a type")


def _paired(value: Any) -> Any:
    """The same with lone surrogates spelled out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_paired(key): _paired(one) for key, one in value.items()}
    return [_paired(one) for one in value] if isinstance(value, list | tuple) else value
