"""Results from elsewhere: in the ledger, at no cost, used when the run continues, and never taken for the run's own."""

from __future__ import annotations

import io
import json

import pytest
import yaml
from click.testing import CliRunner
from conftest import bowl
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import mfbo
from mfbo.analysis.report import write
from mfbo.cli import main
from mfbo.display import summary
from mfbo.engine.replay import replay
from mfbo.engine.tell import tell
from mfbo.errors import BadLedger, BadValue, RunLocked, UnknownName
from mfbo.evidence.curves import incumbent
from mfbo.ledger.journal import FILE, parse, read
from mfbo.ledger.writer import Ledger

BEST = {"x": 0.3, "y": 0.7}
BAD = {"x": 1.0, "y": 0.0}


@pytest.fixture(params=["smac", "smac-stock", "hyperband", "random"])
def run(request, tmp_path):
    folder = tmp_path / "run"
    mfbo.tune(bowl(), "2x", optimizer=request.param, seed=1, out=folder)
    return folder


@pytest.mark.slow
def test_it_costs_nothing_and_is_not_the_incumbent(run):
    before = read(run)
    told = tell(run, BEST, 0.001)
    after = read(run)
    assert after.told == [told]
    assert (after.spent, after.seconds, after.results) == (before.spent, before.seconds, before.results)
    assert incumbent(after) == incumbent(before)
    assert after.ended == before.ended


@pytest.mark.slow
def test_the_run_goes_on_and_replays_exactly_as_if_it_had_not_been_cut(run, tmp_path):
    tell(run, BEST, 0.001)
    tell(run, BAD, 0.7, epochs=read(run).header.rungs[0].epochs)
    whole = mfbo.resume(run, max_cost="4x", task=bowl()).ledger
    assert whole.asks == read(run).asks
    assert replay(read(run)).mismatch is None
    content = (run / FILE).read_bytes()
    cut = content[: content.rindex(b'{"record":"ask"')]
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / FILE).write_bytes(cut)
    assert mfbo.resume(tmp_path / "cut", task=bowl()).ledger.results == whole.results


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["smac", "smac-stock"])
def test_what_beats_all_is_asked_next_and_what_does_not_is_not(optimizer, tmp_path):
    asked = []
    for folder, config, loss in ((tmp_path / "good", BEST, 0.001), (tmp_path / "bad", BAD, 1.6)):
        mfbo.tune(bowl(), "2x", optimizer=optimizer, seed=1, out=folder)
        before = len(read(folder).asks)
        tell(folder, config, loss)
        after = mfbo.resume(folder, max_cost="5x", task=bowl()).ledger
        asked.append(config in [trial.config for trial in list(after.asks.values())[before:]])
    assert asked == [True, False]


@pytest.mark.slow
def test_the_surrogate_learns_from_it(tmp_path):
    """The valley of the losses is told, far from where the short run has looked; draws after that are in it."""
    folders = [tmp_path / "told", tmp_path / "not"]
    for folder in folders:
        mfbo.tune(bowl(), max_trials=6, seed=3, out=folder)
    for x in range(10):
        for y in range(10):
            config = {"x": x / 9, "y": y / 9}
            tell(folders[0], config, bowl().train(config, mfbo.Fidelity(27).full, None).loss)
    ends = [mfbo.resume(folder, max_trials=16, task=bowl()).ledger for folder in folders]
    off = [min((t.config["x"] - 0.3) ** 2 + (t.config["y"] - 0.7) ** 2 for t in end.asks.values()) for end in ends]
    assert off[0] < 0.0001 < off[1]


@pytest.mark.slow
def test_the_command_reads_what_best_prints_and_says_what_becomes_of_it(run, tmp_path):
    optimizer = read(run).header.optimizer
    printed = CliRunner().invoke(main, ["best", str(run)]).stdout
    (tmp_path / "known.yaml").write_text(printed)
    said = CliRunner().invoke(
        main, ["tell", str(run), str(tmp_path / "known.yaml"), "--loss", "0.08", "--epochs", "27"]
    )
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith("added: loss 0.08 at all data, 27 epochs, measured outside the run, at no cost\n")
    use = f"{optimizer} uses it" if optimizer.startswith("smac") else f"{optimizer} does not use it"
    assert use in said.stdout
    assert read(run).told[0].config == yaml.safe_load(printed)


def test_show_and_report_name_it_as_told(tmp_path):
    folder = tmp_path / "run"
    mfbo.tune(bowl(), "2x", optimizer="random", out=folder)
    tell(folder, BEST, 0.001)
    tell(folder, BAD, 0.9)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary(read(folder)))
    shown = console.export_text()
    assert "measured outside this run, at no cost: 2 results; the first is better than any that this" in shown
    for suffix in ("md", "html"):
        text = write([folder], tmp_path / f"report.{suffix}").read_text(encoding="utf-8")
        assert "Results that were added" in text
        assert "none of them counts as its best" in text


@pytest.mark.parametrize(
    ("config", "loss", "how", "text"),
    [
        (BEST, float("nan"), {}, "value nan: give a finite number"),
        (BEST, True, {}, "value True"),
        (BEST, 0.1, {"epochs": 28}, "epochs 28: a full evaluation has 27; give 1 to 27"),
        (BEST, 0.1, {"epochs": 0}, "epochs 0"),
        (BEST, 0.1, {"data": 1.5}, "data 1.5"),
        (BEST, 0.1, {"data": 0.01, "epochs": 1}, "below the lowest level"),
        ({"x": 0.1}, 0.1, {}, "has no 'y'"),
        ({"x": 0.1, "y": 2}, 0.1, {}, "y 2 is not allowed"),
        ({"x": 0.1, "z": 2}, 0.1, {}, "unknown hyperparameter 'z'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(config, loss, how, text, tmp_path):
    mfbo.tune(bowl(), "1x", optimizer="random", out=tmp_path / "run")
    before = (tmp_path / "run" / FILE).read_bytes()
    with pytest.raises((BadValue, UnknownName), match=text) as caught:
        tell(tmp_path / "run", config, loss, **how)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run" / FILE).read_bytes() == before


def test_a_run_that_goes_on_elsewhere_is_refused(tmp_path):
    mfbo.tune(bowl(), "1x", optimizer="random", out=tmp_path / "run")
    with Ledger.reopen(tmp_path / "run"), pytest.raises(RunLocked):
        tell(tmp_path / "run", BEST, 0.1)


@pytest.fixture(scope="module")
def told_ledger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("told") / "run"
    mfbo.tune(bowl(), max_trials=2, optimizer="random", out=folder)
    tell(folder, BEST, 0.1)
    return (folder / FILE).read_bytes()


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_line_is_refused_not_believed(told_ledger, data):
    lines = told_ledger.splitlines(keepends=True)
    record = json.loads(lines[-1])
    key = data.draw(st.sampled_from(["config", "rung", "loss"]))
    record[key] = data.draw(st.sampled_from([None, True, "x", {"x": {}}, {"x": [1]}, [[1]], "1"]))
    with pytest.raises(BadLedger):
        parse(b"".join([*lines[:-1], json.dumps(record).encode() + b"\n"]))
    del record[key]
    with pytest.raises(BadLedger):
        parse(b"".join([*lines[:-1], json.dumps(record).encode() + b"\n"]))
