"""The fitted estimator of a trial as a file: skops, where it is installed, else joblib.

joblib's files are pickles: whoever loads one runs what is in it. mfbo writes them for the user alone, and loads none.
"""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mfbo.checkpoint import MODEL

SKOPS, JOBLIB = "estimator.skops", "estimator.joblib"


def write(model: Any, checkpoint: Path) -> None:
    """Write `model` into a checkpoint; one that cannot be written, such as with a lambda in it, is left out."""
    folder = checkpoint / MODEL
    folder.mkdir()
    try:
        if find_spec("skops") is not None:
            import_module("skops.io").dump(model, folder / SKOPS)
        else:
            import_module("joblib").dump(model, folder / JOBLIB)
    except Exception:  # whatever objects of the user's do
        shutil.rmtree(folder)
