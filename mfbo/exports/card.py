"""The model card of an exported model, and the command that trains it again.

Names and values in it come from a ledger that anybody may have written: none of them is markup in the card.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from mfbo.files.printable import PATH, clean
from mfbo.space import is_space_file
from mfbo.tasks.registry import BUILTIN
from mfbo.trial import counted

FINAL = "the test split"
SPACE = "space.yaml"
_MARKUP = re.compile(r"([\\`*\[\]<>|~&$])")


def words(text: object) -> str:
    r"""Text in Markdown that stands for itself, on one line.

    >>> words("a|<b>")
    'a\\|\\<b\\>'
    """
    return _MARKUP.sub(r"\\\1", clean(text, PATH))


def card(described: Mapping[str, Any], script: bool, how_to_load: str = "") -> str:
    """A model card in Markdown, from what ``config.json`` holds."""
    rung, run = described["trained"], described.get("run")
    about = BUILTIN.get(described["task"])
    lines = [f"# {words(described['task'])}", "", about.description if about else "A task of the user's own.", ""]
    lines += [f"Measured on {described['measured_on']}:", "", "| metric | value |", "|---|---|"]
    lines += [f"| {words(name)} | {value:.4g} |" for name, value in described["metrics"].items()]
    if caveat := described.get("caveat"):
        lines += ["", f"{words(caveat[:1].upper() + caveat[1:])}."]
    lines += ["", "| hyperparameter | value |", "|---|---|"]
    lines += [f"| {words(name)} | {words(repr(value))} |" for name, value in described["hyperparameters"].items()]
    share = f"{100 * rung['data']:.3g}% of the training data"
    done = counted(rung["epochs"], rung.get("unit", "epochs"))
    lines += [
        "",
        f"Trained for {done} on {share}, seed {rung['seed']}" + ("; found by" if run else "."),
    ]
    lines += [f"{words(run['optimizer'])} (seed {run['seed']}, trial {run['trial']})."] if run else []
    lines += ["", "Train it again, in this folder:", "", f"    {clean(again(described), PATH)}", ""]
    if options := {key: value for key, value in described["options"].items() if key != "data_dir"}:
        lines += [
            "Options of the run: " + ", ".join(words(f"{key}={value}") for key, value in options.items()) + ".",
            "",
        ]
    if described.get("confusion"):
        lines += ["Confusion matrix, true classes in rows and predicted ones in columns:", "", "```"]
        lines += ["  ".join(f"{count:6d}" for count in row) for row in described["confusion"]] + ["```", ""]
    if how_to_load:
        lines += [how_to_load, ""]
    if script:
        lines += ["`python predict.py` says how to use it; `mfbo` is not needed for it.", ""]
    lines += [
        "Versions: " + ", ".join(words(f"{name} {number}") for name, number in described["versions"].items()) + ".",
        "",
    ]
    return "\n".join(lines)


def again(described: Mapping[str, Any], config: str = "config.yaml") -> str:
    """The command line that trains it again.

    Args:
        described: as ``config.json`` holds it.
        config: the file with its hyperparameters, in a folder that others may get: paths of this machine are left out;
            empty to write them into the line, for this machine.
    """
    rung, task = described["trained"], str(described["task"])
    words = ["mfbo", "train", task, *([config] if config else []), "--seed", str(rung["seed"])]
    words += ["--final"] if described.get("measured_on") == FINAL else []
    if rung["work"] < 1:
        words += ["--epochs", str(rung["epochs"]), "--data", repr(rung["data"])]
        words += ["--at", f"size={rung['size']!r}"] if rung.get("size", 1.0) < 1 else []
        words += [word for name, number in rung.get("further", ()) for word in ("--at", f"{name}={number}")]
    space = str(described["space"])
    space = SPACE if config and is_space_file(space) else space
    metric = described.get("metric")
    left_out = {"data_dir"} if config else set()
    left_out |= {"metric"} if metric else set()
    options = {name: value for name, value in described["options"].items() if name not in left_out}
    if space != "default":
        words += ["--space", space]
    words += ["--metric", str(metric)] if metric else []
    words += [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    if not config:
        words += ["--", *(f"--{name}={value}" for name, value in described["hyperparameters"].items())]
    return shlex.join(words)
