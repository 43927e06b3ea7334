"""Does what the tables say hold for the real thing? The same trainings, not looked up but trained, on unseen data.

    MFBO_DATA=... python experiments/mission_real.py imdb --max-cost 8
    MFBO_DATA=... python experiments/mission_real.py agnews --model FOLDER --max-cost 8

`smac` and random search, three seeds, on the task as `record_design.py` cut it down for its table: the same samples,
epochs and inputs. Costs are seconds of the processor, of one core, as in the tables. The incumbent is then trained anew
on training and validation part, and measured on the complete test split. Each finished run is a line of a file below
--out, so the command goes on where it was left; a run that was cut off begins anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from processor_time import count_processor_time
from record import cut
from record_design import PLANS, Plan

import mfbo
from mfbo.context import Context
from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.fidelity import Fidelity
from mfbo.ledger.environment import hardware
from mfbo.settings import Settings
from mfbo.task import Task
from mfbo.tasks.registry import load
from mfbo.trial import Config, Measurement, Rung, Trial


@click.command()
@click.argument("name", type=click.Choice([name for name, plan in PLANS.items() if plan.others]))
@click.option("--max-cost", default=8.0, show_default=True, help="Full evaluations of a run.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--optimizers", default="smac,random", show_default=True)
@click.option("--model", default="", help="For agnews: a folder with a pretrained model.")
@click.option("--out", default="runs/mission-real", show_default=True, type=click.Path(path_type=Path))
def main(*, name: str, max_cost: float, seeds: int, optimizers: str, model: str, out: Path) -> None:
    """Run what is missing, print."""
    plan, names, folder = PLANS[name], optimizers.split(","), out / f"{name}-{max_cost:g}x"
    folder.mkdir(parents=True, exist_ok=True)
    options = {"samples": str(plan.samples)}
    options |= {"model": cut(model, plan.layers, folder)} if model else {}
    settings = replace(count_processor_time(), options=options)
    for seed in range(seeds):
        for optimizer in names:
            path = folder / f"{optimizer}-{seed}.json"
            if not path.exists():
                path.write_text(json.dumps(one(name, optimizer, seed, max_cost, settings)) + "\n")
    click.echo(f"{name}: {max_cost:g} full evaluations, {seeds} seeds, {hardware()['cpu']}\n")
    click.echo("| optimizer | validation accuracy | test accuracy | macro F1 | trials |\n|---|---|---|---|---|")
    for optimizer in names:
        found = [json.loads((folder / f"{optimizer}-{seed}.json").read_text()) for seed in range(seeds)]
        cells = [_cell([each[key] for each in found]) for key in ("validation", "test", "macro_f1")]
        click.echo(f"| {optimizer} | {' | '.join(cells)} | {np.mean([each['trials'] for each in found]):.0f} |")


def one(name: str, optimizer: str, seed: int, cost: float, settings: Settings) -> dict[str, float]:
    """A run, and what its incumbent does on the complete test split."""
    task = trained(name, PLANS[name])
    found = mfbo.tune(task, f"{cost:g}x", optimizer=optimizer, seed=seed, settings=settings, progress=False)
    assert found.best is not None
    assert task.validate is not None
    trial = Trial(0, found.best.config, task.fidelity.full)
    outcome = evaluate(replace(task, train=task.validate), trial, TrialSetup(seed, options=settings.options))
    if outcome.loss is None:
        raise click.ClickException(f"the final training failed: {outcome.error}")
    metrics = {"test": 1 - outcome.loss, "macro_f1": outcome.metrics["macro_f1"]}
    return {"validation": 1 - found.best.loss, **metrics, "trials": found.trials, "cost": found.cost}


def trained(name: str, plan: Plan, own: Task | None = None) -> Task:
    """The task as its table was recorded; `own` stands for the one of that name."""
    own = own or load(name)
    assert own.validate is not None
    validate = own.validate

    def whole(rung: Rung) -> Rung:
        return replace(rung, size=plan.size)

    def train(config: Config, rung: Rung, context: Context) -> Measurement | float:
        return own.train(config | plan.fixed, whole(rung), context)

    def final(config: Config, rung: Rung, context: Context) -> Measurement | float:
        return validate(config | plan.fixed, whole(rung), context)

    fidelity = Fidelity(epochs=(1, plan.ends[-1]), data=(plan.data[0] * plan.share, plan.share))
    return replace(own, train=train, validate=final, least=None, fidelity=fidelity, source="", installed=False)


def _cell(values: list[float]) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
