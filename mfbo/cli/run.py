"""``mfbo tune`` and ``mfbo resume``."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mfbo.cli import options

if TYPE_CHECKING:
    from mfbo.engine.result import TuneResult

FAILED = 1  # exit code where no trial succeeded


@click.command()
@options.task
@options.limits
@options.optimizer
@click.option("--seed", default=0, show_default=True, metavar="N", help="Random seed; same seed, same proposals.")
@options.search
@options.objectives
@options.subject_to
@click.option("--warm-start", metavar="RUN", help="Start with the results of an earlier run of TASK.")
@options.out("Run folder; default: runs/TASK-OPTIMIZER-sSEED.")
@options.running
@options.logs
@options.output
def tune(
    *,
    task: str,
    max_cost: str | None,
    max_trials: int | None,
    max_wall: str | None,
    warm_start: str | None,
    out: str | None,
    logs: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Search for the best configuration of TASK.

    TASK is a name from `mfbo tasks`, path/to/file.py:NAME for a task of your own (see `mfbo init`), or a command with
    placeholders that prints a loss, or what --metric names: "python train.py --lr {lr} --epochs {epochs:1-27}", with
    --space FILE.yaml.
    """
    from mfbo.ledger.writer import announced

    guess = Path(out) if out else _free_folder(_usual_name(task, given))
    with announced(guess, command_line()) as withdraw:  # first of all: what follows may take long to load
        from mfbo.adapters.command import is_command
        from mfbo.engine.tune import tune as run
        from mfbo.tasks.registry import load

        search, folder = options.search_of(given), guess
        if is_command(task) and not out:  # it has a name of its own; others are loaded while their workers load them
            folder = _free_folder(f"{load(task).name}-{search.optimizer}-s{search.seed}")
        if folder != guess:
            withdraw()
        result = _run_with_display(
            lambda observer: run(
                task,
                max_cost,
                search=search,
                max_trials=max_trials,
                max_wall=max_wall,
                out=folder,
                warm_start=warm_start,
                settings=options.settings_of(**given),
                observer=observer,
                command=command_line(),
            ),
            folder,
            logs,
            quiet=quiet or as_json,
        )
    _finish(result, as_json=as_json)


@click.command()
@options.run
@options.limits
@options.where
@click.option("--accept-changes", is_flag=True, help="Continue although the task has changed since.")
@click.option("--repair", is_flag=True, help="Keep what is before the damage in a damaged ledger, and continue there.")
@options.logs
@options.output
def resume(
    *,
    run: str,
    max_cost: str | None,
    max_trials: int | None,
    max_wall: str | None,
    workers: str | None,
    scheduler: str | None,
    accept_changes: bool,
    repair: bool,
    logs: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Continue an interrupted RUN, or extend a finished one.

    Limits are new totals, not additions: what was spent counts, the time in between does not.
    """
    from mfbo.engine.tune import resume as go_on

    result = _run_with_display(
        lambda observer: go_on(
            run,
            max_cost=max_cost,
            max_trials=max_trials,
            max_wall=max_wall,
            workers=options.workers_of(workers, scheduler),
            scheduler=scheduler,
            accept_changes=accept_changes,
            repair_ledger=repair,
            observer=observer,
            command=command_line(),
        ),
        Path(run),
        logs,
        quiet=quiet or as_json,
    )
    _finish(result, as_json=as_json)


def _usual_name(task: str, given: Mapping[str, Any]) -> str:
    """A name for the run's folder, without loading the task: ``network`` of ``network.py:task``, else with its name."""
    from mfbo.adapters.command import is_command
    from mfbo.search import Search

    file, _, name = task.rpartition(":")
    own = f"-{name}" if file and name != "task" else ""
    words = "command" if is_command(task) else Path(file or task).stem + own
    name = f"{words or 'task'}-{given['optimizer'] or Search.optimizer}-s{given['seed']}"
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:100]


def _free_folder(name: str) -> Path:
    """``runs/name``, with a number behind it where that is taken."""
    from mfbo.ledger.journal import begun

    folder, number = Path("runs") / name, 1
    while begun(folder):
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def command_line() -> str:
    """The command line as the user typed it."""
    return shlex.join(["mfbo", *sys.argv[1:]])


def _run_with_display(
    run: Callable[[Any], TuneResult], folder: Path, logs: tuple[str, ...] = (), *, quiet: bool = False
) -> TuneResult:
    """Run with a progress display and loggers; a second Ctrl-C ends up here."""
    from mfbo.display import make
    from mfbo.ledger.observer import Several

    display = make(quiet=quiet)
    try:
        return run(Several(display, *options.observers(logs), *options.sign_of_life()))
    except KeyboardInterrupt:
        from mfbo.ledger.journal import begun

        how = f"continue with: mfbo resume {shlex.quote(str(folder))}"
        click.echo(f"mfbo: stopped at once; {how if begun(folder) else 'nothing was written'}", err=True)
        sys.exit(options.INTERRUPTED)


def _finish(result: TuneResult, *, as_json: bool) -> None:
    """Print the outcome and exit with the code of `result`."""
    folder = shlex.quote(str(result.run))
    if as_json:
        options.answer(result.to_dict())
    elif result.best:
        _print_result(result, folder)
    if result.status == "interrupted":
        click.echo(f"mfbo: interrupted; continue with: mfbo resume {folder}", err=True)
        sys.exit(options.INTERRUPTED)
    if result.status == "failed" or (result.best is None and result.trials):
        from mfbo.display.text import clean_lines

        click.echo(f"mfbo: {clean_lines(result.failure)}", err=True)
        sys.exit(FAILED)
    if result.best is None:
        click.echo(f"mfbo: no result yet; to go on: mfbo resume {folder} --max-cost MORE", err=True)
        sys.exit(FAILED)


def _print_result(result: TuneResult, folder: str) -> None:
    """Print the incumbent, what it cost, and the commands that show more."""
    from mfbo.budget import Budget
    from mfbo.cost.price import beside, of_run
    from mfbo.display.text import amount, clean, number, pairs
    from mfbo.exports.model import BEST, no_model

    best = result.best
    assert best is not None
    spent = amount(result.cost, result.unit)
    money = beside(of_run(result.ledger), result.ledger.seconds)
    limit = f" of {Budget(result.max_cost, 'x' if result.unit == 'x' else 's')}" if result.max_cost else ""
    metrics = best.goal.others(best.metrics)
    measured = f"best {clean(best.goal.name, 40)} {number(best.value)}"
    click.echo(f"{measured} ({best.fidelity}){f': {pairs(metrics)}' if metrics else ''}")
    click.echo(f"  {pairs(best.config)}")
    trials = "1 trial" if result.trials == 1 else f"{result.trials} trials"
    click.echo(f"  {trials}, cost {spent}{limit}{money}; for more: mfbo show {folder}")
    if result.run is not None and (Path(result.run) / BEST).is_dir():
        click.echo(f"  its model: {folder}/{BEST}")
    elif result.run is not None and (why := no_model(result.ledger)):
        click.echo(f"  no model is kept: {why}")
