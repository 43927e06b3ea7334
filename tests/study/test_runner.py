"""Studies: the same cost for all, gone on with and never repeated; and what they show."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from made_runs import FULL, made_run
from rich.console import Console
from scipy import stats

import mfbo
from mfbo.cli import main
from mfbo.display.evidence import comparison
from mfbo.errors import BadCost, BadValue, RunExists, UnknownName
from mfbo.evidence.summary import evidence
from mfbo.ledger.journal import FILE, read
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.study import runner
from mfbo.study.folder import COMPARISON, EARLIER_NAME, described_in, folders, read_study
from mfbo.study.runner import run_study
from mfbo.study.spec import Study

SMALL = Study(("branin",), ("random", "asha", "random-2x"), 3, "4x")


def test_every_run_has_the_same_cost_seeds_and_space_but_for_the_double_one(tmp_path):
    results = run_study(SMALL, tmp_path)
    assert [(result.optimizer, result.seed) for result in results] == [
        (optimizer, seed) for seed in range(3) for optimizer in SMALL.optimizers
    ]
    assert {result.max_cost for result in results if result.optimizer != "random-2x"} == {4}
    assert {result.max_cost for result in results if result.optimizer == "random-2x"} == {8}
    assert len({read(folder).header.space_hash for folder in folders(tmp_path)}) == 1


def test_what_is_finished_is_not_run_again_and_what_is_not_goes_on(tmp_path):
    whole = run_study(SMALL, tmp_path)
    broken = tmp_path / "branin" / "asha" / "s1" / FILE
    content = {folder: (folder / FILE).read_bytes() for folder in folders(tmp_path)}
    broken.write_bytes(b"".join(broken.read_bytes().splitlines(keepends=True)[:-5]))
    again, began = [], []
    results = run_study(SMALL, tmp_path, observer_of=lambda entry: began.append(entry) or _watch(again))
    assert [(entry.optimizer, entry.seed) for entry in began] == [("asha", 1)]
    assert again
    assert [result.best for result in results] == [result.best for result in whole]
    same = {folder: (folder / FILE).read_bytes() for folder in folders(tmp_path) if folder != broken.parent}
    assert all(content[folder] == same[folder] for folder in same)


def _watch(heard):
    from mfbo.ledger.observer import Observer

    class Watch(Observer):
        def on_result(self, result, best):
            heard.append(result)

    return Watch()


def test_a_study_grows_by_optimizers_seeds_and_cost(tmp_path):
    run_study(Study(("branin",), ("random",), 1, "2x"), tmp_path)
    results = run_study(Study(("branin",), ("random", "asha"), 2, "3x"), tmp_path)
    assert {result.max_cost for result in results} == {3}
    assert len(folders(tmp_path)) == 4
    alone = run_study(Study(("branin",), ("random",), 1, "3x"), tmp_path / "alone")
    assert results[0].best == alone[0].best


def test_a_folder_with_another_study_is_refused(tmp_path):
    run_study(Study(("branin",), ("random",), 1, "2x"), tmp_path)
    with pytest.raises(RunExists, match="another comparison"):
        run_study(Study(("forrester",), ("random",), 1, "2x"), tmp_path)


def test_an_interrupted_study_stops_there(tmp_path, monkeypatch):
    monkeypatch.setattr("mfbo.engine.interrupt.Interrupt.__call__", lambda self: True)
    (only,) = run_study(SMALL, tmp_path)
    assert only.status == "interrupted"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"seeds": 0}, BadValue),
        ({"seeds": -1}, BadValue),
        ({"seeds": True}, BadValue),
        ({"optimizers": ()}, BadValue),
        ({"optimizers": ("random", "random")}, BadValue),
        ({"optimizers": ("randon",)}, UnknownName),
        ({"tasks": ()}, BadValue),
        ({"tasks": ("brann",)}, UnknownName),
        ({"max_cost": "2 hours"}, BadCost),
        ({"search": Search(path="data")}, BadValue),
        ({"search": Search(max_fidelity=0.001)}, BadValue),
        ({"search": Search(prior="nowhere.yaml")}, BadValue),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(tmp_path, changed, error):
    values = {"tasks": ("branin",), "optimizers": ("random",), "seeds": 1, "max_cost": "2x", **changed}
    with pytest.raises(error) as caught:
        run_study(Study(**values), tmp_path / "study")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_a_study_file_is_the_study_that_it_was_written_from(tmp_path):
    run_study(SMALL, tmp_path)
    assert read_study(tmp_path / COMPARISON) == SMALL


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: [branin]\noptimizer: random\nmax_cost: 2x\n", "did you mean 'optimizers'"),
        ("tasks: [branin]\nmax_cost: 2x\n", "'optimizers'"),
        ("- branin\n", "list"),
        ("a: [\n", "line 2: expected the node content"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\noptions: 3\n", "options"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\nworkers: two\n", "workers is 'two'"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\nspace: 3\n", "space is 3"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\nprice: 0.9\n", "price is 0.9"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\nfidelity: 3\n", "fidelity is 3"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\neta: two\n", "eta is 'two'"),
        ("tasks: [branin]\noptimizers: random\nmax_cost: 2x\nmax_fidelity: true\n", "max_fidelity is True"),
        ("!!python/object/apply:os.system ['touch hacked']\n", "line 1: could not determine a constructor"),
    ],
)
def test_a_study_file_that_is_none_is_answered_in_one_line(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(text)
    result = CliRunner().invoke(main, ["compare", "study.yaml"], catch_exceptions=False)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.yaml"]


def test_the_command_compares_prints_a_table_and_says_the_same_in_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = ["compare", "branin", "--optimizers", "asha,random", "--seeds", "3", "--max-cost", "5x"]
    said = CliRunner().invoke(main, typed, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert len(said.stderr.splitlines()) == 6
    assert "asha" in said.stdout
    assert "speed-up" in said.stdout
    found = json.loads(CliRunner().invoke(main, [*typed, "--json"], catch_exceptions=False).stdout)
    assert found["comparison"] == "runs/branin-comparison"
    (task,) = found["tasks"]
    assert {row["name"] for row in task["optimizers"]} == {"asha", "random"}
    assert task["baseline"] == "random"


def test_the_file_study_is_the_same_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = {"tasks": ["branin"], "optimizers": ["random"], "seeds": 2, "max_cost": "3x", "workers": 2}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(text))
    said = CliRunner().invoke(main, ["compare", "mine.yaml", "-q"], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    study = read_study(tmp_path / "runs" / "mine-comparison" / COMPARISON)
    assert study.settings.workers == 2
    assert study.seeds == 2


def test_what_is_typed_beside_a_study_file_comes_before_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = {"tasks": ["branin"], "optimizers": ["random"], "seeds": 2, "max_cost": "3x", "data_dir": "there"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(text))
    typed = ["compare", "mine.yaml", "-q", "--seeds", "1", "--max-cost", "2x", "--workers", "1", "--optimizers", "asha"]
    said = CliRunner().invoke(main, typed, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    settings = Settings(workers=1, options={"data_dir": "there"})
    assert read_study(tmp_path / "runs" / "mine-comparison" / COMPARISON) == Study(
        ("branin",), ("asha",), 1, "2x", settings=settings
    )
    assert CliRunner().invoke(main, ["compare", "mine.yaml", "--seeds", "0"]).exit_code == 2


def test_a_study_that_is_named_by_the_file_in_its_folder_goes_on_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = ["compare", "branin", "-q", "--optimizers", "random", "--seeds", "1", "--max-cost", "2x"]
    CliRunner().invoke(main, typed, catch_exceptions=False)
    more = ["compare", "runs/branin-comparison/comparison.yaml", "-q", "--seeds", "2"]
    CliRunner().invoke(main, more, catch_exceptions=False)
    assert [path.name for path in Path("runs").iterdir()] == ["branin-comparison"]
    assert len(folders("runs/branin-comparison")) == 2
    Path("study.yaml").write_text(Path("runs/branin-comparison/comparison.yaml").read_text())
    CliRunner().invoke(main, ["compare", "study.yaml", "-q"], catch_exceptions=False)
    assert {path.name for path in Path("runs").iterdir()} == {"branin-comparison", "study-comparison"}


def test_every_run_has_the_ladder_and_the_prior_of_its_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("near.yaml").write_text("x1: 1.0\n")
    text = {"tasks": ["branin"], "optimizers": ["smac", "random"], "max_cost": "4x", "seeds": 1, "prior": "near.yaml"}
    Path("mine.yaml").write_text(yaml.safe_dump({**text, "eta": 4, "min_fidelity": 0.1, "max_fidelity": 0.5}))
    said = CliRunner().invoke(main, ["compare", "mine.yaml", "-q", "--eta", "3"], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    smac, random = (read(folder).header for folder in folders("runs/mine-comparison"))
    assert smac.search == Search("smac", 0, "epochs", 3, 0.1, 0.5, smac.prior)
    assert random.search == replace(smac.search, optimizer="random", prior=None)
    assert (smac.prior["x1"], random.prior) == (1.0, None)
    assert max(rung.work for rung in smac.rungs) == max(rung.work for rung in random.rungs) <= 0.5
    other = CliRunner().invoke(main, ["compare", "mine.yaml", "-q", "--eta", "2"], catch_exceptions=False)
    assert (other.exit_code, "its eta is 3, not 2" in other.stderr) == (2, True)


def test_optimizers_that_are_there_stay_in_the_study(tmp_path):
    run_study(Study(("branin",), ("random", "asha"), 2, "2x"), tmp_path)
    run_study(Study(("branin",), ("grid",), 1, "2x"), tmp_path)
    there = read_study(tmp_path / COMPARISON)
    assert (there.optimizers, there.seeds) == (("random", "asha", "grid"), 2)
    assert len(folders(tmp_path)) == 6


def test_a_study_goes_on_at_another_price_but_not_with_other_workers(tmp_path):
    run_study(Study(("branin",), ("random",), 1, "2x"), tmp_path)
    run_study(Study(("branin",), ("random",), 2, "2x", settings=Settings(price="1/h")), tmp_path)
    (found,) = evidence(folders(tmp_path))
    assert [(standing.name, standing.seeds) for standing in found.standings] == [("random", 2)]
    with pytest.raises(RunExists, match="workers is None, not 2"):
        run_study(Study(("branin",), ("random",), 1, "2x", settings=Settings(workers=2)), tmp_path)


def test_a_run_in_the_place_of_another_is_refused(tmp_path):
    mfbo.tune("hartmann3", "2x", optimizer="random", out=tmp_path / "branin" / "random" / "s0")
    with pytest.raises(RunExists, match="holds another run: its task is hartmann3, not branin"):
        run_study(Study(("branin",), ("random",), 1, "2x"), tmp_path)


def test_a_run_that_buys_nothing_does_not_keep_the_others_from_being_run(tmp_path, monkeypatch):
    whole, failed = runner.tune, []

    def tune(task, max_cost, *, search, **facts):
        if search.seed == 0:
            raise BadCost("buys nothing")
        return whole(task, max_cost, search=search, **facts)

    monkeypatch.setattr("mfbo.study.runner.tune", tune)
    wanted = Study(("branin",), ("random", "asha"), 2, "2x")
    found = run_study(wanted, tmp_path, on_failure=lambda entry, error: failed.append((entry.optimizer, entry.seed)))
    assert failed == [("random", 0), ("asha", 0)]
    assert [result.seed for result in found] == [1, 1]
    with pytest.raises(BadCost):
        run_study(replace(wanted, seeds=1), tmp_path / "other")


def test_a_study_at_full_fidelity_alone_goes_on(tmp_path):
    wanted = Study(("branin",), ("random",), 1, "3x", Search(min_fidelity=1.0))
    run_study(wanted, tmp_path)
    assert len(run_study(replace(wanted, seeds=2), tmp_path)) == 2


def test_two_files_of_one_name_do_not_share_a_folder(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "task.py").write_text("from mfbo.tasks.synthetic.presets import branin as t\n")
    names = tuple(f"{tmp_path}/{folder}/task.py:t" for folder in "ab")
    with pytest.raises(BadValue, match="would share a folder; rename"):
        Study(names, ("random",), 1, "3x").check()


# evidence


def test_a_run_cut_short_or_without_success_is_left_out_and_cuts_no_other(tmp_path):
    for seed in range(3):
        for name in ("random", "asha"):
            made_run((0.3, FULL, 50), (0.2, FULL, 50), folder=tmp_path / f"{name}{seed}", optimizer=name, seed=seed)
    made_run((0.3, FULL, 5), folder=tmp_path / "short", optimizer="asha", seed=3, ended="interrupted")
    made_run((None, FULL, 50, "failed"), folder=tmp_path / "bad", optimizer="random", seed=3)
    (found,) = evidence(list(tmp_path.iterdir()))
    assert found.end == 100
    assert {standing.seeds for standing in found.standings} == {3}
    assert [standing.area for standing in found.standings] == pytest.approx([0.3, 0.3])
    assert sorted(reason for _, reason in found.left_out) == [
        "it has not ended",
        "none of its 1 trials had a loss; `mfbo show` says why",
    ]
    Console(file=(said := io.StringIO()), width=120).print(comparison(found))
    assert "left out: asha, seed 3: it has not ended" in said.getvalue()
    (alone,) = evidence([tmp_path / "short"])
    assert alone.left_out == ()


@pytest.mark.slow
def test_standings_are_those_of_the_curves(tmp_path):
    study = Study(("hartmann3",), ("random", "asha", "grid"), 6, "9x")
    run_study(study, tmp_path)
    (found,) = evidence(folders(tmp_path))
    assert (found.baseline, found.end) == ("random", pytest.approx(9, rel=0.05))
    losses = {g.name: np.array([curve.at(found.end) for curve in g.curves]) for g in found.comparison.groups}
    by_name = {standing.name: standing for standing in found.standings}
    assert [s.loss for s in found.standings] == sorted(s.loss for s in found.standings)
    for name, values in losses.items():
        assert by_name[name].loss == pytest.approx(values.mean())
        assert by_name[name].error == pytest.approx(stats.sem(values))
        spread = (by_name[name].low, by_name[name].median, by_name[name].high)
        assert spread == pytest.approx(tuple(np.quantile(values, (0.25, 0.5, 0.75))))
    assert by_name["random"].speed_up is None
    raw = [stats.wilcoxon(losses[name], losses["random"]).pvalue for name in ("asha", "grid")]
    low, high = sorted(raw)
    holm = {low: min(1, 2 * low), high: min(1, max(2 * low, high))}
    for name, p in zip(("asha", "grid"), raw, strict=True):
        assert by_name[name].pvalue == pytest.approx(holm[p])
    quality = losses["random"].mean()
    for group in found.comparison.groups:
        reached = sorted(
            next(
                (c for c, loss in zip(curve.costs, curve.losses, strict=True) if loss <= quality and c <= found.end),
                math.inf,
            )
            for curve in group.curves
        )
        assert by_name[group.name].reached == sum(cost < math.inf for cost in reached)
        assert by_name[group.name].cost == reached[2]  # of six, the lower middle one


def test_one_seed_has_no_interval_and_no_test(tmp_path):
    run_study(Study(("branin",), ("random", "asha"), 1, "3x"), tmp_path)
    (found,) = evidence(folders(tmp_path))
    assert all(math.isnan(s.error) and s.speed_up is None and s.pvalue is None for s in found.standings)
    json.dumps(found.to_dict(), allow_nan=False)


def test_without_a_baseline_nothing_is_compared_with_one(tmp_path):
    run_study(Study(("branin",), ("asha", "one-epoch"), 2, "3x"), tmp_path)
    (found,) = evidence(folders(tmp_path))
    assert found.baseline is None
    assert all(s.speed_up is None for s in found.standings)


def test_double_random_is_drawn_at_the_cost_of_the_others(tmp_path):
    run_study(Study(("branin",), ("random", "random-2x"), 2, "4x"), tmp_path)
    (found,) = evidence(folders(tmp_path))
    assert found.end == pytest.approx(4)
    assert {standing.runtime for standing in found.standings} == {4.0, 8.0}


def test_a_folder_that_was_made_before_is_read_and_extended_by_its_own_file(tmp_path):
    run_study(SMALL, tmp_path)
    (tmp_path / COMPARISON).rename(tmp_path / EARLIER_NAME)
    assert read_study(described_in(tmp_path)) == SMALL
    run_study(replace(SMALL, seeds=SMALL.seeds + 1), tmp_path)
    assert not (tmp_path / COMPARISON).exists()
    assert len(folders(tmp_path)) == len(SMALL.optimizers) * (SMALL.seeds + 1)
