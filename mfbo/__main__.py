"""``mfbo`` and ``python -m mfbo``: first that these are mfbo's own files, then the command line."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
OTHER = "mfbo"  # another project's distribution, whose package has the same name as ours


def replaced(package: Path) -> list[str]:
    """Files of ours, relative to the folder above `package`, that the other distribution has written over.

    pip lets two distributions write the same file, and neither it nor ``pip check`` says so. Whose file it is now is
    told by its size, which both distributions list.
    """
    site = package.parent
    other = [file for info in site.glob(f"{OTHER}-*.dist-info") if (file := info / "RECORD").is_file()]
    ours = [file for info in site.glob("mfbo_tune-*.dist-info") if (file := info / "RECORD").is_file()]
    if not (other and ours):
        return []
    theirs, own = (dict(line for file in files for line in _sizes(file)) for files in (other, ours))
    return [name for name in own if name in theirs and _size(site / name) == theirs[name] != own[name]]


def _sizes(record: Path) -> list[tuple[str, int]]:
    """(file, bytes) of each file of the package that a RECORD names."""
    with record.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == 3 and row[0].startswith("mfbo/") and row[2].isdecimal()]
    return [(name, int(size)) for name, _, size in rows]


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1


def main() -> None:
    """Run the command that was typed; refuse where another package's files are in the place of ours."""
    if found := replaced(PACKAGE):
        fix = "pip uninstall mfbo mfbo-tune, then install mfbo-tune again; one environment cannot hold both"
        sys.exit(f"mfbo: another package called 'mfbo' has replaced files, such as {found[0]}; {fix}")
    from mfbo.cli import start

    start()


if __name__ == "__main__":
    main()
