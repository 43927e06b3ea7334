"""A user's task file as a module: the same code all through a run, and importable by whatever a trial starts.

A train function may start processes (a `DataLoader`, a `multiprocessing.Pool`, joblib) that import its module by name.
So beside each module that was run from a file, a small file of that name lies in a folder on ``sys.path``, which child
processes are handed down; it runs the text that the run began with, whatever has become of the file since.
"""

from __future__ import annotations

import hashlib
import linecache
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

PREFIX = "mfbo_task_"
MAIN = "MFBO_MAIN"  # variable with the file that holds a task made in a main script
_texts: dict[Path, bytes] = {}
_given: set[Path] = set()  # files whose text came with the run
_modules: dict[Path, ModuleType] = {}


def import_file(path: Path) -> ModuleType:
    """Run a user's file as a module of its own, found again by the name that pickles carry.

    What `importable` was given for it is run in place of what the file holds now.

    Raises:
        Exception: whatever the file raises.
    """
    home = path.resolve()
    text = _texts.get(home) if home in _given else home.read_bytes()
    assert text is not None
    name = _name(home)
    spec = spec_from_file_location(name, path)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    if str(home.parent) not in sys.path:
        sys.path.insert(0, str(home.parent))
    _texts[home] = text
    _remember_lines(path, text)
    try:
        exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102 - that is what a task file is for
    except BaseException:
        del sys.modules[name]
        raise
    _modules[home] = module
    return module


def importable(path: Path, text: bytes, folder: Path) -> None:
    """Let `path` be imported as `text` in this process, and by its module's name in those that it starts.

    Args:
        path: of the user's file.
        text: what it held when the run began.
        folder: for the file that child processes import.
    """
    home = path.resolve()
    _texts[home] = text
    _given.add(home)
    _share(home, path, text, folder)


def share(path: Path, folder: Path) -> None:
    """Let processes that this one starts import the module of `path`, which this one has imported."""
    _share(path.resolve(), path, kept_text(path), folder)


def kept_text(path: Path) -> bytes:
    """What the file held when it was imported here; what it holds now, where it was not."""
    home = path.resolve()
    return _texts[home] if home in _texts else home.read_bytes()


def _share(home: Path, path: Path, text: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = _name(home)
    kept = folder / f"{name}.txt"
    kept.write_bytes(text)
    (folder / f"{name}.py").write_text(
        f"import sys\n__file__ = {str(path.absolute())!r}\n"
        f"{str(home.parent)!r} in sys.path or sys.path.insert(0, {str(home.parent)!r})\n"
        f"with open({str(kept)!r}, 'rb') as _file:\n    _text = _file.read()\n"
        "exec(compile(_text, __file__, 'exec'))\n",
        encoding="utf-8",
    )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _name(home: Path) -> str:
    """Of the module: that of the file, and of its folder as well where another file has that name here."""
    name = PREFIX + "".join(sign if sign.isalnum() else "_" for sign in home.stem)
    taken = any(other != home and module.__name__ == name for other, module in _modules.items())
    return f"{name}_{hashlib.sha256(str(home).encode()).hexdigest()[:8]}" if taken else name


def _remember_lines(path: Path, text: bytes) -> None:
    """Let tracebacks show the lines that were run."""
    with suppress(UnicodeError):
        linecache.cache[str(path)] = (len(text), None, text.decode().splitlines(keepends=True), str(path))


def share_main(task: object, content: bytes, folder: Path) -> None:
    """Let this process and those that it starts find what a task made in a main script refers to there.

    Args:
        task: with functions that were sent by value, as no module has them.
        content: the task, pickled.
        folder: for the file that child processes read.
    """
    found = _of_main(task)
    if not found:
        return
    main = sys.modules["__main__"]
    for name, value in found.items():
        setattr(main, name, value)
    file = folder / "main.pickle"
    file.write_bytes(content[1:])
    os.environ[MAIN] = str(file)
    main.__spec__ = ModuleSpec("mfbo.tasks.again", None)


def _of_main(task: object) -> dict[str, Any]:
    """What the train function of `task` uses of a main script: functions and classes by name."""
    train: Any = getattr(task, "train", task)
    train = getattr(train, "func", train)  # of a partial
    train = getattr(train, "__func__", train)  # of a method
    names = getattr(train, "__globals__", None) or getattr(type(train).__call__, "__globals__", {})
    found = {name: value for name, value in names.items() if getattr(value, "__module__", None) == "__main__"}
    if getattr(train, "__module__", None) == "__main__" and "<" not in getattr(train, "__qualname__", "<"):
        found[train.__name__] = train
    return found
