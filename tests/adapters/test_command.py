"""Tasks made of a command line: what is filled in, what is read, and that nothing is left running."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.adapters.command import command_task, fill, hyperparameters, name_of
from mfbo.adapters.process import MAX_LINE, MAX_WAITING, Process
from mfbo.checkpoint import Checkpoints
from mfbo.cli import main
from mfbo.errors import (
    BadSpace,
    BadTask,
    BadValue,
    NoTrialSucceeded,
    RunChanged,
    TrialFailed,
    TrialStopped,
    UnknownName,
)
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.tasks.registry import load, own_file, user_file
from mfbo.trial import Rung

SCRIPT = """
import sys
lr, epochs = float(sys.argv[1]), int(sys.argv[2])
if lr > 0.06:
    sys.exit(f"lr {lr} is too large")
for epoch in range(1, epochs + 1):
    print(f"epoch {epoch}/{epochs}, val_loss: 9, loss: {lr + 1 / epoch}")
"""
SPACE = "lr: [1e-3, 0.1, log]\n"
HERE = mfbo.Settings(workers=0, space="space.yaml")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder, and a cache of its own, which knows no commands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    Path("train.py").write_text(SCRIPT)
    Path("space.yaml").write_text(SPACE)
    return tmp_path


def command(code, *words):
    """A command line that runs this Python code."""
    Path("script.py").write_text(code)
    return " ".join([sys.executable, "script.py", *words])


def trained(text, config=None, rung=None, **options):
    """What one trial of that command comes to, and its context."""
    context = mfbo.Context(**options)
    task = command_task(text)
    return task.train(config or {"x": 1}, rung or task.fidelity.full, context), context


TUNED = f"{sys.executable} train.py {{lr}} {{epochs:1-9}}"


# what is filled in


def test_ranges_of_epochs_and_data_stand_in_the_command():
    for text, epochs, data in [
        ("t {lr}", 1, 1.0),
        ("t {lr} {epochs}", (1, 27), 1.0),
        ("t {lr} {epochs:3-81} {data:0.05-0.5}", (3, 81), (0.05, 0.5)),
        ("t {lr} {data}", 1, (0.1, 1.0)),
        ("t {lr} {epochs} {epochs:2-4}", (2, 4), 1.0),
    ]:
        found = command_task(text).fidelity
        expected = mfbo.Fidelity(epochs, data)
        assert (found.epoch_range, found.data_range) == (expected.epoch_range, expected.data_range)


@pytest.mark.parametrize("text", ["t {lr} {epochs:9}", "t {lr} {epochs:1.5-3}", "t {lr} {data:a-b}", "t {lr} {data:}"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(BadTask, match="give LOWEST-FULL, such as"):
        command_task(text)


def test_whatever_is_counted_stands_in_the_command_by_its_name():
    task = command_task("fit --lr {lr} --trees {trees:10-300} --folds {folds:1-5} --data {data:0.1-1}")
    assert task.fidelity.counts == {"trees": (10, 300), "folds": (1, 5)}
    assert task.fidelity.data_range == (0.1, 1.0)
    assert hyperparameters(task.source) == ["lr"]
    with pytest.raises(BadSpace, match=r"the space has \{trees\}, which mfbo itself fills in"):
        task.on(ConfigurationSpace({"lr": (0.1, 1.0), "trees": (1, 9)}))


def test_the_numbers_of_a_rung_are_filled_in():
    code = "import sys; print('loss:', float(sys.argv[1]) + int(sys.argv[2]) * 10 + int(sys.argv[3]))"
    task = command_task(f'{sys.executable} -c "{code}" {{lr}} {{trees:1-9}} {{pixels:1-4}}')
    found = task.train({"lr": 0.5}, task.fidelity.at(3, 1.0, further=[("pixels", 2)]), mfbo.Context())
    assert found == 32.5


def test_a_range_that_is_reversed_is_refused():
    with pytest.raises(BadValue, match="lowest <= full"):
        command_task("t {lr} {epochs:9-3}")


def test_a_command_that_is_none_is_refused_in_one_line():
    with pytest.raises(BadTask, match="cannot be split into words: No closing quotation"):
        load("python 'train.py {lr}")
    with pytest.raises(BadTask, match=r"has nothing to tune; give a placeholder such as \{lr\}"):
        load("python train.py {epochs}")
    with pytest.raises(UnknownName, match="a command has a placeholder for each hyperparameter"):
        load("python train.py")


@pytest.mark.slow
@given(st.text().filter(lambda text: "\0" not in text))
def test_a_value_is_one_argument_whatever_it_is(value):
    assert fill(["run", "--name={x}", "{x}"], {"x": value}) == ["run", f"--name={value}", value]


def test_what_looks_like_a_placeholder_in_a_value_is_not_filled_in():
    assert fill(["{a}"], {"a": "{b}", "b": "3"}) == ["{b}"]


def test_braces_that_name_nothing_stay_as_they_are():
    assert fill(['{"lr": {lr}}', "{}", "{ }"], {"lr": "1"}) == ['{"lr": 1}', "{}", "{ }"]


def test_a_hyperparameter_that_is_switched_off_is_left_out_with_its_option():
    words = ["t", "--sgd", "--momentum", "{m}", "--decay={d}", "-v", "{lr}{m}", "--", "{lr}"]
    assert fill(words, {"lr": "1"}) == ["t", "--sgd", "--", "1"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "a b/train.py", "--x"], "train"),
        (["python", "-m", "package.train"], "package-train"),
        (["./run.sh", "{x}"], "run"),
        (["{x}"], "command"),
    ],
)
def test_a_run_folder_is_named_after_the_script(words, name):
    assert name_of(words) == name


# the space


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"other": (0.0, 1.0)}, r"the command has {lr}, which the space lacks: other"),
        ({"lr": (0.0, 1.0), "mu": (0.0, 1.0)}, r"the space has mu, which the command lacks; add {mu} to it"),
        ({"lr": (0.0, 1.0), "seed": (0, 9)}, r"the space has {seed}, which mfbo itself fills in"),
    ],
)
def test_space_and_command_must_name_the_same(space, words):
    with pytest.raises(BadSpace, match=words):
        command_task("t {lr} {epochs}").on(ConfigurationSpace(space))


def test_a_command_without_a_space_is_told_how_to_give_one():
    done = CliRunner().invoke(main, ["tune", TUNED, "--max-cost", "1x"])
    assert done.exit_code == 2
    assert "the command has the placeholders {lr}; give their ranges with --space FILE.yaml" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_program_or_a_metric_that_is_none_is_refused_before_anything_is_written():
    for words, said in (
        (["absent-program {lr}"], "there is no program 'absent-program' to run"),
        ([TUNED, "--metric", "("], "is not a regular expression"),
        ([TUNED, "--metric", "(a)(b)"], "give one group for the number"),
    ):
        done = CliRunner().invoke(main, ["tune", *words, "--space", "space.yaml", "--max-cost", "1x"])
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert not Path("runs").exists()


# what is read


def test_each_line_is_a_report_and_the_last_one_is_the_loss():
    loss, context = trained(TUNED, {"lr": 0.05})
    assert loss == pytest.approx(0.05 + 1 / 9)
    assert [report.epoch for report in context.reports] == list(range(1, 10))
    assert context.reports[0].loss == pytest.approx(1.05)


def test_without_epochs_in_the_command_only_the_last_line_counts():
    loss, context = trained(command("for i in (3, 2, 1): print('loss', i)", "{x}"))
    assert (loss, context.reports) == (1.0, [])


def test_of_several_losses_in_a_line_the_last_is_that_of_the_epoch():
    code = "for i in range(3): print(f'epoch {i}: train loss: 0.5, val loss: 0.{i}')"
    loss, context = trained(command(code, "{x}", "{epochs:1-3}"))
    assert [report[:2] for report in context.reports] == [(1, 0.0), (2, 0.1), (3, 0.2)]
    assert loss == 0.2


def test_more_losses_than_epochs_are_no_epochs():
    code = "for i in range(6): print(f'train loss: {i}'); print(f'val loss: {i}')"
    with pytest.raises(TrialFailed, match=r"prints 'loss' in more lines than its 6 epochs, such as .*--metric"):
        trained(command(code, "{x}", "{epochs:1-6}"))
    _, context = trained(command(code, "{x}", "{epochs:1-6}"), options={"metric": "val loss"})
    assert [report.epoch for report in context.reports] == list(range(1, 7))
    summed_up = "for i in range(3): print(f'loss: {i}')\nprint('best loss: 0')"
    assert trained(command(summed_up, "{x}", "{epochs:1-3}"))[0] == 0


def test_a_group_named_epoch_says_which_epoch_it_is():
    text = command("for i in range(6): print(f'step {i} of epoch {i // 3 + 1}: {9 - i}')", "{x}", "{epochs:1-2}")
    _, context = trained(text, options={"metric": r"epoch (?P<epoch>\d+): (?P<loss>\d+)"})
    assert [report[:2] for report in context.reports] == [(1, 9), (1, 8), (1, 7), (2, 6), (2, 5), (2, 4)]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('loss 1'); sys.exit('no\\nGPU')", "ended with exit code 1: GPU\nno\nGPU"),
        ("import os; os.kill(os.getpid(), 9)", "ended with signal 9"),
        ("print('done')", "printed no 'loss' on standard output; its last line was 'done'; give the name"),
        ("pass", "printed no 'loss' on standard output; it printed nothing there"),
    ],
)
def test_a_command_that_fails_says_why(code, said):
    with pytest.raises(TrialFailed) as caught:
        trained(command(code, "{x}"))
    assert said in str(caught.value)


def test_a_program_that_cannot_be_started_is_a_failed_trial(place):
    with pytest.raises(TrialFailed, match="cannot run '/': Permission denied"):
        trained("/ {x}")


def test_a_loss_that_is_nan_is_a_diverged_trial():
    task = command_task(command("print('loss nan')", "{x}", "{epochs}")).on(ConfigurationSpace({"x": (0, 9)}))
    with pytest.raises(NoTrialSucceeded, match="NaN or infinite") as caught:
        mfbo.tune(task, max_trials=1, optimizer="random", settings=mfbo.Settings(workers=0))
    assert caught.value.result.ledger.results[0].outcome.status == "diverged"


# how it ends


def alive(mark):
    """Processes that have that file's name among their words."""
    found = []
    for process in psutil.process_iter():
        try:
            found += [process] if mark in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE else []
        except psutil.Error:
            continue
    return found


CHILDREN = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
print("loss 1", flush=True)
"""


def test_a_trial_that_must_stop_takes_all_with_it_that_it_has_started(place):
    text = command(CHILDREN + "time.sleep(600)", str(place / "mark"), "{x}", "{epochs}")
    context = mfbo.Context(stop=lambda elapsed: "time" if context.reports else None)
    with pytest.raises(TrialStopped):
        command_task(text).train({"x": 1}, Rung(9), context)
    assert [report[:2] for report in context.reports] == [(1, 1.0)]
    assert alive(str(place / "mark")) == []


@pytest.mark.slow
def test_one_that_ends_leaves_nothing_behind_either(place):
    assert trained(command(CHILDREN, str(place / "mark"), "{x}"))[0] == 1.0
    assert alive(str(place / "mark")) == []


def test_one_that_will_not_end_is_killed(place):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('loss 1', flush=True)\n"
    text = command(code + "time.sleep(600)", str(place / "mark"), "{x}", "{epochs}")
    context = mfbo.Context(stop=lambda elapsed: "time" if context.reports else None)
    with pytest.raises(TrialStopped):
        command_task(text).train({"x": 1}, Rung(9), context)
    assert alive(str(place / "mark")) == []


def test_a_trial_that_says_nothing_is_stopped_as_well(place):
    text = command("import time; time.sleep(600)", "{x}")
    with pytest.raises(TrialStopped):
        command_task(text).train({"x": 1}, Rung(), mfbo.Context(stop=lambda elapsed: "time"))


@pytest.mark.slow
def test_output_ends_with_the_command_though_what_it_left_behind_holds_it_open(place):
    code = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True); print('loss 1')"
    with Process([sys.executable, "-c", code]) as process:
        children = psutil.Process(process._process.pid).children()
        assert list(process.lines(lambda: None)) == ["loss 1"]
        assert process.wait(lambda: None) == 0
    for child in [*children, *[one for one in psutil.process_iter() if _is_left(one)]]:
        child.kill()


def _is_left(process):
    try:
        return process.cmdline() == ["sleep", "600"] and process.ppid() == 1
    except psutil.Error:
        return False


def test_carriage_returns_end_lines_too():
    with Process([sys.executable, "-c", "print('1\\r2\\r\\n\\n3', end='')"]) as process:
        assert list(process.lines(lambda: None)) == ["1", "2", "3"]


# going on


STATEFUL = """
import sys
from pathlib import Path
state, epochs, start = Path(sys.argv[1]) / "state", int(sys.argv[2]), int(sys.argv[3])
done = int(state.read_text()) if state.exists() else 0
assert done == start, (done, start)
for epoch in range(done, epochs):
    print("loss", 1 / (epoch + 1))
state.write_text(str(epochs))
"""


def test_a_higher_rung_goes_on_from_what_the_lower_left_there(place):
    text = command(STATEFUL, "{checkpoint}", "{epochs:1-9}", "{start_epoch}", "{x}")
    for epochs, began, seen in ((1, 0, [1]), (3, 1, [2, 3]), (9, 3, [4, 5, 6, 7, 8, 9])):
        loss, context = trained(
            text, rung=Rung(epochs), key="k", epochs=epochs, checkpoints=Checkpoints(place / "kept")
        )
        assert (context.start_epoch, loss) == (began, 1 / epochs)
        assert [report.epoch for report in context.reports] == seen


def test_one_that_leaves_nothing_there_is_told_so(place):
    text = command("print('loss 1')", "{checkpoint}", "{x}")
    with pytest.raises(TrialFailed, match=r"left nothing in \{checkpoint\}"):
        trained(text, key="k", checkpoints=Checkpoints(place / "kept"))
    assert Checkpoints(place / "kept").keys() == []


# as a run


@pytest.mark.slow
def test_a_run_of_a_command_is_resumed_replayed_and_shown_as_any_other():
    result = mfbo.tune(TUNED, "2x", optimizer="hyperband", out="run", settings=HERE)
    assert result.best.loss < 0.4
    assert any("is too large" in (entry.outcome.error or "") for entry in result.ledger.results)
    assert load(read("run").header.task).source == TUNED
    longer = mfbo.resume("run", max_cost="3x")
    assert longer.cost > result.cost
    done = CliRunner().invoke(main, ["replay", "run"])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["best", "run", "--format", "args"])
    assert done.output.startswith("--lr=0.0")
    done = CliRunner().invoke(main, ["report", "run", "-o", "report.md"])
    assert (done.exit_code, "train.py {lr}" in Path("report.md").read_text()) == (0, True)


@pytest.mark.slow
def test_workers_run_commands_at_the_same_time():
    settings = mfbo.Settings(workers=2, space="space.yaml")
    result = mfbo.tune(TUNED, max_trials=4, optimizer="random", settings=settings)
    assert [entry.outcome.status for entry in result.ledger.results if not entry.outcome.failed] != []
    assert result.trials == 4


def test_a_study_of_commands_has_a_folder_for_each():
    words = ["compare", TUNED, TUNED.replace("1-9", "1-3"), "--optimizers", "random", "--seeds", "1", "--max-cost"]
    done = CliRunner().invoke(main, [*words, "1x", "--space", "space.yaml", "--workers", "0", "--out", "study"])
    assert done.exit_code == 0, done.output
    assert len([path for path in Path("study").iterdir() if path.name.startswith("train-")]) == 2
    assert done.stderr.startswith(f"running your own command: {TUNED}\n")


def test_a_space_made_in_python_will_do_as_well():
    task = load(TUNED).on(ConfigurationSpace({"lr": (1e-3, 0.05)}))
    assert mfbo.tune(task, max_trials=1, out="run", settings=mfbo.Settings(workers=0)).trials == 1
    assert mfbo.resume("run", max_trials=2).trials == 2


def test_a_script_that_has_changed_is_noticed():
    mfbo.tune(TUNED, max_trials=1, optimizer="random", out="run", settings=HERE)
    assert own_file(TUNED) == Path("train.py")
    Path("train.py").write_text(SCRIPT + "\n")
    with pytest.raises(RunChanged, match=r"the file 'train\.py'"):
        mfbo.resume("run", max_trials=2)
    assert mfbo.resume("run", max_trials=2, accept_changes=True).trials == 2


# whose command it is


def test_a_command_that_nobody_typed_here_is_not_run(monkeypatch):
    mfbo.tune(TUNED, max_trials=1, optimizer="random", out="run", settings=HERE)
    monkeypatch.setenv("MFBO_CACHE", "elsewhere")
    with pytest.raises(RunChanged, match=r"this run would execute .*train\.py \{lr\}.*--accept-changes"):
        mfbo.resume("run", max_trials=2)
    notes = []
    observer = Observer()
    observer.on_note = notes.append
    assert mfbo.resume("run", max_trials=2, accept_changes=True, observer=observer).trials == 2
    assert notes == [f"running your own command: {TUNED}"]


def test_a_study_file_cannot_name_one():
    Path("study.yaml").write_text("tasks: ['touch {mark}']\noptimizers: [random]\nmax_cost: 1x\n")
    done = CliRunner().invoke(main, ["compare", "study.yaml"])
    assert done.exit_code == 2
    assert "would execute 'touch {mark}': to run a command, give it" in done.stderr


def test_a_command_is_no_file_of_tasks():
    assert user_file("python train.py {lr} --n {epochs:1-9}") is None


@pytest.mark.slow
def test_a_run_that_is_killed_takes_its_command_with_it(place):
    text = command("import time\nprint('loss 1', flush=True)\ntime.sleep(600)", str(place / "mark"), "{lr}", "{epochs}")
    words = [sys.executable, "-m", "mfbo", "tune", text, "--space", "space.yaml", "--max-trials", "9", "--quiet"]
    with psutil.Popen(words) as run:
        assert _until(lambda: alive(str(place / "mark")))
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert _until(lambda: not alive(str(place / "mark")))


INLINE = """
import os, sys, time
from mfbo.adapters.process import MAX_LINE, MAX_WAITING, Process
with Process([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]]):
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_so_does_one_whose_trials_run_in_its_own_process(place):
    Path("inline.py").write_text(INLINE)
    with psutil.Popen([sys.executable, "inline.py", str(place / "mark")]) as run:
        mark = str(place / "mark")
        assert _until(lambda: len(alive(mark)) == 2)  # the run and its command
        run.kill()
        run.wait()
        assert _until(lambda: not alive(mark))


def test_lines_without_end_and_floods_of_lines_fill_no_memory(place):
    flood = "import sys\nwhile True: sys.stdout.write('x' * 10000)"
    with Process([sys.executable, "-c", flood]) as process:
        lines = process.lines(lambda: None)
        assert {len(next(lines)) for _ in range(20)} == {MAX_LINE}
        assert _until(process._lines.full)
        time.sleep(0.1)
        assert process._lines.qsize() <= MAX_WAITING


def _until(condition):
    """Whether it comes true within two minutes."""
    limit = time.monotonic() + 120
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True
