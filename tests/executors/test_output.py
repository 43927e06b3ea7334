"""What a trial prints: its last line is known while it runs, wherever that is, and the rest lies in its log."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ConfigSpace import ConfigurationSpace
from loopback import Loopback

import mfbo
from mfbo.executors.output import Log, hushed
from mfbo.ledger.observer import Observer

LINE = "epoch 1: loss 0.7"


def printing(heard):
    """A task whose trials print a line, and end once `heard` is there."""

    def train(config, fidelity, context):
        print("starting")
        print(LINE)
        print(end="", flush=True)
        until = time.monotonic() + 120
        while not heard.exists():
            if time.monotonic() > until:
                raise RuntimeError("nobody has heard it")
            time.sleep(0.01)
        return 0.5

    return mfbo.Task("printing", ConfigurationSpace({"x": (0.0, 1.0)}), train)


class Hearing(Observer):
    def __init__(self, heard):
        self.heard, self.lines = heard, []

    def on_output(self, trial, line):
        print("what an observer prints is not told to it")
        self.lines.append((trial.id, line))
        if line == LINE:
            self.heard.touch()


@pytest.mark.slow
@pytest.mark.parametrize("kept", [True, False], ids=["in a folder", "in memory"])
@pytest.mark.parametrize("where", ["workers=0", "workers=1", "dask"])
def test_what_a_trial_prints_is_told_while_it_runs(where, kept, tmp_path):
    heard, out = tmp_path / "heard", tmp_path / "run"
    hearing = Hearing(heard)

    def tune(**where):
        asked = {"max_trials": 1, "optimizer": "random", "out": out if kept else None, "progress": False}
        return mfbo.tune(printing(heard), **asked, observer=hearing, **where)

    if where == "dask":
        with Loopback() as cluster:
            cluster.add(1)
            result = tune(scheduler=cluster.scheduler) if kept else None
    else:
        result = tune(workers=int(where[-1]))
    if result is not None:
        assert result.best.value == 0.5
        assert hearing.lines[-1] == (0, LINE)
    if kept:
        assert LINE in (out / "logs" / "0.txt").read_text().splitlines()


def test_a_line_is_told_as_far_as_it_is_printed_and_once():
    told = []
    log = Log(None, 0, told.append, print)
    for text in ("epoch 1", " loss 0.5", "\n", "\n", "\r 10%", "\r 20%", "\nend\nof it\n"):
        log.write(text)
    log.close()
    assert told == ["epoch 1", "epoch 1 loss 0.5", "10%", "20%", "of it"]


def test_an_observer_that_fails_where_a_trial_prints_harms_neither(tmp_path, capsys):
    class Failing(Observer):
        def on_output(self, trial, line):
            raise ValueError("no such line")

    def train(config, fidelity, context):
        print("a line")
        return config["x"]

    task = mfbo.Task("prints", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    asked = {"max_trials": 2, "optimizer": "random", "workers": 0, "out": tmp_path / "run"}
    result = mfbo.tune(task, **asked, observer=Failing())
    assert result.trials == 2
    assert "Failing raised ValueError in on_output" in capsys.readouterr().err
    assert Path(tmp_path, "run", "logs", "1.txt").read_text() == "a line\n"


def test_what_is_printed_beside_a_trial_is_not_its_own(capsys, tmp_path):
    told = []

    def tell(line):
        told.append(line)
        print(f"told of {line}")

    for whole in (False, True):
        with hushed(tmp_path, 0, whole=whole, said=tell):
            print("inside")
        print("outside")
    assert told == ["inside"] * 2
    assert capsys.readouterr().out == "told of inside\noutside\n" * 2
    assert (tmp_path / "0.txt").read_text() == "inside\n" * 2
