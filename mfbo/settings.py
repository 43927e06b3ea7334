"""How the trials of a run are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """How trials are run; the ledger keeps it, and `resume` goes on with it.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        options: further settings of the task.
        space: of the task's spaces: ``default``, a name such as ``wide``, or a YAML file in ConfigSpace's format.
        from_scratch: train every rung anew, without checkpoints.
        workers: trials at the same time, each in a process that can be killed; on a virtual clock they are
            simulated. 0 runs them in this process, where nothing can end them but their own reports.
        max_trial_time: a trial that takes longer is killed: ``90s``, ``1h``.
        max_trial_memory: GiB; a trial that holds more is killed.
        max_disk: GiB of checkpoints; None is no limit.
    """

    device: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)
    space: str = "default"
    from_scratch: bool = False
    workers: int = 1
    max_trial_time: str | None = None
    max_trial_memory: float | None = None
    max_disk: float | None = None
