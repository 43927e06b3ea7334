"""Multi-fidelity hyperparameter tuning for people with little compute."""

from __future__ import annotations

from mfbo.context import Context
from mfbo.errors import MfboError, TrialStopped
from mfbo.fidelity import Fidelity
from mfbo.task import Task
from mfbo.trial import Measurement, Outcome, Rung, Trial

__version__ = "0.1.0"
__all__ = [
    "Context",
    "Fidelity",
    "Measurement",
    "MfboError",
    "Outcome",
    "Rung",
    "Task",
    "Trial",
    "TrialStopped",
    "__version__",
]
