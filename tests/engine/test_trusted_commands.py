"""A run folder, a space or a study from a stranger: looking at it executes nothing, and takes over no terminal."""

from __future__ import annotations

import ast
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOTS
from ledgers import records_of, rewrite

import mfbo
from mfbo.cli import main
from mfbo.errors import BadSpace, BadValue, RunChanged
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.space import read_space

HERE = mfbo.Settings(workers=0)
BAD = {"eval", "exec", "compile", "__import__", "input"}
UNSAFE = {
    "pickle", "_pickle", "dill", "joblib", "shelve", "marshal", "jsonpickle", "code", "runpy"
}  # fmt: skip
ALLOWED = {
    *(("source_file.py", "exec"), ("source_file.py", "compile")),  # a task file that the user has named
    *((file, what) for file in ("slot.py", "worker.py") for what in ("pickle", "pickle.loads")),  # what a pipe between
    *(("worker.py", "cloudpickle.loads"), ("again.py", "cloudpickle.loads")),  # the run and its own worker carries
}


def doubtful(path):
    """(file, what) for everything in it that could execute what it reads."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            yield from ((path.name, name) for name in names if name.partition(".")[0] in UNSAFE)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
            if name in BAD or name.endswith((".load_module", "pickle.load", "pickle.loads", "torch.load", "yaml.load")):
                yield from [] if name == "torch.load" and safe else [(path.name, name)]
            for keyword in node.keywords:
                if (
                    keyword.arg in ("allow_pickle", "trust_remote_code", "shell")
                    and ast.unparse(keyword.value) != "False"
                ):
                    yield path.name, f"{name}({keyword.arg})"
            if name in ("np.load", "numpy.load") and not any(word.arg in ("allow_pickle",) for word in node.keywords):
                yield path.name, f"{name} without allow_pickle=False"


@pytest.mark.slow
def test_nothing_in_the_package_can_execute_what_it_reads():
    files = [path for root in ROOTS.values() for path in root.rglob("*.py")]
    assert len(files) > 60
    assert {found for path in files for found in doubtful(path)} <= ALLOWED


def test_the_check_above_sees_what_it_looks_for(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import pickle, yaml, torch\npickle.loads(b'')\nyaml.load('')\nnp.load('x')\neval('1')\n"
        "torch.load('x', weights_only=False)"
    )
    assert len(set(doubtful(bad))) == 6


TASK = """
import mfbo
from pathlib import Path
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    context.report(config["x"] ** 2)
    return config["x"] ** 2

task = mfbo.Task("mine", ConfigurationSpace({"x": (-5.0, 5.0)}), train)
"""


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """A run whose task file has since become another, which leaves a mark where it is run."""
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text(TASK)
    mfbo.tune("evil.py:task", max_trials=4, optimizer="random", out="run", settings=HERE)
    Path("evil.py").write_text(TASK + "\nPath('mark').touch()\n")
    return tmp_path


LOOKING = {
    "show": ["run"], "best": ["run", "--format", "args"], "replay": ["run"], "plot": ["run", "-o", "curve.svg"],
    "narrow": ["run", "-o", "narrowed.yaml"],
}  # fmt: skip


@pytest.mark.parametrize("command", sorted(LOOKING))
def test_looking_at_a_run_does_not_run_the_file_that_it_names(sent, command):
    done = CliRunner().invoke(main, [command, *LOOKING[command]])
    assert done.exit_code in (0, 2), done.output
    assert not Path("mark").exists()


def test_going_on_with_a_run_says_which_file_it_runs_and_runs_none_that_has_changed(sent):
    with pytest.raises(RunChanged, match=r"the file 'evil\.py'"):
        mfbo.resume("run", max_trials=5)
    assert not Path("mark").exists()
    notes = []
    observer = Observer()
    observer.on_note = notes.append
    mfbo.resume("run", max_trials=5, accept_changes=True, observer=observer)
    assert notes == ["running your own code: evil.py"]
    assert Path("mark").exists()
    for options in ([], ["--quiet"], ["--json"]):
        done = CliRunner().invoke(main, ["resume", "run", "--max-trials", "6", "--accept-changes", *options])
        assert done.stderr.startswith("running your own code: evil.py\n")
        done = CliRunner().invoke(main, ["tune", "evil.py:task", "--max-trials", "1", "--workers", "0", *options])
        assert done.stderr.startswith("running your own code: evil.py\n")


def test_a_study_file_says_whose_code_it_runs_and_connects_to_nobody(sent):
    Path("evil.py").write_text(TASK)
    study = "tasks: [evil.py:task]\noptimizers: [random]\nseeds: 1\nmax_cost: 2x\nworkers: 0\n"
    Path("study.yaml").write_text(study)
    done = CliRunner().invoke(main, ["compare", "study.yaml", "--quiet"], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "running your own code: evil.py\n")
    Path("study.yaml").write_text(study.replace("workers: 0", "scheduler: tcp://127.0.0.1:9"))
    done = CliRunner().invoke(main, ["compare", "study.yaml"], catch_exceptions=False)
    assert done.exit_code == 2
    assert "names a scheduler" in done.stderr


class Marks:
    """Unpickling it leaves a mark."""

    def __reduce__(self):
        return Path.touch, (Path("mark"),)


@pytest.mark.slow
def test_a_pickle_in_a_checkpoint_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mfbo.tune("digits", "1.6x", optimizer="hyperband", seed=1, out="run", settings=HERE, fidelity="epochs")
    content = io.BytesIO()
    np.save(content, np.array([Marks()], dtype=object), allow_pickle=True)
    assert pickle.loads(pickle.dumps(Marks())) is None  # it is armed
    Path("mark").unlink()
    planted = list(Path("run/checkpoints").rglob("*.npz"))
    for path in planted:
        with np.load(path) as before:
            names = list(before)
        np.savez(path, **{name: np.array([Marks()], dtype=object) for name in names})
    assert planted
    after = mfbo.resume("run", max_cost="2.6x")
    assert any("BadData" in (r.outcome.error or "") for r in after.ledger.results)
    assert not Path("mark").exists()


def test_a_tag_in_a_space_file_creates_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").write_text(
        "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [mark]]"
    )
    with pytest.raises(BadSpace):
        read_space(Path("space.yaml"))
    done = CliRunner().invoke(main, ["tune", "branin", "--max-cost", "2x", "--space", "space.yaml"])
    assert done.exit_code == 2
    assert not Path("mark").exists()


ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m"


def hostile(folder, **header):
    """A ledger that would take over a terminal, if it could."""
    mfbo.tune("branin", max_trials=6, optimizer="random", out=folder)
    content = json.dumps(records_of(folder))
    for name in ("x1", "x2"):
        content = content.replace(json.dumps(name), json.dumps(name + ESCAPE))
    lines = json.loads(content)
    lines[0]["run"].update(header)
    for line in lines:
        if line["record"] == "result":
            line["outcome"]["metrics"] = {"accuracy" + ESCAPE: 0.5}
        if line["record"] == "result" and line["trial"] == 3:
            error = f"Traceback {ESCAPE}\n  {ESCAPE}\nError: {ESCAPE}"
            line["outcome"].update(status="failed", loss=None, error=error)
    rewrite(folder, lines)


@pytest.mark.parametrize("command", [*sorted(LOOKING), "resume", "validate"])
@pytest.mark.parametrize("name", ["branin", "branin" + ESCAPE, f"{ESCAPE}.py:{ESCAPE}"])
def test_no_command_passes_on_what_could_take_over_a_terminal(tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    hostile(Path("run"), task=name, command=ESCAPE, created=ESCAPE)
    assert read("run").header.task == name
    options = {"resume": ["run", "--max-trials", "8"], "validate": ["run"], **LOOKING}[command]
    done = CliRunner().invoke(main, [command, *options])
    assert done.exit_code in (0, 1, 2)
    assert not isinstance(done.exception, Exception), done.exception
    assert not {"\x1b", "\x07", "\x9b"} & set(done.stdout + done.stderr)


def test_a_rung_beyond_the_full_fidelity_is_refused(tmp_path):
    hostile(tmp_path, rungs=[{"epochs": 10**12, "data": 1.0, "work": 1.0}])
    with pytest.raises(RunChanged, match="a rung of the run"):
        mfbo.resume(tmp_path, max_trials=8)


def test_the_scheduler_that_a_ledger_names_is_not_asked(tmp_path):
    settings = {"scheduler": "tcp://127.0.0.1:9"}
    hostile(tmp_path, settings=settings)
    with pytest.raises(BadValue, match="give where it continues"):
        mfbo.resume(tmp_path, max_trials=8)
