"""Build the wheel and the source archive: they hold what the tree holds, nothing else; the wheel runs, and is typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"mfbo": "mfbo", "spaces": "mfbo/spaces", "analysis": "mfbo/analysis"}  # folder in the tree: in the wheel


def expected() -> set[str]:
    """The files of the tree, as the wheel must name them."""
    listed = subprocess.run(["git", "ls-files", *SOURCES], cwd=ROOT, check=True, capture_output=True, text=True)
    found = set()
    for name in listed.stdout.splitlines():
        top, _, rest = name.partition("/")
        found.add(f"{SOURCES[top]}/{rest}")
    return found


def check_wheel(wheel: Path) -> None:
    """Compare names; only metadata may be beside the package."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    metadata = {name for name in names if ".dist-info/" in name}
    inside = names - metadata
    if inside != expected():
        raise SystemExit(f"wheel and tree differ: {sorted(inside ^ expected())}")
    if not any(name.endswith("/licenses/LICENSE") for name in metadata):
        raise SystemExit("the wheel has no licence")


def check_it_runs(wheel: Path, work: Path) -> None:
    """Tune with what the wheel holds, far from the tree."""
    site = work / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = "import mfbo, mfbo.spaces, mfbo.analysis; print(mfbo.__file__, mfbo.spaces.__file__)"
    said = subprocess.run(
        [sys.executable, "-c", where], cwd=work, env=environment, check=True, capture_output=True, text=True
    ).stdout
    if said.count(str(site)) != 2:
        raise SystemExit(f"the wheel's own files were not the ones that ran: {said}")
    tune = [sys.executable, "-m", "mfbo", "tune", "branin", "--max-cost", "2x", "--json"]
    subprocess.run(tune, cwd=work, env=environment, check=True)


def check_its_types(wheel: Path, work: Path) -> None:
    """Have mypy check a user's code against the wheel where it is installed, which is where ``py.typed`` counts."""
    environment = work / "consumer"
    venv.create(environment, with_pip=False)
    (site,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    others = [path for path in sys.path if Path(path).name == "site-packages"]
    (site / "others.pth").write_text("\n".join(others))  # what the wheel depends on
    code = shutil.copy(ROOT / "tests" / "typed_consumer.py", work)
    python = ["--python-executable", str(environment / "bin" / "python")]
    wrong = work / "wrong.py"
    wrong.write_text("import mfbo\n\nmfbo.tune(3)\n")
    for file, expected_code in ((code, 0), (wrong, 1)):
        check = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, *python, str(file)]
        done = subprocess.run(check, cwd=work, check=False, capture_output=True, text=True)
        if done.returncode != expected_code:
            raise SystemExit(f"the types that users see: {done.stdout}{done.stderr}")


def main() -> None:
    """Build, check, say so."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, str(ROOT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        wheel, archive = next(work.glob("*.whl")), next(work.glob("*.tar.gz"))
        check_wheel(wheel)
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(archive)], check=True)
        with tarfile.open(archive) as tar:
            tops = {name.split("/")[1] for name in tar.getnames() if name.count("/")}
        if not {"mfbo", "spaces", "analysis", "pyproject.toml", "LICENSE", "README.md"} <= tops:
            raise SystemExit(f"the source archive lacks files: it has {sorted(tops)}")
        check_it_runs(wheel, work)
        check_its_types(wheel, work)
    print("wheel and source archive hold what the tree holds")


if __name__ == "__main__":
    main()
