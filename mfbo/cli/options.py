"""Options that several commands have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from mfbo.errors import BadValue

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mfbo.ledger.observer import Observer
    from mfbo.search import Search
    from mfbo.settings import Settings

ANSWER = "mfbo.answer"  # in a click context: the function that prints it
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
F = TypeVar("F", bound=Callable[..., Any])


def options(*given: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator; the help lists them in this order."""

    def add(command: F) -> F:
        for option in reversed(given):
            command = option(command)
        return command

    return add


def out(text: str, metavar: str = "DIR", **more: Any) -> Callable[[F], F]:
    """``-o`` and ``--out``, where a command writes."""
    return click.option("-o", "--out", metavar=metavar, help=text, **more)


def complete_task(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of tasks that begin so; where there is none, it is a file."""
    from mfbo.tasks.registry import names

    return _begin(names(), begun, "file")


def _optimizers(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of optimizers that begin so."""
    from mfbo.optimizers.registry import OPTIMIZERS

    return _begin(OPTIMIZERS, begun, "plain")


def _runs(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Runs and comparisons below ``runs`` that begin so; where there is none, it is a folder."""
    from mfbo.ledger.journal import FILE

    markers = FILE, "comparison.yaml", "study.yaml"  # `mfbo.study.folder` names them, and takes too long to import
    found = [str(path.parent) for name in markers for path in Path("runs").glob(f"*/{name}")]
    return _begin(sorted(found), begun, "dir")


def _begin(names: Iterable[str], begun: str, kind: str) -> list[CompletionItem]:
    """Those of `names` that begin so; where there are none, what the shell knows of that kind."""
    from click.shell_completion import CompletionItem  # only a shell that completes needs it

    found = [CompletionItem(name) for name in names if name.startswith(begun)]
    return found or ([] if kind == "plain" else [CompletionItem(begun, type=kind)])


task = click.argument("task", shell_complete=complete_task)
run = click.argument("run", shell_complete=_runs)
runs = click.argument("runs", metavar="RUN|COMPARISON...", nargs=-1, required=True, shell_complete=_runs)
optimizer = click.option(
    "--optimizer", default=None, help="See `mfbo optimizers`; the default is smac.", shell_complete=_optimizers
)


def as_json(command: F) -> F:
    """Option ``--json``: then nothing but the `answer` goes to standard output, whatever a task's file prints there."""

    @wraps(command)
    def alone(*args: Any, **given: Any) -> Any:
        if not given["as_json"]:
            return command(*args, **given)
        from mfbo.executors.output import apart

        with apart() as write:
            click.get_current_context().meta[ANSWER] = write
            return command(*args, **given)

    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
    return cast("F", option(alone))


def answer(values: object) -> None:
    """Print what a command has found, as ``--json`` has it."""
    click.get_current_context().meta[ANSWER](f"{json.dumps(values)}\n")


data_dir = click.option(
    "--data-dir", metavar="DIR", help="Folder of the data sets: NAME/train.parquet and NAME/test.parquet."
)
metric = options(
    click.option(
        "--metric",
        metavar="NAME",
        help="What is tuned: its name, with max: before it where higher is better, as in max:val_acc. For a command: "
        "the word before the number in its output, or a regular expression.",
    ),
    click.option(
        "--maximize/--minimize", default=None, help="Whether a higher or a lower metric is better; default: lower."
    ),
    click.option(
        "--metric-file", metavar="FILE", help="For a command: the JSON or CSV file it writes: {output}/metrics.json."
    ),
)
space = click.option(
    "--space", default="default", show_default=True, help="The search space: default, wide, or FILE.yaml."
)

limits = options(
    click.option(
        "--max-cost",
        metavar="COST",
        help="Total cost: 45s, 90m, 2h, 1h30m, 1d; in full evaluations: 20x; in money: 5USD.",
    ),
    click.option("--max-trials", type=int, metavar="N", help="Stop after N finished trials."),
    click.option("--max-wall", metavar="TIME", help="Stop after this much wall-clock time."),
)
search = options(
    click.option(
        "--fidelity",
        metavar="PATH",
        help="What cheap trials have less of: epochs, data, what else the task counts, or joint for all.",
    ),
    click.option(
        "--max-fidelity",
        default=1.0,
        metavar="Z",
        help="Highest level to use, as a fraction of a full evaluation (0 to 1).",
    ),
    click.option(
        "--min-fidelity",
        default=0.0,
        metavar="Z",
        help="Lowest level to use, as a fraction of a full evaluation (0 to 1).",
    ),
    click.option(
        "--eta",
        default=3,
        show_default=True,
        metavar="N",
        help="Promote the best 1/N of the configurations of a level to the next.",
    ),
    click.option(
        "--prior", metavar="FILE.yaml", help="A configuration to try first and to search around; or: default."
    ),
    click.option(
        "--stop-when",
        metavar="RULE",
        help="End before the limits, once what is left is not expected to gain enough: 'gain<0.1%' of the best, "
        "'gain<0.1%/h' for another hour, 'gain<noise'.",
    ),
)
at = click.option(
    "--at",
    multiple=True,
    metavar="NAME=N",
    help="What else the task counts, such as trees=100 or folds=2; default: as in a full evaluation.",
)
objectives = click.option(
    "--objectives",
    metavar="NAMES",
    help="Several metrics at once, such as loss,size or max:val_acc,cost; lower is better but where max: says so.",
)
subject_to = click.option(
    "--subject-to",
    multiple=True,
    metavar="CONSTRAINT",
    help="What the best must keep to, such as 'size<=1e6' or 'latency<=5ms'; repeatable.",
)
where = options(
    click.option(
        "--workers",
        metavar="N",
        help="Trials at a time; auto: one per GPU or core; 0: in this process. Default: 1, on a cluster all.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Run trials on a Dask cluster: tcp://HOST:PORT, or a scheduler file."
    ),
)
output = options(click.option("--quiet", "-q", is_flag=True, help="Show no progress."), as_json)
logs = click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="TOOL=PLACE",
    help="Log to another tool as it runs: mlflow=FILE.db (or a URI), tensorboard=DIR.",
)
device = click.option("--device", default="auto", show_default=True, help="Where to train: auto, cpu, cuda or mps.")
model = click.option(
    "--model", metavar="NAME", help="Pretrained model: a local folder, or a name on the Hugging Face hub."
)
extra = click.option(
    "--option",
    "extra",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another setting of the task, such as samples=5000; may be repeated.",
)
price = click.option(
    "--price",
    metavar="P/h",
    help="Price per hour, to show costs in money: 0.90/h, 0.90USD/h. Then --max-cost can be 5USD.",
)
training = options(
    space,
    device,
    model,
    data_dir,
    metric,
    extra,
)
running = options(
    space,
    device,
    model,
    data_dir,
    metric,
    where,
    click.option("--max-trial-time", metavar="TIME", help="Stop a trial that takes longer."),
    click.option("--max-trial-memory", type=float, metavar="GIB", help="Stop a trial that uses more memory."),
    price,
    click.option(
        "--from-scratch", is_flag=True, help="Train every promoted configuration from scratch, not from its checkpoint."
    ),
    click.option(
        "--max-disk",
        type=float,
        metavar="GIB",
        help="Maximum disk space for checkpoints; by default 2 GB and what the next promotions need.",
    ),
    extra,
)


def sign_of_life() -> list[Observer]:
    """The sign of life of the command that runs, to be told what is done; none where it is to be silent."""
    from mfbo.cli.sign_of_life import SignOfLife

    context = click.get_current_context(silent=True)
    found = context.find_object(SignOfLife) if context else None
    return [found] if found else []


def on_stderr(text: str) -> None:
    """Print a line beside the output of the command."""
    from mfbo.display.text import PATH, clean

    click.echo(clean(text, PATH), err=True)


def say_whose(*tasks: str) -> None:
    """Say, before it is run, which code that comes not from mfbo a command is about to run."""
    from mfbo.engine.loading import say_whose as said

    for name in tasks:
        said(name, on_stderr)


def observers(logs: tuple[str, ...]) -> list[Observer]:
    """What ``--log`` asks for."""
    from mfbo.exports import LOGGERS, logger

    found = []
    for pair in logs:
        tool, equals, place = pair.partition("=")
        if not (equals and place):
            raise BadValue(f"log {pair!r}: give TOOL=PLACE, such as {LOGGERS[0]}=mlflow.db")
        found.append(logger(tool, place))
    return found


def search_of(given: dict[str, Any]) -> Search:
    """The options of `search` in one, with optimizer, seed and objectives where a command has them; taken out."""
    from mfbo.search import Search, SearchOptions

    options: dict[str, Any] = {name: given.pop(name) for name in SearchOptions.__annotations__ if name in given}
    if "metric" in options:  # which a command reads for itself
        given["metric"] = options.pop("metric")
    if "objectives" in options:
        options["objectives"] = (options["objectives"] or "").split(",") if options["objectives"] else ()
    if "optimizer" in options and options["optimizer"] is None:
        del options["optimizer"]
    return Search.of(**options)


def settings_of(
    *,
    workers: str | None = None,
    scheduler: str | None = None,
    model: str | None,
    data_dir: str | None,
    metric: str | None,
    metric_file: str | None,
    extra: tuple[str, ...],
    **rest: Any,
) -> Settings:
    """The options of `running` in one."""
    from mfbo.settings import Settings

    options = {"model": model, "data_dir": data_dir, "metric": metric, "metric_file": metric_file}
    for pair in extra:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise BadValue(f"option {pair!r}: give KEY=VALUE, such as patience=3")
        options[key] = value
    given = {key: value for key, value in options.items() if value is not None}
    return Settings(options=given, workers=workers_of(workers, scheduler), scheduler=scheduler, **rest)


def workers_of(text: str | None, scheduler: str | None) -> int | None:
    """A number of workers; ``auto`` is all of a cluster, else one a GPU, else one a core."""
    if text is None or (text == "auto" and scheduler is not None):
        return None
    if text == "auto":
        from mfbo.executors.share import automatic

        return automatic()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadValue(f"workers {text!r}: give 1 or more, 0 for mfbo's own process, or auto for one a GPU or core")
    return int(text)
