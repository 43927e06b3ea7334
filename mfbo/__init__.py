"""Multi-fidelity hyperparameter tuning for people with little compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mfbo import lazy_imports
from mfbo.context import Context
from mfbo.errors import MfboError, TrialStopped
from mfbo.fidelity import Fidelity
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.task import Task
from mfbo.trial import Config, Measurement, Outcome, Rung, Trial

if TYPE_CHECKING:
    from mfbo.adapters.sklearn import sklearn_task
    from mfbo.api.plan import plan
    from mfbo.api.run import resume, tune
    from mfbo.api.session import Session
    from mfbo.engine.result import Best, TuneResult
    from mfbo.ledger.observer import Observer, StopRun

lazy_imports.install()
__version__ = "0.1.0"
__all__ = [
    "Best",
    "Config",
    "Context",
    "Fidelity",
    "Measurement",
    "MfboError",
    "Observer",
    "Outcome",
    "Rung",
    "Search",
    "Session",
    "Settings",
    "StopRun",
    "Task",
    "Trial",
    "TrialStopped",
    "TuneResult",
    "__version__",
    "compare",
    "plan",
    "resume",
    "sklearn_task",
    "tune",
]
_LAZY = {
    "Best": "mfbo.engine.result",
    "Observer": "mfbo.ledger.observer",
    "Session": "mfbo.api.session",
    "StopRun": "mfbo.ledger.observer",
    "TuneResult": "mfbo.engine.result",
    "compare": "mfbo.api.compare",
    "plan": "mfbo.api.plan",
    "resume": "mfbo.api.run",
    "sklearn_task": "mfbo.adapters.sklearn",
    "tune": "mfbo.api.run",
}


def __dir__() -> list[str]:
    """The public names, not the modules that happen to be imported."""
    return __all__


def __getattr__(name: str) -> Any:
    """What imports numpy is imported when it is first used, so that the command line starts at once."""
    if name not in _LAZY:
        raise AttributeError(f"module 'mfbo' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = found
    return found
