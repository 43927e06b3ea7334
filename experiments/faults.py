"""Does a run survive what its trials do, hold its limits by the clock of a watch beside it, and leave nothing behind?

    python experiments/faults.py [--runs N] [--on EXECUTOR] [--into CELLS.jsonl] [KIND ...]

Each cell is runs of the command line, each with a limit of cost and with one of wall time, about half of whose trials
are faulty: how many survived of those that were tried. A run survives if it comes to its end by itself, in order and
with the right status for each fault, and what it prints can be read. Faults that end a process are not tried inline.

Lost are trials that came to their end, by their own account, and are not in the ledger as such. A watch in a process of
its own tells by how many seconds a run passed its limit of cost by its own account, by how many the clock from its
first trial to the last line of its ledger passed the limit, and how many seconds by that clock it was not charged.
Left are processes, and files in the temporary folder, that are there 5 s after a run.

With ``--into`` each run is written down as it ends, and those that are there already are not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from fault_kinds import FAULTS, MARK
from fault_watch import MORE_RUN_KINDS, RUN_KINDS, Cell, cell, clear, left
from loopback import Loopback
from table import Table, footer, judged

COST_OVER, WALL_OVER, UNCHARGED = 1.0, 2.0, 2.0  # seconds that are allowed; a trial has up to 1 s to report
PLACES = ("inline", "local", "Dask")
TITLES = ("inline  ", "local   ", "Dask    ", "lost", "over cost", "over clock", "uncharged", "left")


def good(found: Cell) -> bool:
    """Whether all that is promised was kept."""
    limits = found.over_cost <= COST_OVER and found.over_clock <= WALL_OVER and found.uncharged <= UNCHARGED
    return found.survived and not found.lost and not found.left and limits


def main() -> None:
    """Measure and print; exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1, help="of a kind on an executor with a limit")
    parser.add_argument("--into", type=Path, help="file for the runs that are done")
    parser.add_argument("--show", action="store_true", help="print what is in that file, and do no run")
    parser.add_argument("--on", action="append", choices=PLACES, help="an executor; all of them where it is not given")
    parser.add_argument("kinds", nargs="*")
    given = parser.parse_args()
    os.environ[MARK] = mark = uuid4().hex
    kinds = given.kinds or [*FAULTS, *RUN_KINDS, *MORE_RUN_KINDS]
    found = [Cell(**json.loads(line)) for line in given.into.read_text().splitlines()] if _is(given.into) else []
    with tempfile.TemporaryDirectory(prefix="faults-of-") as folder:  # of our own: others have temporary folders, too
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        for one in measure(mark, 0 if given.show else given.runs, kinds, found, given.on or PLACES):
            found.append(one)
            if given.into:
                with given.into.open("a") as file:
                    file.write(json.dumps(asdict(one)) + "\n")
    show(found, kinds)


def _is(path: Path | None) -> bool:
    return path is not None and path.exists()


def measure(mark: str, runs: int, kinds: list[str], done: list[Cell], places: Sequence[str] = PLACES) -> Iterator[Cell]:
    """Do the runs that are not among those that are done; `mark` is in the environment of all processes."""
    with ExitStack() as stack:
        cluster: Loopback | None = None
        for limit in ("--max-cost", "--max-wall"):
            for kind, where in ((kind, where) for kind in kinds for where in places if applies(kind, where)):
                before = sum((one.kind, one.where, one.limit) == (kind, where, limit) for one in done)
                for number in range(before, runs):
                    if where == "Dask" and cluster is None:
                        cluster = stack.enter_context(Loopback())
                        cluster.add(2)
                    options = ("--workers", "0" if where == "inline" else "1")
                    cluster_options = ("--scheduler", cluster.scheduler) if where == "Dask" and cluster else ()
                    found = cell(kind, where, limit, *options, *cluster_options, seed=5 + number)
                    found.left = tuple(left(mark))
                    if found.left or not found.survived:
                        stack.close()
                        cluster = None
                        clear(mark)
                    if not good(found):
                        print(f"  {found}", file=sys.stderr, flush=True)
                    yield found


def applies(kind: str, where: str) -> bool:
    """Whether a kind can be tried there."""
    if kind not in FAULTS:
        return where == "local" or (where == "inline" and kind != "folder is read-only")
    return where != "inline" or not FAULTS[kind].deadly


def show(found: list[Cell], kinds: list[str]) -> None:
    """Print the table."""
    table = Table("fault                      ", *TITLES)
    for kind in kinds:
        of_kind = [one for one in found if one.kind == kind]
        if not of_kind:
            continue
        there = [[one for one in of_kind if one.where == where] for where in PLACES]
        words = [f"{sum(one.survived for one in cells)} of {len(cells)}" if cells else "-" for cells in there]
        most = [
            f"{max((getattr(one, name) for one in of_kind), default=0.0):.2f}"
            for name in ("over_cost", "over_clock", "uncharged")
        ]
        lost, rest = sum(one.lost for one in of_kind), sum(len(one.left) for one in of_kind)
        table.row(kind, *words, lost, *most, rest)
    footer()
    judged(all(good(one) for one in found if one.kind in kinds))


if __name__ == "__main__":
    main()
