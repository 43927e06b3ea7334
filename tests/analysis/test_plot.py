"""`mfbo plot`: what the figure shows, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner
from made_runs import FULL, HEADER, RUNGS, made_run
from matplotlib.colors import same_color
from matplotlib.text import Text
from PIL import Image

import mfbo
from mfbo.analysis import style
from mfbo.analysis.figures.compared import anytime_chart
from mfbo.analysis.kinds import draw
from mfbo.analysis.matplotlib_renderer import figure_of as drawn_chart
from mfbo.cli import main
from mfbo.errors import BadValue, RunError
from mfbo.evidence.comparison import compare, worth_of
from mfbo.fidelity import Fidelity
from mfbo.ledger.journal import FILE, read
from mfbo.ledger.run import Limits
from mfbo.optimizers.registry import OPTIMIZERS
from mfbo.settings import Settings
from mfbo.tasks.registry import load
from mfbo.trial import Rung

LOW = RUNGS[1]
MADE = ((0.2, LOW, 1), (0.5, FULL, 4), (0.4, FULL, 5))


@pytest.fixture
def runs(tmp_path):
    """Writes made-up runs, and gives their folders."""

    def write(*made, **header):
        folder = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        made_run(*(made or MADE), folder=folder, **header)
        return str(folder)

    return write


def anytime(folders, file):
    draw("anytime", folders, file)


def figure_of(*folders):
    return figure_of_comparison(compare(folders))


def figure_of_comparison(comparison):
    with style.drawing():
        return drawn_chart(anytime_chart(comparison), style.looks_of([group.name for group in comparison.groups]))


def words(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


def drawn(figure):
    """The lines that hold data: solid and dotted parts, then markers, for each optimizer."""
    return [line for line in figure.axes[0].get_lines() if len(line.get_xdata())]


def solid(figure):
    return [line for line in drawn(figure) if line.get_linestyle() == "-"]


# what it shows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF-"), ("PNG", b"\x89PNG")]
)
def test_each_format_is_what_its_suffix_says_and_the_same_every_time(runs, tmp_path, suffix, start):
    folders = [runs(seed=0), runs(seed=1)]
    files = [tmp_path / "new" / "folder" / f"{name}.{suffix}" for name in "ab"]
    for file in files:
        anytime(folders, file)
    contents = [file.read_bytes() for file in files]
    assert contents[0].startswith(start)
    assert contents[0] == contents[1]


def test_it_fits_one_column_in_print_with_letters_that_can_be_read(runs, tmp_path):
    folders = [runs(optimizer=name, seed=seed) for name in OPTIMIZERS for seed in (0, 1)]
    figure = figure_of(*folders)
    assert figure.get_figwidth() <= 3.5
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7
    file = tmp_path / "curve.png"
    anytime(folders, file)
    with Image.open(file) as image:
        assert image.width / image.info["dpi"][0] == pytest.approx(3.4, abs=0.01)


@pytest.mark.parametrize("long", [1, 9])
def test_nothing_sticks_out_of_the_figure_or_lies_on_anything_else(runs, long):
    task, setting = (
        {"task": "task" * long, "limits": Limits.of("26h30m1s")},
        {"settings": Settings(device="WIDE" * long)},
    )
    figure = figure_of(runs(**task), runs(seed=1, **task), runs(optimizer="random-2x", **task, **setting))
    with style.drawing():
        figure.draw_without_rendering()
    axes = figure.axes[0]
    parts = [axes.title, axes.xaxis.label, axes.yaxis.label, axes, *figure.legends]
    boxes = [part.get_window_extent().padded(-1) for part in parts]
    assert all(figure.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert axes.get_window_extent().height > 1.4 * figure.dpi  # inches, whatever the legend takes


def test_one_run_is_drawn_as_its_curve_dotted_below_full_fidelity(runs):
    figure = figure_of(runs())
    dotted, full, _ = drawn(figure)
    assert (dotted.get_xdata().tolist(), dotted.get_ydata().tolist()) == ([1, 5], [0.2, 0.5])
    assert dotted.get_linestyle() != "-"
    assert (full.get_xdata().tolist(), full.get_ydata().tolist()) == ([5, 10, 100], [0.5, 0.4, 0.4])
    assert full.get_drawstyle() == "steps-post"
    assert figure.axes[0].get_xscale() == "log"
    assert "below full fidelity" in words(figure)
    assert "at the fidelity reached" in words(figure)
    assert "random (seed 0)" in words(figure)
    assert "standard error" not in words(figure)


def test_several_seeds_are_drawn_as_mean_with_standard_error_where_all_have_a_result(runs):
    seeds = [runs((5.0, FULL, 10), (3.0, FULL, 30), seed=1), runs((4.0, FULL, 20), seed=2, limits=Limits.of("60s"))]
    figure = figure_of(*seeds)
    (line,) = solid(figure)
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([20, 40, 60], [4.5, 3.5, 3.5])
    corners = figure.axes[0].collections[0].get_paths()[0].vertices
    upper, lower = {(20, 5), (40, 5), (40, 4), (60, 4)}, {(20, 4), (40, 4), (40, 3), (60, 3)}
    assert {tuple(corner) for corner in corners} == upper | lower  # 4.5 and 3.5, each plus and minus half
    assert "random (2 seeds)" in words(figure)
    assert "mean ± standard error over seeds" in words(figure)
    assert "made, budget 1m to 1m40s" in words(figure)
    assert "below full fidelity" not in words(figure)


def test_a_mean_is_dotted_until_all_seeds_are_at_full_fidelity(runs):
    figure = figure_of(runs(*MADE), runs((0.3, LOW, 2), (0.6, FULL, 20), seed=1))
    dotted, full, _ = drawn(figure)
    assert (dotted.get_xdata().tolist(), dotted.get_ydata().tolist()) == ([2, 5, 10, 22], [0.25, 0.4, 0.35, 0.5])
    assert (full.get_xdata().tolist(), full.get_ydata().tolist()) == ([22, 100], [0.5, 0.5])


def test_surrogates_show_the_regret_of_what_the_incumbent_is_worth_at_full_fidelity(tmp_path):
    task = load("hartmann3-terrible")
    result = mfbo.tune(task, "3x", optimizer="asha", seed=3, out=tmp_path / "run")
    figure = figure_of(tmp_path / "run")
    (line,) = solid(figure)
    regret = task.true_loss(result.best.config) - task.optimum
    assert line.get_ydata()[-1] == pytest.approx(regret)
    observed = [entry.outcome.loss for entry in mfbo.evidence.curves.improvements(result.ledger)]
    assert not np.isclose(line.get_ydata()[0], observed[0] - task.optimum)  # low fidelity is far off there
    assert figure.axes[0].get_yscale() == "log"
    assert "Regret of incumbent" in words(figure)
    assert "Cost (full evaluations)" in words(figure)
    assert "hartmann3-terrible, budget 3 full evaluations" in words(figure)


@pytest.mark.parametrize(("scale", "unit"), [(1, "s"), (60, "min"), (3600, "h")])
def test_cost_is_shown_in_a_unit_that_suits_it(runs, scale, unit):
    figure = figure_of(runs((0.5, FULL, 4 * scale), limits=Limits.of(f"{5 * scale}s")))
    assert f"Cost ({unit}, optimizer included)" in words(figure)
    assert solid(figure)[0].get_xdata() == pytest.approx([4, 5])


def test_an_optimizer_that_is_given_twice_the_cost_stands_at_half_of_it(runs):
    figure = figure_of(runs((0.5, FULL, 40), optimizer="random-2x", limits=Limits.of("200s")), runs())
    assert solid(figure)[0].get_xdata().tolist() == [20, 100]
    assert "random-2x, cost / 2 (seed 0)" in words(figure)
    assert figure.axes[0].get_title(loc="left") == "made, budget 1m40s"


def test_runs_under_different_settings_are_no_seeds_of_one_another(runs):
    plain = Settings(workers=1, options={"model": "a"}, max_disk=1.0)
    folders = [runs(seed=1, settings=plain), runs(seed=2, settings=replace(plain, workers=None, max_disk=None))]
    folders += [
        runs(seed=2, settings=replace(plain, workers=4)),
        runs(seed=2, settings=replace(plain, options={"model": "b"})),
    ]
    groups = [(group.variant, group.seeds) for group in compare(folders).groups]
    assert groups == [("workers=1, model=a", (1, 2)), ("workers=4, model=a", (2,)), ("workers=1, model=b", (2,))]


def test_an_optimizer_has_its_own_colour_whatever_stands_beside_it(runs):
    alone = figure_of(runs(optimizer="smac"))
    beside = figure_of(*(runs(optimizer=name) for name in ("grid", "mine", "smac")))
    assert same_color(drawn(alone)[-1].get_color(), drawn(beside)[-1].get_color())
    known = style.looks(list(OPTIMIZERS))
    assert known == [style.registered_looks()[name] for name in OPTIMIZERS]
    many = style.looks([*OPTIMIZERS, "smac", "mine", "yours", "theirs"])
    for part in zip(*many, strict=True):
        assert len(set(part)) == len(many)  # colours, and markers for those who see none
    assert len(style.looks(["smac"] * 40)) == 40


@pytest.mark.parametrize("made", [[(0.5, FULL, 0), (0.4, FULL, 3)], [(-3.0, FULL, 1), (-4.0, LOW, 1)]])
def test_costs_of_nothing_and_losses_below_zero_can_be_drawn(runs, tmp_path, made):
    for number, ended in enumerate(("interrupted", "budget")):
        anytime([runs(*made, ended=ended)], tmp_path / f"{number}.png")


def test_a_regret_of_nothing_runs_along_the_bottom(runs, tmp_path):
    for made in ([(0.0, FULL, 1)], [(2.0, FULL, 1), (0.0, FULL, 5)]):
        comparison = compare([runs(*made)])
        object.__setattr__(comparison, "optimum", 0.0)
        with style.drawing():
            style.save(figure_of_comparison(comparison), tmp_path / "zero.png")


def test_the_settings_of_matplotlib_change_nothing_and_are_left_alone(runs, tmp_path):
    folder, plain, odd = runs(), tmp_path / "plain.svg", tmp_path / "odd.svg"
    anytime([folder], plain)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        before = dict(mpl.rcParams)
        anytime([folder], odd)
        assert dict(mpl.rcParams) == before
    assert odd.read_bytes() == plain.read_bytes()


@pytest.mark.slow
def test_names_from_a_ledger_draw_nothing_but_themselves(runs, tmp_path):
    hostile = "$\\frac{a}{$ <b>&--\x1b[2J\x00\ud800\u202e\n日本"
    file = tmp_path / "curve.svg"
    folder = runs(optimizer=hostile, task=f"/home/me/{hostile}.py:task", settings=Settings(options={hostile: hostile}))
    other = runs(optimizer=hostile, task=f"/home/me/{hostile}.py:task")
    anytime([folder, other], file)
    ElementTree.parse(file)
    assert "$\\frac{a}{$ <b>&--" in words(figure_of(folder))
    assert "/home/me" not in file.read_text(encoding="utf-8")
    anytime([folder], tmp_path / "curve.pdf")


def test_no_code_that_a_ledger_names_is_run(runs, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    made = compare([runs(task=f"{file}:task", source_hash="1" * 16, optimum=0.1)])
    assert (made.true, made.optimum) == (False, None)
    assert not (tmp_path / "ran").exists()


def test_the_true_loss_of_another_task_of_the_same_name_is_not_taken(tmp_path):
    task = load("branin")
    mfbo.tune("branin", "2x", optimizer="random", out=tmp_path / "run")
    header = read(tmp_path / "run").header
    assert worth_of(header)({"x1": math.pi, "x2": 2.275}) == pytest.approx(task.optimum, abs=1e-4)
    changes = [
        {"optimum": 0.0},
        {"space_hash": "1" * 16},
        {"task": "digits"},
        {"settings": Settings(space="mine.yaml")},
    ]
    changes += [{"fidelity": Fidelity((1, 81))}, {"full_cost": 2.0}, {"task": "no-such-task"}]
    for change in changes:
        assert worth_of(header.__class__(**{**vars(header), **change})) is None


# what is refused

OTHERS = {
    "tasks": ({"task": "other"}, RunError, r"different tasks .*'made' in .*run0', 'other' in .*run1'"),
    "files": ({"source_hash": "1" * 16, "task": "made.py:t"}, RunError, "different tasks"),
    "spaces": (
        {"space_hash": "1" * 16, "settings": Settings(space="wide")},
        RunError,
        r"spaces.*'default' .*'wide' \(1 hyper",
    ),
    "fidelities": ({"fidelity": Fidelity((1, 81))}, RunError, r"27 epochs .* 81 epochs on 100%"),
    "units": ({"limits": Limits.of("20x")}, BadValue, r"1m40s in .*run0', 20x in .*run1'.*same unit"),
    "seeds": ({}, BadValue, r"random with seed 0 is given twice: .*run0', .*run1'"),
}


@pytest.mark.parametrize("which", OTHERS)
def test_runs_that_cannot_be_compared_are_refused(runs, which):
    header, error, text = OTHERS[which]
    with pytest.raises(error, match=text):
        compare([runs(), runs(**header)])


def test_the_file_of_a_task_may_have_moved_but_not_changed(runs):
    first = {"task": "here/made.py:t", "source_hash": "1" * 16}
    folder = runs(**first)
    moved = runs(seed=1, task="there/made.py:t", source_hash="1" * 16)
    assert compare([folder, moved]).groups[0].seeds == (0, 1)
    with pytest.raises(RunError, match="different contents of the task's file"):
        compare([folder, runs(seed=1, task="here/made.py:t", source_hash="2" * 16)])


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ([(None, FULL, 1, "failed")], "no successful trial"),
        ([(None, FULL, 1, "failed")] * 3, r"no successful trial among 3 trials; `mfbo show`"),
    ],
)
def test_a_run_without_any_success_is_refused(runs, made, text):
    with pytest.raises(RunError, match=text):
        compare([runs(), runs(*made, seed=1)])


def test_a_run_that_cost_nothing_is_refused(runs):
    with pytest.raises(RunError, match="has a cost of 0"):
        compare([runs((0.5, FULL, 0))])


def test_an_empty_run_is_refused(tmp_path):
    made_run(folder=tmp_path / "run", ended=None)
    with pytest.raises(RunError, match=r"run' has no result yet; .*`mfbo resume`"):
        compare([tmp_path / "run"])
    with pytest.raises(BadValue, match="no run given"):
        compare([])


def test_seeds_that_have_no_cost_in_common_are_refused(runs):
    with pytest.raises(RunError, match=r"runs of random have no cost in common: .*run0', .*run1'"):
        compare([runs((0.5, FULL, 1), ended="interrupted"), runs((0.5, FULL, 50), seed=1)])


@pytest.mark.parametrize("name", ["curve", "curve.jpg", "curve.png.gz", ".png", "taken/curve.png", "folder.png"])
def test_the_command_refuses_in_one_line_and_writes_nothing(runs, tmp_path, name):
    folder = runs()
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(main, ["plot", folder, "-o", str(tmp_path / name)])
    assert result.exit_code == 2
    assert result.stderr.startswith("mfbo: ")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr
    assert not result.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_draws_runs_and_says_where(runs, tmp_path):
    folders, file = [runs(seed=seed) for seed in range(3)], tmp_path / "curve.svg"
    result = CliRunner().invoke(main, ["plot", *folders, "-o", str(file)])
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{file}\n", "")
    assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert CliRunner().invoke(main, ["plot", str(tmp_path / "none"), "-o", str(file)]).exit_code == 2


def test_a_torn_ledger_can_be_drawn(runs, tmp_path):
    folder = runs()
    with (tmp_path / "run0" / FILE).open("ab") as ledger:
        ledger.write(b'{"record": "res')
    assert compare([folder]).task == HEADER.task
    assert Rung(27, 1.0, 1.0) == FULL
