"""The model that a run already has, in a folder that works without mfbo.

::

    model/        weights, and what they need: vocabulary, tokenizer, names of the classes
    config.yaml   hyperparameters, as `mfbo train`, `mfbo tell` and `--prior` read them
    space.yaml    the space, where it came from a file
    config.json   the same with fidelity, seed, versions, what was measured
    README.md     model card
    predict.py    for the tasks that come with mfbo
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mfbo.adapters import sklearn_model
from mfbo.adapters.command import is_command
from mfbo.checkpoint import ALONE, MODEL, Checkpoints
from mfbo.errors import BadData, BadValue, RunError
from mfbo.evidence.curves import incumbent
from mfbo.exports.card import SPACE, card
from mfbo.exports.chosen import caveat
from mfbo.files.plain import copy_plain, remove
from mfbo.files.reading import read_json, to_yaml
from mfbo.ledger.journal import check_links, read
from mfbo.ledger.run import Run
from mfbo.space import is_space_file
from mfbo.tasks import predict
from mfbo.tasks.registry import BUILTIN
from mfbo.tasks.training.setup import MEASUREMENT, write_json
from mfbo.trial import Config, Rung

if TYPE_CHECKING:
    from mfbo.ledger.run import Result
    from mfbo.search import Search


class Measured(TypedDict, total=False):
    """What a checkpoint keeps beside its weights: how its model did."""

    loss: float
    metrics: dict[str, float]
    confusion: list[list[int]] | None


class Described(TypedDict, total=False):
    """What is read of a model's ``config.json``."""

    hyperparameters: Config
    trained: Rung
    all_seeds: list[dict[str, float]]
    caveat: str


BEST = "best"  # folder of the incumbent's model within that of the run
_STATE = ("state.safetensors", "state.json", MEASUREMENT, ALONE)  # of a checkpoint, and no part of a model


def export(run: Run | Path | str, out: Path | str, trial: int | None = None) -> Path:
    """Copy the incumbent's model, as it was measured on the validation part; nothing is trained.

    Args:
        run: folder of a run, or a run as read.
        out: a folder that is not there yet, or empty.
        trial: number of the one whose model it is; None for the incumbent.

    Returns:
        `out`.

    Raises:
        RunError: no such run, it has no result, it keeps no model of its incumbent, or a link lies in its folder.
        BadData: what the checkpoint says of its model is damaged.
        BadValue: `out` has something in it.
    """
    run = read(run) if not isinstance(run, Run) else run
    if run.folder is not None:
        check_links(run.folder)
    best = best_of(run) if trial is None else _result_of(run, trial)
    epochs = best.outcome.rung.epochs
    root = run.folder / "checkpoints" if run.folder else None
    found = Checkpoints(root).model(best.trial.key, epochs) if root else None
    if found is None or not _is_of(best, *found):
        how = no_model(run) or f"it was stopped, or another was better; train it again: {_again(run, best)}"
        raise RunError(f"run {str(run.folder)!r} keeps no model of trial {best.trial.id}: {how}")
    measured, goal = read_measurement(found[1]), run.header.goal
    facts = {
        "measured_on": "the validation part",
        "metrics": {**measured.get("metrics", best.outcome.metrics), goal.name: goal.value(best.outcome.loss or 0.0)},
        "confusion": measured.get("confusion"),
        "caveat": caveat(run, measured.get("confusion")),
    }
    return write_model(run, best, Path(out), found[1], rung=best.outcome.rung, seed=run.header.seed, facts=facts)


def no_model(run: Run) -> str:
    """Why a run keeps no models at all, and how it could; empty where it keeps some, or its trials are simulated."""
    root = run.folder and run.folder / "checkpoints"
    if run.header.full_cost is not None or any(result.outcome.virtual for result in run.results):
        return ""
    if root and Checkpoints(root).keys():
        return ""
    if run.header.settings.from_scratch:
        return "checkpoints were off; leave out --from-scratch"
    if is_command(run.header.task):
        return "its command writes none; put {checkpoint} into it, and have it write its model into that folder"
    return "its task writes none; have it write one into the folder of context.save(epoch) or context.keep_model()"


def _is_of(best: Result, epochs: int, checkpoint: Path) -> bool:
    """Whether the checkpoint after `epochs` holds the model that `best` measured.

    One that was stopped within its first epoch counts as a whole epoch on less data; its model says what it came to.
    """
    measured = read_measurement(checkpoint).get("loss")
    if measured is not None and best.outcome.status == "stopped":
        return bool(measured == best.outcome.loss)
    return epochs == best.outcome.rung.epochs


def keep_best(run: Run) -> Path | None:
    """Have the incumbent's model in ``RUN/best``; what is there of it, such as its final validation, stays.

    Returns:
        The folder; None where the run keeps no model of its incumbent.

    Raises:
        OSError: it cannot be written.
    """
    best = incumbent(run)
    if run.folder is None or best is None:
        return None
    target = run.folder / BEST
    if _holds(target, best):
        return target
    aside = run.folder / f".{BEST}"
    remove(aside)
    try:
        fresh = export(run, aside)
    except (RunError, BadValue):
        return None
    remove(target)
    fresh.rename(target)
    return target


def caveat_of(folder: Path) -> str:
    """What is to be said of the measurement of a model in `folder`; empty where there is nothing."""
    try:
        return read_json(folder / "config.json", "file", Described).get("caveat", "")
    except (OSError, BadValue):
        return ""


def _holds(folder: Path, best: Result) -> bool:
    """Whether a model in `folder` is that of `best`, trained no less."""
    try:
        found = read_json(folder / "config.json", "file", Described)
    except (OSError, BadValue):
        return False
    same = found.get("hyperparameters") == best.trial.config and "trained" in found
    return same and found["trained"].work >= best.outcome.rung.work - 1e-9


def _result_of(run: Run, trial: int) -> Result:
    """The last result of a trial that has a loss."""
    found = [result for result in run.results if result.trial.id == trial and result.outcome.loss is not None]
    if not found:
        raise BadValue(f"trial {trial} of {str(run.folder)!r} has no loss, or does not exist; see `mfbo show`")
    return found[-1]


def _again(run: Run, best: Result) -> str:
    return f"mfbo best {run.folder} --trial {best.trial.id} --format command"


def best_of(run: Run) -> Result:
    """The incumbent.

    Raises:
        RunError: no trial has a loss.
    """
    best: Result | None = incumbent(run)
    if best is None:
        raise RunError(f"run {str(run.folder)!r} has no result yet; continue it with `mfbo resume`")
    return best


def write_model(
    run: Run, best: Result, out: Path, checkpoint: Path, *, rung: Rung, seed: int, facts: Mapping[str, Any]
) -> Path:
    """Make the folder that the module describes; written aside, so that it is there whole or not at all.

    Args:
        run: where the configuration comes from.
        best: its incumbent.
        out: as in `export`.
        checkpoint: what the train function wrote.
        rung: at which the model was trained.
        seed: with which it was trained.
        facts: ``measured_on``, ``metrics`` and ``confusion`` of the model, and whatever else is to be kept.
    """
    described = {
        "task": run.header.task,
        "hyperparameters": best.trial.config,
        "trained": {**asdict(rung), "seed": seed},
        "run": {"optimizer": run.header.optimizer, "seed": run.header.seed, "trial": best.trial.id, "spent": run.spent},
        "metric": metric_option(run.header.search, run.header.settings.options),
        "options": dict(run.header.settings.options),
        "versions": dict(run.header.versions),
        "hardware": dict(run.header.hardware),
        "space": run.header.settings.space,
        **facts,
    }
    return write_folder(described, run.header.space, checkpoint, out)


def check_new(out: Path) -> None:
    """Make sure that a folder can be written.

    Raises:
        BadValue: it has something in it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadValue(f"{str(out)!r} is not empty; name a new folder")


def write_folder(described: Mapping[str, Any], space: Mapping[str, Any], checkpoint: Path, out: Path) -> Path:
    """The same from what ``config.json`` is to hold, and the space in ConfigSpace's own form."""
    check_new(out)
    own_space = is_space_file(str(described["space"]))
    if own_space:
        described = {**described, "space": SPACE}
    task = described["task"]
    script = Path(predict.__file__).parent / f"{task}.py" if task in BUILTIN else None

    def fill(folder: Path) -> None:
        inner = checkpoint / MODEL
        copy_plain(inner if inner.is_dir() else checkpoint, folder / MODEL, without=_STATE)
        write_json(folder / "config.json", dict(described))
        values = to_yaml(described["hyperparameters"])
        (folder / "config.yaml").write_text(values, encoding="utf-8")
        if own_space:
            (folder / SPACE).write_text(to_yaml(dict(space)), encoding="utf-8")
        if script is not None and script.is_file():
            shutil.copyfile(script, folder / "predict.py")
        own_script = (folder / "predict.py").is_file()
        told = card(described, own_script, _how_to_load(folder / MODEL))
        (folder / "README.md").write_text(told, encoding="utf-8")

    return written_aside(out, fill)


def written_aside(out: Path, fill: Callable[[Path], None]) -> Path:
    """Have `fill` write into a folder beside `out`, and rename it when it is complete."""
    aside = out.parent / f".{out.name}.{os.getpid()}"
    remove(aside)
    aside.mkdir(parents=True)
    try:
        fill(aside)
        if out.is_dir():
            out.rmdir()  # empty, or this raises
        aside.rename(out)
    except BaseException:
        remove(aside)
        raise
    return out


def _how_to_load(folder: Path) -> str:
    """A line on a scikit-learn model; empty for another."""
    if (folder / sklearn_model.SKOPS).is_file():
        return (
            f"Load it with `skops.io.load`, from `model/{sklearn_model.SKOPS}`, and the same version of scikit-learn."
        )
    if (folder / sklearn_model.JOBLIB).is_file():
        return (
            f"Load it with `joblib.load('model/{sklearn_model.JOBLIB}')` and the same version of scikit-learn; such a "
            "file runs code when it is loaded, so load none of people whom you do not trust."
        )
    return ""


def metric_option(search: Search, options: Mapping[str, str]) -> str:
    """What ``--metric`` was to be, with the direction; empty where the run has the usual one, a loss."""
    goal, pattern = search.goal, options.get("metric")
    if not (pattern or goal.maximize or search.metric):
        return ""
    return f"{'max' if goal.maximize else 'min'}:{pattern or goal.name}"


def read_measurement(checkpoint: Path) -> Measured:
    """What a checkpoint says of its model; empty where it says nothing.

    Raises:
        BadData: that is damaged.
    """
    try:
        return read_json(checkpoint / MEASUREMENT, "measurement", Measured)
    except FileNotFoundError:
        return Measured()
    except BadValue as error:
        raise BadData(f"{error}; delete the folder {str(checkpoint)!r} to train it again") from error
