"""Install the wheel on every Python that is here, and run on each the tests that need no extra, out of the tree's way.

The folders `mfbo`, `spaces` and `analysis` are not there, so that what is tested is what the wheel holds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINORS = (10, 11, 12, 13)
TESTS = ("budget", "fidelity", "trial", "task", "context", "checkpoint", "ledger", "curves", "meter", "retention")
TESTS += ("sampling", "optimizers", "tuning", "resume", "slot", "narrow")


def python(minor: int) -> str | None:
    """The first Python 3.`minor` that runs."""
    named = f"python3.{minor}"
    found = [shutil.which(named), *sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{named}"))]
    for path in filter(None, found):
        if subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            return str(path)
    return None


def check(python: str, wheel: Path, work: Path) -> None:
    """A new environment with the wheel alone, and the tests."""
    environment = work / "environment"
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", python, str(environment)], check=True)
    own = str(environment / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--python", own, "--compile-bytecode"]
    subprocess.run([*install, f"{wheel}[tpe]", "pytest", "pytest-xdist", "hypothesis"], check=True)
    where = "import mfbo, mfbo.spaces, mfbo.analysis; print(mfbo.__file__)"
    said = subprocess.run([own, "-c", where], cwd=work, check=True, capture_output=True, text=True).stdout
    if not said.startswith(str(environment)):
        raise SystemExit(f"not the wheel is tested but {said}")
    files = [f"tests/test_{name}.py" for name in TESTS]
    subprocess.run([own, "-m", "pytest", "-n", "2", *files], cwd=work, check=True)


def main() -> None:
    """Build the wheel, then go through the Pythons."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found = {minor: path for minor in MINORS if (path := python(minor))}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        for name in ("tests", "experiments"):
            shutil.copytree(ROOT / name, work / name)
        shutil.copy(ROOT / "pyproject.toml", work)
        for minor, path in found.items():
            print(f"Python 3.{minor}", flush=True)
            check(path, next(work.glob("*.whl")), work)
    print(f"the wheel works on Python {', '.join(f'3.{minor}' for minor in found)}")


if __name__ == "__main__":
    main()
