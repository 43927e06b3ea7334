"""The result of a run: ``mfbo best`` and ``mfbo validate``."""

from __future__ import annotations

import json
import shlex
from functools import partial
from typing import TYPE_CHECKING

import click

from mfbo.cli import options
from mfbo.errors import BadValue

if TYPE_CHECKING:
    from mfbo.engine.validate import Score
    from mfbo.ledger.run import Run
    from mfbo.trial import Config


@click.command()
@options.run
@click.option(
    "--format",
    "form",
    default="yaml",
    show_default=True,
    type=click.Choice(["yaml", "json", "args", "command"]),
    help="Output format; command: the command that trains it again.",
)
@click.option(
    "--trial", type=int, metavar="N", help="Use trial N instead of the best, such as one of the Pareto front."
)
@click.option(
    "--export",
    "folder",
    metavar="DIR",
    help="Write the model to DIR instead; the same as `mfbo export RUN --to model -o DIR`.",
)
def best(run: str, form: str, trial: int | None, folder: str | None) -> None:
    """Print the best configuration of RUN."""
    from mfbo.engine.result import result_of
    from mfbo.ledger.journal import read

    ledger = read(run)
    if folder is not None:
        from mfbo.exports.model import export

        click.echo(str(export(ledger, folder, trial)))
        return
    if trial is not None and trial not in ledger.asks:
        raise BadValue(f"{run!r} has no trial {trial}; see `mfbo show {run}`")
    found = ledger.asks[trial] if trial is not None else result_of(ledger).best
    if found is None:
        raise BadValue(f"{run!r} has no result yet; `mfbo show {run}` says why")
    config = found.config
    click.echo(_command(ledger, config) if form == "command" else _written(config, form))


@click.command()
@options.run
@click.option(
    "--seeds", type=int, default=3, show_default=True, metavar="N", help="Number of trainings, each with its own seed."
)
@options.out("Folder for the model of the first training; default: RUN/best.")
@click.option("--device", metavar="NAME", help="Where to train: auto, cpu, cuda or mps; default: as the run.")
@click.option("--accept-changes", is_flag=True, help="Train although the task has changed since.")
@options.as_json
def validate(*, run: str, seeds: int, out: str | None, device: str | None, accept_changes: bool, as_json: bool) -> None:
    """Measure the best configuration of RUN on the test split.

    It is trained from scratch at full fidelity on training and validation data, once per seed. Nothing has used the
    test split before.
    """
    from mfbo.engine.validate import validate as final
    from mfbo.ledger.journal import read

    ledger = read(run)
    on_score = _quiet if as_json else partial(_told, ledger)
    found = final(
        ledger, seeds, out=out, device=device, on_score=on_score, accept_changes=accept_changes, note=options.on_stderr
    )
    if as_json:
        options.answer(found.to_dict())
        return
    from rich.console import Console

    from mfbo.display.scores import scores

    Console().print(scores(found))


def _command(run: Run, config: Config) -> str:
    """The one line that trains it again, at full fidelity."""
    from mfbo.display.text import PATH, clean
    from mfbo.exports.card import again
    from mfbo.exports.model import metric_option

    settings = run.header.settings
    trained = {"seed": run.header.seed, "work": 1.0}
    options, space = dict(settings.options), settings.space
    described = {"task": run.header.task, "trained": trained, "options": options, "space": space}
    described["metric"] = metric_option(run.header.search, options)
    return clean(again({**described, "hyperparameters": config}, ""), PATH)


def _written(config: Config, form: str) -> str:
    if form == "json":
        return json.dumps(config, indent=2)
    if form == "args":
        from mfbo.display.text import PATH, clean

        return shlex.join(clean(f"--{name}={value}", PATH) for name, value in config.items())
    from mfbo.files.reading import to_yaml

    return to_yaml(config).rstrip("\n")


def _quiet(score: Score) -> None:
    """Say nothing."""


def _told(run: Run, score: Score) -> None:
    from mfbo.cost.price import beside, of_run
    from mfbo.display.text import pairs, seconds

    spent = score.train + score.evaluation
    paid = seconds(spent) + beside(of_run(run), spent, ", {}")
    click.echo(f"seed {score.seed}: {pairs(score.measured)} ({paid})", err=True)
