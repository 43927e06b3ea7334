"""Which modules a command imports, and that what is imported late is the real thing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from made_data import write_images

HEAVY = ("smac", "scipy.stats", "sklearn", "pandas", "torch", "dask", "distributed", "optuna", "matplotlib", "plotly")
REPORT = "import json, sys; print('LOADED', json.dumps(sorted(sys.modules)))"


def loaded(code, cwd):
    """The names of the modules that a process has imported after `code`."""
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout
    return set(json.loads(said.rpartition("LOADED ")[2]))


def command(*words):
    return f"from mfbo.cli import main\nmain({list(words)!r}, standalone_mode=False)"


@pytest.mark.parametrize("words", [("--help",), ("tasks",), ("optimizers",)])
def test_what_only_lists_imports_nothing_heavy(words, tmp_path):
    assert not loaded(command(*words), tmp_path) & {*HEAVY, "ConfigSpace", "numpy"}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["random", "grid", "asha", "hyperband"])
def test_an_optimizer_that_is_not_smac_imports_no_part_of_it(optimizer, tmp_path):
    words = ("tune", "branin", "--optimizer", optimizer, "--max-trials", "2", "-q", "--out", "run")
    assert not loaded(command(*words), tmp_path) & set(HEAVY)


@pytest.mark.slow
def test_showing_and_resuming_import_nothing_that_they_do_not_need(tmp_path):
    loaded(command("tune", "branin", "--optimizer", "random", "--max-trials", "2", "-q", "--out", "run"), tmp_path)
    assert not loaded(command("show", "run"), tmp_path) & set(HEAVY)
    assert not loaded(command("resume", "run", "--max-trials", "3", "-q"), tmp_path) & set(HEAVY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("plan",), ("tune", "--optimizer", "random", "--max-trials", "1", "-q", "--out", "run")]
)
def test_a_task_of_pytorch_imports_it_in_its_worker_alone(words, tmp_path, monkeypatch):
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MFBO_DATA", str(write_images(tmp_path / "data", 3)))
    name, *more = words
    found = loaded(command(name, "cifar10", "--max-cost", "1m", *more), tmp_path)
    assert not found & {"torch", "torchvision", "scipy.stats", "sklearn"}


@pytest.mark.slow
def test_smac_comes_without_what_its_facade_does_not_use(tmp_path):
    found = loaded("import mfbo.optimizers.smac.optimizer", tmp_path)
    assert "smac" in found
    assert not found & {"pandas", "dask", "distributed", "emcee", "torch", "scipy.stats", "sklearn.ensemble"}


@pytest.mark.slow
def test_configspace_without_scipy_stats_samples_the_same(tmp_path):
    code = """
import json, sys
{first}
from ConfigSpace import Beta, ConfigurationSpace, Float, Integer, Normal
space = ConfigurationSpace(seed=1)
space.add(Float("b", (1.0, 9.0), distribution=Beta(2, 3)), Float("n", (0.0, 1.0), distribution=Normal(0.5, 0.1)))
space.add(Integer("i", (1, 9), distribution=Beta(2, 3)), Float("u", (1e-4, 1.0), log=True))
print([sorted((name, float(value)) for name, value in config.items()) for config in space.sample_configuration(5)])
import scipy.stats
print(scipy.stats.norm.cdf(0.0), type(scipy.stats.beta).__name__)
"""
    late = code.format(first="import mfbo")
    usual = code.format(first="")
    run = [
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        for text in (late, usual)
    ]
    assert run[0].stdout == run[1].stdout
    assert "0.5 beta_gen" in run[0].stdout


def test_the_bounds_of_a_normal_hyperparameter_are_checked_by_the_real_class(tmp_path):
    code = """
from mfbo.lazy_imports import postponed
with postponed("fractions"):
    from fractions import Fraction
import sys
assert "fractions" not in sys.modules
assert Fraction(1, 2) + Fraction(1, 2) == 1
import fractions
assert isinstance(fractions.Fraction(1), Fraction)
assert Fraction.from_float(0.5) == Fraction(1, 2)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
