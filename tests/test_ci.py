"""What `.ci/` and `pytest --light` leave out, and what they do not."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import lacking

ROOT = Path(__file__).parent.parent
HERE = sys.version_info.minor


@pytest.fixture
def pythons(monkeypatch):
    """`.ci/pythons.py`."""
    monkeypatch.syspath_prepend(ROOT / ".ci")
    spec = importlib.util.spec_from_file_location("pythons", ROOT / ".ci" / "pythons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("named", [[], ["12"]])
def test_where_no_python_is_found_the_check_of_the_wheel_fails(pythons, monkeypatch, named):
    monkeypatch.setattr(pythons, "pythons", dict)
    with pytest.raises(SystemExit, match=r"no Python 3.1[02].* on the path, .*; install one"):
        pythons.chosen(named)


def test_the_python_that_runs_all_tests_is_left_to_them_unless_it_is_the_only_one(pythons, monkeypatch):
    monkeypatch.setattr(pythons, "pythons", lambda: {HERE: "here", 99: "there"})
    assert pythons.chosen([]) == {99: "there"}
    assert pythons.chosen([str(HERE)]) == {HERE: "here"}
    monkeypatch.setattr(pythons, "pythons", lambda: {HERE: "here"})
    assert pythons.chosen([]) == {HERE: "here"}


def test_pythons_are_found_by_what_is_there_from_the_least_that_is_required(pythons, monkeypatch, tmp_path):
    for name in ("python3.9", "python3.10", "python3.21", "python3.22", "python3.23-config", "python3"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "python3.22").write_text("#!/bin/sh\nexit 127\n")  # as a shim of pyenv's that leads nowhere
    monkeypatch.setattr(pythons.os, "get_exec_path", lambda: [str(tmp_path)])
    monkeypatch.setattr(pythons, "installed", list)
    assert pythons.pythons() == {10: tmp_path / "python3.10", 21: tmp_path / "python3.21"}


def test_a_python_that_is_named_must_work_and_another_may_be_left_out(pythons, capsys):
    named = min(pythons.NAMED)
    assert not pythons.left_out(named, "")
    with pytest.raises(SystemExit, match=f"names Python 3.{named}, and .*\nno wheels"):
        pythons.left_out(named, "no wheels")
    assert pythons.left_out(99, "no wheels")
    assert "Python 3.99 is left out" in capsys.readouterr().out


def test_what_a_file_or_its_helper_imports_and_is_not_installed_is_lacking(tmp_path):
    test, helper = tmp_path / "test_it.py", tmp_path / "helper.py"
    helper.write_text("from nowhere.at import all\n")
    test.write_text("import os, nothing.such\nimport helper\n\ndef test():\n    import later\n")
    assert set(lacking(test)) == {"nothing", "nowhere"}


@pytest.mark.slow
def test_light_leaves_out_what_needs_what_is_not_installed_and_nothing_else(tmp_path):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs: x\n")
    (tmp_path / "test_lacking.py").write_text("import nothing_such\n")
    (tmp_path / "test_there.py").write_text(
        "import pytest\n@pytest.mark.needs('nothing_such')\ndef test_marked(): pass\n"
        "@pytest.mark.needs('numpy')\ndef test_runs(): pass\ndef test_fails(): import nothing_such\n"
    )
    command = [sys.executable, "-m", "pytest", "--light", "-p", "no:cacheprovider"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "test_lacking.py needs nothing_such" in said
    assert "1 failed, 1 passed, 1 skipped" in said
