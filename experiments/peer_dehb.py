"""DEHB behind mfbo's ask and tell; see `peers`."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from dehb import DEHB
from loguru import logger
from peer_base import refuse

from mfbo.fidelity import ETA
from mfbo.optimizers.sampling import plain
from mfbo.trial import Config, Rung


class Dehb:
    """DEHB's own ask and tell.

    Args:
        space: what to tune, conditions included.
        rungs: the ladder, low to full; DEHB is given ``eta**level``.
        seed: 0 or more.

    Raises:
        BadSpace: the space has forbidden clauses.
    """

    def __init__(self, space: ConfigurationSpace, rungs: Sequence[Rung], seed: int) -> None:
        refuse("DEHB", space, conditions=True)
        self._rungs = list(rungs)
        self._folder = TemporaryDirectory()  # it insists on one
        most = ETA ** (len(rungs) - 1)
        self._dehb = DEHB(
            cs=deepcopy(space),  # it seeds the space
            min_fidelity=1,
            max_fidelity=most,
            eta=ETA,
            n_workers=1,
            seed=seed,
            save_freq=None,
            output_path=self._folder.name,
        )
        logger.remove()  # its log file, and the thread that writes it
        assert len(self._dehb.fidelities) == len(rungs)
        self._levels = {fidelity: level for level, fidelity in enumerate(self._dehb.fidelities)}

    def suggest(self) -> tuple[Any, Config, int]:
        """DEHB's next job."""
        job = self._dehb.ask()
        return job, plain(job["config"]), self._levels[job["fidelity"]]

    def report(self, theirs: Any, config: Config, level: int, loss: float | None) -> None:
        """A failure counts as infinitely bad: DEHB then neither promotes it nor takes it as a parent."""
        fitness = np.inf if loss is None else loss
        self._dehb.tell(theirs, {"fitness": fitness, "cost": self._rungs[level].work})
