"""For the tests of tasks."""

from __future__ import annotations

import math
import sys

import pytest


@pytest.fixture(autouse=True)
def _no_measurement_by_the_clock(monkeypatch):
    """On a slow machine a trial would report within its epochs as well; a test that wants that says so."""
    if "torch" in sys.modules:
        monkeypatch.setattr("mfbo.tasks.training.loop.FIRST_INTERIM", math.inf)
