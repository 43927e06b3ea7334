"""The guides: they are printed, their code runs, their commands exist."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from documents import GUIDE_DOCUMENTS, needs_network, parsed, place, shorter, typed

import mfbo
from mfbo.cli import main
from mfbo.guides import GUIDES, text

LONG = ("comparing", "cost-and-budget", "reports-and-exports")  # guides whose commands take more than seconds
COMMANDS = [(name, words) for name, document in GUIDE_DOCUMENTS.items() for words in document.commands()]
RUN_BY = {
    "dask": "here, on a cluster that is started",
    "long": "here, among the slow tests",
    "python": "here",
    "bash": "here: mfbo's commands are parsed, and run where they need no network; of scripts, that they are there",
}


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    return tmp_path


def test_each_guide_has_a_line_and_a_file_and_there_are_no_others():
    stored = {path.name.removesuffix(".md") for path in files("mfbo.guides").iterdir() if path.name.endswith(".md")}
    assert stored == set(GUIDES)
    listed = CliRunner().invoke(main, ["guide"]).output.splitlines()
    assert [line.split()[0] for line in listed] == list(GUIDES)
    assert all(about in line for line, about in zip(listed, GUIDES.values(), strict=True))


@pytest.mark.parametrize("name", GUIDES)
def test_in_a_pipe_a_guide_is_its_markdown_without_the_markers_of_the_tests(name):
    said = CliRunner().invoke(main, ["guide", name]).output
    assert said == text(name) + "\n"
    assert said.startswith("# ")
    assert "<!--" not in said
    assert re.sub(r"<!--.*?-->\n", "", GUIDE_DOCUMENTS[name].text).rstrip() == said.rstrip()


@pytest.mark.slow
def test_in_a_terminal_a_guide_is_formatted():
    script = (
        "import io, sys\nfrom rich import console\n"
        "class Terminal(io.TextIOWrapper):\n    def isatty(self):\n        return True\n"
        "sys.stdout = Terminal(sys.stdout.buffer)\n"
        "from mfbo.cli import main\nmain(['guide', 'glossary'], standalone_mode=False)\nsys.stdout.flush()\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "Glossary" in said
    assert "|---|" not in said
    assert "\x1b[" in said


def test_an_unknown_guide_is_answered_with_the_nearest():
    done = CliRunner().invoke(main, ["guide", "glosary"])
    assert done.exit_code == 2
    assert "did you mean 'glossary'" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else shlex.join(value)
)
def test_every_command_is_one_and_every_option_of_it_exists(name, words):
    parsed(words)


def test_there_is_no_code_that_nothing_runs():
    markers = {
        name or language
        for document in GUIDE_DOCUMENTS.values()
        for name, language, _ in document.blocks
        if not name.startswith("file: ")
    }
    assert markers == set(RUN_BY)
    for document in GUIDE_DOCUMENTS.values():
        for words in document.others():
            assert words[0] == "python"
            assert place(words[1]).is_file(), words


def run(name, marked=()):
    """Type the commands of a guide, in order, and run its Python code."""
    document = GUIDE_DOCUMENTS[name]
    document.write_files()
    seen = set()
    for words in map(tuple, document.commands(marked=False)):
        if words not in seen and not needs_network(words):
            seen.add(words)
            typed(shorter(words))
    names: dict[str, object] = {"__name__": "guide"}
    for marker, language, code in document.blocks:
        if language == "python" and not marker:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, f"{name}.md", "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GUIDES if name not in LONG])
def test_what_a_guide_says_to_type_works_in_that_order(name, inside):
    run(name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
@pytest.mark.parametrize("name", LONG)
def test_what_a_longer_guide_says_to_type_works_in_that_order(name, inside):
    run(name)


@pytest.mark.slow
def test_the_study_of_a_guide_runs_its_three_phases(inside):
    (words,) = [words[1:] for marker, words in GUIDE_DOCUMENTS["comparing"].lines() if marker == "long"]
    assert "on unseen data" in typed(shorter(words)).stdout


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_the_cluster_of_a_guide_is_started_and_used_by_the_lines_that_stand_there(inside):
    scheduler, worker, tune = [words for marker, words in GUIDE_DOCUMENTS["workers"].lines() if marker == "dask"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    try:
        for words in (
            [*scheduler, "--dashboard-address", "127.0.0.1:0"],
            [*worker, "--dashboard-address", "127.0.0.1:0"],
        ):
            own = [word.replace("8786", port) for word in words]
            started.append(subprocess.Popen(own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        own = [word.replace("8786", port) for word in tune[1:]]
        assert own[-2:] == ["--scheduler", f"tcp://127.0.0.1:{port}"]
        typed([*own, "--max-trials", "1", "--optimizer", "random", "--max-fidelity", "0.2", "--quiet"])
        assert mfbo.resume("runs/digits-random-s0", scheduler="local").trials == 1
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=60)
