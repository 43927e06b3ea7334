"""A task made of a command line, such as ``python train.py --lr {lr} --epochs {epochs}``.

Each ``{NAME}`` is filled in: a hyperparameter of the space, or one of these:

- ``{epochs}``: train until so many are done; 1 to 27, or as in ``{epochs:3-81}``.
- ``{data}``: train on such a fraction of the data; 0.1 to 1, or as in ``{data:0.05-1}``.
- ``{seed}``: of the run.
- ``{checkpoint}``: a folder with what an earlier rung of the configuration has left there, empty at first; to go on
  from it, leave there what that takes. ``{start_epoch}``: epochs done by then, 0 at first.

The command says its loss on standard output, once an epoch or at its end: ``loss: 0.123``, or what `pattern` makes of
``--metric``; the last one counts. It is run without a shell. A hyperparameter that a condition switches off is left out
with its option.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.adapters.process import Process
from mfbo.errors import BadSpace, BadTask, BadValue, TrialFailed
from mfbo.fidelity import Fidelity
from mfbo.task import Task

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.context import Context
    from mfbo.trial import Config, Rung

PLACEHOLDER = re.compile(r"\{([^{}\s\"']+)\}")  # {lr}, {epochs:1-27}
RANGES = {"epochs": "1-27", "data": "0.1-1"}
OWN = (*RANGES, "seed", "checkpoint", "start_epoch")  # what is filled in beside the hyperparameters
METRIC = "loss"
NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)(?!\w)"
MEND = "give their ranges with --space FILE.yaml, such as 'lr: [0.0001, 0.1, log]'"


def is_command(name: str) -> bool:
    """Whether it is a command line: it has a placeholder."""
    return PLACEHOLDER.search(name) is not None


class CommandTask(Task):
    """A task whose space is told apart from it, in a file; it must have what the command's placeholders name."""

    def with_space(self, name: str) -> Task:
        """As that of `Task`; the command has no space of its own, but what `on` gave it."""
        if name == "default" and len(self.space) == 0:
            raise BadSpace(f"the command has the placeholders {_listed(hyperparameters(self.source))}; {MEND}")
        return super().with_space(name)

    def on(self, space: ConfigurationSpace) -> Task:
        """As that of `Task`.

        Raises:
            BadSpace: the space and the command do not have the same names.
        """
        names = hyperparameters(self.source)
        if taken := [name for name in space if name in OWN]:
            raise BadSpace(f"the space has {_listed(taken)}, which mfbo itself fills in; give it another name")
        if absent := [name for name in names if name not in space]:
            raise BadSpace(f"the command has {_listed(absent)}, which the space lacks: {', '.join(space)}")
        if unused := [name for name in space if name not in names]:
            raise BadSpace(f"the space has {', '.join(unused)}, which the command lacks; add {_listed(unused)} to it")
        return super().on(space)


@dataclass(frozen=True)
class Command:
    """A command line with placeholders.

    Attributes:
        words: program and arguments.
    """

    words: tuple[str, ...]

    def prepare(self, options: Mapping[str, str]) -> None:
        """Refuse, before anything is written, what no trial could be run with.

        Raises:
            BadTask: there is no such program.
            BadValue: of ``--metric``.
        """
        pattern(options.get("metric", METRIC))
        program = self.words[0]
        if not PLACEHOLDER.search(program) and shutil.which(program) is None:
            raise BadTask(f"there is no program {program!r} to run; give one that is on the PATH, or its path")

    def train(self, config: Config, rung: Rung, context: Context) -> float:
        """Run the command; the last loss that it says.

        Raises:
            TrialFailed: it ended with an error, or said no loss.
            TrialStopped: from ``context.poll``: its time is up; it has been killed.
        """
        values = {**config, "seed": context.seed, "epochs": rung.epochs, "data": rung.data}
        by_epoch = "epochs" in names(self.words)
        with _folder(context, rung, used="checkpoint" in names(self.words)) as folder:
            values |= {"checkpoint": str(folder), "start_epoch": context.start_epoch}
            with Process(fill(self.words, {name: str(value) for name, value in values.items()})) as process:
                return _loss(process, rung, context, by_epoch=by_epoch)


def command_task(text: str) -> Task:
    """The task of that command line.

    Raises:
        BadTask: it cannot be split into words, or has no placeholder for a hyperparameter.
    """
    from ConfigSpace import ConfigurationSpace

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadTask(f"command {text!r} cannot be split into words: {error}") from error
    if not hyperparameters(text):
        raise BadTask(f"command {text!r} has nothing to tune; give a placeholder such as {{lr}} for a hyperparameter")
    command = Command(words)
    return CommandTask(
        name=name_of(words),
        space=ConfigurationSpace(),
        train=command.train,
        fidelity=_fidelity(words),
        description=text,
        prepare=command.prepare,
        source=text,
    )


def names(words: Sequence[str]) -> list[str]:
    """What the placeholders name, each once and without its range."""
    found = [name for word in words for name in PLACEHOLDER.findall(word)]
    return list(dict.fromkeys(_plain(name) for name in found))


def hyperparameters(text: str) -> list[str]:
    """Those of a command line, in its order."""
    return [name for name in names([text]) if name not in OWN]


def name_of(words: Sequence[str]) -> str:
    """A name for run folders: that of the script or the module, else of the program."""
    module = next((after for word, after in pairwise(words) if word == "-m"), None)
    script = next((word for word in words if word.endswith(".py")), None)
    name = Path(script).stem if script else module or Path(words[0]).stem
    return re.sub(r"[^A-Za-z0-9_]+", "-", PLACEHOLDER.sub("", name)).strip("-") or "command"


def fill(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The words with their values; a word without a value goes, and with it the option that it belongs to.

    >>> fill(["train", "--lr", "{lr}", "--momentum", "{momentum}", "--n={epochs:1-9}"], {"lr": "0.1", "epochs": "3"})
    ['train', '--lr', '0.1', '--n=3']
    """
    filled: list[str] = []
    option = False  # whether the last word that was taken is an option that waits for its value
    for word in words:
        if all(name in values for name in names([word])):
            filled.append(PLACEHOLDER.sub(lambda found: values[_plain(found[1])], word))
            option = word.startswith("-") and not PLACEHOLDER.search(word)
        elif option:
            filled.pop()
            option = False
    return filled


def pattern(metric: str) -> re.Pattern[str]:
    """What finds the loss in a line.

    Args:
        metric: the name in front of the number, as ``val_loss`` in ``val_loss=0.3``; or a regular expression with a
            group for the number, named ``loss`` if there are several. A group named ``epoch`` finds the epoch, counted
            from 1; without it each line that matches ends one. Of several in a line the last one counts.

    >>> pattern("loss").findall("epoch 3/9  val_loss: 0.2  loss: 1.5e-3")
    ['1.5e-3']

    Raises:
        BadValue: the regular expression is none, or has no group.
    """
    if "(" not in metric:
        return re.compile(rf"(?<![\w./-]){re.escape(metric)}[\"']?\s*[:=]?\s*({NUMBER})", re.IGNORECASE)
    try:
        found = re.compile(metric)
    except re.error as error:
        raise BadValue(f"metric {metric!r} is not a regular expression: {error}") from error
    if not found.groups or (found.groups > 1 and "loss" not in found.groupindex):
        raise BadValue(f"metric {metric!r}: give one group for the number, such as (?P<loss>[0-9.]+)")
    return found


def _loss(process: Process, rung: Rung, context: Context, *, by_epoch: bool) -> float:
    """Follow the process to its end, reporting each loss that it says for an epoch; the last one."""
    metric = context.options.get("metric", METRIC)
    searched, loss, epoch, last = pattern(metric), None, context.start_epoch, ""
    for line in process.lines(context.poll):
        last = line
        matches = list(searched.finditer(line))
        if not matches:
            continue
        found = matches[-1]
        loss = _number(found, "loss" if "loss" in searched.groupindex else 1)
        told = found["epoch"] if "epoch" in searched.groupindex else None
        epoch = epoch + 1 if told is None else int(_number(found, "epoch"))
        if by_epoch and epoch > rung.epochs + 1 and told is None:  # one more may sum up
            raise TrialFailed(
                f"the command prints {metric!r} in more lines than its {rung.epochs - context.start_epoch} epochs, "
                f"such as {line[:100]!r}; name what it prints once per epoch with --metric"
            )
        if by_epoch:
            context.report(loss, epoch=min(max(epoch, 1), rung.epochs))
    code = process.wait(context.poll)
    if code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        said = f": {process.errors[-1]}" if process.errors else ""
        raise TrialFailed("\n".join([f"the command ended with {how}{said}", *process.errors]))
    if loss is None:
        said = f"its last line was {last[:200]!r}" if last else "it printed nothing there"
        raise TrialFailed(f"the command printed no {metric!r} on standard output; {said}; give the name with --metric")
    return loss


def _number(found: re.Match[str], group: str | int) -> float:
    try:
        return float(found[group])
    except (TypeError, ValueError) as error:
        raise TrialFailed(f"--metric found {found[group]!r} in {found[0]!r}, which is not a number") from error


@contextmanager
def _folder(context: Context, rung: Rung, *, used: bool) -> Iterator[Path]:
    """The folder for ``{checkpoint}``: with what there is of the configuration, and kept where the block is left well.

    Raises:
        TrialFailed: the command has left nothing there; the next rung would go on from nothing.
    """
    with tempfile.TemporaryDirectory(prefix="mfbo-command-") as name:
        folder = Path(name)
        if used and context.checkpoint:
            shutil.copytree(context.checkpoint, folder, dirs_exist_ok=True)
        yield folder
        if used and not any(folder.iterdir()):
            raise TrialFailed("the command left nothing in {checkpoint}: write there what it needs to continue")
        if used and context.keeps_checkpoints:
            with context.save(rung.epochs) as kept:
                shutil.copytree(folder, kept, dirs_exist_ok=True)


def _plain(name: str) -> str:
    """A placeholder's name without the range that follows it."""
    base = name.partition(":")[0]
    return base if base in RANGES else name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def _fidelity(words: Sequence[str]) -> Fidelity:
    """What `RANGES` can be cut down, as far as the command has them."""
    found: dict[str, str] = {}
    for name in (name for word in words for name in PLACEHOLDER.findall(word)):
        base, colon, text = name.partition(":")
        if base in RANGES and (colon or base not in found):
            found[base] = text if colon else RANGES[base]
    epochs, data = (_range(name, found.get(name, "1-1")) for name in RANGES)
    return Fidelity(epochs=(int(epochs[0]), int(epochs[1])), data=data)


def _range(name: str, text: str) -> tuple[float, float]:
    number = r"(\d+)" if name == "epochs" else r"(\d*\.?\d+)"
    found = re.fullmatch(f"{number}-{number}", text)
    if found is None:
        raise BadTask(f"placeholder {{{name}:{text}}}: give LOWEST-FULL, such as {{{name}:{RANGES[name]}}}")
    return float(found[1]), float(found[2])
