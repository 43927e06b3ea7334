"""``mfbo train``: one configuration, trained once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mfbo.cli import options
from mfbo.errors import RunError

if TYPE_CHECKING:
    from mfbo.engine.train import Trained
    from mfbo.goal import Goal
    from mfbo.trial import Report, Rung


@click.command()
@options.task
@click.argument("config", nargs=-1, metavar="[CONFIG.yaml] [-- --NAME=VALUE...]")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Random seed of the training.")
@click.option("--epochs", type=int, metavar="N", help="Epochs; default: those of a full evaluation.")
@click.option(
    "--data", type=float, metavar="F", help="Fraction of the training data; default: that of a full evaluation."
)
@options.at
@click.option("--final", is_flag=True, help="Train on the validation data too, and measure on the test split.")
@options.out("Folder for the model; default: no model is kept.")
@options.training
@options.price
@options.output
def train(
    *, task: str, config: tuple[str, ...], seed: int, epochs: int | None, data: float | None, at: tuple[str, ...],
    final: bool, out: str | None, quiet: bool, as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """Train one configuration of TASK, from scratch.

    CONFIG.yaml is what `mfbo best` prints; or give the values after --, as `mfbo best --format args` prints them. What
    is missing takes the default of the space. `mfbo best RUN --format command` prints the whole command.
    """
    from mfbo.cost.price import beside, kept
    from mfbo.display.text import clean, number, seconds
    from mfbo.engine.train import train as once
    from mfbo.fidelity_point import read_numbers
    from mfbo.space import of_words, read_config

    files = [word for word in config if not word.startswith("--")]
    values = {name: value for file in files for name, value in read_config(file).items()}
    values |= of_words([word for word in config if word.startswith("--")])
    options.say_whose(task)

    def on_report(report: Report, goal: Goal, rung: Rung) -> None:
        spent = seconds(report.cost) + beside(kept(settings.get("price")), report.cost, ", {}")
        measured = f"{clean(goal.name, 40)} {number(goal.value(report.loss))}"
        click.echo(f"{clean(rung.unit.removesuffix('s'))} {report.epoch:.6g}: {measured} ({spent})", err=True)

    maximize = settings.pop("maximize")
    found = once(
        task,
        values,
        seed=seed,
        epochs=epochs,
        data=data,
        at=read_numbers(at),
        final=final,
        settings=options.settings_of(**settings),
        out=out,
        on_report=None if quiet or as_json else on_report,
        maximize=maximize,
    )
    if as_json:
        options.answer(found.to_dict())
    else:
        _show(found, final=final)
    if out and not found.folder:
        text = f"task {found.task!r} keeps no model: its train function makes no context.save"
        raise RunError(f"{text}; so nothing was written to {out!r}")


def _show(found: Trained, *, final: bool) -> None:
    from mfbo.cost.price import beside
    from mfbo.display.text import PATH, clean, number, pairs, seconds

    paid = beside(found.price, found.seconds)
    metrics = f": {pairs(found.metrics)}" if found.metrics else ""
    where = " on the test split" if final else ""
    measured = f"{clean(found.goal.name, 40)} {number(found.value)}"
    click.echo(f"{measured}{where} ({found.rung}){metrics}; {seconds(found.seconds)}{paid}")
    click.echo(f"  {pairs(found.config)}")
    if found.folder:
        click.echo(f"  {clean(found.folder, PATH)}")
