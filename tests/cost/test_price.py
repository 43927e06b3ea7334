"""Money: read, written, beside time wherever that is shown, and as a limit that becomes seconds once."""

from __future__ import annotations

import io
import json
import re
from contextlib import nullcontext

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from ledgers import records_of, rewrite
from rich.console import Console

import mfbo
from mfbo.analysis.figures.compared import anytime_chart, cost_axis
from mfbo.analysis.report import write
from mfbo.cli import main
from mfbo.cost.price import Price, in_time, is_money, kept, of_run
from mfbo.display import panel, summary
from mfbo.display.lines import LineDisplay
from mfbo.display.progress import Progress
from mfbo.errors import BadCost, BadLedger, BadValue
from mfbo.evidence.comparison import side_by_side
from mfbo.exports.table import rows
from mfbo.ledger.journal import read
from mfbo.ledger.run import Limits
from mfbo.study.folder import read_study
from mfbo.study.runner import run_study
from mfbo.study.spec import Study


@pytest.mark.parametrize(
    ("text", "hour", "currency"),
    [
        ("0.90/h", 0.9, ""),
        ("0.90USD/h", 0.9, "USD"),
        ("0.90 EUR/h", 0.9, "EUR"),
        ("$0.90/h", 0.9, "USD"),
        ("0.90€ / hour", 0.9, "EUR"),
        ("24 chf/day", 1.0, "CHF"),
        ("1/min", 60.0, ""),
    ],
)
def test_a_price_is_read(text, hour, currency):
    assert Price.parse(text) == Price(hour, currency)


@pytest.mark.parametrize(
    "text", ["", "1", "/h", "x/h", "-1/h", "0/h", "1/year", "1e400/h", "9" * 400 + "/h", "$1USD/h", "inf/h"]
)
def test_what_is_none_is_refused_in_one_line(text):
    with pytest.raises(BadValue, match=r"price|names a currency twice") as caught:
        Price.parse(text)
    assert "\n" not in str(caught.value)


@given(st.floats(1e-6, 1e6), st.sampled_from(["", "USD", "EUR"]))
def test_writing_is_the_inverse_of_reading(hour, currency):
    again = Price.parse(str(Price(hour, currency)))
    assert again.currency == currency
    assert again.hour == pytest.approx(hour, rel=1e-9, abs=1e-12)


def test_words():
    price = Price(0.9, "USD")
    assert price.of(3600) == "0.90 USD"
    assert price.of(1) == "0.00025 USD"
    assert price.of(0) == "0.00 USD"
    assert price.share(1800, 7200) == "0.45 of 1.80 USD"
    assert price.share(1800, float("inf")) == "0.45 USD"
    assert Price(0.9).of(3600) == "price 0.90"


MONEY = ("5USD", "$5", "5 €")
OTHERS = ("5", "5x", "5d", "90m", 5.0, None)


@pytest.mark.parametrize("cost", [*MONEY, *OTHERS])
def test_what_counts_as_money(cost):
    assert is_money(cost) is (cost in MONEY)


def test_money_becomes_seconds_and_its_currency_the_prices():
    assert in_time("5USD", mfbo.Settings(price="0.90/h")) == ("5h33m20s", mfbo.Settings(price="0.9USD/h"))
    assert in_time("$1.8", mfbo.Settings(price="0.90USD/h"))[0] == "2h"
    assert in_time("2h", mfbo.Settings(price="0.90/h")) == ("2h", mfbo.Settings(price="0.9/h"))
    assert in_time("2h", mfbo.Settings()) == ("2h", mfbo.Settings())


@pytest.mark.parametrize(
    ("cost", "price", "text"),
    [
        ("5USD", None, "max cost '5USD' is money, which needs a price; add one such as --price 0.90/h"),
        ("5USD", "1EUR/h", "the price is in EUR; give the cost in EUR too"),
        ("0USD", "1/h", "not an amount of money"),
        ("9" * 400 + "USD", "1/h", "not an amount of money"),
    ],
)
def test_money_that_cannot_be_a_limit_is_refused(cost, price, text):
    with pytest.raises(BadCost, match=text):
        mfbo.tune("branin", cost, settings=mfbo.Settings(price=price))


def test_a_run_keeps_its_price_and_resumes_in_money(tmp_path):
    run = mfbo.tune("branin", "0.01EUR", optimizer="random", out=tmp_path, settings=mfbo.Settings(price="12/h")).ledger
    assert run.limits == Limits.of("3s")
    assert run.spent == pytest.approx(3)
    assert of_run(read(tmp_path)) == Price(12, "EUR")
    again = mfbo.resume(tmp_path, max_cost="0.02EUR").ledger
    assert again.limits == Limits.of("6s")
    with pytest.raises(BadCost, match="is in EUR"):
        mfbo.resume(tmp_path, max_cost="1USD")


def test_a_run_without_a_price_is_as_before(tmp_path):
    with_, without = (
        mfbo.tune("branin", "3x", optimizer="asha", settings=mfbo.Settings(price=price)).ledger
        for price in ("1/h", None)
    )
    assert with_.results == without.results
    mfbo.tune("branin", "1x", optimizer="random", out=tmp_path)
    assert of_run(read(tmp_path)) is None
    assert mfbo.resume(tmp_path, max_cost="2x").cost == pytest.approx(2)


def test_a_damaged_price_shows_no_money_and_resumes_nothing(tmp_path):
    assert kept("x") is kept("") is kept(None) is None
    mfbo.tune("branin", "1x", optimizer="random", out=tmp_path, settings=mfbo.Settings(price="1/h"))
    records = records_of(tmp_path)
    records[0]["run"]["settings"]["price"] = 7
    rewrite(tmp_path, records)
    with pytest.raises(BadLedger, match="price"):
        mfbo.resume(tmp_path, max_cost="2x")


def test_money_stands_beside_time(tmp_path):
    stream, how = io.StringIO(), mfbo.Settings(price="3600USD/h")
    mfbo.tune("branin", "4s", optimizer="random", out=tmp_path / "run", settings=how, observer=LineDisplay(stream))
    said = stream.getvalue().splitlines()
    assert any("cost 4s, at 3600USD/h" in line for line in said)
    assert "4s of 4s (4.00 of 4.00 USD) (100%)" in said[-1]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary(read(tmp_path / "run")))
    assert "4s of 4s (4.00 USD)" in console.export_text()
    text = write([tmp_path / "run"], tmp_path / "report.md").read_text(encoding="utf-8")
    assert "USD" in text
    assert "4s, 4.00 USD" in write([tmp_path / "run"], tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_no_cost_of_a_run_is_shown_without_its_money(tmp_path):
    how = mfbo.Settings(price="3600USD/h")
    mfbo.tune("branin", "9s", optimizer="hyperband", out=tmp_path / "run", settings=how)
    run = read(tmp_path / "run")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary(run))
    bare = re.compile(r"(?<![\w./])[\d.]+s(?! \([\d.]+ USD\))(?! of |/)")  # but for forecasts: each/plan
    shown = [line for line in console.export_text().splitlines() if not line.startswith(("command", "versions"))]
    assert [line for line in shown if bare.search(line)] == []
    assert sum("USD" in line for line in shown) > 6  # cost, rungs, found at, improvements
    console.print(panel.Panel(Progress(run), "budget", nullcontext()))
    shown = console.export_text().splitlines()
    assert [line for line in shown if bare.search(line) and "cost" not in line] == []
    assert sum("USD" in line for line in shown) > 12
    text = write([tmp_path / "run"], tmp_path / "report.md").read_text(encoding="utf-8")
    tables = [line for line in text.splitlines() if line.startswith("|") and "command" not in line]
    assert [line for line in tables if bare.search(line)] == []


def test_each_row_of_an_export_and_each_axis_of_cost_has_money(tmp_path):
    mfbo.tune("branin", "3s", optimizer="random", out=tmp_path / "run", settings=mfbo.Settings(price="3600USD/h"))
    run = read(tmp_path / "run")
    assert [row["money"] for row in rows(run)] == pytest.approx([row["spent"] for row in rows(run)])
    comparison = side_by_side([run])
    assert cost_axis(comparison, 3.0) == ("Cost (s at 3600USD/h, virtual)", 1)
    (line,) = anytime_chart(comparison).panels[0].series
    assert all(f" ({cost:.2f} USD): " in text for cost, text in zip(line.x, line.texts, strict=True))
    mfbo.tune("branin", "3s", optimizer="random", out=tmp_path / "bare")
    bare = read(tmp_path / "bare")
    assert "money" not in rows(bare)[0]
    assert cost_axis(side_by_side([bare]), 3.0)[0] == "Cost (s, virtual)"


@pytest.mark.slow
def test_money_stands_beside_the_time_of_validation_and_of_a_training(tmp_path):
    typed = ["tune", "digits", "--max-cost", "1x", "--optimizer", "random", "--price", "3600USD/h", "-q"]
    found = _json(*typed, "--out", str(tmp_path / "run"), "--json")
    assert found["price"] == "3600USD/h"
    assert found["money"] == pytest.approx(read(tmp_path / "run").seconds)
    final = _json("validate", str(tmp_path / "run"), "--seeds", "1", "--json")
    assert final["money"] == pytest.approx(final["seconds"])
    said = CliRunner().invoke(main, ["validate", str(tmp_path / "run"), "--seeds", "1"], catch_exceptions=False)
    assert re.search(r"runtime +[\d.]+s in all \([\d.]+ USD\)", said.stdout)
    assert re.search(r"^seed 0: .*s, [\d.]+ USD\)$", said.stderr, re.MULTILINE)
    once = ["train", "digits", "--epochs", "1", "--price", "36/h"]
    trained = _json(*once, "--json")
    assert trained["money"] == pytest.approx(trained["seconds"] / 100)
    said = CliRunner().invoke(main, once)
    assert re.search(r"; [\d.]+m?s \(price [\d.]+\)\n", said.stdout)
    assert re.search(r"^epoch 1: loss \S+ \(\S+s, price [\d.<]+\)$", said.stderr, re.MULTILINE)
    assert {key: _json("train", "digits", "--epochs", "1", "--json")[key] for key in ("price", "money")} == {
        "price": None,
        "money": None,
    }


def test_money_stands_beside_the_time_of_every_phase(tmp_path):
    words = ["study", "branin", "--max-cost", "60s", "--optimizers", "random", "--price", "3600USD/h", "-q"]
    said = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "s")], catch_exceptions=False).stdout
    assert re.search(r"exploration [\d.]+s \([\d.]+ USD\), optimization [\d.]+s \([\d.]+ USD\)", said)
    assert re.search(r"^cost: random [\d.]+s \([\d.]+ USD\)$", said, re.MULTILINE)
    found = _json(*words, "--json", "--out", str(tmp_path / "s"))
    assert found["money"] == pytest.approx(sum(found["costs"].values()))


def _json(*words):
    said = CliRunner().invoke(main, words, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


@pytest.mark.slow
def test_a_comparison_has_a_limit_in_money_and_says_what_all_of_it_cost(tmp_path):
    words = [
        "compare",
        "branin",
        "--optimizers",
        "random,asha",
        "--seeds",
        "1",
        "--max-cost",
        "3USD",
        "--price",
        "3600/h",
    ]
    said = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "study")])
    assert said.exit_code == 0, said.output
    assert "all 2 runs together: 6s, 6.00 USD" in said.output
    assert "cost 3s (3.00 USD)" in said.output
    assert "branin at a cost of 3s (3.00 USD), 1 seed" in said.output
    assert _json(*words, "--out", str(tmp_path / "study"), "--json")["tasks"][0]["money"] == pytest.approx(6)
    assert read_study(tmp_path / "study" / "comparison.yaml").max_cost == "3s"
    assert re.search(r"the median cost of that: .*random [\d.]+ USD", " ".join(said.output.split()))
    text = write([tmp_path / "study"], tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| 1 of 1 \| [\d.]+s \([\d.]+ USD\) \|", text)
    assert "At a cost of 3s (3.00 USD) the" in text
    assert re.search(r"found by .*, at a cost of [\d.]+s \([\d.]+ USD\)\.", text)
    again = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "study")])
    assert again.exit_code == 0, again.output
    with pytest.raises(BadCost, match="needs a price"):
        run_study(Study(("branin",), ("random",), 1, "3USD"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_comparison_in_full_evaluations_says_no_money_of_what_it_cannot_tell(tmp_path):
    words = ["compare", "branin", "--optimizers", "random,asha", "--seeds", "1", "--max-cost", "3x", "--price", "1/h"]
    said = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "study")], catch_exceptions=False).output
    assert "branin at a cost of 3x, 1 seed" in said
    assert "and the median cost of that speed-up over random:" in " ".join(said.split())
