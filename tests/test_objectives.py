"""Several objectives: their values, the front by hand, a run that replays, and one objective that is as it was."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import pytest
from click.testing import CliRunner
from ConfigSpace import ConfigurationSpace, Float
from hypothesis import given
from hypothesis import strategies as st
from ledgers import chained, records_of
from rich.console import Console

import mfbo
from mfbo.analysis.report import write
from mfbo.cli import main
from mfbo.display import summary
from mfbo.engine.replay import replay
from mfbo.engine.tell import tell
from mfbo.errors import BadLedger, BadValue, NoObjective
from mfbo.evidence.pareto import front, front_of, hypervolume
from mfbo.goal import Goal
from mfbo.ledger.journal import FILE, parse, read
from mfbo.objectives import checked, directed, shown, title, value, values
from mfbo.optimizers.parego import Scalarised
from mfbo.optimizers.registry import names_with
from mfbo.trial import Outcome, Report, Rung, Trial

FULL = Rung(27, 1.0, 1.0)


def train(config, fidelity, context):
    """Loss falls with x and size rises with it; y is better low for both, so the front is y = 0."""
    loss = 1 - config["x"] + config["y"] + 0.1 / fidelity.epochs
    return mfbo.Measurement(loss, {"size": 10 ** (config["x"] + config["y"])}, cost=fidelity.epochs / 27)


def made():
    space = ConfigurationSpace()
    space.add(Float("x", (0.0, 1.0)), Float("y", (0.0, 1.0)))
    return mfbo.Task("made", space, train, mfbo.Fidelity(epochs=(1, 27)), stateless=True, full_cost=1.0)


def test_a_front_worked_by_hand():
    assert front([]) == []
    assert front([(1, 1)]) == [0]
    assert front([(2, 2), (1, 3), (3, 1), (2, 3), (3, 3)]) == [1, 0, 2]
    assert front([(1, 1), (1, 1), (1, 2)]) == [0]
    assert front([(1, 5, 5), (5, 1, 5), (5, 5, 1), (5, 5, 5)]) == [0, 1, 2]


def test_hypervolumes_worked_by_hand():
    assert hypervolume([], (1, 1)) == 0
    assert hypervolume([(0, 0)], (2, 3)) == 6
    assert hypervolume([(1, 3), (2, 1)], (4, 4)) == 3 * 1 + 2 * 3 - 2 * 1
    assert hypervolume([(0, 0, 0)], (2, 3, 4)) == 24
    assert hypervolume([(0, 1, 1), (1, 0, 1)], (2, 2, 2)) == 3
    assert hypervolume([(5, 0)], (4, 4)) == 0


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_none_on_the_front_is_dominated_and_all_others_are(points):
    kept = front(points)

    def beats(a, b):
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    for i, point in enumerate(points):
        dominated = any(beats(other, point) for other in points)
        again = point in points[:i]
        assert (i in kept) == (not dominated and not again)
    assert hypervolume([points[i] for i in kept], (7, 7, 7)) == pytest.approx(hypervolume(points, (7, 7, 7)))


def test_values_of_an_outcome():
    reports = (Report(10, 0.5, 1.0), Report(27, 0.4, 2.0))
    outcome = Outcome(
        "ok", 0.4, FULL, train=17.0, evaluation=4.0, metrics={"size": 7.0}, reports=reports, start_epoch=10
    )
    assert value(outcome, "loss") == 0.4
    assert value(outcome, "size") == 7.0
    assert value(outcome, "cost") == pytest.approx(27.0)  # 17 of 27 epochs took 17 seconds
    assert value(outcome, "latency") == 2.0
    assert value(outcome, "nothing") is None
    assert value(replace(outcome, metrics={"latency": 0.1}), "latency") == 0.1
    assert values(outcome, ("loss", "size")) == (0.4, 7.0)
    assert values(replace(outcome, status="stopped"), ("loss", "size")) is None
    assert values(outcome, ("loss", "nothing")) is None


def test_names():
    assert checked([]) == checked(["loss"]) == ()
    assert checked(["loss", " size"]) == ("loss", "size")
    for names in (["loss", "loss"], ["loss", ""], ["max:size", "loss", "size"], ["loss", "max:"]):
        with pytest.raises(BadValue, match=r"each once|give its name"):
            checked(names)


def test_each_objective_has_its_own_direction_and_the_metric_of_the_run_is_one():
    high = Goal("val_acc", True)
    assert directed((), high) == directed(("val_acc",), high) == ()
    assert directed(("max:val_acc", "size", "max:recall", "min:f1"), high) == ("loss", "size", "max:recall", "f1")
    for names, goal, text in (
        (("size",), Goal(), "'loss' must be one of them"),
        (("size",), high, "'val_acc' must be one of them"),
        (("min:val_acc", "size"), high, "this run is after max:val_acc"),
        (("loss", "recall"), Goal(), "Give max:recall .* or min:recall"),
    ):
        with pytest.raises(BadValue, match=text):
            directed(names, goal)
    outcome = Outcome("ok", -0.9, FULL, 1.0, metrics={"recall": 0.7, "size": 3.0})
    assert values(outcome, ("loss", "max:recall", "size")) == (-0.9, -0.7, 3.0)
    assert [shown(name, value(outcome, name), high) for name in ("loss", "max:recall", "size")] == [0.9, 0.7, 3.0]
    assert [title(name, high) for name in ("loss", "max:recall", "size")] == ["val_acc", "recall", "size"]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", names_with("takes_objectives"))
def test_a_run_is_replayed_and_resumed_exactly(optimizer, tmp_path):
    names = ("loss", "size")
    whole = mfbo.tune(made(), "3x", optimizer=optimizer, objectives=names, out=tmp_path / "whole").ledger
    assert read(tmp_path / "whole").header.search.objectives == names
    assert replay(read(tmp_path / "whole")).mismatch is None
    lines = (tmp_path / "whole" / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / FILE).write_bytes(b"".join(lines[: len(lines) // 2]))
    again = mfbo.resume(tmp_path / "cut", task=made()).ledger
    assert again.results == whole.results
    assert front_of(again).members == front_of(whole).members


def test_one_objective_is_as_before():
    alone, named = (mfbo.tune(made(), "2x", objectives=names).ledger for names in ((), ("loss",)))
    assert alone.results == named.results
    assert front_of(alone) is None


@pytest.mark.parametrize("optimizer", ["smac", "asha"])
def test_the_front_is_wider_than_that_of_the_loss_alone(optimizer):
    volumes = []
    for names in (("loss", "size"), ()):
        run = mfbo.tune(made(), "12x", optimizer=optimizer, objectives=names, seed=1).ledger
        full = [r.outcome for r in run.results if r.outcome.rung.work == 1]
        points = [(outcome.loss, math.log10(outcome.metrics["size"])) for outcome in full]
        volumes.append(hypervolume(points, (1.1, 1.1)))  # the corner of the front's two ends, and a little more
    assert volumes[0] > volumes[1]


class Inner:
    """Keeps what it is told."""

    def __init__(self):
        self.told, self.again = [], []

    def tell(self, trial, outcome):
        self.told.append(outcome.loss)

    def revise_losses(self, losses):
        self.again.append(list(losses))


def test_an_optimizer_is_told_all_again_under_new_weights():
    inner = Inner()
    wrapped = Scalarised(inner, ("loss", "size"), seed=0)
    outcomes = [Outcome("ok", 1 - i / 10, FULL, train=1.0, metrics={"size": 10.0**i}) for i in range(8)]
    for i, outcome in enumerate(outcomes):
        wrapped.tell(
            Trial(i, {"x": i}, FULL), outcome if i != 5 else Outcome("failed", None, FULL, train=1.0, error="x")
        )
    first, second = inner.again
    assert (len(first), len(second)) == (4, 8)
    assert first != second[:4]
    assert second[5] is None
    assert all(loss is not None and loss >= 0 for i, loss in enumerate(second) if i != 5)


def test_an_objective_that_nobody_reports_is_told_at_once_and_nothing_is_kept(tmp_path):
    with pytest.raises(
        NoObjective, match="objective 'speed': the task reports no such metric; choose from: loss, cost, size"
    ):
        mfbo.tune(made(), "3x", optimizer="random", objectives=("loss", "speed"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_knows_a_loss_only_is_refused(tmp_path):
    names = ("loss", "size")
    with pytest.raises(BadValue, match="one-epoch supports one objective only"):
        mfbo.tune(made(), "2x", optimizer="one-epoch", objectives=names)
    mfbo.tune(made(), "2x", optimizer="random", objectives=names, out=tmp_path / "run")
    with pytest.raises(BadValue, match="several objectives"):
        tell(tmp_path / "run", {"x": 0.5, "y": 0.5}, 0.1)
    with pytest.raises(BadValue, match="a warm start has losses only"):
        mfbo.tune(made(), "2x", objectives=names, warm_start=tmp_path / "run")


def test_a_damaged_list_of_objectives_is_refused(tmp_path):
    mfbo.tune(made(), "2x", optimizer="random", objectives=("loss", "size"), out=tmp_path)
    for other in (["loss", 7], 7, [["loss"]], ["size"]):
        records = records_of(tmp_path)
        records[0]["run"]["search"]["objectives"] = other
        with pytest.raises(BadLedger):
            parse(chained(records))


@pytest.mark.parametrize(
    ("budget", "said"), [("1x", "only configuration with"), ("8x", "best in every objective among")]
)
def test_a_front_of_one_configuration_says_that_it_is_one(budget, said, tmp_path):
    folder = tmp_path / "run"
    agreeing = replace(made(), train=both)
    run = mfbo.tune(agreeing, budget, optimizer="random", objectives=("loss", "twice"), out=folder).ledger
    assert len(front_of(run).members) == 1
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(summary(read(folder)))
    assert said in console.export_text()
    for suffix in ("md", "html"):
        assert said in write([folder], tmp_path / f"r.{suffix}").read_text(encoding="utf-8")


def both(config, fidelity, context):
    """Two objectives that agree: what is best in one is best in the other."""
    loss = config["x"] ** 2
    return mfbo.Measurement(loss, metrics={"twice": 2 * loss}, cost=fidelity.epochs / 27)


def test_show_plot_and_report_have_the_front_and_best_takes_one_of_it(tmp_path):
    folder = tmp_path / "run"
    run = mfbo.tune(made(), "8x", optimizer="random", objectives=("loss", "size", "cost"), out=folder).ledger
    found = front_of(run)
    assert len(found.members) > 1
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(summary(read(folder)))
    shown = console.export_text()
    assert f"Pareto front: {len(found.members)} of 8 configurations at all data, 27 epochs" in shown
    for suffix in ("md", "html"):
        assert "Pareto front" in write([folder], tmp_path / f"r.{suffix}").read_text(encoding="utf-8")
    drawn = CliRunner().invoke(main, ["plot", str(folder), "--kind", "pareto", "-o", str(tmp_path / "p.svg")])
    assert drawn.exit_code == 0, drawn.output
    last = found.members[-1][0].trial
    printed = CliRunner().invoke(main, ["best", str(folder), "--trial", str(last.id), "--format", "json"])
    assert json.loads(printed.stdout) == last.config
    refused = CliRunner().invoke(main, ["best", str(folder), "--trial", "99"])
    assert refused.exit_code == 2
    assert "has no trial 99" in refused.output
