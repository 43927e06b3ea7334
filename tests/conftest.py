"""What several test files share."""

from __future__ import annotations

import ast
import math
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from hypothesis import HealthCheck, settings

import mfbo

ROOTS = {name: Path(find_spec(name).origin).parent for name in ("mfbo", "mfbo.spaces", "mfbo.analysis")}
"""Where the packages lie: in the tree, or where a wheel was installed."""

settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="MFBO_SAME_EXAMPLES" in os.environ,
)
settings.load_profile("shared machine")


def lacking(file):
    """What a test file, or a helper beside it, imports at its beginning and is not installed."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        modules = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")]
        )
        for top in {module.partition(".")[0] for module in modules if module}:
            beside = [folder / f"{top}.py" for folder in (file.parent, Path(__file__).parent)]
            helper = next((path for path in beside if path.is_file()), None)
            yield from lacking(helper) if helper else [] if find_spec(top) else [top]


def pytest_addoption(parser):
    parser.addoption("--light", action="store_true", help="leave out the tests of extras that are not installed")


def pytest_report_header(config):
    files = sorted(Path(__file__).parent.rglob("test_*.py")) if config.option.light else []
    found = {file.name: sorted(set(lacking(file))) for file in files}
    return [f"{name} needs {', '.join(names)}" for name, names in found.items() if names]


def pytest_ignore_collect(collection_path, config):
    light = config.option.light and collection_path.suffix == ".py"
    return True if light and any(lacking(collection_path)) else None


def pytest_collection_modifyitems(config, items):
    for item in items:
        for name in [name for marker in item.iter_markers("needs") for name in marker.args]:
            if config.option.light and find_spec(name) is None:
                item.add_marker(pytest.mark.skip(reason=f"needs {name}"))


def quadratic_space(seed=0):
    space = ConfigurationSpace(name="quadratic", seed=seed)
    space.add(Float("x", (-5.0, 5.0)), Integer("n", (1, 100), log=True), Categorical("kind", ["a", "b"]))
    return space


def quadratic(config, fidelity, context):
    """A virtual task: each epoch costs a tenth of a second, and the loss falls towards that of the configuration."""
    full = config["x"] ** 2 + abs(config["n"] - 10) / 100 + (config["kind"] == "b")
    for epoch in range(context.start_epoch + 1, fidelity.epochs + 1):
        context.report(full + 1 / epoch, cost=0.1 * (epoch - context.start_epoch) * fidelity.data)
    return mfbo.Measurement(
        full + 1 / fidelity.epochs, cost=0.1 * (fidelity.epochs - context.start_epoch) * fidelity.data
    )


def _bowl(config, fidelity, context):
    loss = (config["x"] - 0.3) ** 2 + (config["y"] - 0.7) ** 2 + 0.1 / fidelity.epochs
    return mfbo.Measurement(loss, cost=fidelity.epochs / 27)


def bowl():
    """A virtual task whose best configuration is x = 0.3, y = 0.7."""
    space = ConfigurationSpace()
    space.add(Float("x", (0.0, 1.0)), Float("y", (0.0, 1.0)))
    return mfbo.Task("made", space, _bowl, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=1.0)


@pytest.fixture
def task():
    return mfbo.Task(
        "quadratic", quadratic_space(), quadratic, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=2.7
    )


@pytest.fixture(autouse=True)
def _no_measurement_by_the_clock(monkeypatch):
    """On a slow machine a trial would report within its epochs as well; a test that wants that says so."""
    if "mfbo.tasks.training.loop" in sys.modules:
        monkeypatch.setattr("mfbo.tasks.training.loop.FIRST_INTERIM", math.inf)


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """A processor with units for bfloat16 would train in it, to other digits; a test that wants that says so."""
    if "torch" in sys.modules:
        monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False, raising=False)
