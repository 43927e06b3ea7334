"""Does anything that is typed, or any damage to a ledger, end in a traceback, a hang or more damage?

    python experiments/fuzz.py

Command lines are made of all commands and options that there are, with values that suit them, values that nearly do
and junk, and run in this process, among good, broken, torn and empty runs, task files and spaces. Left out is what
needs a network, serves until Ctrl-C or starts a logger of another tool. Ledgers of seven kinds of run are cut, changed
byte by byte, line by line and value by value, with checksums that are right where a stranger could have written them;
then shown, replayed and resumed. Damage is any change to a ledger that was not asked for, or to what a resumed one held
before. Numbers are what a command may print or write as its metric, spaces are YAML files: misread is what is taken for
something else than stands there (see `fuzz_inputs.py`). Start methods are ways to start processes in a train function,
which must come to the same in trials as alone (see `fuzz_starts.py`); all of them are tried.

| input         | tried | tracebacks | hangs | damage | misread | minutes |
|---------------|-------|------------|-------|--------|---------|---------|
| command lines |  5000 |          0 |     1 |      0 |       0 |       5 |
| ledgers       |  5000 |          1 |     0 |      0 |       0 |       4 |
| numbers       |  5000 |          0 |     0 |      0 |       0 |       0 |
| spaces        |  5000 |          0 |     0 |      0 |       0 |       0 |
| start methods |     4 |          0 |     0 |      0 |       0 |      10 |

2 cores of an AMD EPYC, 23.5 GiB, beside other work, Linux; python 3.11.7, smac 2.4.1, ConfigSpace 1.2.2, distributed
2026.8.0. The hang was ``mfbo ls ../..``, which looked into a whole disk, and the traceback ``mfbo replay`` of a ledger
whose prior is from outside its space. Both are mended, have tests, and were tried again alone: nothing was wrong. The
whole table has not been made again since.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import click
import fuzz_inputs
import fuzz_starts
from click.testing import CliRunner
from table import Table, footer, judged

import mfbo
from mfbo.cli import main as mfbo_cli
from mfbo.engine.tell import tell
from mfbo.errors import MfboError
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.records import checksum

TIMES = 5000  # of each kind, but for these
FEWER = {"start methods": len(fuzz_starts.WAYS)}
KINDS = ("command lines", "ledgers", "numbers", "spaces", "start methods")
SECONDS = 60  # that one may take
TASK_FILE = """
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    return mfbo.Measurement(config["x"], cost=fidelity.epochs / 9)

space = ConfigurationSpace({"x": (0.0, 1.0), "kind": ["a", "b"]})
task = mfbo.Task("mine", space, train, mfbo.Fidelity(epochs=(1, 9)), full_cost=1.0, stateless=True)
"""
JUNK = [
    "", " ", "0", "-1", "1", "1e309", "nan", "x", "é", "\x1b[31m", "\udc80", "--", "-", "a" * 5000, "9" * 5000,
    "None", "../..", "/", "/dev/null", "%s%n", "{}", "[]", "'\"", "*", "runs", "1_000", "٣", "0x10", "tcp://127.0.0.1:9",
]  # fmt: skip
VALUES: dict[str, list[str]] = {
    "task": ["branin", "hartmann3", "mixed", "mine.py:task", "mine.py", "mine.py:", "no.py:task", "broken.py:x", "x"],
    "run": ["run", "failed", "empty", "torn", "run/ledger.jsonl", "nothing", "broken.py"],
    "runs": ["run", "run", "torn", "failed", "nothing"],
    "what": ["branin", "hartmann3", "mine.py:task", "study.yaml", "broken.yaml"],
    "max_cost": ["2x", "0.5x", "3s", "1.5s", "0x", "-1h", "1h1h", "2 x", "0.001x", "1e2x", "0.001USD"],
    "max_trials": ["1", "3", "0", "-3", "1.5"],
    "max_wall": ["2s", "1x", "0s", "1ms"],
    "optimizer": ["random", "asha", "hyperband", "grid", "one-epoch", "smac", "smacc"],
    "optimizers": ["random", "random,grid", "random,random", ",", "smac,tpe", "all"],
    "seed": ["0", "1", "-1", "4294967296", "1.0"],
    "seeds": ["1", "2", "0", "-1"],
    "fidelity": ["epochs", "data", "joint", "epoch"],
    "max_fidelity": ["1", "0.3", "0", "2", "-1", "nan"],
    "space": ["default", "default", "wide", "space.yaml", "broken.yaml", "nothing.yaml"],
    "device": ["auto", "cpu", "cuda", "gpu"],
    "workers": ["0", "1", "3", "auto", "-1", "1000000"],
    "scheduler": ["tcp://", "nothing.json", "broken.yaml", "local"],
    "max_trial_time": ["1s", "2x", "0s"],
    "max_trial_memory": ["1", "0", "-1", "inf"],
    "max_disk": ["1", "0", "nan"],
    "extra": ["a=b", "=", "a", "a=", "patience=x"],
    "logs": ["tensorboard=logs", "mlflow=", "=", "nothing=here"],
    "warm_start": ["run", "torn", "failed", "nothing"],
    "prior": ["default", "known.yaml", "broken.yaml", "nothing.yaml", "study.yaml"],
    "config": ["known.yaml", "known.yaml", "broken.yaml", "study.yaml", "--x1=0", "run"],
    "loss": ["0.1", "1", "nan", "-1e308"],
    "value": ["0.1", "1", "nan", "-1e308"],
    "metric": ["max:loss", "max:val_acc", "val_acc", "min:loss", "loss", "max:", "acc: (.*)", "(", "max:max:x"],
    "data": ["1", "0.5", "0", "2"],
    "epochs": ["1", "3", "0", "99"],
    "trial": ["0", "1", "99", "-1"],
    "objectives": ["loss,cost", "loss", "loss,size", "max:size,loss", "loss,accuracy", "size", ","],
    "price": ["0.9/h", "1EUR/h", "$2/h", "0/h", "1"],
    "out": ["new", "run", "broken.py", "new/er"],
    "output": ["out.svg", "out.bmp", "run", "nothing/out.png", "out.yaml"],
    "form": ["yaml", "json", "args", "command", "csv", "optuna", "nothing"],
    "folder": ["exported", "run"],
    "name": ["cifar10", "nothing"],
}  # fmt: skip
DEAR = {
    "compare": 0.3,
    "study": 0.3,
    "plot": 0.3,
    "validate": 0.3,
    "export": 0.3,
    "report": 0.3,
}  # share of them that is kept
UNTRIED = {"get", "--log", "--watch"}  # what reaches for the network, logs for other tools, or serves until Ctrl-C


class TooLong(BaseException):
    """It hangs."""


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise `TooLong` inside where the block takes too long."""

    def rung(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, rung)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def furnish(folder: Path) -> None:
    """Runs and files that a command line can name."""
    (folder / "mine.py").write_text(TASK_FILE)
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "study.yaml").write_text("tasks: [branin]\noptimizers: [random, grid]\nseeds: 2\nmax_cost: 2x\n")
    (folder / "broken.yaml").write_text("hyperparameters: [{\n")
    (folder / "known.yaml").write_text("x1: 1.0\nx2: 2.0\n")
    mfbo.tune("branin", "3x", optimizer="hyperband", out=folder / "run")
    from mfbo.tasks.registry import load

    load("branin").space.to_yaml(folder / "space.yaml")
    shutil.copytree(folder / "run", folder / "torn")
    content = (folder / "torn" / FILE).read_bytes()
    (folder / "torn" / FILE).write_bytes(content[:-20])
    (folder / "empty").mkdir()
    shutil.copytree(folder / "run", folder / "failed")
    (folder / "failed" / FILE).write_bytes(content[: content.index(b"\n") + 1])


def line(draw: random.Random) -> list[str]:
    """A command line: a command, some of its options, values that suit and values that do not."""
    names = [name for name in mfbo_cli.commands if draw.random() < DEAR.get(name, 1.0)]
    name = draw.choice([*names, "tune", "resume", "tunee"])
    command: click.Command | None = mfbo_cli.commands.get(name)
    words = [name]
    if isinstance(command, click.Group):
        sub = draw.choice(sorted(set(command.commands) - UNTRIED))
        words, command = [*words, sub], command.commands[sub]
    if command is None or draw.random() < 0.03:
        return [*words, *draw.choices(JUNK, k=draw.randint(0, 3))]
    for parameter in command.params:
        words += _given(parameter, draw)
    if name == "tune" and "--max-trials" not in words:
        words += ["--max-trials", "4"]  # so that it ends soon, whatever else is allowed
    if draw.random() < 0.05:
        draw.shuffle(words)
    return words


def _given(parameter: click.Parameter, draw: random.Random) -> list[str]:
    """The words for one parameter, or none."""
    pool = VALUES.get(parameter.name or "", ["1"])
    value = draw.choice(draw.choices([pool[:2], pool, JUNK], (0.6, 0.25, 0.15))[0])
    if isinstance(parameter, click.Argument):
        return [] if draw.random() < 0.03 else [value] * (draw.randint(1, 2) if parameter.nargs == -1 else 1)
    needed = {"max_cost": 0.7, "out": 0.3, "output": 0.8, "scheduler": 0.02}.get(parameter.name or "", 0.08)
    if draw.random() > needed or set(parameter.opts) & UNTRIED:
        return []
    return [parameter.opts[0]] if getattr(parameter, "is_flag", False) else [parameter.opts[0], value]


def typed(draw: random.Random, home: Path) -> str | None:
    """What was wrong with one command line typed in `home`, if anything was."""
    words = line(draw)
    before, there = (home / "run" / FILE).read_bytes(), set(home.iterdir())
    wrong = None
    try:
        with limited(), inside(home):
            result = CliRunner().invoke(mfbo_cli, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            wrong = f"traceback: {_told(result.exception)}"
        elif result.exit_code not in (0, 1, 2, 130):
            wrong = f"exit code {result.exit_code}"
    except TooLong:
        wrong = "hang"
    after = (home / "run" / FILE).read_bytes() if (home / "run" / FILE).exists() else b""
    if not after.startswith(before):
        wrong = "damage: the ledger of another run has changed"
    elif after != before:
        (home / "run" / FILE).write_bytes(before)  # it was resumed, as it may be
    for made in set(home.iterdir()) - there:
        shutil.rmtree(made) if made.is_dir() and not made.is_symlink() else made.unlink()
    return wrong and f"{wrong}\n  mfbo {words!r:.400}"


def _told(error: BaseException) -> str:
    """The end of a traceback, with short lines."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(line[:200] for line in lines[-12:])


Damage = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, draw: random.Random) -> bytes:
    """Its end is missing."""
    return content[: draw.randrange(len(content))]


def flip(content: bytes, draw: random.Random) -> bytes:
    """A few bytes are others."""
    damaged = bytearray(content)
    for _ in range(draw.randint(1, 5)):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged)


def chained(records: list[bytes]) -> bytes:
    """Lines with the checksums that are theirs now: what a stranger could have written."""
    content, check = b"", ""
    for record in records:
        check = checksum(record, check)
        content += record[:-1] + f',"check":"{check}"}}\n'.encode()
    return content


def bare(content: bytes) -> list[bytes]:
    """The lines of a ledger without their checksums."""
    return [re.sub(rb',"check":"[0-9a-f]{16}"\}$', b"}", line) for line in content.splitlines()]


def reorder(content: bytes, draw: random.Random) -> bytes:
    """A line is missing, doubled or elsewhere, and all checksums are right."""
    lines = bare(content)
    moved = lines.pop(draw.randrange(len(lines)))
    for _ in range(draw.randint(0, 2)):
        lines.insert(draw.randint(0, len(lines)), moved)
    return chained(lines)


def shuffle(content: bytes, draw: random.Random) -> bytes:
    """A line is missing, doubled or elsewhere."""
    lines = content.splitlines(keepends=True)
    moved = lines.pop(draw.randrange(len(lines)))
    for _ in range(draw.randint(0, 2)):
        lines.insert(draw.randint(0, len(lines)), moved)
    return b"".join(lines)


def insert(content: bytes, draw: random.Random) -> bytes:
    """A line that does not belong there."""
    lines = content.splitlines(keepends=True)
    kinds = [b"\n", b"null\n", b"{}\n", b'{"record":"end"}\n', b"\xff\xfe\n", b"[" * 5000 + b"\n", b'{"record":1}\n']
    lines.insert(draw.randint(0, len(lines)), draw.choice(kinds))
    return b"".join(lines)


def change(content: bytes, draw: random.Random) -> bytes:
    """A value in one record is another, or of another kind; all checksums are right."""
    lines = bare(content)
    at = draw.randrange(len(lines)) if draw.random() < 0.7 else 0
    record = json.loads(lines[at])
    holder, key = draw.choice(list(_places(record)))
    values = [None, True, -1, 0, 1, 2**63, 1e308, 0.5, "", "x", "\x1b[2J", [], {}, [[]], {"x": {}}, [None], "5x", "9s"]
    if draw.random() < 0.2:
        del holder[key]
    else:
        holder[key] = draw.choice(values)
    lines[at] = json.dumps(record, separators=(",", ":")).encode()
    return chained(lines)


def _places(value: object) -> Iterator[tuple[dict[object, object] | list[object], object]]:
    """(dictionary or list, key) of everything inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key  # type: ignore[misc]
        yield from _places(inner)


DAMAGES: tuple[Damage, ...] = (cut, flip, shuffle, insert, change, reorder)


def originals(folder: Path) -> list[bytes]:
    """Ledgers of several kinds of run: finished, in mid-flight, of a grid, of several workers, with priors and more."""
    made = []
    for number, (task, optimizer) in enumerate(
        [("branin", "hyperband"), ("mixed", "random"), ("forrester", "grid"), ("counting-ones", "asha")]
    ):
        how = mfbo.Settings(workers=number + 1)
        mfbo.tune(task, max_trials=7, optimizer=optimizer, out=folder / str(number), settings=how)
        made.append((folder / str(number) / FILE).read_bytes())
    mfbo.tune("branin", max_trials=7, optimizer="asha", out=folder / "4", prior="default", objectives=("loss", "cost"))
    mfbo.tune("branin", max_trials=5, optimizer="asha", out=folder / "5", settings=mfbo.Settings(price="1/h"))
    tell(folder / "5", {"x1": 1.0, "x2": 2.0}, 3.0)
    made += [(folder / name / FILE).read_bytes() for name in ("4", "5")]
    lines = made[0].splitlines(keepends=True)
    return [*made, b"".join(lines[:-3])]


def damaged(draw: random.Random, home: Path, ledgers: list[bytes]) -> str | None:
    """What was wrong with how one damaged ledger was taken, if anything was."""
    damage = draw.choice(DAMAGES)
    content = damage(draw.choice(ledgers), draw)
    folder = home / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / FILE).write_bytes(content)
    try:
        with limited(), inside(home):
            for words in (["show", "damaged"], ["best", "damaged"], ["replay", "damaged"]):
                result = CliRunner().invoke(mfbo_cli, words)
                if result.exception is not None and not isinstance(result.exception, SystemExit):
                    raise result.exception
                if (folder / FILE).read_bytes() != content:
                    return f"damage: {words} has changed the ledger"
            with contextlib.suppress(MfboError):
                mfbo.resume("damaged", max_trials=9)
        after = (folder / FILE).read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if after != content and not after.startswith(whole):
            return f"damage: resume has changed what was there ({damage.__name__})"
        if after != content:
            read(folder)
    except TooLong:
        return f"hang after {damage.__name__}: {content[:400]!r}"
    except Exception as error:  # whatever it is, a user would see it
        return f"traceback after {damage.__name__}: {_told(error)}"
    return None


def tried(what: str, times: int, seed: int = 0) -> Counter[str]:
    """Try so many command lines or ledgers; what went wrong, told on standard error, counted by kind."""
    wrong: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mfbo-fuzz-") as name:
        home = Path(name)
        furnish(home)
        ledgers = originals(home / "originals")
        for number in range(times):
            draw = random.Random(f"{what} {seed} {number}")
            found = _one(what, number, draw, home, ledgers)
            if found:
                kind = found.partition(":")[0].split()[0]
                wrong[kind] += 1
                print(f"{what} {number}: {found}", file=sys.stderr, flush=True)
    return wrong


def _one(what: str, number: int, draw: random.Random, home: Path, ledgers: list[bytes]) -> str | None:
    """What was wrong with one input of that kind, if anything was."""
    if what == "command lines":
        return typed(draw, home)
    if what == "ledgers":
        return damaged(draw, home, ledgers)
    if what == "start methods":
        return fuzz_starts.started(number, home / "starts")
    try:
        with limited():
            return fuzz_inputs.number(draw, home) if what == "numbers" else fuzz_inputs.space(draw, home)
    except TooLong:
        return "hang"
    except Exception as error:
        return f"traceback: {_told(error)}"


def main() -> None:
    """Measure and print; exit code 1 if anything went wrong."""
    os.environ.setdefault("COLUMNS", "100")
    table = Table("input        ", "tried", "tracebacks", "hangs", "damage", "misread", "minutes")
    good = True
    for what in KINDS:
        began = time.monotonic()
        times = FEWER.get(what, TIMES)
        wrong = tried(what, times)
        good &= not wrong
        minutes = f"{(time.monotonic() - began) / 60:.0f}"
        counts = (wrong[kind] for kind in ("traceback", "hang", "damage", "misread"))
        table.row(what, times, *counts, minutes)
    footer()
    judged(good)


if __name__ == "__main__":
    main()
