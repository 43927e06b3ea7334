"""Features that a pretrained body gives for texts: computed once in a process, shared by all configurations."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mfbo.tasks.training.device import autocast

if TYPE_CHECKING:
    from mfbo.context import Context
    from mfbo.data import Tokens
    from mfbo.data.splits import Indices
    from mfbo.tasks.training.batches import TextBatches
    from mfbo.tasks.training.transformer import Classifier

FEATURES_AT_ONCE = 64  # texts at a time
POLL = 0.5  # seconds between looks at the clock


class Features:
    """What is known of one model's features, at one length, of one split; in the host's memory.

    A body that is frozen has no dropout, so what it gives depends on neither configuration nor seed.
    """

    def __init__(self) -> None:
        self._known: dict[int, torch.Tensor] = {}

    @staticmethod
    def of(model: str, length: int, tokens: Tokens) -> Features:
        """The store for these."""
        return _store(model, length, len(tokens), int(tokens.offsets[-1]))

    def at(self, rows: Indices, texts: TextBatches, model: Classifier, context: Context) -> torch.Tensor:
        """(n, width) float32, of some rows of a split.

        Args:
            rows: (n,), places in the split.
            texts: the same rows, in that order.
            model: on its device.
            context: of the trial, which ends here when its time is up; what is computed by then stays.

        Raises:
            TrialStopped: from the context.
        """
        missing = np.array([place for place, row in enumerate(rows) if int(row) not in self._known], int)
        missing = missing[np.argsort(-texts.lengths[missing], kind="stable")]
        looked, training = time.monotonic(), model.training
        model.eval()
        for start in range(0, len(missing), FEATURES_AT_ONCE):
            part = missing[start : start + FEATURES_AT_ONCE]
            self._compute(rows[part], texts.batch(part).inputs, model)
            if time.monotonic() > looked + POLL:
                context.poll()
                looked = time.monotonic()
        model.train(training)
        return torch.stack([self._known[int(row)] for row in rows])

    def _compute(self, rows: Indices, inputs: tuple[Any, ...], model: Classifier) -> None:
        ids, mask, _ = inputs
        with torch.inference_mode(), autocast(ids.device):
            found = model.features(ids, mask).float().cpu()
        self._known |= {int(row): feature.clone() for row, feature in zip(rows, found, strict=True)}


@lru_cache(maxsize=8)
def _store(model: str, length: int, texts: int, tokens: int) -> Features:
    """One for each model, length and split (which its counts tell from the others) that this process has met."""
    return Features()
