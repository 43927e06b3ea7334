"""The README: its code runs, its commands exist, its map is the tree's. The guides are tested in tests/guides."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from conftest import ROOTS
from documents import DOCUMENTS, README, ROOT, needs_network, parsed, place, shorter, typed
from made_data import write_images
from printed import same

import mfbo
from mfbo.cli import main
from mfbo.guides import GUIDES
from mfbo.ledger.journal import FILE
from mfbo.tasks.registry import load

MAX_LINES = 200
SHOWN = {  # commands whose output stands in the README: what is typed instead, with the least that is planned
    ("tune", "digits", "--max-cost", "60s"): ("tune", "digits", "--max-cost", "20s", "--workers", "0"),
}


def test_it_is_short_and_names_every_guide():
    assert len(README.text.splitlines()) <= MAX_LINES
    assert all(f"mfbo/guides/{name}.md" in README.text for name in GUIDES)


@pytest.mark.slow
def test_the_own_task_runs_and_is_about_twenty_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = README.block("file: mine.py")
    assert len(code.splitlines()) <= 24
    Path("mine.py").write_text(code, encoding="utf-8")
    result = mfbo.tune("mine.py:task", "4x", settings=mfbo.Settings(workers=0))
    assert result.best.loss < 0.2


@pytest.mark.slow
def test_the_python_example_prints_a_result():
    (code,) = [code for name, language, code in README.blocks if language == "python" and not name]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'x1'" in said


@pytest.mark.parametrize("words", list(README.commands()), ids=shlex.join)
def test_every_command_is_one_and_every_option_of_it_exists(words):
    parsed(words)


@pytest.mark.slow
def test_all_commands_that_need_no_network_work_in_the_order_in_which_they_stand(tmp_path, monkeypatch):
    """In one folder, as a reader would type them; what is typed twice is typed once. They print what is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    README.write_files()
    write_images(Path("images"), a_class=8)
    done, shown, names = [], dict(README.outputs()), list(load("digits").space)
    for words in dict.fromkeys(map(tuple, README.commands())):
        if words not in SHOWN and needs_network(words):
            continue
        result = typed(SHOWN.get(words) or shorter(words))
        if words in shown:
            assert same(shown.pop(words), result.output, names), result.output
        done.append(words[0])
    assert {"tune", "show", "report", "best", "export", "validate", "resume", "ls"} <= set(done)
    assert not shown, "output that nothing was held to"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("level   ", "step   "),
        ("  each", "  cost"),
        ("expected end", "ends"),
        ("test run took", "test run needed"),
        ("would buy", "buys"),
        ("seed 0; cost", "seed 0, cost"),
        ("best ", "lowest "),
        (" trials, level 2: ", " trials, step 2: "),
        ("budget spent", "ended"),
        (" each, ", " for each, "),
        ("macro_f1", "f1"),
        ("  its model: runs/digits-smac-s0/best\n", ""),
    ],
)
def test_output_that_has_changed_in_words_or_lines_is_not_taken_for_what_is_shown(old, new):
    shown, names = dict(README.outputs())["tune", "digits", "--max-cost", "60s"], list(load("digits").space)
    whole = shown.replace("...\n", "")
    assert old in whole
    assert same(shown, whole, names)
    assert not same(shown, whole.replace(old, new), names)


def test_output_that_differs_in_numbers_rungs_and_configurations_alone_is_what_is_shown():
    shown, names = "# at all\nbest 0.02 at all data, 27 epochs (solver=adam, ...)\n...\nend", ["solver", "momentum"]
    other = "best 1e-06 at 3.7% of the data, 1 epoch (solver=sgd, momentum=0.1)\n"
    assert same(shown, f"# at all\n{other}{other}end", names)
    assert not same(shown, f"{other}# at all\nend", names)


# what runs the blocks, by their markers or, without one, their languages
RUN_BY = {
    "install": "a person, as it needs a network",
    "test": ".ci/run",
    "file: mine.py": "here",
    "map": "here, as it stands for the tree",
    "python": "here",
    "console": "here, the command of it",
    "bash": "here: all commands are parsed, and run where they need no network",
}


def test_there_is_no_code_that_nothing_runs():
    assert {name or language for name, language, _ in README.blocks} == set(RUN_BY)
    assert not README.others()


def test_every_command_is_documented_in_the_readme_or_a_guide():
    used = {words[0] for document in DOCUMENTS.values() for words in document.commands() if words}
    mentioned = {name for document in DOCUMENTS.values() for name in re.findall(r"mfbo ([a-z]+)", document.text)}
    assert set(main.commands) <= used | mentioned


def every_command():
    """(words, command) of all commands, those of groups included."""
    for name, command in main.commands.items():
        yield name, command
        yield from ((f"{name} {inner}", found) for inner, found in getattr(command, "commands", {}).items())


@pytest.mark.parametrize(("words", "command"), list(every_command()), ids=lambda value: str(value)[:20])
def test_the_help_of_a_command_says_what_it_does_and_what_each_option_is(words, command):
    said = " ".join(command.get_help(command.make_context(words, [], resilient_parsing=True)).split())
    assert (command.help or "").strip()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{words}: {parameter.opts}"
            assert parameter.opts[0] in said
        else:
            shown = re.search(r"[A-Z]+", parameter.metavar or parameter.name.upper())[0]
            assert shown in command.help, f"{words}: {shown}"


@pytest.mark.slow
def test_completion_offers_commands_options_and_names_in_bash(tmp_path):
    script = CliRunner().invoke(main, ["completion", "bash"]).output
    program = Path(sys.executable).parent / "mfbo"
    tried = f"""
eval "$1"
offer() {{ COMPREPLY=(); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mfbo_completion "$1"; echo "${{COMPREPLY[@]}}"; }}
offer {shlex.quote(str(program))} val
offer {shlex.quote(str(program))} tune branin --max-c
offer {shlex.quote(str(program))} init --template li
offer {shlex.quote(str(program))} tune dig
offer {shlex.quote(str(program))} plan digits --optimizer smac-
offer {shlex.quote(str(program))} show runs/m
"""
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / FILE).touch()
    command = ["bash", "-c", tried, "bash", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    offered = ["validate", "--max-cost", "lightning", "digits", "smac-stock", "runs/mine"]
    assert done.stdout.splitlines() == offered, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_is_there_for_other_shells(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_MFBO_COMPLETE" in result.output


def steps(code):
    """The single commands of shell code, without the flags that make them quieter or have them change nothing."""
    for part in re.split(r"&&|\n", re.sub(r"#.*", "", code)):
        if words := [word for word in shlex.split(part) if word not in ("--quiet", "--check")]:
            yield tuple(words)


def test_contributing_says_to_run_what_ci_runs_and_nothing_else():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (code,) = re.findall(r"```bash\n(.*?)```", contributing, re.DOTALL)
    said = {*steps(code)} - {("bash", ".ci/run")}
    assert len(said) < len({*steps(code)})
    tools = "|".join({words[0] for words in said})
    lines = re.findall(rf"^(?:\(cd \S+ && )?((?:{tools})\b[^)\n]*)", script, re.MULTILINE)
    ran = {*steps(README.block("test")), *steps("\n".join(lines))}
    installs = {words for words in said | ran if words[:2] == ("pip", "install")}
    assert {word for words in said & installs for word in words} <= {word for words in ran & installs for word in words}
    assert said - installs <= ran
    prose = {*steps("\n".join(re.findall(r"`([^`\n]+)`", contributing.replace(code, ""))))}
    assert {words for words in ran - installs if words[0] != "pip"} <= said | prose


def test_the_map_names_every_room_and_nothing_else():
    named = {line.split()[0] for line in README.block("map").splitlines()}
    rooms = {f"mfbo/{path.name}/" for path in ROOTS["mfbo"].iterdir() if (path / "__init__.py").is_file()}
    assert named == rooms - {"mfbo/spaces/", "mfbo/analysis/"} | {
        "mfbo/*.py", "spaces/", "analysis/", "experiments/", "tests/",
    }  # fmt: skip
    assert all(place(name).exists() for name in named - {"mfbo/*.py"})


def test_links_and_pictures_are_there():
    texts = [(ROOT, document.text) for document in DOCUMENTS.values()]
    texts += [(ROOT, (ROOT / name).read_text(encoding="utf-8")) for name in ("CONTRIBUTING.md", "CHANGELOG.md")]
    for folder, text in texts:
        for target in re.findall(r"\]\(([^)]+)\)", text):
            assert target.startswith("http") or (folder / target).exists() or place(target).exists(), target
        for name in re.findall(r"`((?:mfbo|experiments|spaces|analysis|tests|\.ci)/[\w./-]+)`", text):
            assert place(name).exists(), name
