"""The README: its code runs, its commands exist, its map is the tree's."""

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
from made_data import write_images
from printed import same

import mfbo
from mfbo.cli import main
from mfbo.ledger.journal import FILE
from mfbo.tasks.registry import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:<!-- ([^\n]+?) -->\n)?```(\w*)\n(.*?)```", README, re.DOTALL)


def block(marker):
    """The code after ``<!-- marker -->``."""
    (found,) = [code for name, _, code in BLOCKS if name == marker]
    return found


def commands():
    """Every mfbo command line in a shell block."""
    for _, language, code in BLOCKS:
        if language in ("bash", "console"):
            for line in code.splitlines():
                for part in line.removeprefix("$ ").partition("#")[0].split("&&"):
                    words = shlex.split(part)
                    if words[:1] == ["mfbo"]:
                        yield words[1:]


def test_the_own_task_runs_and_is_about_twenty_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = block("file: mine.py")
    assert len(code.splitlines()) <= 24
    Path("mine.py").write_text(code, encoding="utf-8")
    result = mfbo.tune("mine.py:task", "4x", settings=mfbo.Settings(workers=0))
    assert result.best.loss < 0.2


def test_the_python_example_prints_a_result():
    (code,) = [code for name, language, code in BLOCKS if language == "python" and not name]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'x1'" in said


@pytest.mark.parametrize("words", list(commands()), ids=shlex.join)
def test_every_command_is_one_and_every_option_of_it_exists(words):
    command = main
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    assert command is not main
    command.make_context("mfbo", list(words))


AWAY = ("cifar10", "agnews", "imdb")  # data that a machine may not have
ELSEWHERE = ("init", "runs/train-smac-s0")  # of the script, which has a test of its own
LESS = {  # cost that is enough to see that a command works
    "tune": ("--max-cost", "3x"), "compare": ("--max-cost", "1x", "--seeds", "2"), "study": ("--max-cost", "6x"),
    "resume": ("--max-cost", "21s"), "validate": ("--seeds", "1"), "train": ("--epochs", "1"),
}  # fmt: skip
SHOWN = {  # commands whose output stands in the README: what is typed instead, with the least that is planned
    ("tune", "digits", "--max-cost", "60s"): ("tune", "digits", "--max-cost", "20s", "--workers", "0"),
    ("plan", "cifar10", "--max-cost", "2h"): ("plan", "cifar10", "--max-cost", "10m", "--data-dir", "images"),
}


def outputs():
    """Of each block of console output, the command and what it is shown to print."""
    for _, language, code in BLOCKS:
        if language == "console":
            typed, _, printed = code.removeprefix("$ mfbo ").partition("\n")
            yield tuple(shlex.split(typed)), printed


def shorter(words):
    """What to type for `words`, so that it takes seconds."""
    if words in SHOWN:
        return list(SHOWN[words])
    typed = [word.replace("RUN", "runs/digits-smac-s0") for word in words]
    typed += LESS.get(words[0], ())  # the last one of an option counts
    return typed + (["--workers", "0", "--quiet"] if words[0] in ("tune", "compare", "study") else [])


def test_all_commands_that_need_no_network_work_in_the_order_in_which_they_stand(tmp_path, monkeypatch):
    """In one folder, as a reader would type them; what is typed twice is typed once. They print what is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    Path("mine.py").write_text(block("file: mine.py"), encoding="utf-8")
    write_images(Path("images"), a_class=8)
    done, shown, names = [], dict(outputs()), list(load("digits").space)
    for words in dict.fromkeys(map(tuple, commands())):
        if words not in SHOWN and (set(words) & {*AWAY, *ELSEWHERE} or words[1].startswith("python ")):
            continue
        typed = shorter(words)
        result = CliRunner().invoke(main, typed, catch_exceptions=False)
        assert result.exit_code == 0, (typed, result.output)
        if words in shown:
            assert same(shown.pop(words), result.output, names), result.output
        done.append(words[0])
        if len(done) == 1:
            found = CliRunner().invoke(main, ["best", "runs/digits-smac-s0"], catch_exceptions=False)
            Path("known.yaml").write_text(found.stdout, encoding="utf-8")
    assert {"tune", "tell", "train", "compare", "study", "narrow", "report", "replay", "best", "plot"} <= set(done)
    assert not shown, "output that nothing was held to"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rung   ", "step   "),
        ("  each", "  cost"),
        ("expected to end", "ends"),
        ("of it\n", "of it\n  one more line\n"),
        ("would buy", "buys"),
        ("seed 0; cost", "seed 0, cost"),
        ("best ", "lowest "),
        ("of the plan", "planned"),
        ("budget spent", "ended"),
        ("planned trials", "trials"),
        ("macro_f1", "f1"),
        ("  its model: runs/digits-smac-s0/best\n", ""),
    ],
)
def test_output_that_has_changed_in_words_or_lines_is_not_taken_for_what_is_shown(old, new):
    shown, names = dict(outputs())["tune", "digits", "--max-cost", "60s"], list(load("digits").space)
    whole = shown.replace("...\n", "")
    assert old in whole
    assert same(shown, whole, names)
    assert not same(shown, whole.replace(old, new), names)


def test_output_that_differs_in_numbers_rungs_and_configurations_alone_is_what_is_shown():
    shown, names = "# at all\nbest 0.02 at all data, 27 epochs (solver=adam, ...)\n...\nend", ["solver", "momentum"]
    other = "best 1e-06 at 3.7% of the data, 1 epoch (solver=sgd, momentum=0.1)\n"
    assert same(shown, f"# at all\n{other}{other}end", names)
    assert not same(shown, f"{other}# at all\nend", names)


def test_the_script_and_its_space_are_tuned_by_the_commands_that_stand_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    Path("space.yaml").write_text(block("file: space.yaml"), encoding="utf-8")
    first, second, third = [shlex.split(line, comments=True)[1:] for line in block("script").splitlines()]
    assert second[-2:] == ["--max-cost", "20s"]
    for words in (first, [*second[:-2], "--max-cost", "1.5x", "--workers", "0", "--quiet"], third):
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert re.fullmatch(r"--l2=\S+ --lr=\S+\n", result.output)


# what runs the blocks, by their markers or, without one, their languages
RUN_BY = {
    "install": "a person, as it needs a network",
    "test": ".ci/run",
    "file: mine.py": "here",
    "file: space.yaml": "here",
    "script": "here",
    "map": "here, as it stands for the tree",
    "python": "here",
    "console": "here, the command of it",
    "bash": "here: all commands are parsed, and run where they need no network",
}


def test_there_is_no_code_that_nothing_runs():
    assert {name or language for name, language, _ in BLOCKS} == set(RUN_BY)


def test_every_command_is_documented():
    used = {words[0] for words in commands() if words}
    mentioned = set(re.findall(r"mfbo ([a-z]+)", README))
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
    ran = {*steps(block("test")), *steps("\n".join(lines))}
    installs = {words for words in said | ran if words[:2] == ("pip", "install")}
    assert {word for words in said & installs for word in words} <= {word for words in ran & installs for word in words}
    assert said - installs <= ran
    prose = {*steps("\n".join(re.findall(r"`([^`\n]+)`", contributing.replace(code, ""))))}
    assert {words for words in ran - installs if words[0] != "pip"} <= said | prose


def place(name):
    """Where a file of the tree lies; one of the packages may be where a wheel was installed."""
    top, _, rest = name.partition("/")
    return {root.name: root for root in ROOTS.values()}.get(top, ROOT / top) / rest


def test_the_map_names_every_module_and_nothing_else():
    named = {line.split()[0] for line in block("map").splitlines()}
    assert all(place(name).exists() for name in named)
    inside = {
        path.name + "/" * path.is_dir() for path in ROOTS["mfbo"].iterdir() if not path.name.startswith(("_", "."))
    }
    tops = {name for name in named if not name.startswith("mfbo/")}
    assert {name.removeprefix("mfbo/") for name in named if name.startswith("mfbo/")} == inside - {"py.typed", *tops}
    assert tops == {"spaces/", "analysis/", "experiments/", "tests/"}


def test_links_and_pictures_are_there():
    for text in (README, *((ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "CHANGELOG.md"))):
        for target in re.findall(r"\]\(([^)]+)\)", text):
            assert target.startswith("http") or (ROOT / target).exists(), target
        for name in re.findall(r"`((?:mfbo|experiments|spaces|analysis|tests|\.ci)/[\w./-]+)`", text):
            assert place(name).exists(), name
