"""The loss in a JSON or CSV file that a command writes, for ``--metric-file``."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mfbo.adapters.printed import LINE_SHOWN, number
from mfbo.errors import TrialFailed

MAX_METRIC_BYTES = 64 * 2**20  # of a metric file; more is data, not metrics
FILE_FORMS = "a .csv or .tsv with a header, JSON, or a JSON object a line"


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Hold `path` as the file that this trial writes; on leaving, it must have been written.

    Raises:
        TrialFailed: another trial writes there now, or this one wrote nothing.
    """
    with _alone(path):
        before = _state(path)
        yield
        if _state(path) is None:
            raise TrialFailed(f"the command wrote no {str(path)!r}, which --metric-file names")
        if _state(path) == before:
            raise TrialFailed(f"the command did not write {str(path)!r}, which is there from before")


def read_metric(path: Path, metric: str) -> float:
    """The last value of `metric` in the file.

    In JSON it is the one at the top, else the last one anywhere below; of a list of numbers the last one counts, as in
    the history that Keras keeps. In CSV it is the last row that has one, as Lightning leaves some empty.

    Raises:
        TrialFailed: the file cannot be read, has no such metric, or what it has is not one whole number.
    """
    try:
        if path.stat().st_size > MAX_METRIC_BYTES:
            raise TrialFailed(f"{str(path)!r} has more than {MAX_METRIC_BYTES // 2**20} MiB; write the metrics alone")
        text = path.read_text(encoding="utf-8-sig")
        in_columns = path.suffix.lower() in (".csv", ".tsv")
        found = _in_columns(text, metric, path.suffix.lower()) if in_columns else _in_json(text, metric)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:LINE_SHOWN] or type(error).__name__
        raise TrialFailed(f"{str(path)!r} cannot be read as {FILE_FORMS}: {reason}") from error
    if not found:
        raise TrialFailed(f"{str(path)!r} has no {metric!r}; name what it has with --metric")
    if (value := number(found[-1])) is None:
        raise TrialFailed(f"{str(path)!r} has {found[-1]!r:.100} for {metric!r}, which is not a number")
    return value


def _in_columns(text: str, metric: str, suffix: str) -> list[str]:
    rows = list(csv.reader(text.splitlines(), delimiter="\t" if suffix == ".tsv" else ","))
    names = [name.strip() for name in rows[0]] if rows else []
    if metric not in names:
        return []
    if odd := next((row for row in rows[1:] if row and len(row) != len(names)), None):
        raise ValueError(f"the row {','.join(odd)!r:.100} has {len(odd)} cells under {len(names)} names")
    return [row[names.index(metric)] for row in rows[1:] if row and row[names.index(metric)].strip()]


def _in_json(text: str, metric: str) -> list[Any]:
    """Values of that name, in the file's order."""
    try:
        parts = [json.loads(text)]
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        parts = [json.loads(line) for line in lines]
    found: list[Any] = []
    for part in parts:
        found += [part[metric]] if isinstance(part, Mapping) and metric in part else _below(part, metric)
    return [value[-1] if isinstance(value, list) and value else value for value in found]


def _below(part: Any, metric: str) -> list[Any]:
    found: list[Any] = []
    for name, value in part.items() if isinstance(part, Mapping) else enumerate(part) if isinstance(part, list) else ():
        found += [value] if name == metric else _below(value, metric)
    return found


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two trials that write one file at the same time would read each other's loss.

    The lock lies where the file is to be, as each worker has a temporary folder of its own, and goes with the trial.
    """
    home = next(folder for folder in path.absolute().parents if folder.is_dir())
    lock = home / f".mfbo-{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]}.lock"
    try:
        handle = _locked(lock)
    except BlockingIOError as error:
        raise TrialFailed(
            f"another trial writes {str(path)!r} now; let each write its own, as with --out {{output}} in the "
            f"command and --metric-file {{output}}/{path.name}"
        ) from error
    except OSError:  # nothing can be made there, or the file system has no locks
        yield
        return
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _locked(lock: Path) -> int:
    """A descriptor of a lock file that this trial holds alone.

    Raises:
        BlockingIOError: another one holds it.
        OSError: it cannot be made or locked.
    """
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its trial ended just then, and has deleted it
