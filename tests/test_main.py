"""What starts mfbo: its own files, or a line that says that they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mfbo.__main__ import replaced


def installed(site, distribution, files):
    """A distribution with these files, as pip would leave it: the last one that is installed has its files there."""
    record = site / f"{distribution}-1.0.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    lines = [f"{name},sha256=x,{len(text)}" for name, text in files.items()]
    record.write_text("\n".join([*lines, f"{record.parent.name}/RECORD,,"]) + "\n")


OURS = {"mfbo/__init__.py": "ours", "mfbo/cli/__init__.py": "our command line", "mfbo/errors.py": "our errors"}
THEIRS = {"mfbo/__init__.py": "their package", "mfbo/models/gp.py": "a model"}


def test_files_that_another_package_has_written_over_are_found(tmp_path):
    installed(tmp_path, "mfbo_tune", OURS)
    assert replaced(tmp_path / "mfbo") == []
    installed(tmp_path, "mfbo", THEIRS)
    assert replaced(tmp_path / "mfbo") == ["mfbo/__init__.py"]


def test_a_package_that_was_there_before_is_no_fault_of_ours(tmp_path):
    installed(tmp_path, "mfbo", THEIRS)
    installed(tmp_path, "mfbo_tune", OURS)
    assert replaced(tmp_path / "mfbo") == []


def test_neither_is_a_file_that_somebody_has_edited(tmp_path):
    installed(tmp_path, "mfbo_tune", OURS)
    installed(tmp_path, "mfbo", {"mfbo/models/gp.py": "a model"})
    (tmp_path / "mfbo" / "errors.py").write_text("edited by hand")
    assert replaced(tmp_path / "mfbo") == []


@pytest.mark.parametrize("there", [False, True])
def test_it_starts_or_refuses_in_one_line(tmp_path, there):
    import mfbo.__main__ as ours

    files = {"mfbo/__init__.py": "", "mfbo/__main__.py": Path(ours.__file__).read_text(encoding="utf-8")}
    files["mfbo/cli/__init__.py"] = "def start():\n    print('started')\n"
    installed(tmp_path, "mfbo_tune", files)
    if there:
        installed(tmp_path, "mfbo", {"mfbo/__init__.py": "other = True\n"})
    command, environment = [sys.executable, "-m", "mfbo"], {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    if not there:
        assert (done.returncode, done.stdout) == (0, "started\n")
        return
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "another package called 'mfbo' has replaced files, such as mfbo/__init__.py" in line
    assert "pip uninstall mfbo mfbo-tune" in line
