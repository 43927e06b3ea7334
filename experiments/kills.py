"""Is anything lost, repeated or unreadable after 200 kills at random moments?

    python experiments/kills.py

Runs of 60 trials of 0.02 to 0.18 s with checkpoints (asha) are killed with SIGKILL at random moments and resumed until
they end; then the next begins. Half of the kills of local runs take the run alone, half all of its processes at once,
as a power cut would. Half of those under Dask hit a worker, which is replaced, and the run goes on. Lost are results
that were in the ledger; repeated are trials that began again although the ledger had their result, which the train
function writes down by itself. About an hour.

| executor | kills | runs | trials lost | repeated | unreadable | crashed |
|----------|-------|------|-------------|----------|------------|---------|
| local    |   100 |   39 |           0 |        0 |          0 |       0 |
| Dask     |   100 |   13 |           0 |        0 |          0 |       0 |

2 cores of an Intel Xeon that did other work as well (load 6 to 13), 23.5 GiB, Linux; python 3.11.7, smac 2.4.1,
ConfigSpace 1.2.2, distributed 2026.8.0, pebble 5.2.3.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ConfigSpace import ConfigurationSpace
from loopback import Loopback
from table import Table, footer, judged

import mfbo
from mfbo.errors import MfboError
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.run import Run
from mfbo.trial import Config, Rung, config_key

KILLS = 100  # for each executor
TRIALS = 60
LATEST = 1.5  # seconds after the first sign of life
LOG = Path("log")
EPOCH = 0.02  # seconds


def train(config: Config, fidelity: Rung, context: mfbo.Context) -> float:
    """Goes on from its checkpoint, and writes down that it has begun."""
    with LOG.open("a") as log:
        log.write(f"{config_key(config)} {fidelity.epochs}\n")
    for epoch in range(context.start_epoch, fidelity.epochs):
        time.sleep(EPOCH)
        context.report(float(config["x"]) + 1 / (epoch + 1))
    with context.save(fidelity.epochs) as folder:
        (folder / "epochs").write_text(str(fidelity.epochs))
    return float(config["x"]) + 1 / fidelity.epochs


space = ConfigurationSpace({"x": (0.0, 1.0)})
task = mfbo.Task("logged", space, train, mfbo.Fidelity(epochs=(1, 9)))


@dataclass
class Damage:
    """What kills have done.

    Attributes:
        kills: of a run that was alive, or of a Dask worker under one.
        runs: begun.
        lost: results that were in a ledger and are not any more.
        repeated: trials that began again although the ledger had their result, or that have two.
        unreadable: ledgers.
        crashed: runs that ended otherwise than by a kill or in order.
    """

    kills: int = 0
    runs: int = 0
    lost: int = 0
    repeated: int = 0
    unreadable: int = 0
    crashed: int = 0

    @property
    def none(self) -> bool:
        """Whether nothing was damaged."""
        return not (self.lost or self.repeated or self.unreadable or self.crashed)


def finals(run: Run) -> dict[str, int]:
    """Trials with a result, as the log names them, and how many results each has."""
    found: dict[str, int] = {}
    for result in run.results:
        if result.outcome.final:
            name = f"{result.trial.key} {result.trial.rung.epochs}"
            found[name] = found.get(name, 0) + 1
    return found


def session(home: Path, damage: Damage, where: list[str], draw: random.Random, cluster: Loopback | None) -> bool:
    """Start or resume the run in `home`, and kill it at a random moment; whether it came to its end before."""
    before = read(home / "run") if (home / "run" / FILE).exists() else None
    size = len((home / LOG).read_text().splitlines()) if (home / LOG).exists() else 0
    words = ["resume", "run"] if before else ["tune", f"{Path(__file__).resolve()}:task", "--out", "run"]
    words += [] if before else ["--max-trials", str(TRIALS), "--optimizer", "asha", "--seed", str(damage.runs)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mfbo", *words, *where, "--quiet"],
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    alive(process, home, size)
    time.sleep(draw.uniform(0, LATEST))
    if cluster is not None and draw.random() < 0.5:
        damage.kills += cluster.workers != []
        cluster.kill(draw.randrange(len(cluster.workers)))
        cluster.add()
        time.sleep(draw.uniform(0, 2 * LATEST))
    if process.poll() is None:
        damage.kills += 1
        with suppress(ProcessLookupError):  # as a power cut: all at once; or the run alone
            os.killpg(process.pid, signal.SIGKILL) if draw.random() < 0.5 else process.kill()
    _, said = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        damage.crashed += 1
        print(said.decode(), file=sys.stderr)
    return compare(home, before, size, damage) and process.returncode == 0


def alive(process: subprocess.Popen[bytes], home: Path, size: int) -> None:
    """Wait for the first trial of this session to begin, or for the end of it."""
    while process.poll() is None:
        if (home / LOG).exists() and len((home / LOG).read_text().splitlines()) > size:
            return
        time.sleep(0.01)


def compare(home: Path, before: Run | None, size: int, damage: Damage) -> bool:
    """Count the damage of a session; whether the ledger can be read."""
    if not (home / "run" / FILE).exists():
        return before is None
    try:
        after = read(home / "run")
    except MfboError:
        damage.unreadable += 1
        return False
    had = finals(before) if before else {}
    if before is not None and after.results[: len(before.results)] != before.results:
        damage.lost += 1
    damage.repeated += sum(count > 1 for count in finals(after).values())
    begun = (home / LOG).read_text().splitlines()[size:] if (home / LOG).exists() else []
    damage.repeated += sum(name in had for name in begun)
    return True


def tried(kills: int, cluster: Loopback | None = None, seed: int = 0) -> Damage:
    """One run after the other, until there were so many kills."""
    draw, damage = random.Random(seed), Damage()
    where = ["--scheduler", cluster.scheduler] if cluster else ["--workers", "2"]
    while damage.kills < kills:
        with tempfile.TemporaryDirectory(prefix="mfbo-kills-", ignore_cleanup_errors=True) as name:
            damage.runs += 1
            while damage.kills < kills and not session(Path(name), damage, where, draw, cluster):
                pass
    return damage


def main() -> None:
    """Measure and print; exit code 1 if there was any damage."""
    table = Table("executor", "kills", "runs", "trials lost", "repeated", "unreadable", "crashed")
    found = []
    with Loopback() as cluster:
        cluster.add(2)
        for name, where in (("local", None), ("Dask", cluster)):
            damage = tried(KILLS, where)
            found.append(damage)
            counts = (damage.lost, damage.repeated, damage.unreadable, damage.crashed)
            table.row(name, damage.kills, damage.runs, *counts)
    footer()
    judged(all(damage.none for damage in found))


if __name__ == "__main__":
    main()
