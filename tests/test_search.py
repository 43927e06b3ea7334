"""What is asked of a search: one object, from keywords and options to the ledger."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

import mfbo
from mfbo.cli import main
from mfbo.errors import MfboError
from mfbo.ledger.journal import read
from mfbo.search import Search, SearchOptions, keyword

PRIOR = {"x1": 1.0, "x2": 2.0}
ASKED = {
    "optimizer": "asha",
    "seed": 3,
    "fidelity": "epochs",
    "eta": 2,
    "min_fidelity": 0.1,
    "max_fidelity": 0.9,
    "prior": PRIOR,
    "objectives": ("loss", "cost"),
}
APART = {"metric", "maximize", "subject_to", "stop_when"}  # see test_goal, test_constraints and test_stopping


def test_every_field_is_a_keyword_and_is_among_those_asked_here():
    names = [keyword(item.name) for item in fields(Search)]
    assert names == list(SearchOptions.__annotations__)
    assert set(ASKED) == set(names) - APART
    assert all(item.default != ASKED[keyword(item.name)] for item in fields(Search) if item.name not in APART)


def test_what_is_asked_by_keywords_is_in_the_ledger_whole(tmp_path):
    mfbo.tune("branin", "1x", out=tmp_path / "run", **ASKED)
    assert read(tmp_path / "run").header.search == Search.of(**ASKED)


def test_the_command_line_asks_for_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("prior.yaml").write_text("x1: 1.0\nx2: 2.0\n")
    words = ["tune", "branin", "--max-cost", "1x", "--out", "run", "-q"]
    for name, value in ASKED.items():
        text = "prior.yaml" if name == "prior" else ",".join(value) if isinstance(value, tuple) else str(value)
        words += [f"--{name.replace('_', '-')}", text]
    said = CliRunner().invoke(main, words, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert read(Path("run")).header.search == Search.of(**ASKED)


def test_options_are_what_is_not_usual_beside_optimizer_and_seed():
    assert Search().options() == Search(optimizer="grid", seed=9).options() == {}
    assert Search.of(**ASKED).options() == {k: v for k, v in ASKED.items() if k not in ("optimizer", "seed")}


def test_two_searches_differ_in_what_was_asked_otherwise():
    assert Search().differences(Search()) == {}
    assert Search(path="data").differences(Search(seed=2)) == {"seed": (0, 2), "fidelity": ("data", None)}


def test_keywords_come_before_what_a_search_has():
    assert Search.of(Search("grid", 4, eta=2), seed=5) == Search("grid", 5, eta=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"eta": 1}, "eta 1: give a whole number"),
        ({"eta": True}, "eta True"),
        ({"min_fidelity": -0.1}, "min fidelity -0.1"),
        ({"max_fidelity": 1.5}, "max fidelity 1.5"),
        ({"max_fidelity": float("nan")}, "max fidelity nan"),
        ({"min_fidelity": 0.5, "max_fidelity": 0.2}, "min fidelity 0.5 is above max fidelity 0.2"),
        ({"fidelity": "time"}, "unknown fidelity path 'time'"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**32}, "seed 4294967296"),
        ({"objectives": ("size", "cost")}, "'loss' must be one of them"),
        ({"maximize": True}, "task 'branin' says that its loss is to be minimized; leave out maximize"),
        ({"metric": "max:accuracy"}, "task 'branin' measures its own loss, not 'accuracy'"),
        ({"metric": "max:accuracy", "maximize": False}, "minimize and the metric 'max:accuracy' say the opposite"),
        ({"metric": "max:"}, "metric 'max:': give its name"),
        ({"optimiser": "smac"}, "unknown keyword 'optimiser'; did you mean 'optimizer'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, words):
    with pytest.raises(MfboError, match=words) as caught:
        mfbo.tune("branin", "1x", **options)
    assert "\n" not in str(caught.value)
