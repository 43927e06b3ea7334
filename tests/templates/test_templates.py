"""`mfbo init`: what it writes runs as it stands, continues from checkpoints, and is all in the wheel."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import mfbo
from mfbo.checkpoint import Checkpoints
from mfbo.cli import main
from mfbo.errors import BadTask, TrialStopped
from mfbo.tasks.registry import load
from mfbo.templates import TEMPLATES
from mfbo.trial import Rung

pytestmark = pytest.mark.needs("torch", "transformers", "lightning")  # most of what they are written for
TASKS = sorted(set(TEMPLATES) - {"command"})


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder; no network; what the libraries have to say of themselves is no failure of ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path


def init(*words):
    return CliRunner().invoke(main, ["init", *words], catch_exceptions=False)


def typed(done):
    """The command that `mfbo init` says to type next."""
    return shlex.split(done.output.splitlines()[-1])[1:]


def written(template, name="from_template.py"):
    """The task that a template makes."""
    made = init(name, "--template", template)
    assert made.exit_code == 0, made.output
    return load(f"{name}:task")


@pytest.mark.slow
@pytest.mark.parametrize("template", TASKS)
def test_a_template_runs_as_it_stands_by_the_command_that_it_says(template, place):
    done = init(f"my {template}.py", "--template", template)
    words = typed(done)
    assert words == ["tune", f"my {template}.py:task", "--max-cost", "20s"]
    text = Path(f"my {template}.py").read_text()
    assert "    " + done.output.splitlines()[-1].strip() in text.splitlines()
    again = ["--max-cost", "0.4x", "--workers", "0", "--optimizer", "hyperband", "--json"]
    done = CliRunner().invoke(main, [*words[:2], *again], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("{")
    assert done.stdout.count("\n") == 1  # a trial prints nothing
    assert f"my-{template}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("template", ["torch", "lightning", "transformers"])
def test_a_trial_goes_on_where_an_earlier_rung_stopped(template, place):
    task = written(template)
    config = dict(task.space.get_default_configuration())
    for epochs, start in ((1, 0), (3, 1)):
        context = mfbo.Context(key="k", epochs=epochs, checkpoints=Checkpoints(place / "kept"))
        found = task.train(config, Rung(epochs), context)
        assert context.start_epoch == start
        assert [report.epoch for report in context.reports] == list(range(start + 1, epochs + 1))
        assert found.loss == pytest.approx(context.reports[-1].loss)
    assert not list(Path().glob("*output*")), "what the libraries leave where one stands"


def test_going_on_in_plain_pytorch_is_the_same_as_never_having_stopped(place):
    task = written("torch")
    config = dict(task.space.get_default_configuration())
    whole = task.train(config, Rung(4), mfbo.Context())
    for epochs in (2, 4):
        found = task.train(
            config, Rung(epochs), mfbo.Context(key="k", epochs=epochs, checkpoints=Checkpoints(place / "kept"))
        )
    assert found == whole


@pytest.mark.parametrize("template", ["torch", "lightning", pytest.param("transformers", marks=pytest.mark.slow)])
def test_a_trial_ends_when_its_time_is_up(template):
    task = written(template)
    context = mfbo.Context(stop=lambda elapsed: "time" if context.reports else None)
    with pytest.raises(TrialStopped):
        task.train(dict(task.space.get_default_configuration()), Rung(3), context)
    assert [report.epoch for report in context.reports] == [1]


@pytest.mark.parametrize("template", ["lightning", pytest.param("transformers", marks=pytest.mark.slow)])
def test_a_trial_ends_within_an_epoch_too_and_tells_how_far_it_came(template):
    task, polls = written(template), iter([None] * 4)
    context = mfbo.Context(stop=lambda elapsed: next(polls, "time"))
    with pytest.raises(TrialStopped):
        task.train(dict(task.space.get_default_configuration()), Rung(3), context)
    assert context.reports == []
    assert 0 < context.pace.epochs < 1
    assert context.pace.training > 0


@pytest.mark.slow
@pytest.mark.parametrize("template", ["lightning", "transformers"])
def test_evaluation_is_told_apart_from_training(template):
    task, context = written(template), mfbo.Context()
    task.train(dict(task.space.get_default_configuration()), Rung(2), context)
    assert context.pace.evaluations == 2
    assert 0 < context.pace.evaluation < context.elapsed
    assert context.pace.epochs == 2


@pytest.mark.slow
def test_a_trainer_begins_anew_where_steps_are_no_longer_the_same_epochs(place):
    task = written("transformers")
    for epochs, batch in ((1, 32), (2, 64)):  # as a data fraction would, another batch makes other steps
        context = mfbo.Context(key="k", epochs=epochs, checkpoints=Checkpoints(place / "kept"))
        task.train({"learning_rate": 1e-3, "weight_decay": 0.01, "batch_size": batch}, Rung(epochs), context)
        assert context.start_epoch == 0
    assert [report.epoch for report in context.reports] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "before", "after", "said"),
    [
        ("lightning", 'self.log("val_loss"', 'self.log("other"', "logs no 'val_loss' in its validation step; it logs"),
        (
            "transformers",
            "context)\n\n\n# 5",
            'context, "eval_other")\n\n\n# 5',
            "has no 'eval_other'; it has eval_loss",
        ),
    ],
)
def test_a_loss_that_is_not_measured_is_named_with_those_that_are(template, before, after, said):
    init("from_template.py", "--template", template)
    text = Path("from_template.py").read_text()
    assert before in text
    Path("from_template.py").write_text(text.replace(before, after))
    task = load("from_template.py:task")
    with pytest.raises(BadTask, match=said):
        task.train(dict(task.space.get_default_configuration()), Rung(1), mfbo.Context())


@pytest.mark.slow
def test_the_script_runs_as_it_stands_by_the_command_that_it_says(monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    words = typed(init("scripts/own.py", "--template", "command"))
    assert "COMMAND" not in Path("scripts/own.py").read_text()
    assert words[-2:] == ["--max-cost", "20s"]
    again = [*words[:-2], "--max-cost", "1x", "--workers", "0", "--optimizer", "hyperband", "--json"]
    done = CliRunner().invoke(main, again, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert Path("runs/own-hyperband-s0/ledger.jsonl").exists()


def test_nothing_is_written_over(place):
    Path("mine.yaml").write_text("kept")
    Path("mine.py").write_text("kept")
    for words in (["mine.py"], ["mine.py", "--template", "command"]):
        done = init(*words)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert "'mine.py' exists and is not overwritten" in done.stderr
    Path("mine.py").unlink()
    done = init("mine.py", "--template", "command")
    assert "'mine.yaml' exists and is not overwritten" in done.stderr
    assert not Path("mine.py").exists()
    assert Path("mine.yaml").read_text() == "kept"


def test_a_file_of_another_kind_is_refused():
    for name in ("mine", "mine.txt", "runs/"):
        assert "give a name that ends in .py" in init(name).stderr
    done = init("mine.py", "--template", "keras")
    assert done.exit_code == 2
    assert not Path("mine.py").exists()


def test_what_is_not_installed_is_named(monkeypatch):
    module = importlib.import_module("mfbo.cli.init")  # the package has the command under that name
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert (
        "lightning is not installed; get it with: pip install 'mfbo-tune[lightning]', or '.[lightning]' in a clone"
        in init("from_template.py", "--template", "lightning").output
    )


def test_every_template_is_a_file_of_the_package_and_every_file_a_template():
    folder = Path(mfbo.__file__).parent / "templates"
    files = {name for template in TEMPLATES.values() for name in (template.file, template.space) if name}
    assert {path.name for path in folder.iterdir() if path.is_file()} == files | {"__init__.py"}
    for template in TEMPLATES.values():
        assert len(re.findall(r"\bmytask\b|COMMAND", (folder / template.file).read_text())) >= 1


def test_a_name_that_hides_a_package_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, ["init", "torch.py"])
    assert said.exit_code == 2
    assert "'torch.py' would hide the package 'torch'; give another name" in said.stderr
    assert not Path("torch.py").exists()
