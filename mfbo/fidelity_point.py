"""One point of a fidelity as a person names it, such as ``trees=100`` on half of the data, checked by its ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadValue, UnknownName

if TYPE_CHECKING:
    from mfbo.fidelity import Fidelity
    from mfbo.trial import Rung


def point(
    fidelity: Fidelity,
    epochs: int | None = None,
    data: float | None = None,
    at: Mapping[str, Any] | None = None,
    *,
    beyond: bool = False,
) -> Rung:
    """The rung with these numbers; what is not given is as in a full evaluation.

    >>> from mfbo.fidelity import Fidelity
    >>> str(point(Fidelity(trees=(10, 300), folds=(1, 5)), at={"folds": 2}))
    'all data, 300 trees, 2 folds'

    Args:
        fidelity: of the task.
        epochs: of what reports count by.
        data: fraction of the training data.
        at: numbers by the name of what is counted, or the ``size`` of inputs.
        beyond: whether more epochs than the full ones are allowed.

    Raises:
        UnknownName: nothing of that name is counted.
        BadValue: a number outside its range.
    """
    full, given = fidelity.full, dict(at or {})
    for name in given:
        if name not in (*fidelity.counts, "size"):
            raise UnknownName("fidelity", name, [*fidelity.counts, "size"])
    if fidelity.unit in given:
        epochs = given.pop(fidelity.unit)
    epochs, data = full.epochs if epochs is None else epochs, full.data if data is None else data
    size = given.pop("size", full.size)
    numbers = {fidelity.unit: epochs, **{name: given.get(name, number) for name, number in full.further}}
    for name, number in numbers.items():
        high = full.counts[name]
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or number < 1 or (number > high and not (beyond and name == fidelity.unit)):
            raise BadValue(f"{name} {number!r}: a full evaluation has {high}; give 1 to {high}")
    for name, part, most, what in (
        ("data", data, full.data, "the training data"),
        ("size", size, full.size, "each input"),
    ):
        if isinstance(part, bool) or not isinstance(part, int | float) or not 0 < part <= most:
            raise BadValue(f"{name} {part!r}: give the fraction of {what}, above 0 and up to {most:g}")
    return fidelity.at(epochs, data, size, list(numbers.items())[1:])


def read_numbers(texts: tuple[str, ...]) -> dict[str, Any]:
    """``("trees=100", "size=0.5")`` as numbers by name.

    Raises:
        BadValue: one that has another form.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            raise BadValue(f"at {text!r}: give NAME=NUMBER, such as trees=100") from None
    return found
