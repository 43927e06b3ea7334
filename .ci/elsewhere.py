"""Copy the tree to a folder, without the sources of the packages: tests that run there meet what is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("mfbo", "spaces", "analysis")


def copy(to: Path) -> None:
    """All files that git does not ignore, but for the sources."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.partition("/")[0] not in SOURCES and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


if __name__ == "__main__":
    copy(Path(sys.argv[1]))
