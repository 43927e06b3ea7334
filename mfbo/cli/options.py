"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mfbo.errors import BadValue

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mfbo.ledger.observer import Observer
    from mfbo.settings import Settings

INTERRUPTED = 130  # exit code after Ctrl-C
F = TypeVar("F", bound=Callable[..., Any])


def options(*given: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator; the help lists them in this order."""

    def add(command: F) -> F:
        for option in reversed(given):
            command = option(command)
        return command

    return add


def complete_task(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of tasks that begin so; where there is none, it is a file."""
    from mfbo.tasks.registry import names

    return _begin(names(), begun, "file")


def _optimizers(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of optimizers that begin so."""
    from mfbo.optimizers.registry import OPTIMIZERS

    return _begin(OPTIMIZERS, begun, "plain")


def _runs(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Runs and studies below ``runs`` that begin so; where there is none, it is a folder."""
    from mfbo.ledger.journal import FILE

    markers = FILE, "study.yaml"  # `mfbo.study.folder` names it, and takes too long to import
    found = [str(path.parent) for name in markers for path in Path("runs").glob(f"*/{name}")]
    return _begin(sorted(found), begun, "dir")


def _begin(names: Iterable[str], begun: str, kind: str) -> list[CompletionItem]:
    """Those of `names` that begin so; where there are none, what the shell knows of that kind."""
    from click.shell_completion import CompletionItem  # only a shell that completes needs it

    found = [CompletionItem(name) for name in names if name.startswith(begun)]
    return found or ([] if kind == "plain" else [CompletionItem(begun, type=kind)])


task = click.argument("task", shell_complete=complete_task)
run = click.argument("run", shell_complete=_runs)
runs = click.argument("runs", metavar="RUN|STUDY...", nargs=-1, required=True, shell_complete=_runs)
optimizer = click.option(
    "--optimizer", default=None, help="See `mfbo optimizers`; the default is smac.", shell_complete=_optimizers
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
data_dir = click.option("--data-dir", metavar="DIR", help="Folder with NAME/train.parquet and NAME/test.parquet.")
metric = click.option(
    "--metric", metavar="NAME", help="Of a command: what stands before its loss, or a regular expression."
)
space = click.option("--space", default="default", show_default=True, help="default, wide, or FILE.yaml.")

limits = options(
    click.option("--max-cost", metavar="COST", help="45s, 90m, 2h, 1h30m, 1d; full evaluations: 20x; money: 5USD."),
    click.option("--max-trials", type=int, metavar="N", help="Stop after so many finished trials."),
    click.option("--max-wall", metavar="TIME", help="Stop after so much time by the clock."),
)
ladder = options(
    click.option("--fidelity", metavar="PATH", help="What low rungs cut down: epochs, data or joint."),
    click.option("--max-fidelity", default=1.0, metavar="Z", help="No rung above this part of a full evaluation."),
    click.option("--min-fidelity", default=0.0, metavar="Z", help="No rung below this part of a full evaluation."),
    click.option("--eta", default=3, show_default=True, metavar="N", help="Factor from one rung to the next."),
)
prior = click.option("--prior", metavar="FILE.yaml", help="A configuration to try first and look near to; or: default.")
where = options(
    click.option(
        "--workers",
        metavar="N",
        help="Trials at a time; auto: one a GPU or core; 0: in mfbo's own process. Default: 1; of a cluster, all.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Run trials on a Dask cluster: tcp://HOST:PORT, or a scheduler file."
    ),
)
output = options(click.option("--quiet", "-q", is_flag=True, help="No display while it runs."), as_json)
logs = click.option(
    "--log", "logs", multiple=True, metavar="TOOL=PLACE", help="Log live: mlflow=FILE.db (or a URI), tensorboard=DIR."
)
device = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
model = click.option("--model", metavar="NAME", help="Pretrained model: a local folder or a name on the hub.")
extra = click.option("--option", "extra", multiple=True, metavar="KEY=VALUE", help="A further setting of the task.")
price = click.option(
    "--price", metavar="P/h", help="Of an hour of cost, to show money: 0.90/h, 0.90USD/h. Lets --max-cost be 5USD."
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
    click.option("--max-trial-time", metavar="TIME", help="Kill a trial that takes longer."),
    click.option("--max-trial-memory", type=float, metavar="GIB", help="Kill a trial that holds more."),
    price,
    click.option("--from-scratch", is_flag=True, help="Train every rung anew instead of going on."),
    click.option("--max-disk", type=float, metavar="GIB", help="Most that checkpoints may take."),
    extra,
)


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


def settings_of(
    *,
    workers: str | None = None,
    scheduler: str | None = None,
    model: str | None,
    data_dir: str | None,
    metric: str | None,
    extra: tuple[str, ...],
    **rest: Any,
) -> Settings:
    """The options of `running` in one."""
    from mfbo.settings import Settings

    options = {"model": model, "data_dir": data_dir, "metric": metric}
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
