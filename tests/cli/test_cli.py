"""The command line, as a person uses it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mfbo
from mfbo.cli import TOPICS, main
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.writer import Ledger
from mfbo.optimizers.registry import OPTIMIZERS
from mfbo.tasks.registry import BUILTIN, COMMON

SYNTHETIC = sorted(name for name, task in BUILTIN.items() if "(synthetic)" in task.description)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mfbo_cli(*args):
    """Run a command in this process; an unexpected exception is the test's."""
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="mfbo", catch_exceptions=False)


TASK_FILE = """
import mfbo
from ConfigSpace import ConfigurationSpace

space = ConfigurationSpace({"x": (0.0, 1.0)})

def train(config, fidelity, context):
    return mfbo.Measurement(config["x"], cost=1.0)

task = mfbo.Task("mine", space, train, full_cost=1.0)
"""


def succeed(*args):
    result = mfbo_cli(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def written():
    """What lies here, but for what Python itself keeps of the user's module."""
    return sorted(path for path in Path().rglob("*") if "__pycache__" not in path.parts)


def refused(*args):
    """What is said about a mistake: one line on standard error beside whose code runs, exit code 2, nothing written."""
    before = written()
    result = mfbo_cli(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert written() == before
    (line,) = (line for line in result.stderr.splitlines() if not line.startswith("running your own code"))
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


LOUD = (
    """
import atexit, ctypes, os, threading
print("printed")
os.write(1, b"written")
ctypes.CDLL(None).puts(b"put")
atexit.register(print, "at the end")

def print_on():
    while not threading.Event().wait(0.05):
        print("again")

threading.Thread(target=print_on, daemon=True).start()
"""
    + TASK_FILE
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    ["tune {} --max-trials 2 --optimizer random --workers 0", "train {}", "plan {} --max-cost 9s", "ls {}"],
)
def test_what_a_file_prints_as_it_is_imported_and_as_python_ends_has_no_part_in_the_answer(words, inside):
    (inside / "own.py").write_text(LOUD)
    (inside / "runs").mkdir()
    command = words.format("runs" if words.startswith("ls") else "own.py:task").split()
    done = subprocess.run(
        [sys.executable, "-m", "mfbo", *command, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict | list)
    assert words.startswith("ls") or all(word in done.stderr for word in ("printed", "written", "put", "at the end"))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - {"smac"}))
@pytest.mark.parametrize("task", SYNTHETIC)
def test_every_optimizer_finishes_on_every_synthetic_task(task, optimizer):
    found = json.loads(succeed("tune", task, "--max-cost", "3.5x", "--optimizer", optimizer, "--json"))
    assert found["status"] in ("budget", "exhausted")
    assert 0 < found["cost"] <= 3.5 * 1.01
    assert found["best"]["loss"] is not None


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert succeed("export", "run", "--to", "model", "-o", "same") == "same\n"
    assert Path("same", "config.json").read_bytes() == Path("model", "config.json").read_bytes()
    for folder in ("run/best", "elsewhere", "model", "same"):
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
    assert [line.split()[0] for line in succeed("tasks", "--all").splitlines()][: len(BUILTIN)] == list(BUILTIN)
    assert [line.split()[0] for line in succeed("tasks").splitlines()][: len(COMMON)] == list(COMMON)
    assert len(COMMON) == 10
    assert f"{len(BUILTIN) - 10} more: mfbo tasks --all" in mfbo_cli("tasks").stderr
    assert [line.split()[0] for line in succeed("optimizers").splitlines()] == list(OPTIMIZERS)


@pytest.mark.parametrize("task", list(BUILTIN))
def test_every_space_is_shown_with_its_rungs(task):
    said = succeed("space", task)
    assert "Hyperparameters:" in said
    assert "all data" in said


def test_a_wide_space_has_conditions():
    assert "Conditions:" in succeed("space", "imdb", "--space", "wide")


def test_the_help_has_every_command_once_under_a_topic_in_the_order_of_use():
    said = succeed("--help")
    topics = {heading: [command.name for command in commands] for heading, commands in TOPICS.items()}
    listed, heading = {}, None
    for line in said.splitlines():
        if line.endswith(":") and line[:-1] in topics:
            listed[heading := line[:-1]] = []
        elif heading and (match := re.match(r"  ([a-z]+) {2,}\S", line)):
            listed[heading].append(match[1])
    assert listed == topics
    assert sorted(name for names in listed.values() for name in names) == sorted(main.commands)


def test_a_group_alone_shows_its_help_with_its_commands_in_order():
    said = succeed("data")
    assert re.search(r"Commands:\n  get .*\n  status .*", said)


def test_ls_lists_each_run_with_its_state_and_what_cannot_be_read_with_the_reason():
    assert "no folder 'runs'" in refused("ls")
    succeed("tune", "branin", "--max-cost", "2x", "--optimizer", "random", "--quiet")
    succeed("compare", "forrester", "--max-cost", "2x", "--optimizers", "random", "--seeds", "1", "--quiet")
    begun = read("runs/branin-random-s0")
    ledger = mfbo.resume("runs/branin-random-s0").run / FILE
    Path("runs/cut").mkdir()
    Path("runs/cut", FILE).write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:3]))
    Path("runs/broken").mkdir()
    Path("runs/broken", FILE).write_text("not json\n")
    found = {one["folder"]: one for one in json.loads(succeed("ls", "--json"))}
    assert list(found) == sorted(found)
    assert found["runs/branin-random-s0"]["state"] == "finished"
    assert found["runs/branin-random-s0"]["loss"] == min(result.outcome.loss for result in begun.results)
    assert found["runs/branin-random-s0"]["cost"] == "2x of 2x"
    assert found["runs/forrester-comparison/forrester/random/s0"]["task"] == "forrester"
    assert found["runs/cut"]["state"] == "not finished"
    assert "line 1 of the ledger is damaged" in found["runs/broken"]["state"]
    said = succeed("ls")
    assert "4 runs in runs" in said
    assert re.search(r"^broken +damaged *$", said, re.MULTILINE)
    assert "broken: " in said
    with Ledger.reopen(Path("runs/cut")):
        assert "running" in succeed("ls", "runs")
    assert succeed("ls", "runs/forrester-comparison").count("forrester") > 1


def test_an_export_names_its_formats_the_model_first_among_them():
    succeed("tune", "branin", "--max-cost", "2x", "--optimizer", "random", "--out", "run", "--quiet")
    assert "did you mean 'csv'" in refused("export", "run", "--to", "cvs", "-o", "x")
    assert "model" in refused("export", "run", "--to", "cvs", "-o", "x")
    assert "keeps no model" in refused("export", "run", "--to", "model", "-o", "x")
    assert "--trial 0 is for --to model" in refused("export", "run", "--to", "csv", "--trial", "0", "-o", "x")
    assert succeed("export", "run", "--to", "csv", "--out", "run.csv") == "run.csv\n"


def test_every_command_that_writes_has_the_same_option_for_it():
    writing = [command for command in main.commands.values() if any(p.name == "out" for p in command.params)]
    assert len(writing) >= 8
    for command in main.commands.values():
        for option in command.params:
            assert option.name != "output", command.name
            assert option.name != "out" or option.opts == ["-o", "--out"], command.name


def test_an_unknown_task_is_answered_with_the_nearest_and_not_with_all():
    line = refused("tune", "hartman3", "--max-cost", "2x")
    assert "did you mean 'hartmann3'" in line
    assert line.count("hartmann") <= 3
    assert "`mfbo tasks`" in refused("tune", "xyz", "--max-cost", "2x")


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
        (["plot", "nowhere"], "no run or comparison in 'nowhere'"),
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
        ("", "nothing was kept; start it again with the same `mfbo tune` command"),
    ):
        Path("run", FILE).write_text(text)
        for command in ("show", "resume", "best", "plot"):
            assert said in refused(command, "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("out", "folder"), [(["--out", "runs/mine"], "runs/mine"), ([], "runs/mine-smac-s0")], ids=["out", "no out"]
)
def test_a_run_that_is_killed_while_its_task_is_imported_says_how_to_start_it_again(out, folder):
    Path("mine.py").write_text("import pathlib, time\npathlib.Path('imported').touch()\ntime.sleep(600)\n")
    typed = ["tune", "mine.py:task", "--max-cost", "3x", *out]
    process = subprocess.Popen(
        [sys.executable, "-m", "mfbo", *typed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not Path("imported").exists():
        assert process.poll() is None
        time.sleep(0.01)
    assert "being prepared" in succeed("ls")
    assert "being prepared" in refused("show", folder)
    process.kill()
    process.wait()
    again = f"nothing was kept; start it again with: mfbo {' '.join(typed)}"
    assert again in refused("resume", folder)
    listed = " ".join(succeed("ls").split())
    assert "nothing kept" in listed
    assert again in listed
    Path("mine.py").write_text(TASK_FILE)
    succeed(*typed, "--quiet")
    assert not Path(folder, "command.txt").exists()


@pytest.mark.slow
def test_a_worker_imports_a_users_file_while_the_run_does():
    meet = """
import os, time
from pathlib import Path
Path(f"here-{os.getpid()}").touch()
limit = time.monotonic() + 60
while len(list(Path.cwd().glob("here-*"))) < 2:
    if time.monotonic() > limit:
        raise RuntimeError("nobody else imports this file")
    time.sleep(0.01)
"""
    Path("mine.py").write_text(meet + TASK_FILE)
    succeed("tune", "mine.py:task", "--max-cost", "3x", "--optimizer", "random", "--quiet")


def test_the_folder_of_a_run_is_named_after_what_was_typed_so_that_workers_can_begin_before_the_task_is_loaded():
    Path("mine.py").write_text(TASK_FILE.replace('"mine"', '"other"') + "\nsecond = task\n")
    for name in ("task", "second"):
        succeed("tune", f"mine.py:{name}", "--max-cost", "3x", "--optimizer", "random", "--quiet")
    assert {path.name for path in Path("runs").iterdir()} == {"mine-random-s0", "mine-second-random-s0"}


def test_a_list_of_runs_does_not_read_a_whole_disk(monkeypatch):
    succeed("tune", "branin", "--max-cost", "2x", "--optimizer", "random", "--out", "near", "--quiet")
    Path("a/b/c").mkdir(parents=True)
    Path("a/command.txt").write_text("another program's\n")
    monkeypatch.setattr("mfbo.display.listing.MAX_FOLDERS", 4)
    said = mfbo_cli("ls", ".")
    assert "1 run in ." in said.output
    assert "name one nearer to the runs" in said.output
    monkeypatch.setattr("mfbo.display.listing.MAX_FOLDERS", 40)
    assert "nearer" not in mfbo_cli("ls", ".").output


def test_a_task_that_does_not_load_leaves_no_folder():
    Path("mine.py").write_text("1 / 0\n")
    assert mfbo_cli("tune", "mine.py:task", "--max-cost", "3x", "--out", "runs/mine").exit_code == 2
    assert not Path("runs").exists()


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


@pytest.mark.parametrize("command", [["--help"], ["tasks"], ["tune", "--help"], ["optimizers"], ["guide"]])
def test_quick_commands_import_nothing_heavy(command):
    script = (
        "import sys\nfrom mfbo.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'smac', 'torch', 'matplotlib', 'numpy', 'ConfigSpace', 'sklearn', 'rich', 'scipy', 'datasets'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert said.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_listing_runs_imports_no_optimizer_and_no_framework():
    succeed("tune", "branin", "--max-cost", "2x", "--optimizer", "random", "--quiet")
    script = (
        "import sys\nfrom mfbo.cli import main\n"
        "try:\n    main(['ls'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'smac', 'torch', 'matplotlib', 'ConfigSpace', 'sklearn', 'scipy', 'datasets', 'distributed'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "1 run in runs" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"
