"""Install the wheel on every other Python that is here, and run on each what needs no PyTorch, out of the tree's way.

The folders `mfbo`, `spaces` and `analysis` are not there, so that what is tested is what the wheel holds. Some of them
only: `python .ci/pythons.py 13 14`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from elsewhere import ROOT, copy

PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
LEAST = int(re.findall(r'requires-python = ">=3\.(\d+)"', PROJECT)[0])
NAMED = {int(minor) for minor in re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', PROJECT)}
EXTRAS = "tpe,exports,lcbench"  # those that come without PyTorch
ONCE = {  # test files that one Python is enough for, the one that has run the whole suite
    "executors/test_dask.py": "clusters take minutes",
    "analysis/test_plot.py": "where a picture's words lie is matplotlib's, whose version differs",
    "test_readme.py": "documents",
    "analysis/test_report.py": "as test_plot.py",
}
TOOLS = ("pytest", "pytest-xdist", "hypothesis", "optuna-dashboard", "pillow")


def pythons() -> dict[int, Path]:
    """Minor version: the first Python 3 of it that runs, of those on the path, pyenv's and uv's."""
    found: dict[int, Path] = {}
    for folder in [*map(Path, os.get_exec_path()), *installed()]:
        for path in folder.glob("python3.*"):
            name = re.fullmatch(r"python3\.(\d+)", path.name)
            if name and LEAST <= int(name[1]) not in found and runs(path):
                found[int(name[1])] = path
    return dict(sorted(found.items()))


def installed() -> list[Path]:
    """The folders of pyenv's Pythons and uv's."""
    own = subprocess.run(["uv", "python", "dir"], check=True, capture_output=True, text=True).stdout.strip()
    return sorted([*Path.home().glob(".pyenv/versions/*/bin"), *Path(own).glob("*/bin")])


def runs(python: Path) -> bool:
    """Whether it does; a shim of pyenv's may lead nowhere."""
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


def chosen(named: list[str]) -> dict[int, Path]:
    """The Pythons to test on: those of the minors that are named, or all but the one that runs this.

    That one has run the whole suite on the wheel before; it is chosen where it is the only one.
    """
    every = pythons()
    others = {minor: path for minor, path in every.items() if minor != sys.version_info.minor} or every
    found = {minor: path for minor, path in every.items() if str(minor) in named} if named else others
    if not found:
        wanted = " or ".join(f"3.{minor}" for minor in named) or f"3.{LEAST} or later"
        raise SystemExit(f"no Python {wanted} on the path, of pyenv or of uv; install one: uv python install")
    return found


def install(python: Path, wheel: Path, environment: Path) -> str:
    """A new environment with the wheel, which is light, as PyTorch is not there; why it cannot be, or nothing."""
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", python, environment], check=True)
    command = ["uv", "pip", "install", "--quiet", "--python", environment, "--compile-bytecode"]
    done = subprocess.run([*command, f"{wheel}[{EXTRAS}]", *TOOLS], check=False, stderr=subprocess.PIPE, text=True)
    return done.stderr.strip() if done.returncode else ""


def left_out(minor: int, problem: str) -> bool:
    """Whether a Python on which the wheel cannot be installed is passed over: one that pyproject.toml does not name."""
    if problem and minor in NAMED:
        raise SystemExit(f"pyproject.toml names Python 3.{minor}, and the wheel cannot be installed:\n{problem}")
    if problem:
        print(f"Python 3.{minor} is left out, as pyproject.toml does not name it:\n{problem}")
    return bool(problem)


def check(environment: Path, work: Path) -> None:
    """Run the tests of what is in the environment."""
    own = environment / "bin" / "python"
    where = "import mfbo, mfbo.spaces, mfbo.analysis; print(mfbo.__file__)"
    said = subprocess.run([own, "-c", where], cwd=work, check=True, capture_output=True, text=True).stdout
    if not said.startswith(str(environment)):
        raise SystemExit(f"not the wheel is tested but {said}")
    subprocess.run(
        [own, "-m", "pytest", "-n", "2", "--light", *(f"--ignore=tests/{name}" for name in ONCE)], cwd=work, check=True
    )


def main() -> None:
    """Build the wheel, then go through the Pythons."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found, works = chosen(sys.argv[1:]), []
    with tempfile.TemporaryDirectory() as folder:
        work, environment = Path(folder, "work"), Path(folder, "environment")
        work.mkdir()
        copy(work)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        for minor, path in found.items():
            print(f"Python 3.{minor}: {path}", flush=True)
            problem = install(path, next(Path(folder).glob("*.whl")), environment)
            if not left_out(minor, problem):
                check(environment, work)
                works.append(f"3.{minor}")
    if not works:
        raise SystemExit("the wheel was tested on no Python, as all were left out; install an earlier one")
    print(f"the wheel works on Python {', '.join(works)}")


if __name__ == "__main__":
    main()
