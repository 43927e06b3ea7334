"""The ledger of a run: an append-only journal of asks and results, one JSON object a line.

The first line is the header; then ``ask`` and ``result`` lines as things happen, and ``limits``, ``resume``, ``told``
and ``end`` lines where a run was extended, taken up again, told a result from elsewhere or ended. There is one writer
at a time. A last line that was cut off in mid-write is no record: readers pass over it, and the next writer removes it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from mfbo.errors import BadLedger, MfboError, RunError, RunExists, RunLocked, RunNotFound
from mfbo.fidelity import ETA
from mfbo.ledger.plan import plan_of
from mfbo.ledger.run import Header, Limits, Result, Run
from mfbo.ledger.schema import (
    Record,
    config_of,
    known_of,
    known_record,
    number,
    outcome_of,
    outcome_record,
    rung_of,
    rung_record,
    trial_of,
    whole,
)
from mfbo.search import Search
from mfbo.trial import Known, Outcome, Rung, Trial

FORMAT = 1
FILE = "ledger.jsonl"
DAMAGE = (KeyError, TypeError, ValueError, AttributeError)  # what a record that is no longer itself leads to


def read(folder: Path | str) -> Run:
    """Read the ledger in `folder`.

    Args:
        folder: of the run, or its ledger itself.

    Raises:
        RunNotFound: there is no ledger.
        RunError: it cannot be read.
        BadLedger: its header is missing, a line inside it is damaged, or a newer mfbo wrote it.
    """
    path = _file(Path(folder))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {str(path)!r}: {error.strerror}") from error
    return parse(content, path.parent)


def _file(folder: Path) -> Path:
    """The ledger in `folder`, which may be the ledger itself."""
    path = folder if folder.name == FILE and not folder.is_dir() else folder / FILE
    if not path.is_file():
        raise RunNotFound(f"no run in {str(folder)!r}: it has no {FILE}; give the folder that `mfbo tune` printed")
    return path


def parse(content: bytes, folder: Path | None = None) -> Run:
    """The run that the bytes of a ledger tell of; see `read`."""
    where = str(folder) if folder else "ledger"
    whole, newline, torn = content.rpartition(b"\n")
    lines = whole.split(b"\n") if newline else []
    if not lines:
        raise BadLedger(
            f"{where}: the ledger has no complete header line, so nothing ran; delete it and start the run anew"
        )
    run = _begin(_decode(lines[0], 1, where), where)
    run.folder, run.torn = folder, len(torn)
    for place, line in enumerate(lines[1:], start=2):
        record = _decode(line, place, where)
        try:
            _apply(run, record)
        except DAMAGE as error:
            text = f"{where}: line {place} of the ledger is damaged ({type(error).__name__}: {error})"
            raise BadLedger(f"{text}; restore it, or cut the file before that line") from error
    return run


def _decode(line: bytes, place: int, where: str) -> Record:
    try:
        record = _JSON.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise BadLedger(f"{where}: line {place} of the ledger is damaged; cut the file before that line") from error
    if not isinstance(record, dict) or "record" not in record:
        raise BadLedger(f"{where}: line {place} of the ledger is no record; cut the file before that line")
    return record


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} has no place in a ledger")


_JSON = json.JSONDecoder(parse_constant=_refuse)


def _begin(record: Record, where: str) -> Run:
    if record["record"] != "run":
        raise BadLedger(f"{where}: the ledger does not begin with a header; is it a ledger of mfbo?")
    version = record.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise BadLedger(f"{where}: the ledger has format {version!r}, this mfbo reads up to {FORMAT}; upgrade mfbo")
    try:
        values = {key: value for key, value in record.items() if key not in ("record", "format")}
        values["rungs"] = tuple(rung_of(rung) for rung in values["rungs"])
        values["limits"] = _limits(values["limits"])
        values["plan"] = plan_of(values.get("plan"))
        values["known"] = tuple(known_of(known) for known in values.get("known", ()))
        values["search"] = _search(values)
        header = Header(**values)
        _check(header)
    except (MfboError, *DAMAGE) as error:
        raise BadLedger(f"{where}: the ledger's header is damaged ({type(error).__name__}: {error})") from error
    return Run(header, header.limits)


def _search(values: Record) -> Search:
    """What was asked of the search, taken out of the header's values."""
    prior, objectives, bounds = values.pop("prior", None), values.pop("objectives", ()), values.pop("bounds", {})
    return Search(
        optimizer=values.pop("optimizer"),
        seed=whole(values.pop("seed")),
        path=values["fidelity"].get("path"),
        eta=whole(values.pop("eta", ETA), 2),
        prior=None if prior is None else config_of(prior),
        objectives=tuple(objectives),
        min_fidelity=number(bounds.get("min_fidelity", 0.0), 0),
        max_fidelity=number(bounds.get("max_fidelity", 1.0), 0),
    )


def _search_record(search: Search) -> Record:
    """What `_search` reads."""
    ends = {"min_fidelity": search.min_fidelity, "max_fidelity": search.max_fidelity}
    return {
        "optimizer": search.optimizer,
        "seed": search.seed,
        "eta": search.eta,
        "prior": search.prior,
        "objectives": list(search.objectives),
        "bounds": {name: end for name, end in ends.items() if end != getattr(Search, name)},
    }


def _limits(record: Record) -> Limits:
    limits = Limits(**record)
    for text in (limits.max_cost, limits.max_wall):
        if not isinstance(text, str | None):
            raise ValueError(f"limit {text!r}")
    if limits.max_trials is not None:
        whole(limits.max_trials, 1)
    return limits


def _check(header: Header) -> None:
    """Whether a header's parts are of the kind that they must be."""
    if not header.rungs:
        raise ValueError("no rungs")
    for value in (header.full_cost, header.optimum):
        if value is not None:
            number(value)
    texts = (
        header.task,
        header.optimizer,
        header.space_hash,
        header.source_hash,
        header.command,
        header.created,
    )
    maps = (header.grid or {}, header.fidelity, header.space, header.settings, header.versions, header.hardware)
    for kind, values in ((str, texts), (dict, maps)):
        if wrong := [value for value in values if not isinstance(value, kind)]:
            raise TypeError(f"{wrong[0]!r:.60} where a {kind.__name__} must be")
    for values in (header.grid or {}).values():
        if not isinstance(values, list) or not all(isinstance(value, bool | int | float | str) for value in values):
            raise TypeError(f"{values!r:.60} where values of a grid must be")


def _apply(run: Run, record: Record) -> None:
    kind = record["record"]
    if kind == "ask":
        run.ended = None
        run.add_ask(trial_of(record))
    elif kind == "result":
        run.add_result(_result(run, record))
    elif kind == "told":
        run.add_told(known_of(record))
    elif kind == "ladder":
        run.add_ladder(_grown(run, [rung_of(rung) for rung in record["rungs"]]))
    elif kind == "limits":
        run.limits = _limits(record["limits"])
    elif kind == "end":
        run.add_end(str(record["status"]), number(record["thinking"], 0), number(record["charge"], 0))
    elif kind == "resume":
        run.ended = None
    else:
        raise ValueError(f"unknown record {kind!r:.60}")


def _grown(run: Run, rungs: list[Rung]) -> tuple[Rung, ...]:
    """A ladder that begins with that of `run`."""
    old = run.header.rungs
    if tuple(rungs[: len(old)]) != old or len(rungs) <= len(old):
        raise ValueError("a ladder that does not grow out of the one before")
    return tuple(rungs)


def _result(run: Run, record: Record) -> Result:
    outcome, thinking = outcome_of(record), number(record["cost"]["optimizer"], 0)
    at = run.seconds + outcome.cost + thinking
    spent, wall = number(record["spent"], 0), number(record["wall"], 0)
    return Result(run.asks[record["trial"]], outcome, thinking, spent, at, wall)


class Ledger:
    """Writes a run to its folder, or keeps it in memory alone where `folder` is None.

    Use `create` or `reopen`; leave it by ``with`` or `close`. A result counts once `result` has returned: on a real
    clock it is on the disk by then. (A virtual run can be computed again, so it is spared the wait.)
    """

    def __init__(self, run: Run, fd: int | None) -> None:
        self.run = run
        self._fd = fd

    @staticmethod
    def create(header: Header, folder: Path | None) -> Ledger:
        """Begin a run.

        Raises:
            RunExists: `folder` holds a run already.
            RunError: it cannot be written.
        """
        run = Run(header, header.limits, folder)
        if folder is None:
            return Ledger(run, None)
        path = folder / FILE
        if path.exists():
            raise RunExists(f"{str(folder)!r} holds another run; give another --out, or `mfbo resume` that one")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise RunExists(f"cannot write to {str(folder)!r}: {error.strerror}; give another --out") from error
        ledger = Ledger(run, fd)
        try:
            _lock(fd, folder)
            known = [known_record(known) for known in header.known]
            values = {**asdict(header), **_search_record(header.search), "known": known}
            del values["search"]
            ledger._write({"record": "run", "format": FORMAT, **values}, sync=True)
            _sync_folder(folder)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @staticmethod
    def reopen(folder: Path) -> Ledger:
        """Go on with the run in `folder`; a torn last line is removed.

        Raises:
            RunLocked: another process writes to it.
            RunError: it cannot be written.
            RunNotFound, BadLedger: as `read`.
        """
        read(folder)
        folder = _file(folder).parent
        try:
            fd = os.open(folder / FILE, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise RunError(f"cannot write to {str(folder / FILE)!r}: {error.strerror}") from error
        try:
            _lock(fd, folder)
            run = read(folder)  # again: the other writer may have gone on until it let go
            if run.torn:
                os.ftruncate(fd, os.fstat(fd).st_size - run.torn)
        except BaseException:
            os.close(fd)
            raise
        return Ledger(run, fd)

    def ask(self, trial: Trial) -> None:
        """Record that `trial` starts."""
        self._write({"record": "ask", "trial": trial.id, "config": trial.config, "rung": rung_record(trial.rung)})
        self.run.add_ask(trial)

    def result(self, trial: Trial, outcome: Outcome, *, thinking: float, charge: float, wall: float) -> Result:
        """Record what became of `trial`.

        Args:
            trial: as it was asked.
            outcome: what came back.
            thinking: seconds of the optimizer.
            charge: what both cost in the budget's unit.
            wall: seconds on the run's clock.
        """
        at = self.run.seconds + outcome.cost + thinking
        result = Result(trial, outcome, thinking, self.run.spent + charge, at, wall)
        record = {"record": "result", "trial": trial.id, "spent": result.spent, "wall": wall, **outcome_record(outcome)}
        record["cost"]["optimizer"] = thinking
        self._write(record, sync=not outcome.virtual)
        self.run.add_result(result)
        return result

    def ladder(self, rungs: Sequence[Rung]) -> None:
        """Record that the ladder has grown to `rungs`."""
        self._write({"record": "ladder", "rungs": [rung_record(rung) for rung in rungs]}, sync=True)
        self.run.add_ladder(tuple(rungs))

    def limits(self, **changes: Any) -> None:
        """Record new limits, keywords as in `Limits`."""
        limits = replace(self.run.limits, **changes)
        self._write({"record": "limits", "limits": asdict(limits)}, sync=True)
        self.run.limits = limits

    def told(self, known: Known, **facts: str) -> None:
        """Record a result from elsewhere."""
        self._write({"record": "told", **known_record(known), **facts}, sync=True)
        self.run.add_told(known)

    def resume(self, **facts: str) -> None:
        """Record that the run is taken up again."""
        self._write({"record": "resume", **facts}, sync=True)
        self.run.ended = None

    def end(self, status: str, *, thinking: float = 0.0, charge: float = 0.0) -> None:
        """Record that the run ended and why, and the thinking since the last result."""
        self._write({"record": "end", "status": status, "thinking": thinking, "charge": charge}, sync=True)
        self.run.add_end(status, thinking, charge)

    def close(self) -> None:
        """Let go of the file; another process may write then."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _write(self, record: Record, sync: bool = False) -> None:
        if self._fd is None:
            return
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        while line:  # a line longer than the system takes at once
            line = line[os.write(self._fd, line) :]
        if sync:
            os.fsync(self._fd)


def _sync_folder(folder: Path) -> None:
    """Have the system write down that there is a new file in `folder`."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def in_use(folder: Path | str) -> bool:
    """Whether a process is writing to the run in `folder` now."""
    with _file(Path(folder)).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _lock(fd: int, folder: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunLocked(f"another process is writing to {str(folder)!r}; wait for it or stop it") from error
