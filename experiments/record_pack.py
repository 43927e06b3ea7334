"""Rows of a recording in one compressed file, small enough to keep, and back; see record.py."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from record_design import Plan, Row
from record_rows import a_pass

COLUMNS = ("data", "epoch", "end", "loss", "macro_f1", "train_cpu", "eval_cpu")
DECIMALS = 5  # of what is packed, seconds among it


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two recordings are of one task, plan and model, so that they can be one."""
    plans = [Plan(**about["plan"]) for about in (one, other)]  # what a plan of before did not say has its default
    plain = [json.dumps(asdict(plan)) for plan in plans]
    return plain[0] == plain[1] and all(one[key] == other[key] for key in ("task", "model"))


def write(path: Path, value: Any) -> None:
    """Whole or not at all."""
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(value) + "\n")
    aside.replace(path)


def packed(out: Path, every: list[Row], path: Path) -> str:
    """Put the rows that are there into one file of arrays."""
    found = [json.loads(file.read_text()) for row in every if (file := out / f"{row.name}.json").exists()]
    about = json.loads((out / "about.json").read_text()) | {"planned": len(every)}
    lines = [[i, *(float(m[name]) for name in COLUMNS)] for i, row in enumerate(found) for m in row["measured"]]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        about=json.dumps(about),
        columns=["row", *COLUMNS],
        measured=np.round(np.array(lines), DECIMALS).astype(np.float32),
        configs=[json.dumps(row["config"]) for row in found],
        kinds=[row["kind"] for row in found],
        seeds=np.array([row["seed"] for row in found], dtype=np.int16),
        statuses=[row["status"] for row in found],
        cpu=np.array([row["cpu"] for row in found], dtype=np.float32),
        wall=np.array([row["wall"] for row in found], dtype=np.float32),
        passes=np.array([_passes(row, about) for row in found], dtype=np.int32),
        test_accuracy=np.array([row["test_accuracy"] or np.nan for row in found], dtype=np.float32),
    )
    return f"{len(found)} of {len(every)} rows in {path}, {path.stat().st_size / 1024:.0f} KiB"


def _passes(row: dict[str, Any], about: dict[str, Any]) -> list[tuple[int, int]]:
    """(fractions, 2): samples and steps of an epoch; rows of digits from before they were noted have them by rule."""
    if "passes" in row:
        return list(row["passes"])
    made = Row(row["kind"], row["config"], row["seed"])
    return [a_pass(about["task"], made, data) for data in about["plan"]["data"]]


def unpack(path: Path, out: Path) -> str:
    """Write the rows of a packed file that are not there as files; seconds by the clock of each measurement are lost.

    Raises:
        ClickException: it is no packed file, or one with another plan.
    """
    own = json.loads((out / "about.json").read_text())
    try:
        with np.load(path) as packed_file:
            found = {name: packed_file[name] for name in packed_file.files}
        about = json.loads(str(found["about"]))
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"{str(path)!r} is not what --pack writes: {error}") from error
    if not same(about, own):
        raise click.ClickException(f"{str(path)!r} was recorded with another plan than {str(out)!r}")
    new = 0
    for place, config in enumerate(json.loads(text) for text in found["configs"].tolist()):
        row = Row(str(found["kinds"][place]), config, int(found["seeds"][place]))
        if (out / f"{row.name}.json").exists():
            continue
        lines = found["measured"][found["measured"][:, 0] == place, 1:].astype(float).tolist()
        test = float(found["test_accuracy"][place])
        whole = {"kind": row.kind, "config": config, "seed": row.seed, "status": str(found["statuses"][place])}
        whole |= {"test_accuracy": None if np.isnan(test) else test}
        whole |= {key: float(found[key][place]) for key in ("cpu", "wall")}
        if "passes" in found:
            whole["passes"] = found["passes"][place].tolist()
        measured = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        write(out / f"{row.name}.json", {**whole, "measured": measured})
        new += 1
    return f"{new} rows of {path}"
