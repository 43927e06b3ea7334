"""How a name leads to a task.

A name is one of the built-in tasks, one that an installed package offers in the entry-point group ``mfbo.tasks``,
``path/to/file.py:name``, or a command line with placeholders, such as ``python train.py --lr {lr}``. The module of a
built-in task is imported only when it is used.
"""

from __future__ import annotations

import importlib
import shlex
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from mfbo.adapters.command import command_task, is_command
from mfbo.errors import BadTask, MfboError, UnknownName
from mfbo.task import Task
from mfbo.tasks.source_file import import_file

GROUP = "mfbo.tasks"
SYNTHETIC = "mfbo.tasks.synthetic.presets"
RECORDED = "mfbo.tasks.tables.recorded"
SCRIPTS = (".py", ".sh", ".R", ".jl", ".js", ".lua", ".pl", ".rb")


class Builtin(NamedTuple):
    """Where a built-in task is (``module:attribute``, a `Task` or a function that returns one), and one line on it."""

    where: str
    description: str


# OpenML task ids of the tables of LCBench that YAHPO Gym's surrogate knows
# fmt: off
LCBENCH = (
    "3945", "7593", "34539", "126025", "126026", "126029", "146212", "167104", "167149", "167152", "167161",
    "167168", "167181", "167184", "167185", "167190", "167200", "167201", "168329", "168330", "168331", "168335",
    "168868", "168908", "168910", "189354", "189862", "189865", "189866", "189873", "189905", "189906", "189908",
    "189909",
)
# fmt: on

BUILTIN: dict[str, Builtin] = {
    "digits": Builtin("mfbo.tasks.digits:task", "scikit-learn's 1,797 handwritten digits, an MLP (real data, offline)"),
    "cifar10": Builtin("mfbo.tasks.cifar10:task", "CIFAR-10, ResNet-18 (real data; extra: vision)"),
    "agnews": Builtin("mfbo.tasks.agnews:task", "AG News, DistilBERT or another transformer (real data; extra: text)"),
    "imdb": Builtin("mfbo.tasks.imdb:task", "IMDb reviews, LSTM (real data; extra: text)"),
    "table-cifar10": Builtin(f"{RECORDED}:cifar10", "cifar10 as recorded learning curves: a trial takes milliseconds"),
    "table-agnews": Builtin(f"{RECORDED}:agnews", "agnews as recorded learning curves"),
    "table-imdb": Builtin(f"{RECORDED}:imdb", "imdb as recorded learning curves"),
    "table-digits": Builtin(f"{RECORDED}:digits", "digits as recorded learning curves"),
    "branin": Builtin(f"{SYNTHETIC}:branin", "Branin in 2-D, its coefficients off at low fidelity (synthetic)"),
    "branin-joint": Builtin(
        f"{SYNTHETIC}:branin_joint",
        "Branin with two dimensions of fidelity, epochs and data (synthetic)",
    ),
    "forrester": Builtin(
        f"{SYNTHETIC}:forrester",
        "Forrester in 1-D, a local minimum misleads at low fidelity (synthetic)",
    ),
    "counting-ones": Builtin(
        f"{SYNTHETIC}:counting_ones", "8 switches and 8 coins, noise falls with the samples (synthetic)"
    ),
    "mixed": Builtin(
        f"{SYNTHETIC}:mixed",
        "8 hyperparameters of every kind, crossing curves, noise, uneven cost (synthetic)",
    ),
    "hartmann3": Builtin(f"{SYNTHETIC}:hartmann3", "Hartmann in 3-D, low fidelity is a good guide (synthetic)"),
    "hartmann3-good": Builtin(
        f"{SYNTHETIC}:hartmann3_good",
        "Hartmann in 3-D, mf-prior-bench's preset 'good': low fidelity is a fair guide (synthetic)",
    ),
    "hartmann3-moderate": Builtin(
        f"{SYNTHETIC}:hartmann3_moderate",
        "Hartmann in 3-D, mf-prior-bench's preset 'moderate': low fidelity is a weak guide (synthetic)",
    ),
    "hartmann3-bad": Builtin(
        f"{SYNTHETIC}:hartmann3_bad",
        "Hartmann in 3-D, mf-prior-bench's preset 'bad': low fidelity is nearly no guide (synthetic)",
    ),
    "hartmann3-terrible": Builtin(
        f"{SYNTHETIC}:hartmann3_terrible",
        "Hartmann in 3-D, mf-prior-bench's preset 'terrible': low fidelity misleads (synthetic)",
    ),
    "hartmann3-cost": Builtin(
        f"{SYNTHETIC}:hartmann3_cost",
        "Hartmann in 3-D, configurations differ 25-fold in cost (synthetic)",
    ),
    "hartmann6": Builtin(f"{SYNTHETIC}:hartmann6", "Hartmann in 6-D, low fidelity is a good guide (synthetic)"),
    "hartmann6-good": Builtin(
        f"{SYNTHETIC}:hartmann6_good",
        "Hartmann in 6-D, mf-prior-bench's preset 'good': low fidelity is a fair guide (synthetic)",
    ),
    "hartmann6-moderate": Builtin(
        f"{SYNTHETIC}:hartmann6_moderate",
        "Hartmann in 6-D, mf-prior-bench's preset 'moderate': low fidelity is a weak guide (synthetic)",
    ),
    "hartmann6-bad": Builtin(
        f"{SYNTHETIC}:hartmann6_bad",
        "Hartmann in 6-D, mf-prior-bench's preset 'bad': low fidelity is nearly no guide (synthetic)",
    ),
    "hartmann6-terrible": Builtin(
        f"{SYNTHETIC}:hartmann6_terrible",
        "Hartmann in 6-D, mf-prior-bench's preset 'terrible': low fidelity misleads (synthetic)",
    ),
    "hartmann6-cost": Builtin(
        f"{SYNTHETIC}:hartmann6_cost",
        "Hartmann in 6-D, configurations differ 25-fold in cost (synthetic)",
    ),
    **{
        f"lcbench-{instance}": Builtin(
            f"mfbo.tasks.tables.lcbench:task_{instance}",
            f"an MLP on OpenML task {instance}, learning curves by YAHPO's surrogate of LCBench (extra: lcbench)",
        )
        for instance in LCBENCH
    },
}

COMMON = (
    "digits", "cifar10", "agnews", "imdb", "table-cifar10",
    "table-agnews", "table-imdb", "table-digits", "branin", "hartmann6",
)  # fmt: skip
"""The built-in tasks that people use most."""


def names(*, every: bool = True) -> dict[str, str]:
    """Tasks that can be named, with their one-line descriptions; imports none of them.

    Args:
        every: all of them, or only the `COMMON` built-in ones and those of installed packages.
    """
    listed = {name: task.description for name, task in BUILTIN.items() if every or name in COMMON}
    for entry in entry_points(group=GROUP):
        listed.setdefault(entry.name, f"from {entry.value}")
    return listed


def user_file(name: str) -> Path | None:
    """The file of the user's that `load` runs for that name; None for other tasks."""
    path, colon, _ = name.rpartition(":")
    return Path(path) if colon and ".py" in name and not is_command(name) else None


def own_file(name: str) -> Path | None:
    """The file of the user's that results depend on: `user_file`, or the script in a command; None if there is none."""
    if not is_command(name):
        return user_file(name)
    try:
        words = shlex.split(name)
    except ValueError:
        return None
    scripts = [word for word in words if word.endswith(SCRIPTS) or (word is words[0] and word.startswith("."))]
    return next((Path(word) for word in scripts if Path(word).is_file()), None)


def own_code(name: str) -> str | None:
    """What is to be said before code that comes not from mfbo is run for that name; None where none is."""
    if is_command(name):
        return f"running your own command: {name}"
    if (file := user_file(name)) is not None:
        return f"running your own code: {file}" if file.is_file() else None
    entry = (
        None if name in BUILTIN else next((entry for entry in entry_points(group=GROUP) if entry.name == name), None)
    )
    return None if entry is None else f"running the code of an installed package: {entry.value}"


def load(name: str) -> Task:
    """The task of that name.

    Raises:
        UnknownName: there is none; the message has the nearest.
        BadTask: its file or package does not import, or holds no task under that name.
        MissingExtra: a library that it needs is not installed.
    """
    if is_command(name):
        return command_task(name)
    if (file := user_file(name)) is not None:
        return replace(_task_of(_import_file(file), name.rpartition(":")[2], name), source=name)
    if name in BUILTIN:
        module, _, attribute = BUILTIN[name].where.partition(":")
        found = _task_of(importlib.import_module(module), attribute, name)
        return replace(found, source=name, installed=True, maximize=bool(found.maximize))
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                found = entry.load()
            except Exception as error:
                raise BadTask(f"task {name!r} from {entry.value} does not import: {_reason(error)}") from error
            return replace(_checked(found, name), source=name, installed=True)
    hint = "`mfbo tasks` lists them, and a task of your own is path/file.py:NAME"
    if name.endswith(".py"):
        hint = f"a task of your own is named {name}:NAME"
    if any(map(str.isspace, name)):
        hint = "a command has a placeholder for each hyperparameter, such as {lr}"
    raise UnknownName("task", name, names(), hint)


def _import_file(path: Path) -> object:
    """Run a user's file as a module of its own, found again by the name that pickles carry."""
    if not path.is_file():
        raise BadTask(f"task file {str(path)!r} does not exist; give path/to/file.py:name")
    try:
        return import_file(path)
    except (Exception, SystemExit) as error:
        raise BadTask(f"task file {str(path)!r} fails{_line_in(path, error)}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _line_in(path: Path, error: BaseException) -> str:
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" in line {line}" if line else ""


def _task_of(module: object, attribute: str, name: str) -> Task:
    if not hasattr(module, attribute):
        tasks = [key for key, value in vars(module).items() if isinstance(value, Task)]
        raise UnknownName("task", attribute, tasks, f"in {name.rpartition(':')[0]}")
    return _checked(getattr(module, attribute), name)


def _checked(found: object, name: str) -> Task:
    if callable(found) and not isinstance(found, Task):
        try:
            found = found()
        except MfboError:
            raise
        except Exception as error:
            raise BadTask(f"{name!r} is to return a mfbo.Task, but fails: {_reason(error)}") from error
    if not isinstance(found, Task):
        raise BadTask(f"{name!r} is a {type(found).__name__}; it must be a mfbo.Task, or a function that returns one")
    return found
