"""Does a run survive what its trials do, hold its limits by the clock of a watch beside it, and leave nothing behind?

    python experiments/faults.py [--runs N] [KIND ...]

Each cell is runs of the command line, in turn with a limit of cost and one of wall time, about half of whose trials are
faulty: how many survived of those that were tried. A run survives if it comes to its end by itself, in order and with
the right status for each fault, and what it prints can be read. Faults that end a process are not tried inline.

Lost are trials that came to their end, by their own account, and are not in the ledger as such. A watch in a process of
its own tells by how many seconds a run passed its limit of cost by its own account, by how many the clock from its
first trial to the last line of its ledger passed the limit, and how many seconds by that clock it was not charged.
Left are processes, and files in the temporary folder, that are there 5 s after the last run of a kind.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
from fault_kinds import AT_IMPORT, FAULTS, FAULTY, MARK
from loopback import Loopback
from table import Table, footer, judged

from mfbo.errors import MfboError
from mfbo.ledger.journal import FILE, read

LIMIT = 5.0  # seconds of a run, of cost or by the clock
TRIAL = "1s"  # that a trial may take
MEMORY = 0.5  # GiB that a trial may hold
HUNG = 90.0  # seconds after its first trial in which a run must end, or has not survived
COST_OVER, WALL_OVER, UNCHARGED = 1.0, 2.0, 2.0  # seconds that are allowed; a trial has up to 1 s to report
SETTLED = 5.0  # seconds after the last run of a kind
PAUSED = ("the disk is full", "could not begin")  # what a run that is paused says
TASK = Path(__file__).with_name("fault_kinds.py")
RUN_KINDS = ("run is killed", "run is stopped", "command prints")  # what is done to a run, or by a command


@dataclass
class Cell:
    """Runs with one kind of fault on one executor.

    Attributes:
        tried: runs.
        survived: those that went to their end as they should.
        lost: trials that were finished and are not in the ledger as such.
        over_cost: seconds beyond the limit of cost by the run's own account, at most.
        over_clock: seconds beyond the limit from the first trial to the ledger's last line by the watch, at most.
        uncharged: seconds by that clock that were not charged, at most.
    """

    tried: int = 0
    survived: int = 0
    lost: int = 0
    over_cost: float = 0.0
    over_clock: float = 0.0
    uncharged: float = 0.0

    @property
    def good(self) -> bool:
        """Whether all that is promised was kept."""
        kept = self.survived == self.tried and not self.lost
        limits = self.over_cost <= COST_OVER and self.over_clock <= WALL_OVER and self.uncharged <= UNCHARGED
        return kept and limits


@dataclass
class Watched:
    """One run, as the watch beside it saw it.

    Attributes:
        code: exit code; None where it had to be killed.
        said: on standard output and standard error.
        seconds: from the first trial to the last line of its ledger.
        folder: of the run.
        log: what its trials wrote down.
    """

    code: int | None
    said: tuple[str, str]
    seconds: float
    folder: Path
    log: list[list[str]]


def cell(kind: str, runs: int, *where: str) -> Cell:
    """Run it so many times; `where` are options that choose the executor."""
    found = Cell()
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="faults-") as name:
            limit = "--max-wall" if number % 2 else "--max-cost"
            _take(found, kind, limit, watched(Path(name), kind, limit, number, where))
    return found


def watched(home: Path, kind: str, limit: str, seed: int, where: tuple[str, ...]) -> Watched:
    """One run of the command line, in a folder of its own."""
    task = shutil.copyfile(TASK, home / TASK.name)
    if kind in AT_IMPORT:
        (home / "kind").write_text(kind)
    words = ["tune", f"{task}:task", "--option", f"fault={kind}", "--option", f"log={home / 'log'}"]
    if kind == "command prints":
        (home / "space.yaml").write_text("x: [0.0, 1.0]\n")
        script = (
            f"echo began {{x}} 0 >> {home / 'log'}; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo loss: {{x}}"
        )
        words = ["tune", f'sh -c "{script}"', "--space", str(home / "space.yaml")]
    words += ["--optimizer", "random", "--seed", str(seed), limit, f"{LIMIT:g}s", "--max-trial-time", TRIAL]
    memory = [] if "0" in where else ["--max-trial-memory", str(MEMORY)]
    run = _started([*words, *memory, *where, "--json", "--out", str(home / "run")], home)
    began, code = _followed(run, kind, home)
    seconds = _ended(home) - began - 3.0 * _stops(kind, home)
    out, err = (home / "out").read_text(errors="replace"), (home / "err").read_text(errors="replace")
    if kind == "run is killed":
        time.sleep(1)
        again = _started(["resume", str(home / "run"), limit, f"{LIMIT:g}s", *where, "--json"], home)
        code = again.wait(HUNG)
        out, err = (home / "out").read_text(errors="replace"), (home / "err").read_text(errors="replace")
        seconds = 0.0  # of two processes, with a pause between
    return Watched(code, (out, err), seconds, home / "run", _log(home))


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
        return subprocess.Popen([sys.executable, "-m", "mfbo", *words], cwd=home, stdout=out, stderr=err)


def _followed(run: subprocess.Popen[bytes], kind: str, home: Path) -> tuple[float, int | None]:
    """When its first trial began, and its exit code; what is to be done to it is done on the way."""
    began, to_do = 0.0, kind in ("run is killed", "run is stopped")
    while run.poll() is None:
        time.sleep(0.01)
        if not began and (lines := _log(home)):
            began = float(lines[0][2]) or time.monotonic()
        if began and to_do and time.monotonic() > began + 1.5:
            to_do = False
            _do(run, kind)
        if began and time.monotonic() > began + HUNG:
            for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
                with suppress(psutil.Error):
                    process.kill()
            run.wait()
            return began, None
    return began or time.monotonic(), run.returncode


def _do(run: subprocess.Popen[bytes], kind: str) -> None:
    if kind == "run is killed":
        run.kill()
        return
    processes = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
    for what in (signal.SIGSTOP, signal.SIGCONT):
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(what)
        time.sleep(3.0 if what == signal.SIGSTOP else 0.0)


def _log(home: Path) -> list[list[str]]:
    try:
        return [line.split() for line in (home / "log").read_text().splitlines() if line.count(" ")]
    except OSError:
        return []


def _take(found: Cell, kind: str, limit: str, run: Watched) -> None:
    """Judge a run."""
    found.tried += 1
    status = FAULTS[kind].status if kind in FAULTS else "ok timeout"
    try:
        ledger = read(run.folder)
    except MfboError as error:
        print(f"  {kind}: {error}", file=sys.stderr)
        return
    finished = {line[1] for line in run.log if line[0] == "finished"}
    asked = {repr(trial.config["x"]) for trial in ledger.asks.values()}
    kept = {repr(result.trial.config["x"]) for result in ledger.results if result.outcome.status == "ok"}
    faulty = [result.outcome for result in ledger.results if float(result.trial.config["x"]) >= FAULTY]
    statuses = {outcome.status for outcome in faulty} - {"stopped", "lost"}
    pauses = "pause" in status or (kind in AT_IMPORT and run.code == 2)
    if pauses:
        in_order = run.code == 2 and any(said in run.said[1] for said in PAUSED) and "Traceback" not in run.said[1]
    else:
        in_order = run.code in (0, 1) and _readable(run.said[0]) and (statuses <= set(status.split()))
    found.survived += in_order and bool(faulty or pauses or kind in RUN_KINDS)
    if not in_order:
        print(f"  {kind}: {run.code}, {statuses}, {run.said[1][-300:]!r}", file=sys.stderr)
    found.lost += len((finished & asked) - kept)
    if kind != "run is killed":
        found.over_clock = max(found.over_clock, run.seconds - LIMIT)
    if limit == "--max-cost":
        found.over_cost = max(found.over_cost, ledger.spent - LIMIT)
    found.uncharged = max(found.uncharged, run.seconds - ledger.seconds)


def _readable(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def left(mark: str) -> list[str]:
    """Processes with `mark` in their environment that are nobody's any more, and what is in the temporary folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            started_here = process.environ().get(MARK) == mark and process.pid != os.getpid()
            if started_here and not any("distributed" in word for word in process.cmdline()):
                found.append(" ".join(process.cmdline())[:100])
    names = [path.name for path in Path(tempfile.gettempdir()).iterdir()]
    return found + [name for name in names if not name.startswith(("faults-", "mfbo-loopback-", "dask-", "pymp-"))]


def main() -> None:
    """Measure and print; exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2, help="a cell")
    parser.add_argument("kinds", nargs="*")
    given = parser.parse_args()
    os.environ[MARK] = mark = uuid4().hex
    with tempfile.TemporaryDirectory(prefix="faults-of-") as folder:  # of our own: others have temporary folders, too
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        measure(mark, given.runs, given.kinds or [*FAULTS, *RUN_KINDS])


def measure(mark: str, runs: int, kinds: list[str]) -> None:
    """As `main`; `mark` is in the environment of all processes."""
    table = Table(
        "fault                ",
        "inline  ",
        "local   ",
        "Dask    ",
        "lost",
        "over cost",
        "over clock",
        "uncharged",
        "left",
    )
    good = True
    for kind in kinds:
        cells: list[Cell | None] = [None, None, None]
        with Loopback() as cluster:
            cluster.add(2)
            if kind in RUN_KINDS or not FAULTS[kind].deadly:
                cells[0] = cell(kind, runs, "--workers", "0")
            cells[1] = cell(kind, runs, "--workers", "1")
            if kind not in RUN_KINDS:
                cells[2] = cell(kind, runs, "--workers", "1", "--scheduler", cluster.scheduler)
            if kind == "run is killed":  # the next start clears up
                with tempfile.TemporaryDirectory(prefix="faults-") as name:
                    _started(["tune", "branin", "--max-cost", "1x", "--out", f"{name}/run"], Path(name)).wait()
            time.sleep(SETTLED)
            rest = left(mark)
        tried = [found for found in cells if found is not None]
        good &= not rest and all(found.good for found in tried)
        words = [f"{found.survived} of {found.tried}" if found else "-" for found in cells]
        most = [f"{max(getattr(one, name) for one in tried):.2f}" for name in ("over_cost", "over_clock", "uncharged")]
        table.row(kind, *words, sum(found.lost for found in tried), *most, len(rest))
        if rest:
            print(f"  left: {rest[:3]}", file=sys.stderr)
    footer()
    judged(good)


if __name__ == "__main__":
    main()
