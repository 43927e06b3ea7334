"""How long is it from a command to its first line, its first trial and its end?

    python experiments/startup.py [--data-dir DIR]

Each command is run as a user runs it, in a new process whose output goes to a pipe; the median of three runs. The first
run of all warms the disk's cache and is not counted. `silence` is the longest time without output.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from table import Table, footer

COMMANDS = (
    "mfbo --help",
    "mfbo tasks",
    "mfbo tune branin --max-trials 10 --optimizer random --out {out}",
    "mfbo tune branin --max-trials 10 --optimizer hyperband --out {out}",
    "mfbo tune branin --max-trials 10 --optimizer smac --out {out}",
    "mfbo plan digits --max-cost 20s",
    "mfbo tune digits --max-cost 20s --out {out}",
)
WITH_DATA = (
    "mfbo plan cifar10 --max-cost 2h --data-dir {data}",
    "mfbo tune imdb --max-cost 20s --data-dir {data} --out {out}",
)
RUNS = 3


@dataclass(frozen=True)
class Timing:
    """Seconds of one run of a command: to its first output, its longest silence, to its end, and of the processor."""

    first: float
    silence: float
    end: float
    processor: float


def timed(command: str) -> Timing:
    """Run it, and look at its output byte by byte."""
    began = last = time.perf_counter()
    before = os.times()
    first, silence = 0.0, 0.0
    with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0) as process:
        assert process.stdout is not None
        while process.stdout.read(1):
            now = time.perf_counter()
            first = first or now - began
            silence, last = max(silence, now - last), now
    end = time.perf_counter()
    if process.returncode:
        sys.exit(f"{command}: exit code {process.returncode}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Timing(first, max(silence, end - last), end - began, used)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data-dir", help="of CIFAR-10 and IMDb; without it they are left out")
    parser.add_argument("--runs", type=int, default=RUNS)
    asked = parser.parse_args()
    table = Table(f"{'command':64}", "first line", "silence", "   end", "processor")
    for command in (*COMMANDS, *(WITH_DATA if asked.data_dir else ())):
        found = []
        for run in range(asked.runs + 1):
            with tempfile.TemporaryDirectory() as folder:
                timing = timed(command.format(out=f"{folder}/run", data=asked.data_dir))
            if run:
                found.append(timing)
        columns = ("first", "silence", "end", "processor")
        medians = [statistics.median(getattr(timing, name) for timing in found) for name in columns]
        table.row(
            command.replace(" --out {out}", "").replace(" --data-dir {data}", ""), *(f"{m:.2f}s" for m in medians)
        )
    footer()


if __name__ == "__main__":
    main()
