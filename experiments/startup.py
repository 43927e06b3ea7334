"""How long is it from a command to its first line, its first trial and its end?

    python experiments/startup.py [--data-dir DIR] [--runs N]

The steps of a new user, in the order of the README. Each command is run as a user runs it, in a new process whose
output goes to a pipe; the median of the runs. The first run of all warms the disk's cache and is not counted, unless
there is but one. `silence` is the longest time without output, `processor` what all its processes have used: on a
machine that does much other work, that alone says something.

Result: see `experiments/first_minutes.md`.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields

from table import Table, footer

COMMANDS = (
    "mfbo --help",
    "mfbo tasks",
    "mfbo tune branin --max-trials 10 --optimizer random --out {new}",
    "mfbo tune branin --max-trials 10 --optimizer hyperband --out {new}",
    "mfbo tune branin --max-trials 10 --optimizer smac --out {new}",
    "mfbo plan digits --max-cost 20s",
    "mfbo tune digits --max-cost 20s --out {new}",
    "mfbo show {run}",
    "mfbo ls {home}",
    "mfbo best {run}",
    "mfbo report {run} -o {new}.html",
    "mfbo export {run} --to model -o {new}",
    "mfbo init {new}.py",
    "mfbo tune {torch}:task --max-cost 20s --out {new}",
)
WITH_DATA = (
    "mfbo plan cifar10 --max-cost 2h --data-dir {data}",
    "mfbo tune imdb --max-cost 20s --data-dir {data} --out {new}",
)
RUNS = 3
BEGUN = (b"tuning ", b"resuming ")  # what the line before the first trial begins with


@dataclass(frozen=True)
class Timing:
    """Seconds of one run of a command: to its first output, first trial and end; of silence; of the processor."""

    first: float
    trial: float
    silence: float
    end: float
    processor: float


def timed(command: str) -> Timing:
    """Run it, and look at its output byte by byte."""
    began = last = time.perf_counter()
    before = os.times()
    first, trial, silence, line = 0.0, math.nan, 0.0, b""
    with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0) as process:
        assert process.stdout is not None
        while byte := process.stdout.read(1):
            now = time.perf_counter()
            first = first or now - began
            silence, last = max(silence, now - last), now
            line = b"" if byte == b"\n" else line + byte
            if line in BEGUN and math.isnan(trial):
                trial = now - began
    end = time.perf_counter()
    if process.returncode:
        sys.exit(f"{command}: exit code {process.returncode}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Timing(first, trial, max(silence, end - last), end - began, used)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data-dir", help="of CIFAR-10 and IMDb; without it they are left out")
    parser.add_argument("--runs", type=int, default=RUNS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        places = {"home": home, "run": f"{home}/made", "torch": f"{home}/network.py", "data": asked.data_dir}
        made = f"mfbo tune digits --max-cost 20s -q --out {home}/made", f"mfbo init {home}/network.py"
        for command in made:
            subprocess.run(shlex.split(command), check=True, stdout=subprocess.DEVNULL)
        table = Table(f"{'command':64}", "first line", "first trial", "silence", "   end", "processor")
        for command in (*COMMANDS, *(WITH_DATA if asked.data_dir else ())):
            counts = range(asked.runs + (asked.runs > 1))
            found = [timed(command.format(**places, new=f"{home}/new{hash(command)}-{run}")) for run in counts]
            found = found[1:] if asked.runs > 1 else found
            medians = [statistics.median(getattr(timing, field.name) for timing in found) for field in fields(Timing)]
            shown = command.replace(" --out {new}", "").replace(" --data-dir {data}", "").replace("{home}/", "")
            table.row(shown, *("-" if math.isnan(m) else f"{m:.2f}s" for m in medians))
    footer()


if __name__ == "__main__":
    main()
