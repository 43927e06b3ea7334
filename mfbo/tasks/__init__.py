"""The tasks that come with mfbo; each module is imported only when its task is used."""

from __future__ import annotations

from typing import NamedTuple


class Builtin(NamedTuple):
    """Where a built-in task is (``module:attribute``, a `Task` or a function that returns one), and one line on it."""

    where: str
    description: str


BUILTIN: dict[str, Builtin] = {
    "digits": Builtin("mfbo.tasks.digits:task", "scikit-learn's 1,797 handwritten digits, an MLP (real data, offline)"),
}
