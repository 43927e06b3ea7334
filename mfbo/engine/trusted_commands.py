"""Which command lines the user has begun runs of here: the one in a ledger may be a stranger's, and would be run.

Their digests are kept in the folder of the caches, not in runs, where a stranger's would be as well.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress

from mfbo.adapters.command import is_command
from mfbo.data.cache import cache_dir
from mfbo.errors import RunChanged


def remember(task: str) -> None:
    """Record a command that the user has typed; of no other task."""
    if not is_command(task) or _digest(task) in _known():
        return
    with suppress(OSError):  # where nothing can be written, the user is asked again
        cache_dir().mkdir(parents=True, exist_ok=True)
        with (cache_dir() / "commands").open("a", encoding="utf-8") as file:
            file.write(f"{_digest(task)}\n")


def check(task: str) -> None:
    """Refuse to run a command that a ledger names, and nobody has typed here.

    Raises:
        RunChanged: that is so.
    """
    if is_command(task) and _digest(task) not in _known():
        text = f"this run would execute {task!r}, which has not been tuned on this machine"
        raise RunChanged(f"{text}; if you trust it, continue with --accept-changes")


def _known() -> set[str]:
    try:
        return set((cache_dir() / "commands").read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return set()


def _digest(task: str) -> str:
    return hashlib.sha256(task.encode("utf-8", "surrogateescape")).hexdigest()
