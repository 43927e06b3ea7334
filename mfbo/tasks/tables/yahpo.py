"""YAHPO Gym's surrogate networks: Pfisterer et al. 2022 (AutoML-Conf, arXiv:2109.03670).

Each scenario is a folder of github.com/slds-lmu/yahpo_data with ``model.onnx`` and ``encoding.json``, read from
``MFBO_DATA/yahpo/<scenario>``.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfbo.errors import BadData, MissingExtra
from mfbo.files.reading import read_json

FILES = ("model.onnx", "encoding.json")
Ints: TypeAlias = NDArray[np.int32]
Singles: TypeAlias = NDArray[np.float32]


class Network:
    """One scenario's network on onnxruntime.

    Attributes:
        encoding: for each categorical input, the code of each value.

    Args:
        folder: with its two files.

    Raises:
        BadData: a file is missing or is not YAHPO's.
        MissingExtra: onnxruntime is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            onnxruntime = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise MissingExtra.of("onnxruntime", "lcbench") from error
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BadData(
                f"no surrogate {folder.name}: {' and '.join(missing)} not in {str(folder)!r}; {remedy(folder.name)}"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a curve takes less than a millisecond
        try:
            self.encoding: dict[str, dict[str, int]] = read_json(
                folder / "encoding.json", "encoding", dict[str, dict[str, int]]
            )
            self._session: Any = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        except Exception as error:  # whatever damaged files make of their readers
            reason = " ".join(str(error).split())[:200]
            raise BadData(f"the surrogate in {str(folder)!r} cannot be read: {reason}; get it again") from error

    def predict(self, codes: Ints, values: Singles) -> NDArray[np.float64]:
        """(n, outputs) for categorical `codes` (n, c) and continuous `values` (n, d)."""
        found = self._session.run(None, {"x_cat": codes, "x_cont": values})[0]
        return np.asarray(found, dtype=np.float64)


def folder_of(scenario: str) -> Path:
    """Where a scenario's network is looked for.

    Raises:
        BadData: ``MFBO_DATA`` is not set.
    """
    root = os.environ.get("MFBO_DATA")
    if not root:
        raise BadData(f"no surrogate {scenario}: MFBO_DATA is not set; {remedy(scenario)}")
    return Path(root) / "yahpo" / scenario


def remedy(scenario: str) -> str:
    """What to do where a scenario is not there."""
    return (
        f"get the folder {scenario} of github.com/slds-lmu/yahpo_data, and name the one above yahpo/{scenario} "
        "with MFBO_DATA"
    )
