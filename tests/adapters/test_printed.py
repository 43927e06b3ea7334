"""What a command prints or writes: which number is its loss, and what is no number."""

from __future__ import annotations

import math
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.adapters.command import command_task, fill, is_command, names
from mfbo.adapters.metric_file import read_metric, written
from mfbo.adapters.printed import Printed
from mfbo.adapters.process import Process
from mfbo.errors import BadValue, TrialFailed


def said(metric, text):
    """The losses that the lines of a text say."""
    printed = Printed(metric)
    found = [printed.read(line) for line in text.splitlines()]
    return [one.loss for one in found if one is not None]


@pytest.mark.parametrize(
    ("metric", "line", "loss"),
    [
        ("loss", "loss: 0.5", 0.5),
        ("loss", '{"loss": -1.5e-3, "n": 2}', -1.5e-3),
        ("loss", '{"n":2,"loss":0.5,"m":3}', 0.5),
        ("loss", "Loss=.5, val_loss=3, train/loss 4, lossy 5", 0.5),
        ("loss", "step=3 loss=0.5;acc=0.9", 0.5),
        ("loss", "loss -inf", -math.inf),
        ("loss", "the loss is 0.3, loss 0.5 (0.6)", 0.5),
        ("loss", "loss: +5E+05.", 5e5),
        ("loss", "Final loss: 0.5.", 0.5),
        ("loss", "loss: 0.5 \u00b1 0.1", 0.5),
        ("loss", "loss: \x1b[32m0.5\x1b[0m", 0.5),
        ("loss", "{'loss': np.float64(0.5), 'n': 1}", 0.5),
        ("loss", "loss tensor(0.5, device='cuda:0')", 0.5),
        ("loss", "100%|##| 10/10 [00:01<00:00, 9.1it/s, loss=0.5, v_num=0]", 0.5),
        ("loss", "| loss | 0.5 |", 0.5),
        ("val_loss", "epoch 3 loss 1 val_loss 2.", 2.0),
        ("validation_0-logloss", "[0]\tvalidation_0-logloss:0.60491\tother:1", 0.60491),
        ("train/loss", "train/loss 4", 4.0),
        ("val loss", "train loss: 1, val loss: 2", 2.0),
        (r"error=(\d+)%", "error=12%", 12.0),
        (r"score: -([\d.]+)", "score: -0.5", 0.5),
    ],
)
def test_the_number_behind_the_name_is_the_loss(metric, line, loss):
    assert said(metric, line) == [loss]


def test_a_loss_may_be_no_number_at_all():
    assert math.isnan(said("loss", "loss: NaN")[0])
    assert math.isnan(said("loss", "loss -nan")[0])


@pytest.mark.parametrize(
    "line",
    ["a loss of 4", "loss: None", "lossy 5", "loss is inferred", "val_loss: 3", "loss: information 5", "loss function"],
)
def test_what_is_no_number_says_nothing(line):
    assert said("loss", line) == []


TOKENS = [
    "0,123", "1,234.5", "1'234.5", "1\u2019234.5", "1\u202f234.5", "1\u00a0234", "1 234.5", "1_000", "0.87m", "0.87 m",
    "950 ms", "0.25e-3s", "0.15D-02", "1d-3", "1/3", "1 / 3", "1.2.3", "2.5x10^-3", "2.5 x 10^-3", "2.5\u00d710^-3",
    "2.5 \u00b7 10^-3", "2.5*10**-3", "12%", "12 %", "12\u2030", "\u22120.5", "\u20130.5", "0x1.8p3", "0b11", "1+2j",
    "3j", "\u0663.\u0665", "\uff11.\uff15", "3rd", "1e", "1e5e", "1e-", "1e--3", "1e\u22123", "1 e-3", "0.5\u00b10.1",
    "0.123(4)", "1.#QNAN", "1.#INF", "nan(ind)", "2026-11-28", "5:30", ",5", "<0.001", "~0.5", "\u22480.5",
    "$0.5", "0.5$", "0.5,0.6", "1;5", "0.5k", "1e3M", "0..5", "0.5-0.6", "1e1.5", "0.5\u00b0", "5K", "00:01:02",
    "\u221e", "-\u221e", "\u00bd", "\u2155", "1\u00bd", "1\u00b2", "nan%", "inf%", "-Inf%", "0.5pt", "01.5.2",
]  # fmt: skip


@pytest.mark.parametrize("form", ["loss: {}", "loss={}, n=3", "epoch 3 loss: {} ", '{{"loss": "{}", "n": 3}}'])
@pytest.mark.parametrize("token", TOKENS)
def test_what_is_not_one_whole_number_fails_the_trial_and_is_quoted(token, form):
    line = form.format(token)
    with pytest.raises(TrialFailed, match="is not a number for 'loss'; print it as") as caught:
        said("loss", line)
    assert repr(line) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        (r"loss=([0-9.]+)", "loss=1,234"),
        (r"loss=([0-9.]+)", "loss=0.25e-3"),
        (r"loss=([0-9]+)", "loss=0.5"),
        (r"loss: .*(\d+\.\d+)", "loss: 12.5"),
        (r"loss.*?([0-9.]+)", "loss: -0.5"),
        (r"(\d\.\d+) loss", "12.5 loss"),
        (r"loss=(.*)", "loss=1_000"),
        (r"loss=(\S+)", "loss=\u0663"),
        (r"epoch (?P<epoch>\w+) (?P<loss>\S+)", "epoch nan 0.5"),
        (r"loss=(\d+)?", "loss=a"),
    ],
)
def test_a_regular_expression_that_finds_a_part_of_a_number_fails_the_trial(metric, line):
    with pytest.raises(TrialFailed, match="the line was"):
        said(metric, line)


@given(st.floats(allow_nan=False), st.sampled_from(["loss: {}", "loss={}", "loss {}", '"loss": {},', "a loss {} b"]))
def test_every_number_that_python_prints_is_read(number, form):
    assert said("loss", form.format(number)) == [number]


@given(st.text(max_size=12), st.sampled_from(["loss: {}", "loss={}", '{{"loss": {}}}']))
def test_whatever_stands_there_is_a_number_or_is_refused_or_says_nothing(text, form):
    """And where it is a number, it is the one that Python reads there."""
    line = form.format(text)
    try:
        found = Printed("loss").read(line)
    except TrialFailed:
        return
    if found is not None and not math.isnan(found.loss):
        assert any(found.loss == float(word) for word in _words(text))


def _words(text):
    for word in text.replace("|", " ").split():
        for end in range(1, len(word) + 1):
            for start in range(end):
                try:
                    float(word[start:end])
                except ValueError:
                    continue
                yield word[start:end]


KERAS = (
    "Epoch 1/2\n"
    "\x1b[1m 1/15\x1b[0m \x1b[32m━\x1b[0m\x1b[37m━━\x1b[0m \x1b[1m0s\x1b[0m 64ms/step - accuracy: 0.5000 - loss: 0.7169"
    + "\x08"
    * 40
    + "\n\x1b[1m15/15\x1b[0m \x1b[32m━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m0s\x1b[0m 32ms/step - accuracy: 0.5625 - loss: "
    "0.6985 - val_accuracy: 0.6083 - val_loss: 0.6685\n"
    "15/15 - 1s - 62ms/step - accuracy: 0.5646 - loss: 0.6958 - val_accuracy: 0.6083 - val_loss: 0.6670\n"
)
FASTAI = (
    "epoch     train_loss  valid_loss  accuracy  time    \n"
    "Epoch 1/2 : |████------------------------------------| 10.00% [2/20 00:00<00:00]\n"
    "0         0.456132    0.312345    0.890000  00:01     \n"
    "1         0.228066    0.156172    0.890000  00:01     \n"
)
LIGHTNING = (
    "Epoch 1/1  ━━━━━━━━━━━━━━━━━━ 4/4 0:00:00 • 0:00:00 53.40it/s train_loss: 0.008 \n"
    "                                                              val_loss: 0.011   \n"
    "┏━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┓\n"
    "┃      Validate metric      ┃       DataLoader 0        ┃\n"
    "┡━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━┩\n"
    "│          val_acc          │    0.8999999761581421     │\n"
    "│         val_loss          │   0.011320293880999088    │\n"
    "└───────────────────────────┴───────────────────────────┘\n"
)
LIGHTNING_PLAIN = (
    "────────────────────────\n"
    "     Validate metric           DataLoader 0\n"
    "────────────────────────\n"
    "        val_acc            0.8999999761581421\n"
    "        val_loss           0.011320293880999088\n"
)
TRAINER_5 = (
    "{'loss': '0.1734', 'grad_norm': '1.057', 'learning_rate': '3.75e-05', 'epoch': '1'}\n"
    "{'eval_loss': '0.2252', 'eval_runtime': '0.038', 'eval_samples_per_second': '421.2', 'epoch': '1'}\n"
    "{'eval_loss': '0.2569', 'eval_runtime': '0.0135', 'eval_samples_per_second': '1184', 'epoch': '2'}\n"
    "{'train_runtime': '0.1834', 'train_samples_per_second': '174.5', 'train_loss': '0.2096', 'epoch': '2'}\n"
)
TRAINER_4 = "{'eval_loss': 0.6931471824645996, 'eval_runtime': 0.0147, 'epoch': 1.0}\n"
MARKDOWN = "| Epoch | Loss |\n|---|---|\n| 1 | 0.5 |\n| 2 | 0.4 |\n"
RICH = "┃ epoch ┃ loss ┃\n│ 1     │ 0.5  │\n│ 2     │      │\n│ 3     │ 0.4  │\n"


@pytest.mark.parametrize(
    ("metric", "text", "losses"),
    [
        ("val_loss", KERAS, [0.6685, 0.6670]),
        ("accuracy", KERAS, [0.5, 0.5625, 0.5646]),
        ("valid_loss", FASTAI, [0.312345, 0.156172]),
        ("accuracy", FASTAI, [0.89, 0.89]),
        ("val_loss", LIGHTNING, [0.011, 0.011320293880999088]),
        ("val_acc", LIGHTNING, [0.8999999761581421]),
        ("val_loss", LIGHTNING_PLAIN, [0.011320293880999088]),
        ("eval_loss", TRAINER_5, [0.2252, 0.2569]),
        ("eval_loss", TRAINER_4, [0.6931471824645996]),
        ("loss", MARKDOWN, [0.5, 0.4]),
        ("loss", RICH, [0.5, 0.4]),
        ("loss", "epoch,loss\n1,0.5\n2,0.4\n", [0.5, 0.4]),
        ("loss", "epoch\tloss\n1\t0.5\nwords\there\n2\t0.4\n", [0.5, 0.4]),
        ("loss", '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.4}\n', [0.5, 0.4]),
    ],
)
def test_what_libraries_print_is_read(metric, text, losses):
    assert said(metric, text) == losses


@pytest.mark.parametrize("cell", ["0,5", "0.5m", "1/3", "50%"])
def test_a_column_holds_whole_numbers_too(cell):
    with pytest.raises(TrialFailed, match="is not a number for 'loss'"):
        said("loss", f"epoch  loss\n1      {cell}\n")


def test_prose_is_no_table():
    assert said("loss", "the loss is low\n1 2 3 4\n") == []
    assert said("loss", "train loss, val loss\n1, 2\n") == []


# files


def put(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "loss"),
    [
        ("m.json", '{"loss": 0.5, "other": {"loss": 9}}', 0.5),
        ("m.json", '{"metrics": {"val": {"loss": "0.25"}}}', 0.25),
        ("m.json", '{"loss": [0.5, 0.25]}', 0.25),  # Keras' history
        ("m.json", '{"log_history": [{"loss": 0.5}, {"loss": 0.25}, {"n": 1}]}', 0.25),  # trainer_state.json
        ("m.jsonl", '{"loss": 0.5}\n\n{"loss": 0.25}\n', 0.25),
        ("m.csv", "epoch,loss,step\n0,0.5,1\n1,0.25,2\n1,,3\n", 0.25),  # Lightning's CSVLogger
        ("m.csv", "\ufeffepoch, loss\n0,1e-3\n", 1e-3),
        ("m.tsv", "epoch\tloss\n0\t0.5\n", 0.5),
        ("m.json", '{"loss": -Infinity}', -math.inf),
    ],
)
def test_a_metric_file_holds_the_last_value(tmp_path, name, text, loss):
    assert read_metric(put(tmp_path, name, text), "loss") == loss


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.json", '{"los": 1}', "has no 'loss'; name what it has"),
        ("m.json", '{"loss": "0,5"}', "has '0,5' for 'loss', which is not a number"),
        ("m.json", '{"loss": true}', "has True for 'loss'"),
        ("m.json", '{"loss": null}', "has None for 'loss'"),
        ("m.json", '{"loss": []}', "not a number"),
        ("m.json", "", "cannot be read as"),
        ("m.json", '{"loss": 1', "cannot be read as"),
        ("m.json", "[" * 100_000, "cannot be read as"),
        ("m.csv", "", "has no 'loss'"),
        ("m.csv", "epoch,loss\n", "has no 'loss'"),
        ("m.csv", "epoch,loss\n1,0,5\n", "has 3 cells under 2 names"),
        ("m.csv", "epoch,loss\n1,0.5m\n", "not a number"),
    ],
)
def test_a_metric_file_without_a_whole_number_fails_the_trial(tmp_path, name, text, words):
    with pytest.raises(TrialFailed) as caught:
        read_metric(put(tmp_path, name, text), "loss")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def command(tmp_path, code, words, **options):
    """What one trial of that Python code as a command comes to."""
    (tmp_path / "script.py").write_text(code)
    task = command_task(f"{sys.executable} {tmp_path / 'script.py'} {words}")
    task.prepare(options)
    return task.train({"x": 1}, task.fidelity.full, mfbo.Context(options=options))


WRITES = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('{\"loss\": 0.25}'); print('loss: 9')"


def test_a_trial_has_a_folder_for_the_file(tmp_path):
    assert command(tmp_path, WRITES, "{output}/m.json {x}", metric_file="{output}/m.json") == 0.25
    assert command(tmp_path, WRITES, f"{tmp_path}/{{x}}.json", metric_file=f"{tmp_path}/{{x}}.json") == 0.25


@pytest.mark.parametrize(
    ("code", "words"),
    [("pass", "wrote no"), ("import sys; sys.exit('no GPU')", "exit code 1: no GPU"), (WRITES, "")],
)
def test_a_file_that_is_there_from_before_is_not_read(tmp_path, code, words):
    words = words.replace("wrote no", "did not write")
    file = put(tmp_path, "m.json", '{"loss": 1}')
    if not words:
        assert command(tmp_path, code, f"{file} {{x}}", metric_file=str(file)) == 0.25
        return
    with pytest.raises(TrialFailed, match=words):
        command(tmp_path, code, f"{file} {{x}}", metric_file=str(file))


def test_what_a_command_says_at_its_end_is_known_however_late_it_is_read(tmp_path, monkeypatch):
    read = Process._read_errors

    def late(process):
        time.sleep(0.3)
        read(process)

    monkeypatch.setattr(Process, "_read_errors", late)
    with pytest.raises(TrialFailed, match="exit code 1: no GPU"):
        command(tmp_path, "import sys; sys.exit('no GPU')", "{x}")


def test_two_trials_do_not_write_one_file_whatever_their_temporary_folders_and_nothing_is_left(tmp_path, monkeypatch):
    path = tmp_path / "home" / "m.json"
    path.parent.mkdir()
    with written(path):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # as in another worker
        with pytest.raises(TrialFailed, match=r"another trial writes .* now; .*\{output\}/m\.json"), written(path):
            pass
        path.write_text("{}")
    with written(path):
        path.write_text("{ }")
    assert list(path.parent.iterdir()) == [path]


def test_a_file_of_what_the_command_lacks_is_refused(tmp_path):
    with pytest.raises(BadValue, match=r"--metric-file has {output}, which the command lacks; add {output} to"):
        command(tmp_path, WRITES, "{x}", metric_file="{output}/m.json")


# braces


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{{x}}", "{x}"),
        ('{{"lr": {x}}}', '{"lr": 1}'),
        ("{{{x}}}", "{1}"),
        ("{{", "{"),
        ("}}", "}}"),
        ('{"a": {"lr": {x}}}', '{"a": {"lr": 1}}'),
        ("{{}}", "{}"),
        ("a{{b", "a{b"),
    ],
)
def test_a_literal_brace_is_written_twice(word, filled):
    assert fill([word], {"x": "1"}) == [filled]


def test_a_name_in_literal_braces_is_no_placeholder():
    assert names(["{{lr}}", "{x}"]) == ["x"]
    assert not is_command("python t.py {{lr}}")
    assert fill(["{{lr}}"], {}) == ["{lr}"]
