"""What `partial_fit` has made of an estimator, in a file that holds data and no code.

A pickle would run whatever it says; here the attributes are written down as numbers, and put back into an estimator
that has taken a step, which builds the objects that hold them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mfbo.data.bounds import read_npz
from mfbo.errors import BadData

PLAIN = (bool, int, float, str, type(None))


def save(model: Any, path: Path) -> None:
    """Write what training has changed in `model` as .npz: all its attributes but its parameters."""
    arrays: list[Any] = []
    tree = {name: _written(value, arrays) for name, value in _state(model).items()}
    np.savez(path, *arrays, tree=np.array(json.dumps(tree)))


def load(model: Any, path: Path) -> None:
    """Put what `save` wrote into a model with the same parameters that has taken a step.

    Raises:
        BadData: the file is damaged, or that of another kind of model.
    """
    try:
        saved = read_npz(path)
        arrays = [saved[f"arr_{i}"] for i in range(len(saved) - 1)]
        tree = json.loads(str(saved["tree"]))
        for name, value in tree.items():
            setattr(model, name, _read(value, arrays, getattr(model, name, None)))
    except Exception as error:  # a damaged archive raises nearly anything
        raise BadData(f"checkpoint {str(path)!r} cannot be read: {error!r}; delete its folder to start over") from error


def _state(model: Any) -> dict[str, Any]:
    parameters = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    return {name: value for name, value in vars(model).items() if name not in parameters}


def _written(value: Any, arrays: list[Any]) -> Any:
    """`value` as JSON; arrays are put aside. What is neither data nor holds some stays as the first step made it."""
    if isinstance(value, PLAIN) and not isinstance(value, np.generic):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind != "O":
        arrays.append(value)
        return {"scalar" if isinstance(value, np.generic) else "array": len(arrays) - 1}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_written(part, arrays) for part in value]}
    if isinstance(value, np.random.RandomState):
        return {"random": _written(value.get_state(legacy=True), arrays)}
    if type(value).__module__.startswith("sklearn.") and hasattr(value, "__dict__"):
        return {"object": {name: _written(part, arrays) for name, part in _state(value).items()}}
    return {"same": True}


def _read(value: Any, arrays: list[Any], now: Any) -> Any:
    """What `_written` was given; `now` is what the model has in its place."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("scalar", "array"):
        return arrays[content][()] if kind == "scalar" else arrays[content]
    if kind in ("list", "tuple"):
        there = now if isinstance(now, list | tuple) and len(now) == len(content) else [None] * len(content)
        parts = [_read(part, arrays, old) for part, old in zip(content, there, strict=True)]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "random":
        state = np.random.RandomState()
        state.set_state(_read(content, arrays, None))
        return state
    if kind == "object":
        for name, part in content.items():
            setattr(now, name, _read(part, arrays, getattr(now, name, None)))
    return now
