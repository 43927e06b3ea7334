"""The ledger of a run: an append-only journal of asks and results, one JSON object a line.

The first line is the header; then ``ask`` and ``result`` lines as things happen, and ``limits``, ``resume``, ``told``
and ``end`` lines where a run was extended, resumed, told a result that was measured outside the run or ended; see
`mfbo.ledger.records`. A last line that was cut off in mid-write is no record: readers pass over it, and the next writer
(`mfbo.ledger.writer`) removes it. Any other damage is refused. A file without a whole header counts as absent.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from pathlib import Path

import msgspec

from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadLedger, BadValue, DamagedLedger, RunError, RunNotFound
from mfbo.files.plain import check_plain, read_plain
from mfbo.ledger import records
from mfbo.ledger.records import DAMAGE, FORMAT, decode
from mfbo.ledger.run import Header, Result, Run
from mfbo.trial import Rung, Trial

FILE = "ledger.jsonl"
COMMAND = "command.txt"
MAX_COMMAND_BYTES = 2**16
MAX_LEDGER_BYTES = 2**29  # half a million trials; more would fill the memory
OWN_FILES = (
    FILE,
    COMMAND,
    "ledger.damaged",
    "checkpoints",
    "logs",
    "best",
    ".best",
    ".measured",
)  # what a run writes in its folder


def read(folder: Path | str) -> Run:
    """Read the ledger in `folder`.

    Args:
        folder: of the run, or its ledger itself.

    Raises:
        RunNotFound: there is no ledger, or none with a whole header.
        RunError: it cannot be read.
        BadLedger: a line of it is damaged, or another mfbo wrote it.
    """
    path = path_of(Path(folder))
    try:
        with path.open("rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > MAX_LEDGER_BYTES:
                limit = f"{MAX_LEDGER_BYTES / 2**20:g} MiB"
                raise BadLedger(f"{str(path)!r} has {size / 2**30:.3g} GiB; a ledger has {limit} at most: is it one?")
            content = file.read()
    except OSError as error:
        raise RunError(f"cannot read {str(path)!r}: {error.strerror}") from error
    return parse(content, path.parent)


def read_header(folder: Path | str) -> Header:
    """The header of the run in `folder`, without the rest of its ledger.

    Raises:
        RunNotFound, RunError, BadLedger: as `read`.
    """
    path = path_of(Path(folder))
    try:
        with path.open("rb") as file:
            line = file.readline(MAX_LEDGER_BYTES)
    except OSError as error:
        raise RunError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if not line.endswith(b"\n"):
        raise _nothing_kept(path.parent)
    return _begin(line[:-1], path.parent).header


def check_links(folder: Path) -> None:
    """Make sure, before anything is run or written there, that nothing of a run's folder leads out of it.

    Raises:
        RunError: a file or folder that mfbo reads or writes there is a link, or no plain file.
    """
    if link := next((path for name in OWN_FILES if (path := folder / name).is_symlink()), None):
        raise RunError(f"{str(link)!r} is a link, which is not followed; put the file or folder itself there")
    try:
        Checkpoints(folder / "checkpoints").check()
        if (folder / "logs").is_dir():
            check_plain(folder / "logs")
    except BadValue as error:
        raise RunError(str(error)) from error


def begun(folder: Path | str) -> bool:
    """Whether there is a ledger with a whole header: a file without counts as absent."""
    try:
        with (Path(folder) / FILE).open("rb") as file:
            return file.readline().endswith(b"\n")
    except OSError:
        return False


def announced_command(folder: Path) -> str:
    """The command of a run that is being prepared in `folder`, or was killed meanwhile; empty where there is none."""
    try:
        text = " ".join(read_plain(folder / COMMAND, MAX_COMMAND_BYTES).decode("utf-8").split())
    except (OSError, ValueError, BadValue):
        return ""
    return text if text.startswith("mfbo ") else ""


def in_use(folder: Path, name: str = FILE) -> bool:
    """Whether a process is writing to the run in `folder` now, or, by the name `COMMAND`, preparing it."""
    try:
        with (folder / name).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def path_of(folder: Path) -> Path:
    """The ledger in `folder`, which may be the ledger itself."""
    path = folder if folder.name == FILE and not folder.is_dir() else folder / FILE
    if path.is_file():
        return path
    if (path.parent / COMMAND).is_file():
        raise _nothing_kept(path.parent)
    raise RunNotFound(f"no run in {str(folder)!r}: it has no {FILE}; give the folder that `mfbo tune` printed")


def _nothing_kept(folder: Path | None) -> RunNotFound:
    """What to say of a run that was killed before its ledger was there, or that is not so far."""
    where, command = str(folder) if folder else "ledger", announced_command(folder) if folder else ""
    if folder and in_use(folder, COMMAND):
        return RunNotFound(f"{where}: the run is being prepared, and has no ledger yet; wait for it, or stop it")
    fix = f"start it again with: {command}" if command else "start it again with the same `mfbo tune` command"
    return RunNotFound(f"{where}: the run ended before its ledger was written, and nothing was kept; {fix}")


def parse(content: bytes, folder: Path | None = None) -> Run:
    """The run that the bytes of a ledger tell of; see `read`."""
    whole, newline, torn = content.rpartition(b"\n")
    if not newline:
        raise _nothing_kept(folder)
    lines = whole.split(b"\n")
    run, offset = _begin(lines[0], folder), len(lines[0]) + 1
    run.folder, run.torn = folder, len(torn)
    for number, line in enumerate(lines[1:], start=2):
        try:
            record, run.check = decode(line, run.check)
            _apply(run, record)
        except DAMAGE as error:
            raise _damaged(folder, number, offset, error) from error
        offset += len(line) + 1
    return run


def _damaged(folder: Path | None, number: int, offset: int, error: Exception) -> DamagedLedger:
    where = str(folder) if folder else "ledger"
    reason = " ".join(str(error).split())[:160]
    text = f"{where}: line {number} of the ledger is damaged ({reason})"
    if number == 1:
        return DamagedLedger(f"{text}; it is the header, without which nothing can be read: start the run anew", 1, 0)
    fix = f"mfbo resume {shlex.quote(where)} --repair" if folder else "--repair"
    return DamagedLedger(f"{text}; restore it, or keep the {number - 1} lines before it with: {fix}", number, offset)


def _begin(line: bytes, folder: Path | None) -> Run:
    """The run of a header."""
    where = str(folder) if folder else "ledger"
    try:
        values = msgspec.json.decode(line)
    except DAMAGE as error:
        raise _damaged(folder, 1, 0, error) from error
    if not isinstance(values, dict) or values.get("record") != "run":
        raise BadLedger(f"{where}: the ledger does not begin with a header; is it a ledger of mfbo?")
    version = values.get("format")
    if type(version) is int and 1 <= version < FORMAT:
        raise BadLedger(
            f"{where}: the ledger has format {version}, of an earlier mfbo, and this one reads {FORMAT}; "
            "look at it with the mfbo that wrote it, or start the run anew in another folder"
        )
    if type(version) is int and version > FORMAT:
        raise BadLedger(f"{where}: the ledger has format {version}, this mfbo reads {FORMAT}; upgrade mfbo")
    if type(version) is not int or version != FORMAT:
        raise BadLedger(f"{where}: the ledger has format {version!r:.60}, which no mfbo writes; start the run anew")
    try:
        record, check = decode(line, "")
    except DAMAGE as error:
        raise _damaged(folder, 1, 0, error) from error
    assert isinstance(record, records.Begin)
    run = Run(record.run, record.run.limits)
    run.check = check
    return run


def _apply(run: Run, record: records.Record) -> None:
    if isinstance(record, records.Ask):
        run.ended = None
        run.add_ask(Trial(record.trial, record.config, record.rung))
    elif isinstance(record, records.Ended):
        run.add_result(_result(run, record))
    elif isinstance(record, records.Told):
        run.add_told(record.known)
    elif isinstance(record, records.Ladder):
        run.add_ladder(_grown(run, record.rungs), best=record.best)
    elif isinstance(record, records.Planned):
        run.planned = record.steps
    elif isinstance(record, records.NewLimits):
        if record.limits.unit != run.limits.unit:
            raise ValueError("limits in another unit of cost")
        run.limits = record.limits
    elif isinstance(record, records.End):
        run.add_end(record.status, record.overhead, record.charge)
    elif isinstance(record, records.Resumed):
        run.ended = None
    else:
        raise ValueError("a second header")


def _result(run: Run, record: records.Ended) -> Result:
    if record.trial not in run.asks:
        raise ValueError(f"trial {record.trial} was never asked")
    if record.spent < run.spent * (1 - 1e-9):
        raise ValueError(f"less is spent after it, {record.spent:.6g}, than before, {run.spent:.6g}")
    at = run.seconds + record.outcome.cost + record.overhead
    return Result(run.asks[record.trial], record.outcome, record.overhead, record.spent, at, record.wall)


def _grown(run: Run, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """A ladder that begins with that of `run`, or with which that begins if no trial was asked for above it."""
    old = run.header.rungs
    both = min(len(old), len(rungs))
    asked = {trial.rung for trial in run.asks.values()}
    if not rungs or rungs[:both] != old[:both] or len(rungs) == len(old) or asked & set(old[both:]):
        raise ValueError("a ladder that does not grow out of the one before")
    return rungs
