"""``mfbo compare``: optimizers at equal cost."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mfbo.cli import options
from mfbo.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mfbo.settings import Settings
    from mfbo.study.spec import Study

OPTIMIZERS, SEEDS = "smac,hyperband,random,grid", 5


@click.command()
@click.argument(
    "what", metavar="TASK...|COMPARISON.yaml", nargs=-1, required=True, shell_complete=options.complete_task
)
@click.option("--max-cost", metavar="COST", help="Cost of each run: 45s, 90m, 2h; in full evaluations: 20x.")
@click.option(
    "--optimizers", show_default=OPTIMIZERS, metavar="NAMES", help="Names, separated by commas; see `mfbo optimizers`."
)
@click.option(
    "--seeds", default=SEEDS, show_default=True, metavar="N", help="Seeds 0 to N-1, the same for all optimizers."
)
@options.search
@options.out("Folder of the comparison; default: runs/TASK-comparison, or that of COMPARISON.yaml.")
@options.running
@options.output
def compare(*, what: tuple[str, ...], out: str | None, quiet: bool, as_json: bool, **given: Any) -> None:
    """Compare optimizers on TASKs at equal cost.

    Every optimizer runs with the same seeds, spaces and cost. Finished runs are not repeated: the same command
    continues after an interruption, and further optimizers, more seeds or more cost extend the comparison.
    COMPARISON.yaml has the options of this command as keys (tasks, optimizers, seeds, max_cost, workers and so on, but
    no scheduler); options given on the command line take precedence.
    """
    from mfbo.cli.run import command_line
    from mfbo.display.runs import RunLines
    from mfbo.evidence.summary import evidence
    from mfbo.study.folder import folders
    from mfbo.study.runner import check_codes, extended, run_study

    study = _study(what, **given)
    folder = Path(out) if out else _folder(what, study)
    check_codes(folder / entry.folder for entry in study.entries())
    options.say_whose(*study.tasks)
    display = RunLines(quiet=quiet or as_json, total=extended(study, folder).size)
    results = run_study(
        study,
        folder,
        observer_of=display.observer_of,
        on_result=display.on_result,
        on_failure=display.on_failure,
        command=command_line(),
    )
    if results[-1].status == "interrupted":
        click.echo("mfbo: interrupted; the same command continues", err=True)
        sys.exit(options.INTERRUPTED)
    found = evidence(folders(folder))
    if as_json:
        options.answer({"comparison": str(folder), "tasks": [task.to_dict() for task in found]})
        return
    from rich.console import Console

    from mfbo.display.evidence import comparison

    for task in found:
        Console().print(comparison(task))
    click.echo(f"figures and details: mfbo report {folder}")


def _study(what: tuple[str, ...], *, optimizers: str | None, **given: Any) -> Study:
    from mfbo.adapters.command import is_command
    from mfbo.search import SearchOptions
    from mfbo.study.folder import read_study
    from mfbo.study.spec import Study, names_of

    own = {name: given.pop(name) for name in ("max_cost", "seeds")}
    asked = {name: value for name, value in given.items() if name in SearchOptions.__annotations__}
    search = options.search_of(given)
    settings = options.settings_of(**given)
    own["optimizers"] = names_of(optimizers or OPTIMIZERS)
    if any(name.endswith((".yaml", ".yml")) for name in what):
        if len(what) > 1:
            raise BadValue(f"{len(what)} arguments: give tasks, or one comparison file")
        study = read_study(Path(what[0]))
        if study.settings.scheduler is not None:  # whoever answers there could make this process run anything
            raise BadValue(
                f"{what[0]!r} names a scheduler, which could run any code here: give --scheduler on the command line"
            )
        if commands := [task for task in study.tasks if is_command(task)]:
            raise BadValue(f"{what[0]!r} would execute {commands[0]!r}: to run a command, give it on the command line")
        return _overridden(study, own, asked, settings)
    if own["max_cost"] is None:
        raise BadValue("no cost given; give the cost of each run, such as --max-cost 30m or --max-cost 20x")
    return Study(tasks=what, search=search, settings=settings, **own)


def _overridden(study: Study, own: Mapping[str, Any], asked: Mapping[str, Any], settings: Settings) -> Study:
    """The comparison of a file, with the options that were typed in place of its own."""
    from mfbo.search import Search

    context = click.get_current_context()
    typed = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    changed = {name: value for name, value in vars(settings).items() if name in typed}
    merged = replace(study.settings, **changed | {"options": {**study.settings.options, **settings.options}})
    search = Search.of(study.search, **{name: value for name, value in asked.items() if name in typed})
    return replace(
        study, **{name: value for name, value in own.items() if name in typed}, search=search, settings=merged
    )


def _folder(what: tuple[str, ...], study: Study) -> Path:
    """The folder of a comparison: a file that lies in a comparison's folder continues that one."""
    from mfbo.study.folder import described_in, folders
    from mfbo.study.spec import file_name

    path = Path(what[0])
    if path.suffix not in (".yaml", ".yml"):
        return Path("runs") / f"{'-'.join(map(file_name, study.tasks[:3]))}-comparison"
    return (
        path.parent
        if path == described_in(path.parent) and folders(path.parent)
        else Path("runs") / f"{path.stem}-comparison"
    )
