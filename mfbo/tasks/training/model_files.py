"""The files of a pretrained model, known by name, size and time of change without loading them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from mfbo.data import cache
from mfbo.data.parquet import needed

_LIBRARIES = ("torch", "transformers", "tokenizers")  # another version may read the same files otherwise


def stamp_of(model: str) -> str | None:
    """Sixteen hexadecimal digits that stand for the files of a model and for the libraries that read them.

    Args:
        model: a folder, or a name on the hub.

    Returns:
        None where its files are not on this machine yet.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        hub = needed("huggingface_hub", "text")
        try:
            folder = Path(hub.snapshot_download(model, local_files_only=True))
        except (OSError, ValueError):  # it is not in the hub's cache, or the name can be none of the hub's
            return None
    files = [(path.relative_to(folder), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    listed = [(str(name), stat.st_size, stat.st_mtime_ns) for name, stat in files]
    return cache.entry_key(listed, *map(version, _LIBRARIES))
