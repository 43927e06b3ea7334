"""Writing a ledger: one writer at a time, each line at the end of the file and on the disk before the run goes on.

The header is written aside and linked into place, so that there is a whole one or none: a file without is as good as
absent. Until then a new run's command lies in `COMMAND`, as whoever finds the folder after a kill may want it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from mfbo.errors import DamagedLedger, RunError, RunExists, RunLocked
from mfbo.files.plain import sync
from mfbo.ledger import records
from mfbo.ledger.journal import COMMAND, FILE, begun, check_links, path_of, read
from mfbo.ledger.plan import Step
from mfbo.ledger.records import FORMAT, encode
from mfbo.ledger.run import Header, Limits, Result, Run
from mfbo.trial import Known, Outcome, Rung, Trial

SYNC_INTERVAL = 1.0  # seconds: of computing, or by the clock, that a power cut may take; a disk's answer can take 20 ms


def repair(folder: Path | str) -> str:
    """Cut a damaged ledger before its first damaged line, in words; what it was is kept beside it.

    Raises:
        RunLocked: another process writes to it.
        BadLedger: nothing of it can be kept.
        RunNotFound, RunError: as `read`.
    """
    path = path_of(Path(folder))
    check_links(path.parent)
    try:
        read(folder)
    except DamagedLedger as damage:
        if damage.line == 1:
            raise
        with path.open("r+b") as file:
            _lock(file.fileno(), path.parent)
            aside = path.with_suffix(".damaged")
            shutil.copyfile(path, aside)
            file.truncate(damage.offset)
            os.fsync(file.fileno())
        kept = f"its first {damage.line - 1} lines are kept"
        return f"line {damage.line} of the ledger was damaged; {kept}, and all that it was is in {str(aside)!r}"
    return "nothing of the ledger is damaged"


def is_free(folder: Path) -> bool:
    """Whether nothing lies in `folder`, or it is not there; the command of a run that is prepared counts as nothing."""
    return not folder.exists() or (folder.is_dir() and all(path.name == COMMAND for path in folder.iterdir()))


@contextmanager
def announced(folder: Path | None, command: str) -> Iterator[Callable[[], None]]:
    """While a run is prepared, which may take a while: keep its command, in case it is killed before its ledger.

    Where the preparation fails, nothing is left of it; what is returned takes it back as well, for another folder.

    Raises:
        RunExists: `folder` holds a run already, or cannot be written.
    """
    if folder is None or not command:
        yield lambda: None
        return
    if begun(folder):
        raise _other(folder)
    check_links(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]

    def withdraw() -> None:
        (folder / COMMAND).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else has put something into one of them
            for path in made:
                path.rmdir()

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / COMMAND).write_text(command + "\n", encoding="utf-8", errors="backslashreplace")
        file = (folder / COMMAND).open("rb")
    except OSError as error:
        raise RunExists(f"cannot write to {str(folder)!r}: {error.strerror}; give another --out") from error
    with file:
        with suppress(OSError):  # held already where a part of a command announces what the whole of it has
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield withdraw
        except BaseException:
            withdraw()
            raise


class Ledger:
    """Writes a run to its folder, or keeps it in memory alone where `folder` is None.

    Use `create` or `reopen`; leave it by ``with`` or `close`. A result counts once `result` has returned: the system
    has it by then, and no kill takes it. On a real clock it is on the disk, too, unless it took less than
    `SYNC_INTERVAL` and one of so short a while ago is. (A virtual run can be computed again, so it is spared the wait.)
    """

    def __init__(self, run: Run, fd: int | None) -> None:
        self.run = run
        self._fd = fd
        self._size = 0 if fd is None else os.fstat(fd).st_size
        self._synced = time.monotonic()

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
        if begun(folder):
            raise _other(folder)
        check_links(folder)
        aside = folder / f".{FILE}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(aside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise RunExists(f"cannot write to {str(folder)!r}: {error.strerror}; give another --out") from error
        ledger = Ledger(run, fd)
        try:
            _lock(fd, folder)
            ledger._write(records.Begin(FORMAT, header), sync=True)
            _put(aside, folder)
        except BaseException:
            ledger.close()
            aside.unlink(missing_ok=True)
            raise
        (folder / COMMAND).unlink(missing_ok=True)
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
        folder = path_of(folder).parent
        check_links(folder)
        try:
            fd = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
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
        self._write(records.Ask(trial.id, trial.config, trial.rung))
        self.run.add_ask(trial)

    def result(self, trial: Trial, outcome: Outcome, *, overhead: float, charge: float, wall: float) -> Result:
        """Record what became of `trial`.

        Args:
            trial: as it was asked.
            outcome: what came back.
            overhead: seconds of the run itself.
            charge: what both cost in the budget's unit.
            wall: seconds on the run's clock.
        """
        at = self.run.seconds + outcome.cost + overhead
        result = Result(trial, outcome, overhead, self.run.spent + charge, at, wall)
        kept = replace(outcome, pace=None) if outcome.pace is not None else outcome
        due = outcome.cost >= SYNC_INTERVAL or time.monotonic() >= self._synced + SYNC_INTERVAL
        self._write(records.Ended(trial.id, kept, overhead, result.spent, wall), sync=due and not outcome.virtual)
        self.run.add_result(result)
        return result

    def ladder(self, rungs: Sequence[Rung], *, best: bool = False) -> None:
        """Record that the ladder has grown to `rungs`; where `best`, the best goes to the highest next."""
        self._write(records.Ladder(tuple(rungs), best), sync=True)
        self.run.add_ladder(tuple(rungs), best=best)

    def planned(self, steps: tuple[Step, ...]) -> None:
        """Record what the whole budget buys by what trials cost now."""
        self._write(records.Planned(steps))
        self.run.planned = steps

    def limits(self, limits: Limits) -> None:
        """Record new limits."""
        self._write(records.NewLimits(limits), sync=True)
        self.run.limits = limits

    def told(self, known: Known, *, at: str = "", command: str = "") -> None:
        """Record a result that was measured outside the run."""
        self._write(records.Told(known, at, command), sync=True)
        self.run.add_told(known)

    def resume(self, *, at: str = "", command: str = "") -> None:
        """Record that the run is resumed."""
        self._write(records.Resumed(at, command), sync=True)
        self.run.ended = None

    def end(self, status: str, *, overhead: float = 0.0, charge: float = 0.0) -> None:
        """Record that the run ended and why, and the overhead since the last result."""
        self._write(records.End(status, overhead, charge), sync=True)
        self.run.add_end(status, overhead, charge)

    def close(self) -> None:
        """Let go of the file; another process may write then."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _write(self, record: records.Record, sync: bool = False) -> None:
        if self._fd is None:
            return
        self._check_alone()
        line, check = encode(record, self.run.check)
        while line:  # a line longer than the system takes at once
            written = os.write(self._fd, line)
            line, self._size = line[written:], self._size + written
        self.run.check = check
        if sync:
            os.fsync(self._fd)
            self._synced = time.monotonic()

    def _check_alone(self) -> None:
        """Notice that somebody else, such as a trial, has deleted the ledger or written to it: it would be lost.

        Raises:
            RunError: that is so.
        """
        assert self._fd is not None
        try:
            found = os.fstat(self._fd)
        except OSError as error:
            raise RunError(f"a trial has closed the ledger ({error.strerror}): give --workers 1") from error
        if found.st_nlink == 0:
            raise RunError(f"the ledger of {str(self.run.folder)!r} was deleted while the run went on; nothing is kept")
        if found.st_size != self._size:
            fix = f"mfbo resume {self.run.folder} --repair"
            raise RunError(f"something else has written to the ledger of {str(self.run.folder)!r}; go on with: {fix}")


def _put(aside: Path, folder: Path) -> None:
    """Give a new ledger its name: at once, and never in place of one that is there."""
    path = folder / FILE
    if path.exists() and not begun(folder):
        path.unlink(missing_ok=True)  # it never had a whole header, and counts as absent
    try:
        os.link(aside, path)
        aside.unlink()
    except FileExistsError as error:
        raise _other(folder) from error
    except OSError:  # a file system without links
        if begun(folder):
            raise _other(folder) from None
        aside.replace(path)
    sync(folder)


def _other(folder: Path) -> RunExists:
    return RunExists(f"{str(folder)!r} holds another run; give another --out, or `mfbo resume` that one")


def _lock(fd: int, folder: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunLocked(f"another process is writing to {str(folder)!r}; wait for it or stop it") from error
