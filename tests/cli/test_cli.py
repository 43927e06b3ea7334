"""The command line, as a person uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mfbo
from mfbo.cli import main
from mfbo.ledger.journal import FILE, read
from mfbo.optimizers.registry import OPTIMIZERS
from mfbo.tasks.registry import BUILTIN

SYNTHETIC = sorted(name for name, task in BUILTIN.items() if "(synthetic)" in task.description)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mfbo_cli(*args):
    """Run a command in this process; an unexpected exception is the test's."""
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="mfbo", catch_exceptions=False)


def succeed(*args):
    result = mfbo_cli(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def written():
    """What lies here, but for what Python itself keeps of the user's module."""
    return sorted(path for path in Path().rglob("*") if "__pycache__" not in path.parts)


def refused(*args):
    """What is said about a mistake: one line on standard error, exit code 2, nothing written."""
    before = written()
    result = mfbo_cli(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert written() == before
    (line,) = result.stderr.splitlines()
    assert line.startswith("mfbo: ")
    return line


# the main job


def test_json_is_one_object_and_nothing_else_and_the_same_on_every_run():
    first, second = (json.loads(succeed("tune", "branin", "--max-cost", "3x", "--seed", 1, "--json")) for _ in "ab")
    assert set(first) >= {"task", "optimizer", "seed", "max_cost", "cost", "trials", "status", "run", "best"}
    assert set(first["best"]) >= {"config", "loss", "fidelity", "metrics", "cost_at"}
    assert (first.pop("run"), second.pop("run")) == ("runs/branin-smac-s1", "runs/branin-smac-s1-2")
    assert first == second
    assert first["cost"] <= first["max_cost"] == 3


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - {"smac"}))
@pytest.mark.parametrize("task", SYNTHETIC)
def test_every_optimizer_finishes_on_every_synthetic_task(task, optimizer):
    found = json.loads(succeed("tune", task, "--max-cost", "3.5x", "--optimizer", optimizer, "--json"))
    assert found["status"] in ("budget", "exhausted")
    assert 0 < found["cost"] <= 3.5 * 1.01
    assert found["best"]["loss"] is not None


@pytest.mark.parametrize("task", ["counting-ones", "mixed", "forrester", "hartmann3-terrible"])
def test_smac_finishes_on_each_kind_of_space(task):
    found = json.loads(succeed("tune", task, "--max-cost", "3x", "--json"))
    assert found["status"] == "budget"
    assert found["trials"] > 9


def test_a_run_can_be_shown_exported_as_a_configuration_and_plotted():
    said = succeed("tune", "branin", "--max-cost", "3x", "--optimizer", "random", "--out", "run", "--quiet")
    assert "mfbo show run" in said
    assert "budget spent" in succeed("show", "run")
    as_yaml, as_json = yaml.safe_load(succeed("best", "run")), json.loads(succeed("best", "run", "--format", "json"))
    assert as_yaml == as_json
    assert as_json == mfbo.resume("run").best.config
    assert succeed("best", "run", "--format", "args") == f"--x1={as_json['x1']} --x2={as_json['x2']}\n"
    assert succeed("plot", "run", "-o", "curve.svg") == "curve.svg\n"


def test_a_finished_run_is_extended_and_charged_in_all():
    succeed("tune", "branin", "--max-cost", "2x", "--optimizer", "random", "--out", "run", "--quiet")
    found = json.loads(succeed("resume", "run", "--max-cost", "5x", "--json"))
    assert (found["cost"], found["trials"], found["max_cost"]) == (pytest.approx(5), 5, 5)


def test_a_torn_last_line_is_told_and_repaired_and_the_run_resumed():
    succeed("tune", "branin", "--max-cost", "4x", "--optimizer", "random", "--out", "run", "--quiet")
    whole = read("run")
    ledger = mfbo.resume("run").run / FILE
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:5]) + lines[5][:-9])
    result = mfbo_cli("resume", "run")
    assert result.exit_code == 0
    assert "cut off in mid-write" in result.stderr
    assert read("run").results == whole.results


def test_the_digits_task_is_tuned_validated_and_exported():
    succeed("tune", "digits", "--max-trials", "1", "--optimizer", "random", "--workers", "0", "--out", "run", "--quiet")
    said = mfbo_cli("validate", "run", "--seeds", "2")
    assert said.exit_code == 0
    assert [line.split(":")[0] for line in said.stderr.splitlines()] == ["seed 0", "seed 1"]
    assert "macro_f1" in said.stdout
    assert "confusion" in said.stdout
    found = json.loads(succeed("validate", "run", "--seeds", "1", "--out", "elsewhere", "--json"))
    assert sum(map(sum, found["confusion"])) == 359
    assert succeed("best", "run", "--export", "model") == "model\n"
    for folder in ("run/best", "elsewhere", "model"):
        assert Path(folder, "predict.py").is_file()


def test_a_task_of_the_users_own_file():
    Path("mine.py").write_text(
        "import mfbo\nfrom ConfigSpace import ConfigurationSpace\n"
        "def train(config, fidelity, context):\n    return config['x'] ** 2\n"
        "task = mfbo.Task('mine', ConfigurationSpace({'x': (-1.0, 1.0)}), train, mfbo.Fidelity(epochs=(1, 9)))\n"
    )
    found = json.loads(succeed("tune", "mine.py:task", "--max-cost", "4x", "--workers", "0", "--json"))
    assert found["best"]["loss"] < 1


def test_a_run_of_nothing_but_failures_shows_the_first_traceback():
    Path("mine.py").write_text(
        "import mfbo\nfrom ConfigSpace import ConfigurationSpace\n"
        "def train(config, fidelity, context):\n    raise RuntimeError('no such luck\\x1b[31m')\n"
        "task = mfbo.Task('mine', ConfigurationSpace({'x': (-1.0, 1.0)}), train)\n"
    )
    result = mfbo_cli("tune", "mine.py:task", "--max-cost", "99x", "--workers", "0", "--optimizer", "random", "-q")
    assert result.exit_code == 1
    assert "no trial of 5 succeeded" in result.stderr
    assert "no such luck" in result.stderr
    assert "\x1b" not in result.stderr


# looking around


def test_every_task_and_optimizer_is_listed():
    assert [line.split()[0] for line in succeed("tasks").splitlines()][: len(BUILTIN)] == list(BUILTIN)
    assert [line.split()[0] for line in succeed("optimizers").splitlines()] == list(OPTIMIZERS)


@pytest.mark.parametrize("task", list(BUILTIN))
def test_every_space_is_shown_with_its_rungs(task):
    said = succeed("space", task)
    assert "Hyperparameters:" in said
    assert "all data" in said


def test_a_wide_space_has_conditions():
    assert "Conditions:" in succeed("space", "imdb", "--space", "wide")


def test_data_status_tells_where_it_looked():
    said = succeed("data", "status", "--data-dir", "nowhere")
    assert said.count("problem") == 3
    assert "nowhere/imdb" in said.replace("\n", "").replace(" ", "")


# mistakes


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["tune", "digts", "--max-cost", "3x"], "did you mean 'digits'"),
        (["tune", "branin", "--max-cost", "3x", "--optimizer", "smacc"], "did you mean 'smac'"),
        (["tune", "branin"], "--max-cost 2h"),
        (["tune", "branin", "--max-cost", "0"], "'0' is not a cost"),
        (["tune", "branin", "--max-cost", "0s"], "more than zero"),
        (["tune", "branin", "--max-cost", "-1h"], "'-1h'"),
        (["tune", "branin", "--max-cost", "2 hours please"], "'2 hours please'"),
        (["tune", "branin", "--max-cost", "0.01x"], "less than the cheapest trial"),
        (["tune", "branin", "--max-cost", "3x", "--seed", "x"], "'x' is not a valid integer"),
        (["tune", "branin", "--max-cost", "3x", "--seed", "-1"], "seed -1"),
        (["tune", "branin", "--max-cost", "3x", "--max-trials", "0"], "max trials 0"),
        (["tune", "branin", "--max-cost", "3x", "--max-wall", "3x"], "max wall"),
        (["tune", "branin", "--max-cost", "3x", "--fidelity", "time"], "unknown fidelity path 'time'"),
        (["tune", "branin", "--max-cost", "3x", "--workers", "many"], "workers 'many'"),
        (["tune", "branin", "--max-cost", "3x", "--device", "tpu"], "unknown device 'tpu'"),
        (["tune", "branin", "--max-cost", "3x", "--space", "wider"], "unknown space 'wider'"),
        (["tune", "branin", "--max-cost", "3x", "--space", "none.yaml"], "does not exist"),
        (["tune", "branin", "--max-cost", "3x", "--option", "patience"], "KEY=VALUE"),
        (["tune", "branin", "--max-cost", "3x", "--max-disk", "0"], "max disk 0.0"),
        (["tune", "branin", "--max-cots", "3x"], "--max-cost"),
        (["tune"], "Missing argument 'TASK'"),
        (["tunes"], "did you mean 'tune'"),
        (["tune", "nothing.py:task", "--max-cost", "3x"], "does not exist"),
        pytest.param(
            ["tune", "cifar10", "--max-cost", "3x", "--data-dir", "nowhere"],
            "mfbo data get cifar10",
            marks=pytest.mark.needs("torch"),
        ),
        (["resume", "nowhere"], "no run in 'nowhere'"),
        (["show", "nowhere"], "no run in 'nowhere'"),
        (["best", "nowhere"], "no run in 'nowhere'"),
        (["best", "nowhere", "--format", "xml"], "'xml' is not one of"),
        (["plot", "nowhere"], "no run in 'nowhere'"),
        (["plot"], "Missing argument 'RUN"),
        (["validate", "nowhere"], "no run in 'nowhere'"),
        (["space", "nothing"], "unknown task 'nothing'"),
        (["data", "get", "imbd"], "did you mean 'imdb'"),
        (["data", "gte"], "did you mean 'get'"),
    ],
)
def test_a_mistake_is_answered_in_one_line(typed, said):
    assert said.lower() in refused(*typed).lower()


def test_a_folder_with_another_run_is_left_as_it_is():
    succeed("tune", "branin", "--max-cost", "2x", "--optimizer", "random", "--out", "run", "--quiet")
    assert "holds another run" in refused("tune", "branin", "--max-cost", "2x", "--out", "run")


def test_a_ledger_of_a_newer_version_and_a_damaged_one_are_named():
    Path("run").mkdir()
    for text, said in (
        ('{"record": "run", "format": 99}\n', "upgrade mfbo"),
        ("not json\n", "line 1"),
        ("", "start the run anew"),
    ):
        Path("run", FILE).write_text(text)
        for command in ("show", "resume", "best", "plot"):
            assert said in refused(command, "run")


def test_a_task_file_that_fails_is_named_with_its_line():
    Path("mine.py").write_text("import mfbo\n1 / 0\n")
    line = refused("tune", "mine.py:task", "--max-cost", "3x")
    assert "mine.py" in line
    assert "line 2" in line
    assert "ZeroDivisionError" in line


TYPED = (
    "tune resume show plot best data branin digts --max-cost 2x -1h --seed 9e9 --out x --option a=b --json --space wide"
    " --max-trials 1 -o a.bmp é\udc80 \x1b[1m"
)
WORDS = st.sampled_from([*TYPED.split(" "), ""])


@given(typed=st.lists(WORDS, max_size=7))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_command_line_ends_in_a_traceback(typed):
    assert mfbo_cli(*typed).exit_code in (0, 1, 2)


# starting up


@pytest.mark.parametrize("command", [["--help"], ["tasks"], ["tune", "--help"], ["optimizers"]])
def test_quick_commands_import_nothing_heavy(command):
    script = (
        "import sys\nfrom mfbo.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'smac', 'torch', 'matplotlib', 'numpy', 'ConfigSpace', 'sklearn', 'rich', 'scipy', 'datasets'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert said.splitlines()[-1] == "[]"
