"""One run of the fault matrix, and the watch beside it: what it took by the clock, and what it left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from fault_kinds import AT_IMPORT, FAULTS, FAULTY, MARK, TRIAL_TIME

from mfbo.errors import MfboError
from mfbo.files.plain import remove
from mfbo.ledger.journal import FILE, read

LIMIT = 3.0  # seconds of a run, of cost or by the clock
WORKERS_WALL = 10.0  # seconds by the clock with workers, which have to import the task in that time
MEMORY = 0.5  # GiB that a trial may hold
HUNG = 90.0  # seconds after its first trial in which a run must end, or has not survived
SETTLED = 5.0  # seconds after a run in which all that it started must be gone
ACT = 1.5  # seconds after its first trial until something is done to a run
ROOM = 2**22  # bytes of a disk that becomes full
PAUSED = ("the disk is full", "could not begin", "cannot write to", "was deleted while the run went on")
KILLED = ("run is killed", "stopped, then killed")
RUN_KINDS = (*KILLED, "run is stopped", "command prints", "folder is deleted", "folder is read-only")
MORE_RUN_KINDS = ("no room left",) if sys.platform == "linux" and os.geteuid() == 0 else ()
OURS = ("faults-", "mfbo-loopback-", "dask-", "pymp-")  # beginnings of names that are in the temporary folder by right


@dataclass
class Watched:
    """One run, as the watch beside it saw it.

    Attributes:
        code: exit code; None where it had to be killed.
        said: on standard output and standard error.
        seconds: from the first trial to the last line of its ledger.
        limit: seconds that it had, when it was resumed in all.
        folder: of the run.
        log: what its trials wrote down.
    """

    code: int | None
    said: tuple[str, str]
    seconds: float
    limit: float
    folder: Path
    log: list[list[str]]


@dataclass
class Cell:
    """One run with one kind of fault on one executor, with one limit.

    Attributes:
        kind: of fault.
        where: ``inline``, ``local`` or ``Dask``.
        limit: ``--max-cost`` or ``--max-wall``.
        survived: whether the run came to its end as it should.
        lost: trials that were finished and are not in the ledger as such.
        over_cost: seconds beyond the limit of cost by the run's own account; 0 with a limit of wall time.
        over_clock: seconds beyond the limit from the first trial to the ledger's last line by the watch.
        uncharged: seconds by that clock that were not charged.
        left: processes and files that are there `SETTLED` seconds later.
        why: what was wrong.
    """

    kind: str
    where: str
    limit: str
    survived: bool = False
    lost: int = 0
    over_cost: float = 0.0
    over_clock: float = 0.0
    uncharged: float = 0.0
    left: tuple[str, ...] = ()
    why: str = ""


def cell(kind: str, where: str, limit: str, *options: str, seed: int = 5) -> Cell:
    """Do one run; `options` choose the executor. With seed 5 good and faulty trials take turns at first."""
    found = Cell(kind, where, limit)
    with _folder() as folder, _small(folder, kind) as home:
        judge(found, watched(home, kind, limit, seed, options))
    if kind in KILLED:  # the next start clears up
        with _folder() as folder:
            _started(["tune", "branin", "--max-cost", "1x", "--out", f"{folder}/run"], folder).wait()
    return found


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder, into which a trial may have put others too deep for what Python has to delete them."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        yield folder
    finally:
        remove(folder)


@contextmanager
def _small(home: Path, kind: str) -> Iterator[Path]:
    """The folder itself; for one kind as a disk of its own with little room, for temporary files, too."""
    if kind != "no room left":
        yield home
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(home)], check=True)
    kept = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(home)
    try:
        yield home
    finally:
        os.environ.pop("TMPDIR") if kept is None else os.environ.update(TMPDIR=kept)
        subprocess.run(["umount", "-l", str(home)], check=True)


def watched(home: Path, kind: str, limit: str, seed: int, where: tuple[str, ...]) -> Watched:
    """One run of the command line, in a folder of its own."""
    task = shutil.copyfile(Path(__file__).with_name("fault_kinds.py"), home / "fault_kinds.py")
    if kind in AT_IMPORT:
        (home / "kind").write_text(kind)
    words = ["tune", f"{task}:task", "--option", f"fault={kind}", "--option", f"log={home / 'log'}"]
    if kind == "command prints":
        (home / "space.yaml").write_text("x: [0.0, 1.0]\n")
        script = (
            f"echo began {{x}} 0 >> {home / 'log'}; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo loss: {{x}}"
        )
        words = ["tune", f'sh -c "{script}"', "--space", str(home / "space.yaml")]
    inline = "0" in where
    amount = limit_of(limit, inline=inline)
    trial_time = FAULTS[kind].trial_time if kind in FAULTS else TRIAL_TIME
    words += ["--optimizer", "random", "--seed", str(seed), limit, f"{amount:g}s", "--max-trial-time", trial_time]
    memory = [] if inline else ["--max-trial-memory", str(MEMORY)]
    run = _started([*words, *memory, *where, "--json", "--out", str(home / "run")], home)
    began, code = _followed(run, kind, home)
    seconds = _ended(home) - began - 3.0 * _stops(kind, home)
    out, err = _said(home)
    again = kind in KILLED or (kind in ("no room left", "folder is read-only") and code == 2)
    if again:
        time.sleep(1)
        _mend(home)
        amount *= 2  # for what could not be written down, and has to be done again
        code = _started(["resume", str(home / "run"), limit, f"{amount:g}s", *where, "--json"], home).wait(HUNG)
        out, err = _said(home)
        seconds = 0.0  # of two processes, with a pause between
    return Watched(code, (out, err), seconds, amount, home / "run", _log(home))


def _said(home: Path) -> tuple[str, str]:
    return (home / "out").read_text(errors="replace"), (home / "err").read_text(errors="replace")


def _ended(home: Path) -> float:
    """When the last line of its ledger was written, by the monotonic clock; now where there is none."""
    try:
        return (home / "run" / FILE).stat().st_mtime - time.time() + time.monotonic()
    except OSError:
        return time.monotonic()


def _stops(kind: str, home: Path) -> int:
    """How often it stood still for three seconds, which are not charged."""
    if kind == "SIGSTOP":
        return sum(line[0] == "began" and float(line[1]) >= FAULTY for line in _log(home))
    return int(kind == "run is stopped")


def _started(words: list[str], home: Path) -> subprocess.Popen[bytes]:
    with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
        command = [sys.executable, "-m", "mfbo", *words]
        waits, end = os.pipe()  # standard input has no end, and nothing to read
        run = subprocess.Popen(command, cwd=home, stdin=waits, stdout=out, stderr=err)
    os.close(waits)
    weakref.finalize(run, os.close, end)
    return run


def _followed(run: subprocess.Popen[bytes], kind: str, home: Path) -> tuple[float, int | None]:
    """When its first trial began, and its exit code; what is to be done to it is done on the way."""
    began, to_do = 0.0, kind in ("command prints", *RUN_KINDS, *MORE_RUN_KINDS)
    while run.poll() is None:
        time.sleep(0.01)
        if not began and (lines := _log(home)):
            began = float(lines[0][2]) or time.monotonic()
        if began and to_do and time.monotonic() > began + ACT:
            to_do = False
            _do(run, kind, home)
        if began and time.monotonic() > began + HUNG:
            for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
                with suppress(psutil.Error):
                    process.kill()
            run.wait()
            return began, None
    return began or time.monotonic(), run.returncode


def _do(run: subprocess.Popen[bytes], kind: str, home: Path) -> None:
    """What happens to a run."""
    if kind == "run is killed":
        run.kill()
    elif kind in ("run is stopped", "stopped, then killed"):
        processes = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
        for what in (signal.SIGSTOP, signal.SIGCONT):
            for process in processes:
                with suppress(psutil.Error):
                    process.send_signal(what)
            if kind in KILLED:
                run.kill()
                return
            time.sleep(3.0 if what == signal.SIGSTOP else 0.0)
    elif kind == "folder is deleted":
        shutil.rmtree(home / "run", ignore_errors=True)
    elif kind == "folder is read-only":
        _make_immutable(home / "run", "+i")
    elif kind == "no room left":
        with suppress(OSError), (home / "full").open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()


def _make_immutable(folder: Path, how: str) -> None:
    for path in (folder / "checkpoints", folder / "logs", folder):
        if path.exists():
            subprocess.run(["chattr", how, str(path)], check=False, capture_output=True)


def _mend(home: Path) -> None:
    (home / "full").unlink(missing_ok=True)
    _make_immutable(home / "run", "-i")


def _log(home: Path) -> list[list[str]]:
    try:
        return [line.split() for line in (home / "log").read_text().splitlines() if line.count(" ")]
    except OSError:
        return []


def judge(found: Cell, run: Watched) -> None:
    """Judge a run."""
    kind = found.kind
    status = FAULTS[kind].status if kind in FAULTS else "ok"
    ends = "pause" in status or (kind in AT_IMPORT and run.code == 2) or kind == "folder is deleted"
    if ends:
        said = any(words in run.said[1] for words in PAUSED)
        found.survived = run.code == 2 and said and "Traceback" not in run.said[1]
    try:
        ledger = read(run.folder)
    except MfboError as error:
        found.why = "" if ends and found.survived else f"{run.code}, {error}, {run.said[1][-300:]!r}"
        return
    finished = {line[1] for line in run.log if line[0] == "finished"}
    asked = {repr(trial.config["x"]) for trial in ledger.asks.values()}
    kept = {repr(result.trial.config["x"]) for result in ledger.results if result.outcome.status == "ok"}
    faulty = [result.outcome for result in ledger.results if float(result.trial.config["x"]) >= FAULTY]
    statuses = {outcome.status for outcome in faulty} - {"stopped", "lost"}
    others = {one.outcome.status for one in ledger.results if one.outcome not in faulty} - {"ok", "stopped", "lost"}
    if not ends:
        in_order = run.code in (0, 1) and _readable(run.said[0]) and statuses <= set(status.split()) and not others
        found.survived = in_order and bool(faulty or kind in (*RUN_KINDS, *MORE_RUN_KINDS))
    if not found.survived:
        found.why = f"{run.code}, {sorted(statuses)}, {sorted(others)} of others, {run.said[1][-300:]!r}"
    found.lost = len((finished & asked) - kept)
    found.over_clock = max(0.0, run.seconds - run.limit)
    found.over_cost = max(0.0, ledger.spent - run.limit) if found.limit == "--max-cost" else 0.0
    found.uncharged = max(0.0, run.seconds - ledger.seconds)


def limit_of(limit: str, *, inline: bool) -> float:
    """Seconds of a limit of cost or wall time."""
    return WORKERS_WALL if limit == "--max-wall" and not inline else LIMIT


def _readable(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def left(mark: str) -> list[str]:
    """What is left of processes with `mark` in their environment, and in temporary folder and shared memory."""
    limit = time.monotonic() + SETTLED
    while (found := _left(mark)) and time.monotonic() < limit:
        time.sleep(0.1)
    return found


def _left(mark: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            started_here = process.environ().get(MARK) == mark and process.pid != os.getpid()
            if started_here and not any("distributed" in word for word in process.cmdline()):
                found.append(" ".join(process.cmdline())[:100])
    names = [path.name for path in Path(tempfile.gettempdir()).iterdir()]
    names += [path.name for path in Path("/dev/shm").glob(f"{mark[:12]}*")] if Path("/dev/shm").is_dir() else []
    return found + [name for name in names if not name.startswith(OURS)]


def clear(mark: str) -> None:
    """End and delete what was left, so that the next run is not blamed for it."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                process.kill()
    for path in Path(tempfile.gettempdir()).iterdir():
        if not path.name.startswith(OURS):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
