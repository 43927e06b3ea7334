"""The ranges of a fidelity and the powers that its cost grows by, as people give them and as they are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from mfbo.errors import BadValue

MAX_GROWTH = 4  # power of a cost


class Counted(NamedTuple):
    """A further thing that a fidelity counts.

    Attributes:
        name: in the plural.
        range: (lowest, full).
        growth: power by which the cost of a trial grows with it.
    """

    name: Annotated[str, Meta(max_length=40)]
    range: tuple[int, int]
    growth: float


def pair(value: Any) -> tuple[Any, Any]:
    """(lowest, full) of a range, or of one number."""
    return value if isinstance(value, tuple) else (value, value)


def counted_range(name: str, value: Any) -> tuple[int, int]:
    """The range of what is counted.

    Raises:
        BadValue: it is none.
    """
    if not is_range(value, int):
        raise BadValue(f"fidelity {name}={value!r}: give (lowest, full) as integers, 1 <= lowest <= full")
    return pair(value)


def powers_of(growth: Any, names: Sequence[str]) -> dict[str, float]:
    """The power of each of `names`, 1 where none is given.

    Raises:
        BadValue: a number where several are counted, a name of nothing that is, or no power.
    """
    if isinstance(growth, Mapping):
        for name in growth:
            if name not in names:
                raise BadValue(
                    f"fidelity growth of {name!r}: it counts {', '.join(names) or 'nothing'}; name one of these"
                )
        found = {name: growth.get(name, 1.0) for name in names}
    elif len(names) > 1 and growth != 1:
        raise BadValue(
            f"fidelity growth={growth!r} with {' and '.join(names)}: say of which, such as growth={{{names[-1]!r}: 2}}"
        )
    else:
        found = dict.fromkeys(names, growth)
    for power in found.values():
        if isinstance(power, bool) or not isinstance(power, int | float) or not 0 < power <= MAX_GROWTH:
            raise BadValue(f"fidelity growth={power!r}: give the power of the cost, above 0 and up to {MAX_GROWTH}")
    return found


def is_range(value: object, kind: type | UnionType) -> bool:
    """Whether it is a number above 0, or a tuple of two of them in order."""
    ends = pair(value)
    numbers = len(ends) == 2 and all(isinstance(number, kind) and not isinstance(number, bool) for number in ends)
    return numbers and 0 < ends[0] <= ends[1]
