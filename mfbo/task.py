"""Tasks: what is tuned, and how a name leads to one.

A name is one of the built-in tasks, one that an installed package offers in the entry-point group ``mfbo.tasks``,
``path/to/file.py:name``, or a command line with placeholders, such as ``python train.py --lr {lr}``.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mfbo.context import Context
from mfbo.errors import BadSpace, BadTask, MfboError, UnknownName
from mfbo.fidelity import Fidelity
from mfbo.tasks import BUILTIN
from mfbo.trial import Config, Measurement, Rung, Value

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

Train: TypeAlias = Callable[[Config, Rung, Context], "Measurement | float"]
GROUP = "mfbo.tasks"
PLACEHOLDER = re.compile(r"\{([^{}\s\"']+)\}")  # of a command: {lr}, {epochs:1-27}
SCRIPTS = (".py", ".sh", ".R", ".jl", ".js", ".lua", ".pl", ".rb")


@dataclass(frozen=True)
class Task:
    """Something to tune.

    Attributes:
        name: letters, digits, ``-`` and ``_``; run folders carry it.
        space: the hyperparameters.
        train: trains one configuration at one fidelity and returns its validation loss, or a `Measurement`.
        fidelity: what can be cut down to make an evaluation cheaper.
        description: one line.
        grid: values for grid search by hyperparameter; what is not named gets values spread over its range.
        validate: like `train`, but trains on training and validation data and measures on the test split, which
            nothing else reads.
        prepare: called once with the run's options before its first trial; raises what a person must mend, such as
            missing data, before anything is written.
        spaces: further spaces by name, such as ``wide``, for ``--space``.
        stateless: `train` is a surrogate or a table: it goes on from ``context.start_epoch`` without a checkpoint.
        full_cost: virtual seconds of an average full evaluation, for surrogates; ``20x`` is then twenty of them.
        source: what `load` was given; empty for a task made in Python, which only Python can take up again.
        optimum: loss of the best configuration at full fidelity, where it is known.
        true_loss: configuration -> what it is worth at full fidelity without noise, where it is known.
        repeated: part of the epochs behind a checkpoint that going on from it trains again, in [0, 1).
        least: options -> (data, work) of the lowest rung that tells anything: the smallest data fraction that leaves
            each class enough samples, and the least work that moves a model; called after `prepare`.
        cheaper: an option that makes trials cheaper, such as ``samples=1000``, for a user whose budget is too small.
    """

    name: str
    space: ConfigurationSpace
    train: Train
    fidelity: Fidelity = field(default_factory=Fidelity)
    description: str = ""
    grid: Mapping[str, Sequence[Value]] | None = None
    validate: Train | None = None
    prepare: Callable[[Mapping[str, str]], None] | None = None
    spaces: Mapping[str, Callable[[], ConfigurationSpace]] = field(default_factory=dict)
    stateless: bool = False
    full_cost: float | None = None
    source: str = ""
    optimum: float | None = None
    true_loss: Callable[[Config], float] | None = None
    repeated: float = 0.0
    least: Callable[[Mapping[str, str]], tuple[float, float]] | None = None
    cheaper: str = ""

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum():
            raise BadTask(f"task name {self.name!r}: use letters, digits, '-' and '_'")
        if not callable(self.train):
            raise BadTask(f"task {self.name!r}: train is {self.train!r}; give a function (config, fidelity, context)")
        if not hasattr(self.space, "sample_configuration"):
            raise BadTask(f"task {self.name!r}: space is a {type(self.space).__name__}; give a ConfigurationSpace")
        if not isinstance(self.fidelity, Fidelity):
            raise BadTask(
                f"task {self.name!r}: fidelity is {self.fidelity!r}; give mfbo.Fidelity(epochs=..., data=...)"
            )

    def trained(self, rung: Rung, start_epoch: int) -> float:
        """Epochs that going from `start_epoch` to the end of `rung` trains, what is repeated included."""
        return max(0.0, rung.epochs - start_epoch) + self.repeated * min(start_epoch, rung.epochs)

    def remedy(self, options: Mapping[str, str]) -> str:
        """What a user can do whose budget is too small; `options` are those of the run."""
        known = self.cheaper and self.cheaper.partition("=")[0] not in options
        return f"give more, or add --option {self.cheaper}" if known else "give more"

    @property
    def simulated(self) -> bool:
        """Whether its cost is known to be virtual before the first trial."""
        return self.stateless or self.full_cost is not None

    def with_space(self, name: str) -> Task:
        """This task with another space.

        Args:
            name: ``default``, a name in `spaces`, or a YAML file (see `read_space`).

        Raises:
            UnknownName: no such space.
            BadSpace: the file cannot be read as one.
        """
        if name == "default":
            return self
        if name in self.spaces:
            space = self.spaces[name]()
        elif is_space_file(name):
            space = read_space(Path(name))
            self._check_space(space, name)
        else:
            raise UnknownName("space", name, ["default", *self.spaces], "or a file that ends in .yaml")
        return self.on(space)

    def _check_space(self, space: ConfigurationSpace, where: str) -> None:
        """Refuse one without a hyperparameter that every configuration of an installed task has."""
        always = set(self.space.unconditional_hyperparameters) if self.source in names() else set()
        if missing := [name for name in self.space if name in always and name not in space]:
            raise BadSpace(
                f"space {where!r} has no {', '.join(map(repr, missing))}, which task {self.name!r} trains with; "
                "add it, as {choices: [VALUE]} if it is not to be tuned"
            )

    def on(self, space: ConfigurationSpace) -> Task:
        """This task with `space`; of its grid what lies inside."""
        given = {key: values for key, values in (self.grid or {}).items() if key in space}
        legal = {key: [value for value in values if space[key].legal_value(value)] for key, values in given.items()}
        return replace(self, space=space, grid={key: values for key, values in legal.items() if values})


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
            from mfbo.short_space import short_space

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


def names() -> dict[str, str]:
    """Every task that can be named, with its one-line description; imports none of them."""
    listed = {name: task.description for name, task in BUILTIN.items()}
    for entry in entry_points(group=GROUP):
        listed.setdefault(entry.name, f"from {entry.value}")
    return listed


def user_file(name: str) -> Path | None:
    """The file of the user's that `load` runs for that name; None for other tasks."""
    path, colon, _ = name.rpartition(":")
    return Path(path) if colon and ".py" in name and not is_command(name) else None


def is_command(name: str) -> bool:
    """Whether it is a command line: it has a placeholder."""
    return PLACEHOLDER.search(name) is not None


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
    """What is to be said before the user's own code is run for that name; None where none is."""
    if is_command(name):
        return f"running your own command: {name}"
    file = user_file(name)
    return None if file is None else f"running your own code: {file}"


def load(name: str) -> Task:
    """The task of that name.

    Raises:
        UnknownName: there is none; the message has the nearest.
        BadTask: its file or package does not import, or holds no task under that name.
        MissingExtra: a library that it needs is not installed.
    """
    if is_command(name):
        from mfbo.adapters.command import command_task

        return command_task(name)
    if (file := user_file(name)) is not None:
        return replace(_task_of(_import_file(file), name.rpartition(":")[2], name), source=name)
    if name in BUILTIN:
        module, _, attribute = BUILTIN[name].where.partition(":")
        return replace(_task_of(importlib.import_module(module), attribute, name), source=name)
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                found = entry.load()
            except Exception as error:
                raise BadTask(f"task {name!r} from {entry.value} does not import: {_reason(error)}") from error
            return replace(_checked(found, name), source=name)
    hint = (
        f"a task of your own is named {name}:NAME" if name.endswith(".py") else "or name your own as path/file.py:NAME"
    )
    if any(map(str.isspace, name)):
        hint = "a command has a placeholder for each hyperparameter, such as {lr}"
    raise UnknownName("task", name, names(), hint)


def _import_file(path: Path) -> object:
    """Run a user's file as a module of its own, found again by the name that pickles carry."""
    if not path.is_file():
        raise BadTask(f"task file {str(path)!r} does not exist; give path/to/file.py:name")
    name = f"mfbo_task_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BadTask(f"task file {str(path)!r} fails{_line_in(path, error)}: {_reason(error)}") from error
    return module


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
