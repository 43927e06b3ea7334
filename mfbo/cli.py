"""The command line: thin, and quick to start; what is heavy is imported inside the commands."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mfbo import __version__
from mfbo.errors import BadValue, MfboError

if TYPE_CHECKING:
    from mfbo.result import TuneResult
    from mfbo.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
INTERRUPTED = 130


class Commands(click.Group):
    """Turns a user's mistake into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MfboError as error:
            click.echo(f"mfbo: {error}", err=True)
            ctx.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mfbo")
def main() -> None:
    """Multi-fidelity hyperparameter tuning within a cost you name."""


def limits(command: F) -> F:
    """The options that limit a run."""
    for option in (
        click.option("--max-wall", metavar="TIME", help="Stop after so much time by the clock."),
        click.option("--max-trials", type=int, metavar="N", help="Stop after so many finished trials."),
        click.option("--max-cost", metavar="COST", help="45s, 90m, 2h, 1h30m, 1d, or full evaluations: 20x."),
    ):
        command = option(command)
    return command


def output(command: F) -> F:
    """The options that say what a run prints."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")(command)
    return click.option("--quiet", "-q", is_flag=True, help="No display while it runs.")(command)


def running(command: F) -> F:
    """The options that say how trials are run."""
    for option in (
        click.option("--option", "extra", multiple=True, metavar="KEY=VALUE", help="A further setting of the task."),
        click.option("--max-disk", type=float, metavar="GIB", help="Most that checkpoints may take."),
        click.option("--from-scratch", is_flag=True, help="Train every rung anew instead of going on."),
        click.option("--max-trial-memory", type=float, metavar="GIB", help="Kill a trial that holds more."),
        click.option("--max-trial-time", metavar="TIME", help="Kill a trial that takes longer."),
        click.option("--workers", default="1", show_default=True, metavar="N", help="Trials at a time; auto: all."),
        click.option("--data-dir", metavar="DIR", help="Folder with NAME/train.parquet and NAME/test.parquet."),
        click.option("--model", metavar="NAME", help="Pretrained model: a local folder or a name on the hub."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps."),
        click.option("--space", default="default", show_default=True, help="default, wide, or FILE.yaml."),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("task")
@limits
@click.option("--optimizer", default=None, help="See `mfbo optimizers`; the default is smac.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="The same seed asks the same.")
@click.option("--fidelity", metavar="PATH", help="What low rungs cut down: epochs, data or joint.")
@click.option("--out", metavar="DIR", help="Run folder; default: runs/TASK-OPTIMIZER-sSEED.")
@running
@output
def tune(
    *,
    task: str,
    max_cost: str | None,
    max_trials: int | None,
    max_wall: str | None,
    optimizer: str | None,
    seed: int,
    fidelity: str | None,
    out: str | None,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Search for the best configuration of TASK: a name from `mfbo tasks`, or path/to/file.py:NAME."""
    from mfbo.optimizers import DEFAULT
    from mfbo.task import load
    from mfbo.tuning import tune as run

    loaded = load(task)
    optimizer = optimizer or DEFAULT
    folder = Path(out) if out else free_folder(f"{loaded.name}-{optimizer}-s{seed}")
    result = watched(
        lambda observer: run(
            loaded,
            max_cost,
            optimizer=optimizer,
            seed=seed,
            max_trials=max_trials,
            max_wall=max_wall,
            out=folder,
            fidelity=fidelity,
            settings=settings_of(**settings),
            observer=observer,
            command=typed(),
        ),
        folder,
        quiet=quiet or as_json,
    )
    finish(result, as_json=as_json)


@main.command()
@click.argument("run")
@limits
@click.option("--accept-changes", is_flag=True, help="Go on although the task has changed since.")
@output
def resume(
    *,
    run: str,
    max_cost: str | None,
    max_trials: int | None,
    max_wall: str | None,
    accept_changes: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Go on with an interrupted RUN, or extend a finished one by a higher limit."""
    from mfbo.tuning import resume as go_on

    result = watched(
        lambda observer: go_on(
            run,
            max_cost=max_cost,
            max_trials=max_trials,
            max_wall=max_wall,
            accept_changes=accept_changes,
            observer=observer,
            command=typed(),
        ),
        Path(run),
        quiet=quiet or as_json,
    )
    finish(result, as_json=as_json)


@main.command()
@click.argument("run")
def show(run: str) -> None:
    """Show what RUN has found and what it cost."""
    from rich.console import Console

    from mfbo.display import summary
    from mfbo.ledger import read

    Console().print(summary(read(run)))


@main.command()
@click.argument("run")
@click.option("--format", "form", default="yaml", show_default=True, type=click.Choice(["yaml", "json", "args"]))
def best(run: str, form: str) -> None:
    """Print the best configuration of RUN."""
    from mfbo.ledger import read
    from mfbo.result import result_of

    found = result_of(read(run)).best
    if found is None:
        raise BadValue(f"{run!r} has no result yet; `mfbo show {run}` says why")
    if form == "json":
        click.echo(json.dumps(found.config, indent=2))
    elif form == "args":
        click.echo(shlex.join(f"--{name}={value}" for name, value in found.config.items()))
    else:
        import yaml

        click.echo(yaml.safe_dump(found.config, sort_keys=False), nl=False)


@main.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--output", "-o", default="curve.png", show_default=True, help="A .png, .svg or .pdf file.")
def plot(runs: tuple[str, ...], output: str) -> None:
    """Draw the incumbent's quality against cost: one line a run, a mean where an optimizer has several seeds."""
    from mfbo.analysis.runs import anytime

    anytime(runs, Path(output))
    click.echo(output)


@main.command()
def tasks() -> None:
    """List the tasks that can be tuned."""
    from mfbo.task import names

    listing(names())


@main.command()
def optimizers() -> None:
    """List the optimizers."""
    from mfbo.optimizers import OPTIMIZERS

    listing(OPTIMIZERS)


@main.command()
@click.argument("task")
@click.option("--space", "which", default="default", show_default=True, help="default, wide, or FILE.yaml.")
def space(task: str, which: str) -> None:
    """Show the hyperparameters of TASK, and the rungs of its fidelity."""
    from mfbo.task import load

    loaded = load(task).with_space(which)
    click.echo(str(loaded.space).strip())
    click.echo(f"\n  Rungs ({loaded.fidelity.default_path}):")
    for rung in loaded.fidelity.ladder():
        click.echo(f"    {rung} ({rung.work:.3g} of a full evaluation)")


def listing(lines: Any) -> None:
    """Names and descriptions, in two columns."""
    width = max(map(len, lines), default=0)
    for name, description in lines.items():
        click.echo(f"{name:{width}}  {description}")


def free_folder(name: str) -> Path:
    """``runs/name``, with a number behind it where that is taken."""
    from mfbo.ledger import FILE

    folder, number = Path("runs") / name, 1
    while (folder / FILE).exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def workers_of(text: str) -> int:
    """A number of workers; ``auto`` is one a GPU, else one a core."""
    if text == "auto":
        from mfbo.executors.share import automatic

        return automatic()
    if not text.isdecimal():
        raise BadValue(f"workers {text!r}: give a number, or auto for one a GPU or core")
    return int(text)


def settings_of(
    *, workers: str, model: str | None, data_dir: str | None, extra: tuple[str, ...], **rest: Any
) -> Settings:
    """The options of `running` in one."""
    from mfbo.settings import Settings

    options = {"model": model, "data_dir": data_dir}
    for pair in extra:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise BadValue(f"option {pair!r}: give KEY=VALUE, such as patience=3")
        options[key] = value
    given = {key: value for key, value in options.items() if value is not None}
    return Settings(options=given, workers=workers_of(workers), **rest)


def typed() -> str:
    """The command line as the user typed it."""
    return shlex.join(["mfbo", *sys.argv[1:]])


def watched(run: Callable[[Any], TuneResult], folder: Path, *, quiet: bool) -> TuneResult:
    """Run with a display; a second Ctrl-C ends it here."""
    from mfbo.display import make

    try:
        return run(make(quiet=quiet))
    except KeyboardInterrupt:
        click.echo(f"mfbo: stopped at once; go on with: mfbo resume {shlex.quote(str(folder))}", err=True)
        sys.exit(INTERRUPTED)


def finish(result: TuneResult, *, as_json: bool) -> None:
    """Say what came out; the exit code is that of `result`."""
    folder = shlex.quote(str(result.run))
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    elif result.best:
        best = result.best
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in best.metrics.items())
        click.echo(f"best loss {best.loss:.4g} ({best.fidelity}){f': {numbers}' if numbers else ''}")
        click.echo(f"  {' '.join(f'{name}={shown(value)}' for name, value in best.config.items())}")
        click.echo(f"  {result.trials} trials, cost {cost_of(result)}; look at it: mfbo show {folder}")
    if result.status == "interrupted":
        click.echo(f"mfbo: interrupted; go on with: mfbo resume {folder}", err=True)
        sys.exit(INTERRUPTED)
    if result.status == "failed" or (result.best is None and result.trials):
        errors = [entry.outcome.error for entry in result.ledger.results if entry.outcome.error]
        click.echo(f"mfbo: no trial of {result.trials} succeeded; the first error:\n{clean(errors[0])}", err=True)
        sys.exit(1)


def cost_of(result: TuneResult) -> str:
    """``58.9s of 1m``."""
    from mfbo.budget import Budget, duration

    spent = f"{result.cost:.3g}x" if result.unit == "x" else duration(round(result.cost, 1))
    limit = result.max_cost and str(Budget(result.max_cost, "x" if result.unit == "x" else "s"))
    return f"{spent} of {limit}" if limit else spent


def shown(value: object) -> str:
    """Short enough for a line."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def clean(text: str) -> str:
    """Without the control characters with which a text could take over a terminal."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")
