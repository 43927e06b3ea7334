"""Import large libraries without the parts of theirs that are slow to load and that most runs never call.

ConfigSpace loads ``scipy.stats`` for its beta and normal hyperparameters alone, nine tenths of its import time; SMAC
loads pandas and Dask for what mfbo does not use of it. Once `install` was called, such a part is a placeholder while
the library is imported; its names import the real one when they are first used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_GP, _FOREST = "smac.model.gaussian_process", "smac.model.random_forest"
POSTPONED = {
    "ConfigSpace": ("scipy.stats", "scipy.stats._distn_infrastructure"),
    "smac": (
        *("scipy.stats", "scipy.stats.qmc", "dask", "dask.distributed", "emcee"),
        *(
            "sklearn.decomposition",
            "sklearn.preprocessing",
            "sklearn.gaussian_process",
            "sklearn.gaussian_process.kernels",
        ),
        *(_GP, f"{_GP}.abstract_gaussian_process", f"{_GP}.gaussian_process", f"{_GP}.mcmc_gaussian_process"),
        *(f"{_GP}.kernels", f"{_GP}.priors"),  # models that no facade of ours is made of
        *(_FOREST, f"{_FOREST}.abstract_random_forest", f"{_FOREST}.random_forest"),
    ),
}
"""What is postponed while a library is imported."""
ABSENT = ("pandas",)
"""Libraries that others do without where they are missing; they count as missing meanwhile."""


class PostponedName:
    """One name of a module that is imported when the name is first called, read or checked against."""

    def __init__(self, module: str, name: str) -> None:
        self.__dict__.update(_module=module, _name=name)

    def _real(self) -> Any:
        return getattr(importlib.import_module(self.__dict__["_module"]), self.__dict__["_name"])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the real one."""
        return self._real()(*arguments, **named)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._real())


def _placeholder(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []  # so that modules below it can be postponed too

    def lookup(attribute: str) -> PostponedName:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return PostponedName(name, attribute)

    module.__getattr__ = lookup  # type: ignore[method-assign]
    return module


@contextmanager
def postponed(*names: str) -> Iterator[None]:
    """While it is entered, modules of these names are placeholders for those who import from them.

    A module that is loaded already stays what it is. Afterwards all can be imported as usual.
    """
    new = [name for name in (*names, *ABSENT) if name not in sys.modules]
    for name in new:
        sys.modules[name] = None if name in ABSENT else _placeholder(name)  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


class _Finder(MetaPathFinder):
    """Finds the libraries in `POSTPONED` where they are, and postpones while they are executed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in POSTPONED or self not in sys.meta_path:
            return None
        place = sys.meta_path.index(self)
        sys.meta_path.remove(self)
        try:
            spec = find_spec(name)
        finally:
            sys.meta_path.insert(place, self)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with postponed(*POSTPONED[name]):
                execute(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Postpone from now on; a library that is imported already stays as it is."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
