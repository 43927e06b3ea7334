"""`mfbo plot --kind`: what each figure shows, and what is refused."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from ConfigSpace import Categorical, ConfigurationSpace, Float
from made_runs import FULL, RUNGS, made_run
from matplotlib.colors import same_color

from mfbo.analysis import style
from mfbo.analysis.chart import Axis, round_numbers
from mfbo.analysis.kinds import KINDS, prepared
from mfbo.analysis.matplotlib_renderer import figure_of
from mfbo.analysis.report.material import gather
from mfbo.cli import main
from mfbo.evidence.ranking import Ranking
from mfbo.evidence.statistics import Band
from mfbo.ledger.fingerprint import space_dict

LOW = RUNGS[2]
HOSTILE = "$\\frac{<b>$_^{\n"


def space():
    made = ConfigurationSpace(seed=0)
    made.add(Float("rate", (1e-5, 1.0), log=True), Categorical("kind", ["a", "b"]))
    return made


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three seeds of three optimizers, with 12 configurations each, of which smac has three at two rungs."""
    folder, made = tmp_path_factory.mktemp("study"), space()
    configs = [{"rate": float(one["rate"]), "kind": str(one["kind"])} for one in made.sample_configuration(12)]
    folders = []
    for optimizer, best, cost in (("smac", 0.01, 1), ("random", 0.1, 4), ("grid", 0.3, 8)):
        for seed in range(3):
            trials = [(best + (11 - number) / 10, FULL, cost, config) for number, config in enumerate(configs)]
            if optimizer == "smac":
                trials = [(4.0 - number, LOW, 0.1, configs[number]) for number in range(3)] + trials
            folders.append(folder / f"{optimizer}{seed}")
            made_run(
                *trials,
                optimizer=optimizer,
                seed=seed,
                folder=folders[-1],
                space=space_dict(made),
                objectives=("loss", "cost"),
            )
    return folders


@pytest.fixture(scope="module")
def material(study):
    return gather(study)


def call(*arguments):
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


def drawn(kind, material):
    with style.drawing():
        return figure_of(prepared(kind, material), style.looks_of(material.groups))


def points(axes, optimizer):
    """Marks in the colour of an optimizer: (x, y) each."""
    lines = [
        line for line in axes.get_lines() if same_color(line.get_color(), style.registered_looks()[optimizer].colour)
    ]
    return [(float(x), float(y)) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_a_column_wide(study, tmp_path, kind):
    assert call(*study, "--kind", kind, "-o", tmp_path / "a.svg").exit_code == 0
    width = ElementTree.parse(tmp_path / "a.svg").getroot().get("width")
    assert float(width.removesuffix("pt")) == pytest.approx(72 * style.WIDTH, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["quality", "scatter"])
def test_the_same_figure_is_the_same_file(study, tmp_path, kind):
    files = [tmp_path / f"{name}.pdf" for name in "ab"]
    for file in files:
        assert call(*study, "--kind", kind, "-o", file).exit_code == 0
    first, second = (file.read_bytes() for file in files)
    assert first == second


def test_the_help_names_every_kind():
    said = " ".join(call("--help").output.split())
    assert f"{', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}" in said


@pytest.mark.slow
def test_cost_to_quality_shows_each_seed_where_it_got_there_and_never_else(material):
    (axes,) = drawn("quality", material).axes
    # random ends at 0.1 after 48; smac comes to 0.01 + 0.0 at its last trial, and to 0.11 at the one before
    assert points(axes, "smac") == [(pytest.approx(12.3), 0)] * 3
    assert points(axes, "random") == [(48, 1)] * 3
    assert points(axes, "grid") == [(pytest.approx(160), 2)] * 3
    assert {text.get_text() for text in axes.texts} == {"3/3", "0/3"}
    assert axes.get_xticklabels()[-1].get_text() == "never"


def test_ranks_end_where_the_final_losses_are(material):
    (axes,) = drawn("ranks", material).axes
    assert [points(axes, name)[-1] for name in ("smac", "random", "grid")] == [(100, 1), (100, 2), (100, 3)]


def test_critical_difference_joins_what_three_seeds_cannot_tell_apart(material):
    (axes,) = drawn("critical", material).axes
    bars = [line for line in axes.get_lines() if same_color(line.get_color(), "0.55")]
    assert [list(bar.get_ydata()) for bar in bars] == [[0, 2]]


def ranked(final):
    losses = np.asarray(final, dtype=float)
    names = tuple("abcdef"[: losses.shape[1]])
    ranks = np.argsort(np.argsort(losses, axis=1), axis=1).mean(axis=0) + 1
    return Ranking(names, "tasks", True, np.ones(1), Band(ranks[:, None], ranks[:, None], ranks[:, None]), losses)


@pytest.mark.slow
def test_groups_that_do_not_differ_are_neighbours_and_the_longest():
    apart = [[number, 10 + number, 20 + number] for number in range(12)]
    assert ranked(apart).alike() == []
    mixed = [[number % 2, (number + 1) % 2, 20 + number] for number in range(12)]
    assert ranked(mixed).alike() == [("a", "b")]
    assert ranked([[1, 2, 3]] * 3).alike() == [("a", "b", "c")]


@pytest.mark.parametrize("optimizers", [2, 3, 5])
def test_from_as_many_blocks_as_are_needed_on_all_can_be_told_apart_and_with_one_less_none(optimizers):
    apart = [[(100 + block) * number for number in range(optimizers)] for block in range(20)]
    needed = ranked(apart).needed
    assert ranked(apart[:needed]).alike() == []
    assert ranked(apart[: needed - 1]).alike() == [tuple("abcdef"[:optimizers])]


def test_rung_correlation_is_that_of_the_configurations_seen_at_both(material):
    (axes,) = drawn("correlation", material).axes
    (point,) = set(points(axes, "smac"))
    assert point == (pytest.approx(100 / 3), pytest.approx(1, abs=0.03))
    assert points(axes, "random") == []


def test_learning_curves_go_from_rung_to_rung_and_the_best_is_thick(material):
    (axes,) = drawn("learning", material).axes
    widths = [line.get_linewidth() for line in axes.get_lines()]
    assert widths[-1] > 2 > max(widths[:-1])
    two = [line for line in axes.get_lines() if len(line.get_xdata()) == 2]
    assert {tuple(map(round, line.get_xdata())) for line in two} == {(33, 100)}


@pytest.mark.slow
def test_scatter_has_a_panel_a_hyperparameter_on_its_own_scale(material):
    figure = drawn("scatter", material)
    shown = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_xlabel()}
    assert shown["rate"].get_xscale() == "log"
    assert [label.get_text() for label in shown["kind"].get_xticklabels()] == ["a", "b"]
    assert sum(len(line.get_xdata()) for line in shown["rate"].get_lines()) == 9 * 12


def test_importance_has_a_bar_each_and_the_most_important_on_top(material):
    (axes,) = drawn("importance", material).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [row.name for row in material.parts[0].importances.rows]


@pytest.mark.slow
def test_names_out_of_a_ledger_are_drawn_as_they_are(tmp_path):
    folders = []
    for seed, optimizer in ((0, HOSTILE), (1, HOSTILE), (0, "random"), (1, "random")):
        folders.append(tmp_path / f"{len(folders)}")
        trials = [(1 / (1 + x), rung, 1, {HOSTILE: x}) for rung in (LOW, FULL) for x in range(4)]
        made_run(*trials, seed=seed, optimizer=optimizer, task=HOSTILE, folder=folders[-1])
    for kind in set(KINDS) - {"importance", "pareto"}:
        said = call(*folders, "--kind", kind, "-o", tmp_path / "a.png")
        assert said.exit_code == 0, said.output


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("pie", "unknown kind of figure 'pie'"),
        ("quality", "no random or grid search"),
        ("ranks", "two optimizers or more"),
        ("critical", "two optimizers or more"),
        ("regret", "two optimizers or more"),
        ("correlation", "too few configurations were seen at two levels"),
        ("learning", "no learning curves"),
        ("importance", "20 complete trials"),
        ("pareto", "have one objective, so there is no front"),
    ],
)
def test_a_figure_that_would_show_nothing_is_refused_in_one_line(tmp_path, kind, word):
    made_run((0.5, FULL, 3), optimizer="smac", folder=tmp_path / "run")
    said = call(tmp_path / "run", "--kind", kind, "-o", tmp_path / "a.png")
    assert said.exit_code == 2
    assert said.output.count("\n") == 1
    assert word in said.output
    assert not (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_several_tasks_have_ranks_but_no_learning_curves_in_one_figure(study, tmp_path):
    others = [tmp_path / name for name in ("smac", "random", "grid")]
    for folder in others:
        made_run((0.5, FULL, 3), optimizer=folder.name, task="other", folder=folder)
    assert call(*study, *others, "--kind", "ranks", "-o", tmp_path / "a.png").exit_code == 0
    assert "runs of 2 tasks" in call(*study, *others, "--kind", "learning", "-o", tmp_path / "b.png").output


@pytest.mark.parametrize(("low", "high"), [(1e-300, 1e308), (5e-324, 1.0), (1e307, 1.7e308), (0.5, 3.0)])
def test_marks_of_any_range_are_numbers(low, high):
    found = round_numbers(low, high)
    assert found == sorted(found)
    assert all(0 < number < float("inf") for number in found)


@pytest.mark.parametrize(
    ("low", "high"), [(2.5, 2.95), (0.36, 0.52), (1.0, 1.9), (7.1, 9.9), (2e-5, 2.001e-5), (1.0, 2e3)]
)
def test_an_axis_of_any_range_has_numbers_to_read(low, high):
    shown = [tick for tick in Axis("x", "log", low, high).ticks() if low <= tick <= high]
    assert 2 <= len({f"{tick:g}" for tick in shown}) == len(shown) <= 8
