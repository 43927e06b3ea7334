"""A task made of a command line, such as ``python train.py --lr {lr} --epochs {epochs}``.

Each ``{NAME}`` is filled in: a hyperparameter of the space, or one of these:

- ``{epochs}``: train to this number of epochs; 1 to 27, or as in ``{epochs:3-81}``.
- ``{data}``: train on such a fraction of the data; 0.1 to 1, or as in ``{data:0.05-1}``.
- ``{trees:10-300}``, or another name with a range of whole numbers: so many of what is counted.
- ``{seed}``: of the run.
- ``{output}``: an empty folder of the trial, for what it writes; gone after it.
- ``{checkpoint}``: a folder with what an earlier rung of the configuration has left there, empty at first; to go on
  from it, leave there what that takes. ``{start_epoch}``: epochs done by then, 0 at first.

The command says its loss on standard output, once an epoch or at its end: ``loss: 0.123``, or what ``--metric`` names
(see `mfbo.adapters.printed`); the last one counts. With ``--metric-file`` it is in a file that the command writes, such
as ``{output}/metrics.json`` (see `mfbo.adapters.metric_file`). It is run without a shell. A hyperparameter that a
condition switches off is left out with its option. A literal brace in a word is written ``{{``, its end ``}}``.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.adapters.metric_file import read_metric, written
from mfbo.adapters.printed import LINE_SHOWN, Printed
from mfbo.adapters.process import Process
from mfbo.errors import BadSpace, BadTask, BadValue, TrialFailed
from mfbo.fidelity import Fidelity
from mfbo.files.plain import copy_plain
from mfbo.task import Task

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from mfbo.context import Context
    from mfbo.trial import Config, Rung

PLACEHOLDER = re.compile(r"\{([^{}\s\"']+)\}")  # {lr}, {epochs:1-27}
RANGES = {"epochs": "1-27", "data": "0.1-1"}
FILLED_IN = (
    *RANGES,
    "seed",
    "output",
    "checkpoint",
    "start_epoch",
)  # what is filled in beside the hyperparameters
_COUNTED = re.compile(r"([A-Za-z]\w*):\d+-\d+")  # a placeholder for what is counted
METRIC = "loss"
_PARTS = re.compile(rf"\{{\{{|\}}\}}|{PLACEHOLDER.pattern}")  # what stands for something else in a word
SPACE_HINT = "give their ranges with --space FILE.yaml, such as 'lr: [0.0001, 0.1, log]'"


def is_command(name: str) -> bool:
    """Whether it is a command line: it has a placeholder."""
    return bool(names([name]))


class CommandTask(Task):
    """A task whose space is told apart from it, in a file; it must have what the command's placeholders name."""

    def with_space(self, name: str) -> Task:
        """As that of `Task`; the command has no space of its own, but what `on` gave it."""
        if name == "default" and len(self.space) == 0:
            raise BadSpace(f"the command has the placeholders {_listed(hyperparameters(self.source))}; {SPACE_HINT}")
        return super().with_space(name)

    def on(self, space: ConfigurationSpace) -> Task:
        """As that of `Task`.

        Raises:
            BadSpace: the space and the command do not have the same names.
        """
        names = hyperparameters(self.source)
        if taken := [name for name in space if name in (*FILLED_IN, *_counts([self.source]))]:
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
            BadValue: of ``--metric`` or ``--metric-file``.
        """
        Printed(options.get("metric", METRIC))
        if lacking := [name for name in names([options.get("metric_file", "")]) if name not in names(self.words)]:
            said = _listed(lacking)
            raise BadValue(f"--metric-file has {said}, which the command lacks; add {said} to the command")
        program = self.words[0]
        if not names([program]) and shutil.which(program) is None:
            raise BadTask(f"there is no program {program!r} to run; give one that is on the PATH, or its path")

    def train(self, config: Config, rung: Rung, context: Context) -> float:
        """Run the command; the last loss that it says.

        Raises:
            TrialFailed: it ended with an error, or said no loss.
            TrialStopped: from ``context.poll``: its time is up; it has been killed.
        """
        values = {**config, "seed": context.seed, "data": rung.data, "epochs": rung.epochs, **rung.counts}
        metric, file = context.options.get("metric", METRIC), context.options.get("metric_file")
        with _folder(context, rung, used="checkpoint" in names(self.words)) as folder, _scratch() as output:
            values |= {"checkpoint": str(folder), "output": output, "start_epoch": context.start_epoch}
            said = {name: str(value) for name, value in values.items()}
            with ExitStack() as stack:
                if file is not None:
                    path = Path("".join(fill([file], said)))
                    stack.enter_context(written(path))
                process = stack.enter_context(Process(fill(self.words, said)))
                if file is None:
                    return _loss(process, metric, rung, context, by_epoch=rung.unit in names(self.words))
                for _ in process.lines(context.poll):
                    pass
                _ended_well(process, context)
            return read_metric(path, metric)


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
    return list(dict.fromkeys(_plain(name) for name in _named(words)))


def hyperparameters(text: str) -> list[str]:
    """Those of a command line, in its order."""
    return [name for name in names([text]) if name not in (*FILLED_IN, *_counts([text]))]


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
            filled.append(_filled(word, values))
            option = word.startswith("-") and not names([word])
        elif option:
            filled.pop()
            option = False
    return filled


def _filled(word: str, values: Mapping[str, str]) -> str:
    """``{{`` is a brace, and with it ``}}``; where there is none, ``}}`` ends two, as in JSON."""
    braces = {"{{": "{", "}}": "}"} if any(found[0] == "{{" for found in _PARTS.finditer(word)) else {}
    return _PARTS.sub(lambda found: values[_plain(found[1])] if found[1] else braces.get(found[0], found[0]), word)


def _named(words: Sequence[str]) -> list[str]:
    """What stands in the placeholders, with its range."""
    return [found[1] for word in words for found in _PARTS.finditer(word) if found[1]]


def _loss(process: Process, metric: str, rung: Rung, context: Context, *, by_epoch: bool) -> float:
    """Follow the process to its end, reporting each loss that it says for an epoch; the last one."""
    printed, loss, epoch, last = Printed(metric), None, context.start_epoch, ""
    for line in process.lines(context.poll):
        last = line
        if (said := printed.read(line)) is None:
            continue
        loss = said.loss
        epoch = epoch + 1 if said.epoch is None else said.epoch
        if by_epoch and epoch > rung.epochs + 1 and said.epoch is None:  # one more may sum up
            raise TrialFailed(
                f"the command prints {metric!r} in more lines than its {rung.epochs - context.start_epoch} {rung.unit}"
                f", such as {line[:100]!r}; name what it prints once per epoch with --metric"
            )
        if by_epoch:
            context.report(loss, epoch=min(max(epoch, 1), rung.epochs))
    _ended_well(process, context)
    if loss is None:
        seen = f"its last line was {last[:LINE_SHOWN]!r}" if last else "it printed nothing there"
        raise TrialFailed(f"the command printed no {metric!r} on standard output; {seen}; give the name with --metric")
    return loss


def _ended_well(process: Process, context: Context) -> None:
    """Wait for its end.

    Raises:
        TrialFailed: it ended with an error.
    """
    if code := process.wait(context.poll):
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        said = f": {process.errors[-1]}" if process.errors else ""
        raise TrialFailed("\n".join([f"the command ended with {how}{said}", *process.errors]))


@contextmanager
def _scratch() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="mfbo-output-", ignore_cleanup_errors=True) as name:
        yield name


@contextmanager
def _folder(context: Context, rung: Rung, *, used: bool) -> Iterator[Path]:
    """The folder for ``{checkpoint}``: with what there is of the configuration, and kept where the block is left well.

    Raises:
        TrialFailed: the command has left nothing there; the next rung would go on from nothing.
    """
    with tempfile.TemporaryDirectory(prefix="mfbo-command-") as name:
        folder = Path(name)
        if used and context.checkpoint:
            copy_plain(context.checkpoint, folder)
        yield folder
        if used and not any(folder.iterdir()):
            raise TrialFailed("the command left nothing in {checkpoint}: write there what it needs to continue")
        if used and context.keeps_checkpoints:
            with context.save(rung.epochs) as kept:
                copy_plain(folder, kept)


def _plain(name: str) -> str:
    """A placeholder's name without the range that follows it."""
    base = name.partition(":")[0]
    return base if base in RANGES or _COUNTED.fullmatch(name) else name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def _fidelity(words: Sequence[str]) -> Fidelity:
    """What `RANGES` can be cut down, as far as the command has them."""
    found: dict[str, str] = {}
    for name in _named(words):
        base, colon, text = name.partition(":")
        if base in RANGES and (colon or base not in found):
            found[base] = text if colon else RANGES[base]
    counts = _counts(words)
    spans = {name: _range(name, text) for name, text in (counts | found).items()}
    data = spans.pop("data", 1.0)
    counted: dict[str, Any] = {name: (int(low), int(high)) for name, (low, high) in spans.items()}
    return Fidelity(data=data, **counted)


def _counts(words: Sequence[str]) -> dict[str, str]:
    """The ranges of what is counted beside epochs, by name."""
    found = {
        base: text for base, _, text in (name.partition(":") for name in _named(words) if _COUNTED.fullmatch(name))
    }
    return {name: text for name, text in found.items() if name not in FILLED_IN}


def _range(name: str, text: str) -> tuple[float, float]:
    number = r"(\d*\.?\d+)" if name == "data" else r"(\d+)"
    found = re.fullmatch(f"{number}-{number}", text)
    if found is None:
        raise BadTask(f"placeholder {{{name}:{text}}}: give LOWEST-FULL, such as {{{name}:{RANGES[name]}}}")
    return float(found[1]), float(found[2])
