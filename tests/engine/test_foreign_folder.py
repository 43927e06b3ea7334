"""A run's folder from a stranger: nothing in it leads out of it, and what is damaged in it is said in one line."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from ledgers import records_of, rewrite

import mfbo
from mfbo.checkpoint import Checkpoints
from mfbo.cli import main
from mfbo.engine.tune import tune
from mfbo.engine.validate import validate
from mfbo.errors import BadValue, MfboError, RunChanged, RunError
from mfbo.evidence.curves import incumbent
from mfbo.exports import export_run
from mfbo.exports.model import export
from mfbo.exports.table import harmless
from mfbo.ledger.journal import read
from mfbo.study.final_phase import Trainings

HERE = mfbo.Settings(workers=0)
TASK = """
import csv
import json
import mfbo
from pathlib import Path
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    with context.save(fidelity.epochs) as folder:
        (folder / "weights.txt").write_text(str(config["x"]))
        (folder / "measurement.json").write_text(json.dumps({"loss": config["x"], "metrics": {"mae": config["x"]}}))
    return config["x"]

task = mfbo.Task(
    "mine", ConfigurationSpace({"x": (0.0, 1.0)}), train, fidelity=mfbo.Fidelity(epochs=(1, 9)), validate=train
)
"""
SECRET = "-----BEGIN PRIVATE KEY-----"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with checkpoints, and a secret beside it."""
    home = tmp_path_factory.mktemp("made")
    (home / "mine.py").write_text(TASK)
    (home / "secret").write_text(SECRET)
    mfbo.tune(f"{home / 'mine.py'}:task", max_trials=4, optimizer="random", out=home / "run", settings=HERE)
    shutil.rmtree(home / "run" / "best")
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """A copy of it, to be spoilt."""
    shutil.copytree(made / "run", tmp_path / "run")
    shutil.copyfile(made / "secret", tmp_path / "secret")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checkpoint(run):
    """The folder of the incumbent's checkpoint."""
    best = incumbent(read(run))
    return Checkpoints(Path(run) / "checkpoints").find(best.trial.key, below=10)[1]


def replaced(path, target):
    """A link in place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(target)


def linked_root(home):
    (home / "run" / "checkpoints").rename(home / "elsewhere")
    (home / "run" / "checkpoints").symlink_to(home / "elsewhere")


def linked_key(home):
    key = checkpoint(home / "run").parent
    key.rename(home / "elsewhere")
    key.symlink_to(home / "elsewhere")


SPOILT = {
    "a file": lambda home: (checkpoint(home / "run") / "id_rsa").symlink_to(home / "secret"),
    "the weights": lambda home: replaced(checkpoint(home / "run") / "weights.txt", "../../../../secret"),
    "the measurement": lambda home: replaced(checkpoint(home / "run") / "measurement.json", home / "secret"),
    "a folder": lambda home: (checkpoint(home / "run") / "model").symlink_to(home),
    "a checkpoint": lambda home: replaced(checkpoint(home / "run"), home),
    "a configuration": linked_key,
    "all checkpoints": linked_root,
    "a pipe": lambda home: os.mkfifo(checkpoint(home / "run") / "model"),
    "the logs": lambda home: replaced(home / "run" / "logs", home),
    "the best": lambda home: (home / "run" / "best").symlink_to(home),
}  # fmt: skip


def lies_in(folder, text):
    """Files below it that hold `text`."""
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_text(errors="replace")]


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize(
    "command",
    [
        "best run --export out", "export run --to model -o out", "resume run --max-trials 6", "validate run --seeds 1",
        "tell run x.yaml --loss 0.5",
    ],
)  # fmt: skip
def test_nothing_that_leads_out_of_a_run_is_followed(home, kind, command):
    Path("x.yaml").write_text("x: 0.5\n")
    SPOILT[kind](home)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    done = CliRunner().invoke(main, command.split())
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") == 1
    assert "is a link" in done.stderr or "no plain file" in done.stderr or "is no folder" in done.stderr
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert SECRET not in done.stdout + done.stderr


def test_a_hard_link_is_not_exported(home):
    (checkpoint("run") / "id_rsa").hardlink_to("secret")
    with pytest.raises(BadValue, match="is a hard link"):
        export("run", "out")
    assert not Path("out").exists()


def test_a_log_is_not_written_through_a_link(home):
    (home / "run" / "logs" / "4.txt").symlink_to(home / "secret")
    with pytest.raises(RunError, match="is a link"):
        mfbo.resume("run", max_trials=6)
    assert Path("secret").read_text() == SECRET


def test_a_new_run_writes_through_no_link_that_lies_in_its_folder(home):
    Path("new").mkdir()
    Path("new/command.txt").symlink_to(home / "secret")
    with pytest.raises(RunError, match="is a link"):
        tune("branin", "2x", out="new", command="mfbo tune")
    assert Path("secret").read_text() == SECRET


def test_a_train_function_may_not_keep_links_in_a_checkpoint(tmp_path):
    with pytest.raises(BadValue, match="is a link"), Checkpoints(tmp_path).save("key", 1) as folder:
        (folder / "last").symlink_to("/etc/passwd")
    assert Checkpoints(tmp_path).find("key", below=2) is None


SCRIPT = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
(folder / "state.txt").write_text("state")
if sys.argv[2] == "link":
    (folder / "key").symlink_to(sys.argv[3])
print("loss: 0.5")
"""


@pytest.mark.parametrize("how", ["plain", "link"])
def test_a_command_hands_on_no_link_in_its_checkpoint(home, how):
    Path("train.py").write_text(SCRIPT)
    Path("space.yaml").write_text("lr: [0.1, 1.0]\n")
    words = [sys.executable, "train.py", "{checkpoint}", how, str(home / "secret"), "{lr}", "{epochs:1-3}"]
    settings = mfbo.Settings(workers=0, space="space.yaml")
    result = tune(shlex.join(words), max_trials=3, optimizer="random", out="own", settings=settings)
    outcomes = [result.outcome for result in result.ledger.results]
    if how == "plain":
        assert all(outcome.status == "ok" for outcome in outcomes)
        return
    assert all(outcome.status == "failed" and "is a link" in outcome.error for outcome in outcomes)
    assert not lies_in(Path("own"), SECRET)


DAMAGE = [
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"loss": "x"}', b'{"loss": 0.1, "metrics": [1]}',
    b'{"metrics": {"a": "b"}}', b'{"confusion": 3}', b'{"confusion": [["a"]]}', b"[" * 100_000,
    b'{"loss": 1' + b"0" * 10_000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_measurement_is_said_in_one_line(home, damage):
    file = checkpoint("run") / "measurement.json"
    file.write_bytes(damage)
    for command in ("best run --export out", "export run --to model -o out"):
        done = CliRunner().invoke(main, command.split())
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert "measurement.json' is damaged" in done.stderr
        assert not Path("out").exists()
    notes = []
    observer = mfbo.Observer()
    observer.on_note = notes.append
    mfbo.resume("run", max_trials=4, observer=observer)
    assert [note for note in notes if "the best model was not written" in note and "damaged" in note]


def test_a_measurement_that_claims_to_be_huge_is_refused_by_its_size(home):
    with (checkpoint("run") / "measurement.json").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(MfboError, match="more than 64 MiB"):
        export("run", "out")


@pytest.mark.parametrize(
    "damage", [*DAMAGE[:2], *DAMAGE[3:6], DAMAGE[11], b'[{"optimizer": "random"}]', b'[{"seconds": 1}]', b"[1]"]
)
def test_a_damaged_validation_of_a_study_is_said_in_one_line(tmp_path, damage):
    (tmp_path / "validation.json").write_bytes(damage)
    with pytest.raises(RunError, match=r"validation\.json' .*move it away") as caught:
        Trainings(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [*DAMAGE[:6], DAMAGE[11], b'{"hyperparameters": 1}', b'{"trained": {"work": "x"}}'])
def test_a_damaged_model_in_a_run_is_written_anew(home, damage):
    Path("run/best").mkdir()
    Path("run/best/config.json").write_bytes(damage)
    mfbo.resume("run", max_trials=4)
    assert json.loads(Path("run/best/config.json").read_text())["task"].endswith("mine.py:task")


COMMANDS = ["resume run --max-trials 6", "validate run --seeds 1", "validate run --seeds 1 --json"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_task_file_that_has_changed_is_not_run(made, home, command):
    file = Path("mine.py")
    file.write_text(TASK)
    mfbo.tune("mine.py:task", max_trials=3, optimizer="random", out="own", settings=HERE)
    file.write_text(TASK + "\nPath('mark').touch()\n")
    words = command.replace("run ", "own ").split()
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "has changed since this run began: the file 'mine.py'" in done.stderr
    assert not Path("mark").exists()
    done = CliRunner().invoke(main, [*words, "--accept-changes"])
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("running your own code: mine.py\n")
    assert Path("mark").exists()


def test_a_task_whose_space_has_changed_is_not_validated(home):
    Path("mine.py").write_text(TASK)
    mfbo.tune("mine.py:task", max_trials=3, optimizer="random", out="own", settings=HERE)
    Path("mine.py").write_text(TASK.replace("(0.0, 1.0)", "(0.0, 2.0)"))
    with pytest.raises(RunChanged):
        validate("own", 1)


def test_a_comparison_and_a_study_run_no_file_that_has_changed(home):
    Path("mine.py").write_text(TASK)
    words = ["mine.py:task", "--max-cost", "3x", "--optimizers", "random", "--seeds", "1", "--workers", "0", "--quiet"]
    for command in ("compare", "study"):
        Path("mine.py").write_text(TASK)
        assert CliRunner().invoke(main, [command, *words, "--max-cost", "12x", "-o", command]).exit_code == 0
        Path("mine.py").write_text(TASK + "\nPath('mark').touch()\n")
        done = CliRunner().invoke(main, [command, *words, "--max-cost", "24x", "-o", command])
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert "has changed" in done.stderr
        assert not Path("mark").exists()


@pytest.mark.parametrize("command", ["space", "train", "tune", "plan", "study", "compare"])
def test_whose_code_is_run_is_said_before_it_is(home, command):
    Path("mine.py").write_text("import sys\nprint('IMPORTED', file=sys.stderr)\n" + TASK)
    more = {
        "space": [], "train": ["--", "--x=0.5"], "tune": ["--max-trials", "1", "--workers", "0", "--quiet"],
        "plan": ["--max-cost", "3x"], "study": ["--max-cost", "12x", "--workers", "0", "--quiet"],
        "compare": ["--max-cost", "2x", "--optimizers", "random", "--seeds", "1", "--workers", "0", "--quiet"],
    }[command]  # fmt: skip
    done = CliRunner().invoke(main, [command, "mine.py:task", *more])
    said = done.stderr.splitlines()
    assert said.index("running your own code: mine.py") < said.index("IMPORTED"), done.stderr


def test_a_name_in_a_ledger_leads_an_export_nowhere_else(home):
    lines = records_of("run")
    lines[0]["run"]["search"]["optimizer"] = "../../../up"
    lines[0]["run"]["task"] = "a/../../b:c"
    rewrite("run", lines)
    done = CliRunner().invoke(main, ["export", "run", "--to", "smac", "-o", "deep/er/out"])
    assert done.exit_code == 0, done.output
    written = list(home.rglob("runhistory.json"))
    assert [path.relative_to(home / "deep" / "er" / "out").parts[0] for path in written] == ["b-c--up"]


ODD = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x00\r"


def spoilt_texts(folder):
    """Put what no display should see, and what is markup or a formula, into every text of a ledger."""
    lines = records_of(folder)
    for line in lines:
        if line["record"] == "result":
            line["outcome"]["metrics"] = {f"=cmd{ODD}|<b>": 0.5}
            if line["trial"] == 1:
                line["outcome"].update(status="failed", loss=None, error=f"=HYPERLINK()\n{ODD}\n  +1")
    lines[0]["run"]["settings"]["options"] = {f"a{ODD}": f"`<img src=x>`{ODD}"}
    lines[0]["run"]["versions"] = {"python": f"3{ODD}[x](y)"}
    lines[0]["run"]["task"] = f"a{ODD}<script>.py:b"
    rewrite(folder, lines)


def test_tables_and_model_cards_hold_no_control_characters_markup_or_formulas(home):
    spoilt_texts("run")
    export("run", "out")
    card = Path("out/README.md").read_text()
    export_run(read("run"), "csv", Path("run.csv"))
    table = Path("run.csv").read_text()
    for text in (card, table):
        assert not {"\x1b", "\x07", "\x9b", "\x00", "\r", "\u202e"} & set(text)
    prose = "\n".join(line for line in card.splitlines() if not line.startswith("    "))
    assert not re.search(r"(?<!\\)[<`\[]", prose.replace("`predict.py`", "").replace("`mfbo`", "")), prose
    cells = [cell for row in csv.reader(table.splitlines()) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+@" and cell]
    assert [cell for cell in cells if cell.startswith("'=HYPERLINK()")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\n=", "\x00=", "\u200b=", "\uff1d", "|"])
def test_no_text_begins_a_formula(start):
    assert harmless(f"{start}cmd").startswith("'")
    assert harmless("cmd") == "cmd"
    assert harmless(-1.5) == -1.5
