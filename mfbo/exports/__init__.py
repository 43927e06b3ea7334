"""A run in the form of other tools: tables, Optuna, SMAC's own folder, MLflow, TensorBoard.

Each is made from the ledger alone. MLflow and TensorBoard can also listen during a run: see `logger`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadLedger, BadValue, MfboError, MissingExtra, UnknownName
from mfbo.evidence.curves import Incumbent
from mfbo.files.plain import remove

if TYPE_CHECKING:
    from mfbo.ledger.observer import Observer
    from mfbo.ledger.run import Run

FORMATS = {
    "csv": "a table, one row a trial",
    "parquet": "the same, with types (extra: exports)",
    "optuna": "an SQLite file for optuna-dashboard (extra: tpe)",
    "smac": "a run folder of SMAC3's, for DeepCAVE",
    "mlflow": "an SQLite file for `mlflow ui` (extra: exports)",
    "tensorboard": "a folder of event files for `tensorboard --logdir` (extra: exports)",
}
LOGGERS = ("mlflow", "tensorboard")


def export_run(run: Run, form: str, out: Path) -> Path:
    """Write `run` in another tool's form.

    Args:
        run: as read.
        form: one of `FORMATS`.
        out: a file or folder that is not there yet.

    Raises:
        UnknownName: no such format.
        BadValue: `out` is there already, or cannot be written.
        MissingExtra: a library is not installed.
        BadLedger: the run has values that the form cannot hold, as a stranger's ledger may.
    """
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if out.exists():
        raise BadValue(f"{str(out)!r} exists; name a new one with -o")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _writer(form)(run, out)
    except BaseException as error:
        remove(out) if out.is_dir() else out.unlink(missing_ok=True)  # half an export would be in the way of the next
        if isinstance(error, Exception) and not isinstance(error, MfboError):
            raise _refused(error, form, out) from error
        raise
    return out


def _refused(error: Exception, form: str, out: Path) -> MfboError:
    """In one line why a run could not be written in such a form."""
    reason = " ".join(str(error).split())[:160]
    if isinstance(error, ArithmeticError | LookupError | TypeError | ValueError):  # values that no run of mfbo has
        return BadLedger(f"the ledger holds what {form} cannot: {type(error).__name__}: {reason}")
    why = (
        error.strerror if isinstance(error, OSError) and error.strerror else reason
    )  # or a database's own kind of error
    return BadValue(f"cannot write {str(out)!r}: {why}; name another place with -o")


def logger(form: str, out: Path | str) -> Observer:
    """An observer that writes what happens for another tool, while it happens; where it cannot, the run continues.

    Args:
        form: one of `LOGGERS`.
        out: TensorBoard's folder, MLflow's file or tracking URI; made if it is not there.

    Raises:
        UnknownName: no such logger.
        MissingExtra: its library is not installed.
    """
    if form not in LOGGERS:
        raise UnknownName("logger", form, LOGGERS)
    from mfbo.exports import trackers

    return trackers.Careful(_tracker(form, out), form)


def _tracker(form: str, out: Path | str) -> Observer:
    from mfbo.exports import trackers

    return trackers.Mlflow(out) if form == "mlflow" else trackers.Tensorboard(out)


def needed(module: str, extra: str) -> Any:
    """Import a library that only an extra brings.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingExtra.of(library, extra) from error


def _writer(form: str) -> Callable[[Run, Path], None]:
    from mfbo.exports import table

    if form == "csv":
        return table.write_csv
    if form == "parquet":
        return table.write_parquet
    if form == "optuna":
        from mfbo.exports.optuna import write

        return write
    if form == "smac":
        from mfbo.exports.smac import write as write_smac

        return write_smac
    return lambda run, out: _replayed(run, _tracker(form, out))


def _replayed(run: Run, observer: Observer) -> None:
    """Tell `observer` of a run as if it happened now."""
    found = Incumbent(run.header.rungs, run.header.search.constraints)
    observer.on_start(run)
    for result in run.results:
        found.add(result)
        observer.on_result(result, found.best)
    observer.on_end(run.ended or "unfinished")
