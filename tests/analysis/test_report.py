"""`mfbo report`: what it says, that it stands alone, that nothing out of a ledger is run, and what is refused."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_runs import FULL, HEADER, RUNGS, made_run

from mfbo.analysis import style
from mfbo.analysis.plotly_renderer import SYMBOLS
from mfbo.analysis.report import texts
from mfbo.analysis.report.material import gather
from mfbo.analysis.report.page import as_json, page
from mfbo.analysis.report.repeat import command
from mfbo.analysis.report.serve import Source
from mfbo.cli import main
from mfbo.errors import BadCost
from mfbo.ledger.journal import FILE
from mfbo.ledger.run import Limits
from mfbo.ledger.writer import Ledger
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.study.folder import COMPARISON, missing, read_study
from mfbo.study.phases import study as three_phases
from mfbo.study.phases_result import PHASES
from mfbo.study.phases_result import kept as kept_phases
from mfbo.study.runner import run_study
from mfbo.study.spec import Study
from mfbo.trial import Known, Outcome, Trial

LOW = RUNGS[1]
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "\u2028*/alert(1)//\u2029",
    "%{meta}<b>&lt;b&gt;",
    "]]>--><!--`${alert(1)}`",
)


class Parts(HTMLParser):
    """Elements with the names of their attributes, text outside scripts and styles, and what scripts hold."""

    def __init__(self, content):
        super().__init__(convert_charrefs=True)
        self.elements, self.scripts, self.data, self.words, self.policy, self._in = [], [], "", [], "", None
        self.links = []
        self.feed(content)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, tuple(name for name, _ in attributes)))
        given = dict(attributes)
        self._in = (tag, given.get("id")) if tag in ("script", "style") else None
        self.links += [given[name] for name in ("src", "href", "action", "data") if name in given]
        if given.get("http-equiv"):
            self.policy = given["content"]

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in is None:
            self.words.append(data)
        elif self._in == ("script", "data"):
            self.data += data
        elif self._in[0] == "script":
            self.scripts.append(data)


def run_at(folder, *results, **header):
    made_run(*(results or ((0.5, LOW, 3), (0.3, FULL, 20))), folder=folder, **header)
    return folder


@pytest.fixture
def study(tmp_path):
    """Three seeds of three optimizers: their folders."""
    made = []
    for seed in range(3):
        for optimizer, steps in (
            ("smac", ((0.5, LOW, 2), (0.4, LOW, 2), (0.1 + seed / 100, FULL, 6))),
            ("random", ((0.6, FULL, 20), (0.2 + seed / 100, FULL, 60))),
            ("grid", ((0.7, FULL, 20), (0.3, FULL, 20))),
        ):
            made.append(run_at(tmp_path / f"{optimizer}{seed}", *steps, optimizer=optimizer, seed=seed))
    return made


def parts_of(*folders, **how):
    return Parts(page(gather(folders), **how))


def call(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


# what it says


@pytest.mark.slow
def test_of_a_study_the_question_and_the_answer_with_its_interval_come_first(study):
    text = parts_of(*study).text
    assert text.index("Does multi-fidelity tuning pay off on made?") < text.index("Did multi-fidelity pay off here?")
    answer = text[text.index("Did multi-fidelity pay off here?") : text.index("Optimizers at equal cost")]
    assert "It seems so: smac reached what random search had in the end at 8 times less cost" in answer
    assert "3 seeds cannot prove it" in answer
    assert "Speed-up over random search: 8 (8 to 8)" in answer
    assert "Speed-up over grid search: 4 (4 to 4)" in answer
    assert "0.11 ± 0.0058 (smac) against 0.21 ± 0.0058 (random search)" in answer
    assert "cannot fall below p = 0.25" in answer


def test_of_one_run_it_says_what_was_found_and_that_payoff_cannot_be_told(tmp_path):
    text = parts_of(run_at(tmp_path / "run", (0.5, LOW, 3), (0.3, FULL, 20), (0.4, FULL, 20))).text
    found = "The best of 3 trials has a validation loss of 0.3 (all data, 27 epochs); it was found at a cost of 23s."
    assert text.index(found) < text.index("It cannot be told: this is one run")
    assert "one measurement: no interval" in text
    assert "mfbo compare made --optimizers random,grid --seeds 5 --max-cost 1m40s" in text


def test_of_one_seed_nothing_is_claimed(tmp_path):
    folders = [run_at(tmp_path / name, optimizer=name) for name in ("smac", "random")]
    assert "It cannot be told: one seed is chance" in parts_of(*folders).text


def test_a_run_without_a_success_is_a_report_about_its_failures(tmp_path):
    with Ledger.create(HEADER, tmp_path / "run") as ledger:
        for number in range(2):
            trial = Trial(number, {"x": 1}, FULL)
            error = "Traceback (most recent call last):\n  File 'train.py', line 3, in train\nValueError: no <data>"
            ledger.ask(trial)
            ledger.result(trial, Outcome("failed", None, FULL, 1, error=error), overhead=0, charge=1, wall=0)
    text = parts_of(tmp_path / "run").text
    assert "Nothing: of 2 trials none had a result, 2 failed" in text
    assert "2 failed: ValueError: no <data>" in text
    assert "File 'train.py', line 3, in train" in text


@pytest.mark.slow
def test_what_is_left_out_of_a_comparison_is_said(study, tmp_path):
    failed = run_at(tmp_path / "failed", (None, FULL, 1, "failed"), optimizer="smac", seed=3)
    assert "Left out: smac, seed 3 (none of its 1 trials had a loss" in parts_of(*study, failed).text


def test_runs_that_cannot_be_compared_are_shown_with_the_reason(study, tmp_path):
    other = run_at(tmp_path / "other", seed=4, space_hash="1" * 16)
    text = parts_of(*study, other).text
    assert "It cannot be told: runs of different spaces cannot be compared" in text
    assert json.loads(parts_of(*study, other).data)["tables"]["t0"]["rows"]


@pytest.mark.slow
def test_several_tasks_have_a_section_each_and_ranks_over_all(study, tmp_path):
    more = [
        run_at(tmp_path / f"o{seed}{name}", optimizer=name, seed=seed, task="other")
        for name in ("smac", "random")
        for seed in (0, 1)
    ]
    found = parts_of(*study, *more)
    assert "Does multi-fidelity tuning pay off on 2 tasks?" in found.text
    figures = set(json.loads(found.data)["figures"])
    assert {"all-ranks", "all-critical", "t0-anytime", "t1-anytime"} <= figures
    assert not {"t0-critical", "t1-critical"} & figures
    assert "Mean rank by final loss over 2 tasks (each by its mean over seeds)" in found.text


@pytest.fixture
def told_apart(tmp_path):
    """Twelve seeds, in which smac and random take turns at being best, and grid never is: their folders."""
    made = []
    for seed in range(12):
        for optimizer, loss in (("smac", 1 + seed % 2), ("grid", 5 + seed), ("random", 2 - seed % 2)):
            made.append(run_at(tmp_path / f"{optimizer}{seed}", (loss, FULL, 20), optimizer=optimizer, seed=seed))
    return made


@pytest.mark.slow
def test_a_bar_joins_those_of_the_final_ranks_that_the_test_of_the_printed_figure_joins(told_apart):
    found = parts_of(*told_apart)
    figure = json.loads(found.data)["figures"]["t0-critical"]
    assert [(trace["meta"], trace["x"]) for trace in figure["data"]] == [
        ("smac", [1.5]),
        ("random", [1.5]),
        ("grid", [3]),
    ]
    assert gather(told_apart).ranking.alike() == [("smac", "random")]
    assert [(round(bar["y0"]), round(bar["y1"])) for bar in figure["layout"]["shapes"]] == [(0, 1)]
    assert "Mean rank by final loss over 12 seeds; 1 is best. A grey bar at the right joins optimizers" in found.text
    assert "(p > 0.05: Wilcoxon signed-rank over the 12 seeds, Holm-adjusted for 3 pairs)" in found.text
    assert "the test finds no difference" not in found.text


def test_where_the_seeds_are_too_few_for_the_test_of_ranks_that_is_said(study):
    assert "With so few seeds the test finds no difference, however large; from 7 on it can." in parts_of(*study).text


def test_one_seed_has_no_ranks(tmp_path):
    folders = [run_at(tmp_path / name, optimizer=name) for name in ("smac", "random")]
    assert "t0-critical" not in json.loads(parts_of(*folders).data)["figures"]
    assert "Average ranks" not in texts.markdown(gather(folders))


@pytest.mark.slow
def test_the_figures_show_the_numbers_of_the_runs(study):
    figures = json.loads(parts_of(*study).data)["figures"]
    lines = {trace["meta"]: trace for trace in figures["t0-anytime"]["data"] if "hovertemplate" in trace}
    assert lines["smac"]["x"][-1] == 100
    assert lines["smac"]["y"][-1] == pytest.approx(0.11)
    reached = {trace["meta"]: trace for trace in figures["t0-quality"]["data"]}
    assert reached["smac"]["x"] == [10, 10, 10]
    assert reached["grid"]["text"] == [f"seed {seed}: not within the cost" for seed in range(3)]
    assert figures["t0-ranks"]["data"][0]["y"][-1] == 1
    colours = {
        name: {trace["meta"]: trace.get("line", trace.get("marker"))["color"] for trace in figures[name]["data"]}
        for name in ("t0-anytime", "t0-ranks")
    }
    assert colours["t0-anytime"] == colours["t0-ranks"]


def test_every_colour_of_a_figure_has_another_for_dark_screens(study):
    figures = json.dumps(json.loads(parts_of(*study).data)["figures"])
    used = {look.colour for look in (*style.registered_looks().values(), *style.OTHER_LOOKS)}
    used |= {colour[:7] for colour in re.findall(r"#[0-9A-Fa-f]{6,8}", figures)}
    assert used <= set(style.DARK)
    assert not set(style.DARK) & set(style.DARK.values())


def test_every_marker_of_an_optimizer_has_its_like_in_the_page():
    assert {look.marker for look in (*style.registered_looks().values(), *style.OTHER_LOOKS)} <= set(SYMBOLS)


def test_the_table_has_every_trial_with_its_values(study):
    table = json.loads(parts_of(*study).data)["tables"]["t0"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    assert len(rows) == 21
    assert {row["optimizer"] for row in rows} == {"smac", "random", "grid"}
    assert rows[0] | {"loss": 0.1, "x": 2, "status": "ok", "work": 1.0, "trial": 2} == rows[0]
    assert [row["loss"] for row in rows] == sorted(row["loss"] for row in rows)
    assert table["columns"][:2] == ["x", "loss"]


def test_the_command_that_repeats_it_is_built_from_what_the_ledger_holds_and_quoted(tmp_path):
    settings_ = {"workers": 2, "options": {"model": "a b"}, "from_scratch": True, "device": "auto", "unknown": "; rm"}
    run = run_at(tmp_path / "run", command="rm -rf /", settings=settings_, limits=Limits.of("100s", 7))
    content = page(gather([run]))
    command = html.unescape(re.search(r"<pre class=command>(.*?)</pre>", content, re.S)[1])
    assert command == (
        "mfbo tune made --optimizer random --seed 0 --max-cost 1m40s --max-trials 7 --fidelity epochs "
        "--option 'model=a b' --from-scratch --workers 2"
    )


def test_the_command_has_prior_bounds_and_what_it_began_with(tmp_path):
    space = {"hyperparameters": [{"name": "x", "type": "uniform_int", "default_value": 3}]}
    known = (Known({"x": 1}, FULL, 0.5),)
    run = run_at(tmp_path / "run", eta=2, max_fidelity=0.5, prior={"x": 3}, known=known, space=space)
    said = command(gather([run]))
    assert said.endswith("--fidelity epochs --eta 2 --max-fidelity 0.5 --prior default --warm-start EARLIER_RUN")
    other = run_at(tmp_path / "other", prior={"x": 4}, space=space)
    assert command(gather([other])).endswith("--prior PRIOR.yaml")


def test_the_cost_that_all_have_is_said_even_beside_the_double_one(tmp_path):
    runs = [
        run_at(tmp_path / f"{name}{seed}", optimizer=name, seed=seed, limits=Limits.of(cost))
        for name, cost in (("random-2x", "200s"), ("random", "100s"))
        for seed in (0, 1)
    ]
    assert "at equal cost (1m40s a run, random-2x twice that)" in parts_of(*runs).text


def test_a_run_that_goes_on_does_not_cut_the_others_short(study, tmp_path):
    short = tmp_path / "short"
    made_run((0.5, FULL, 1), folder=short, optimizer="smac", seed=7, ended=None)
    text = parts_of(*study, short).text
    assert "Left out: smac, seed 7 (it has not ended)" in text
    assert "It seems so: smac reached" in text


def test_a_study_is_repeated_by_one_command(tmp_path):
    (tmp_path / COMPARISON).write_text("tasks: [made]\noptimizers: [smac]\nseeds: 2\nmax_cost: 100s\n")
    for seed in range(2):
        run_at(tmp_path / "made" / "smac" / f"s{seed}", optimizer="smac", seed=seed)
    text = parts_of(tmp_path).text
    assert "mfbo compare made --optimizers smac --seeds 2 --max-cost 100s" in text
    assert "no optimizer" not in text
    assert "neither random search nor grid search was run" in text


@pytest.mark.parametrize(
    "typed",
    [
        "--eta 2 --min-fidelity 0.1 --max-fidelity 0.5 --prior default",
        "--prior 'my prior.yaml' --from-scratch --option 'a=b c' --fidelity epochs",
    ],
)
def test_the_command_that_repeats_a_study_comes_to_the_same_study(tmp_path, monkeypatch, typed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my prior.yaml").write_text("x1: 1.0\nx2: 2.0\n")
    words = ["compare", "branin", "--optimizers", "asha", "--seeds", "1", "--max-cost", "2x", *shlex.split(typed)]
    CliRunner().invoke(main, [*words, "--out", "one"], catch_exceptions=False)
    said = command(gather(["one"]))
    CliRunner().invoke(main, [*shlex.split(said)[1:], "--out", "other"], catch_exceptions=False)
    assert read_study(tmp_path / "other" / COMPARISON) == read_study(tmp_path / "one" / COMPARISON)
    assert all(word in said for word in typed.split() if word.startswith("--"))


@pytest.mark.slow
def test_the_command_that_repeats_three_phases_comes_to_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my prior.yaml").write_text("x1: 1.0\nx2: 2.0\n")
    words = ["study", "branin", "--optimizers", "asha", "--max-cost", "30x", "--seed", "3", "--eta", "2"]
    words += ["--max-fidelity", "0.6", "--prior", "my prior.yaml", "--from-scratch", "--option", "a=b c"]
    CliRunner().invoke(main, [*words, "--out", "one"], catch_exceptions=False)
    said = command(gather(["one"]))
    assert "--prior 'my prior.yaml'" in said
    CliRunner().invoke(main, [*shlex.split(said)[1:], "--out", "other"], catch_exceptions=False)
    assert kept_phases(tmp_path / "one") == kept_phases(tmp_path / "other")


@pytest.fixture(scope="module")
def phases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases")
    asked = Study(("mixed",), ("hyperband", "random"), 3, "30x", Search(eta=2), Settings(workers=0))
    return folder, three_phases(asked, folder)


@pytest.mark.slow
def test_the_three_phases_are_named_with_what_each_cost_and_what_became_of_the_ranges(phases):
    folder, found = phases
    text = parts_of(folder).text
    assert "exploration on small subsets" in text
    assert re.search(r"exploration [\d.]+x, optimization [\d.]+x, validation 0x", text)
    assert found.narrowed
    assert all(" ".join(line.split()) in text for line in found.narrowed)
    assert "mfbo study mixed --max-cost 30x --optimizers" in text
    assert texts.markdown(gather([folder])).count("the task has no unseen data") == 2


@pytest.mark.slow
def test_phases_that_are_damaged_are_left_out_and_their_runs_shown(phases, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(phases[0], folder)
    kept = json.loads((folder / PHASES).read_text())
    for damaged in ({**kept, "lines": [{}]}, {**kept, "costs": {"exploration": "<b>"}}, [], {**kept, "narrowed": None}):
        (folder / PHASES).write_text(json.dumps(damaged))
        assert kept_phases(folder) is None
    text = parts_of(folder).text
    assert "The three phases" not in text
    assert "Optimizers at equal cost" in text


def test_scores_of_a_validation_are_shown_where_they_are_of_the_best_configuration(tmp_path):
    run = run_at(tmp_path / "run", (0.3, FULL, 20))
    (run / "best").mkdir()
    found = {"hyperparameters": {"x": 0}, "trained": {"epochs": 27, "data": 1.0, "work": 1.0}}
    found["all_seeds"] = [{"seed": seed, "loss": 0.2 + seed / 10, "accuracy": 0.8} for seed in range(3)]
    (run / "best" / "config.json").write_text(json.dumps(found))
    assert "loss 0.3 ± 0.1, accuracy 0.8 ± 0 (mean ± standard deviation over 3 trainings)" in parts_of(run).text
    (run / "best" / "config.json").write_text(json.dumps({**found, "all_seeds": found["all_seeds"][:1]}))
    assert "loss 0.2, accuracy 0.8 (one training: no interval)" in parts_of(run).text
    for damaged in ({**found, "hyperparameters": {"x": 1}}, {**found, "all_seeds": [{"seed": 0, "loss": "<b>"}]}, [1]):
        (run / "best" / "config.json").write_text(json.dumps(damaged))
        assert "trainings)" not in parts_of(run).text


# that it stands alone, and that nothing out of a ledger is run


def test_the_page_needs_nothing_from_elsewhere(study):
    found = parts_of(*study)
    assert all(link.startswith(("#", "data:,")) for link in found.links)
    assert "default-src 'none'" in found.policy
    assert "connect-src 'none'" in found.policy
    assert "'unsafe-eval'" not in found.policy


def test_only_the_scripts_that_the_policy_names_by_their_hash_are_there(study):
    found = parts_of(*study)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in found.scripts]
    assert len(hashes) == 2
    assert re.search(r"script-src ([^;]*)", found.policy)[1].split() == hashes


def hostile_run(folder, text):
    """A run whose every text is `text`."""
    values = {"task": text, "command": text, "created": text, "source_hash": text}
    with Ledger.create(
        HEADER.__class__(
            **{
                **vars(HEADER),
                **values,
                "search": Search(text),
                "space": {"hyperparameters": [{"name": text, "type": text}]},
                "settings": Settings(options={text: text}, device=text),
                "versions": {text: text},
                "hardware": {text: text},
            }
        ),
        folder,
    ) as ledger:
        for number, (loss, error) in enumerate(((0.3, None), (0.2, None), (None, f"Traceback\n  {text}\n{text}"))):
            trial = Trial(number, {text: text if number else "other", "x": number}, FULL)
            ledger.ask(trial)
            metrics = {text: 1.0} if loss else {}
            outcome = Outcome("ok" if loss else "failed", loss, FULL, 1, metrics=metrics, error=error)
            ledger.result(trial, outcome, overhead=0, charge=1, wall=0)
        ledger.end("budget")
    return folder


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_element_and_no_attribute(tmp_path, text):
    plain, hostile = (parts_of(hostile_run(tmp_path / name, words)) for name, words in (("a", "plain"), ("b", text)))
    assert hostile.elements == plain.elements
    assert hostile.scripts == plain.scripts
    assert hostile.policy == plain.policy


@pytest.mark.parametrize("text", HOSTILE[:3])
def test_hostile_text_is_shown_as_it_is(tmp_path, text):
    found = parts_of(hostile_run(tmp_path / "run", text))
    assert found.text.count(text) > 10
    assert text in json.loads(found.data)["tables"]["t0"]["columns"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_figure_is_plain_to_plotly_which_reads_some_html(tmp_path, text):
    figures = json.loads(parts_of(hostile_run(tmp_path / "run", text)).data)["figures"]
    allowed = {"<br>", "<extra>", "</extra>"}

    def strings(value):
        if isinstance(value, dict):
            yield from (one for name, part in value.items() if name != "meta" for one in strings(part))
        elif isinstance(value, list):
            yield from (one for part in value for one in strings(part))
        elif isinstance(value, str):
            yield value

    assert {tag for one in strings(figures) for tag in re.findall(r"<[^>]*>?", one)} <= allowed


@pytest.mark.slow
@given(st.text())
def test_no_text_ends_the_element_that_holds_the_data(text):
    written = as_json({"text": text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"text": text}


@given(st.text(min_size=1))
def test_no_text_opens_markup_or_a_cell_in_markdown(text):
    (line,) = texts.table(["a", "b"], [[text, "x"]])[2:3]
    assert len(re.findall(r"(?<!\\)\|", line.replace("\\\\", ""))) == 3
    assert not re.search(r"(?<!\\)[<`\[]", line.replace("\\\\", ""))


# other forms


def test_markdown_has_the_answer_and_the_tables(study, tmp_path):
    said = call(*study, "-o", tmp_path / "report.md")
    assert said.exit_code == 0
    content = (tmp_path / "report.md").read_text()
    assert content.startswith("# Does multi-fidelity tuning pay off on made?")
    assert "It seems so: smac reached" in content
    assert re.search(r"^\| smac \| 3 \| 0.11 ± 0.0058 \|", content, re.M)


@pytest.mark.slow
def test_markdown_has_the_final_ranks_and_names_who_is_not_told_apart(told_apart):
    content = texts.markdown(gather(told_apart))
    assert "| smac | 1.50 | random |\n| random | 1.50 | smac |\n| grid | 3.00 | - |\n\nMean rank" in content
    assert "Not told apart are optimizers that do not differ significantly" in content


@pytest.mark.slow
def test_markdown_shows_the_figures_that_it_is_asked_for(study, tmp_path):
    assert call(*study, "-o", tmp_path / "new" / "report.md", "--figures").exit_code == 0
    content = (tmp_path / "new" / "report.md").read_text()
    shown = re.findall(r"!\[.*\]\((.*)\)", content)
    assert {"report-anytime.png", "report-ranks.png", "report-scatter.png"} <= set(shown)
    assert "report-importance.png" not in shown  # seven trials a seed in no space that can be read
    assert {path.name for path in (tmp_path / "new").glob("*.png")} == set(shown)


def test_csv_has_a_row_a_trial(study, tmp_path):
    assert call(*study, "--format", "csv", "-o", tmp_path / "trials").exit_code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trials").read_text())))
    assert len(rows) == 21
    assert rows[2] | {"run.optimizer": "smac", "run.seed": "0", "loss": "0.1", "config.x": "2"} == rows[2]


def test_by_default_the_page_lies_in_the_folder_of_the_run(tmp_path):
    said = call(run_at(tmp_path / "run"))
    assert said.output.strip() == str(tmp_path / "run" / "report.html")
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!doctype html>")


# what is refused


@pytest.mark.parametrize(
    ("make", "arguments", "word"),
    [
        (lambda folder: made_run(folder=folder), [], "no result yet"),
        (lambda folder: folder.mkdir(), [], "neither ledger.jsonl nor comparison.yaml"),
        (lambda folder: None, [], "no run or comparison in"),
        (
            lambda folder: (
                folder.mkdir() or (folder / COMPARISON).write_text("tasks: [a]\noptimizers: [b]\nmax_cost: 1s")
            ),
            [],
            "no run yet",
        ),
        (lambda folder: folder.mkdir() or (folder / COMPARISON).write_text("- 1"), [], "give keys and values"),
        (lambda folder: run_at(folder) and None, ["--format", "pdf"], "format 'pdf': give html, md, csv"),
        (lambda folder: run_at(folder) and None, ["-o", "/dev/null/x/report.html"], "give another --out"),
        (lambda folder: run_at(folder) and None, ["--port", "80"], "--port is for --watch"),
        (lambda folder: run_at(folder) and None, ["--figures"], "figures in the page"),
        (lambda folder: run_at(folder) and None, ["--watch", "-o", "a.html"], "writes no file"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_one_line_that_says_why(tmp_path, make, arguments, word):
    make(tmp_path / "run")
    said = call(tmp_path / "run", *arguments)
    assert said.exit_code == 2
    assert said.output.count("\n") == 1
    assert word in said.output
    assert not list(tmp_path.rglob("report.*"))


def test_a_run_given_twice_is_refused(tmp_path):
    run = run_at(tmp_path / "run")
    assert "is given twice" in call(run, run).output


# during a run


def fetched(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def heeds_ctrl_c():
    """In a child: what a shell has started in the background would ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def watched(folder):
    """The address of the page that ``mfbo report --watch`` serves; how it ended is checked."""
    command = [sys.executable, "-m", "mfbo", "report", str(folder), "--watch"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heeds_ctrl_c,  # noqa: PLW1509 - no other thread of the tests holds a lock here
    ) as server:
        try:
            address = server.stdout.readline().split()[0]
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
            yield address
        finally:
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=60)
    assert server.returncode == 0
    waited = re.compile(r"(loading|preparing|measuring)\b.*: \d+s\b")
    assert [line for line in said.splitlines() if line and not waited.match(line)] == ["stopped watching"]


def gone_on(folder, *losses, ended=None):
    """The run in `folder` goes on with a result for each of `losses`."""
    with Ledger.reopen(folder) as ledger:
        first = len(ledger.run.results)
        for number, loss in enumerate(losses, start=first):
            trial = Trial(number, {"x": number}, FULL)
            ledger.ask(trial)
            ledger.result(trial, Outcome("ok", loss, FULL, 9), overhead=0, charge=9, wall=0)
        if ended:
            ledger.end(ended)


def test_a_page_that_takes_long_to_make_is_made_seldom_until_the_run_has_ended(tmp_path):
    made_run((0.5, FULL, 9), folder=tmp_path / "run", ended=None)
    now = iter(range(0, 1000, 5))  # it takes 5 seconds, whatever is asked
    source = Source([tmp_path / "run"], lambda: next(now))
    begun = source.state()["version"]
    gone_on(tmp_path / "run", 0.45)
    assert source.state()["version"] != begun  # the first page's time is no measure
    assert "validation loss of 0.45" in source.page()
    first = source.state()["version"]
    gone_on(tmp_path / "run", 0.4)
    seen = [source.state()["version"] for _ in range(40)]
    assert seen.count(first) >= 15
    assert seen[-1] != first
    assert "validation loss of 0.4" in source.page()
    gone_on(tmp_path / "run", 0.3, ended="budget")
    assert "validation loss of 0.3" in source.page()


@pytest.mark.slow
def test_a_watched_study_goes_on_between_two_of_its_runs(tmp_path):
    wanted = Study(("branin",), ("random", "asha"), 2, "2x")
    run_study(replace(wanted, seeds=1), tmp_path)
    one = Source([tmp_path])
    assert one.state()["ended"] is True
    (tmp_path / COMPARISON).write_text((tmp_path / COMPARISON).read_text().replace("seeds: 1", "seeds: 2"))
    assert one.state()["ended"] is False  # no run is open, and yet two are to come
    before = one.page()
    run_study(wanted, tmp_path)
    assert one.state()["ended"] is True
    assert (before.count("seed 1"), one.page().count("seed 1") > 0) == (0, True)


@pytest.fixture
def begun_study(tmp_path):
    """The folder of a study of two optimizers and one seed, of which nothing was run."""
    (tmp_path / COMPARISON).write_text("tasks: [made]\noptimizers: [random, smac]\nseeds: 1\nmax_cost: 100s\n")
    return tmp_path


@pytest.mark.slow
def test_a_study_is_served_before_its_first_run_has_begun(begun_study):
    with watched(begun_study) as address:
        page_ = fetched(address)[1]
        assert "No run has begun yet" in page_
        assert "<body data-live" in page_
        assert json.loads(fetched(address + "state")[1]) == {"version": "none", "ended": False}


def test_the_page_of_a_study_grows_with_each_run_and_has_ended_with_the_last_of_them(begun_study):
    first, last = (begun_study / "made" / name / "s0" for name in ("random", "smac"))
    source = Source([begun_study], lambda: 0.0)
    made_run((0.5, FULL, 9), folder=first, optimizer="random")
    assert "1 of 2 runs have ended so far. To come: smac, seed 0." in source.page()
    assert not source.state()["ended"]  # though each run that is there has
    made_run((0.4, FULL, 9), folder=last, optimizer="smac", ended=None)
    assert "1 of 2 runs have ended so far. Begun: smac, seed 0." in source.page()
    assert not source.state()["ended"]
    gone_on(last, 0.2, ended="budget")
    assert source.state()["ended"]
    assert "may still change" not in source.page()
    assert {trace["meta"] for trace in json.loads(Parts(source.page()).data)["figures"]["t0-anytime"]["data"]} == {
        "random",
        "smac",
    }


def test_a_study_that_is_not_at_its_end_says_which_runs_are_not(begun_study):
    run_at(begun_study / "made" / "random" / "s0", optimizer="random", ended=None)
    said = "may still change: 0 of 2 runs have ended so far. Begun: random, seed 0. To come: smac, seed 0."
    assert said in parts_of(begun_study).text
    assert said in texts.markdown(gather([begun_study]))
    assert "(1m40s a run)" in parts_of(begun_study).text
    assert "Does multi-fidelity tuning pay off on made?" in parts_of(begun_study).text


def test_of_a_study_without_a_result_no_limit_is_claimed(begun_study):
    made_run(folder=begun_study / "made" / "random" / "s0", optimizer="random", ended=None)
    assert "of made at equal cost, and do cheap trials" in Parts(Source([begun_study]).page()).text


def test_a_ledger_without_a_line_yet_is_a_run_that_has_not_begun(begun_study):
    run_at(begun_study / "made" / "random" / "s0", optimizer="random")
    (begun_study / "made" / "smac" / "s0").mkdir(parents=True)
    (begun_study / "made" / "smac" / "s0" / FILE).touch()
    assert "To come: smac, seed 0." in parts_of(begun_study).text


def test_of_one_run_of_a_study_it_is_not_said_that_there_is_nothing_to_compare_it_with(begun_study):
    run_at(begun_study / "made" / "random" / "s0", optimizer="random")
    for text in (parts_of(begun_study).text, texts.markdown(gather([begun_study]))):
        assert "It cannot be told yet: more runs are to come." in text
        assert "To find out" not in text
    (begun_study / COMPARISON).write_text("tasks: [made]\noptimizers: [random]\nseeds: 1\nmax_cost: 100s\n")
    assert "To find out" in parts_of(begun_study).text


def test_of_many_runs_that_have_not_begun_the_first_are_named(begun_study):
    (begun_study / COMPARISON).write_text("tasks: [made, other]\noptimizers: [random]\nseeds: 5\nmax_cost: 100s\n")
    run_at(begun_study / "made" / "random" / "s0", optimizer="random")
    said = Parts(Source([begun_study]).page()).text
    assert "To come: random, seed 0 on other; random, seed 1 on made;" in said
    assert "random, seed 3 on made; and 3 more." in said


def test_a_run_that_bought_nothing_is_named_and_not_waited_for(tmp_path):
    wanted = Study(("branin",), ("random", "asha"), 1, "0.5x")  # random search is at full fidelity only
    with suppress(BadCost):
        run_study(wanted, tmp_path)
    assert Source([tmp_path]).state()["ended"] is True
    text = parts_of(tmp_path).text
    assert "No run of random, seed 0: " in text
    assert "To come" not in text
    assert [bool(reason) for _, reason in missing(tmp_path)] == [True]
    run_study(replace(wanted, max_cost="3x"), tmp_path)
    assert missing(tmp_path) == []


@pytest.mark.slow
def test_a_run_that_goes_on_is_served_on_loopback_until_ctrl_c(tmp_path):
    made_run(folder=tmp_path / "run", ended=None)
    with watched(tmp_path / "run") as address:
        state = json.loads(fetched(address + "state")[1])
        assert state["ended"] is False
        assert "There is no result yet." in fetched(address)[1]
        gone_on(tmp_path / "run", 0.25, ended="budget")
        newer = json.loads(fetched(address + "state")[1])
        assert newer["version"] != state["version"]
        assert newer["ended"] is True
        assert "a validation loss of 0.25" in fetched(address)[1]
        assert fetched(address + FILE)[0] == 404
        assert fetched(address, Host="evil.example")[0] == 403
