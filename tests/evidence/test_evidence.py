"""What a comparison shows where fidelities differ, means are equal, results come late, or runs were asked otherwise."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from made_runs import FULL, RUNGS, made_run
from rich.console import Console

from mfbo.analysis.report.cells import ranks, standings
from mfbo.analysis.report.material import Part
from mfbo.analysis.report.words import answer, reasons
from mfbo.display.evidence import comparison as printed
from mfbo.evidence.comparison import side_by_side
from mfbo.evidence.payoff import payoff
from mfbo.evidence.ranking import Ranking, ranking
from mfbo.evidence.statistics import Band, average_ranks
from mfbo.evidence.summary import significantly_worse, summarize
from mfbo.ledger.run import Limits

LOW = RUNGS[1]


def runs_of(optimizer, seeds, *results, **facts):
    """The same results with each seed: (loss, fidelity, cost since the one before)."""
    return [made_run(*results, optimizer=optimizer, seed=seed, **facts) for seed in range(seeds)]


def found_in(*runs):
    return summarize(side_by_side([run for some in runs for run in some]))


def row_of(found, name):
    return next(row for row in found.standings if row.name == name)


def part_of(found):
    return Part("made", tuple(found.comparison.runs), (), found, "", payoff(found))


# fidelities


@pytest.fixture
def flattered():
    """A low rung has lower losses than any full evaluation."""
    return found_in(runs_of("smac", 6, (0.1, LOW, 5)), runs_of("random", 6, (0.5, FULL, 40), (0.4, FULL, 20)))


def test_a_low_fidelitys_loss_does_not_count_as_the_baselines_quality(flattered):
    row = row_of(flattered, "smac")
    assert (row.loss, row.below, row.reached, row.cost) == (pytest.approx(0.1), 6, 0, math.inf)
    assert row.speed_up.factor == 0
    assert row.pvalue is None
    assert row_of(flattered, "random").below == 0
    assert row_of(flattered, "random").reached == 6


def test_it_makes_neither_for_a_yes_nor_for_a_no(flattered):
    assert payoff(flattered).answer == "open"
    assert "not all of its results were measured at the fidelity of those of random search" in answer(
        part_of(flattered)
    )
    assert any(
        "6 of 6 losses of smac were measured at a lower fidelity" in said for said in reasons(part_of(flattered))
    )
    Console(file=(said := io.StringIO()), width=120).print(printed(flattered))
    assert "losses at a lower fidelity than that of random, which cannot be compared: smac 6" in said.getvalue()


def test_at_the_baselines_fidelity_it_counts_from_there_on():
    found = found_in(
        runs_of("smac", 6, (0.1, LOW, 5), (0.3, FULL, 15)), runs_of("random", 6, (0.5, FULL, 40), (0.4, FULL, 40))
    )
    row = row_of(found, "smac")
    assert (row.below, row.reached, row.cost) == (0, 6, 20)
    assert row.speed_up.factor == pytest.approx(80 / 20)
    assert payoff(found).answer == "yes"


def test_a_baseline_below_full_fidelity_is_met_there():
    found = found_in(runs_of("smac", 2, (0.1, LOW, 5)), runs_of("random", 2, (0.2, LOW, 10)))
    assert row_of(found, "smac").speed_up.factor == pytest.approx(2)


def test_true_losses_compare_whatever_they_were_measured_at():
    groups = found_in(runs_of("smac", 2, (0.1, LOW, 5)), runs_of("random", 2, (0.2, FULL, 10))).comparison
    true = [replace(group, worth=lambda config: 0.0) for group in groups.groups]
    found = summarize(replace(groups, groups=tuple(true), true=True))
    assert row_of(found, "smac").speed_up.factor == pytest.approx(2)
    assert row_of(found, "smac").below == 0


# rounding


@pytest.mark.parametrize("loss", [0.07, 0.17, 0.47, 0.35])
@pytest.mark.parametrize(("ours", "theirs"), [(6, 7), (5, 5), (10, 6)])
def test_means_of_equal_losses_are_equal(loss, ours, theirs):
    found = found_in(
        runs_of("smac", ours, (0.9, FULL, 1), (loss, FULL, 4)),
        runs_of("random", theirs, (0.9, FULL, 1), (loss, FULL, 79)),
    )
    assert row_of(found, "smac").speed_up.factor == pytest.approx(16)
    assert [row.reached for row in found.standings] == [row.seeds for row in found.standings]


def test_equal_means_share_a_rank():
    tasks = []
    for task in ("one", "other"):
        runs = [
            made_run((loss, FULL, 9), optimizer="smac", seed=seed, task=task)
            for seed, loss in enumerate((0.1, 0.2, 0.3))
        ]
        runs += [
            made_run((loss, FULL, 9), optimizer="random", seed=seed, task=task)
            for seed, loss in enumerate((0.3, 0.2, 0.1))
        ]
        tasks.append(found_in(runs))
    found = ranking(tasks)
    assert found.ranks[:, -1].tolist() == [1.5, 1.5]
    assert found.pvalues[0, 1] == 1


# results that come late, or cost nothing


def test_a_baseline_without_a_result_in_time_has_no_quality_to_reach():
    found = found_in(runs_of("smac", 2, (0.3, FULL, 5), ended="trials"), runs_of("random", 2, (0.1, FULL, 10)))
    assert (found.end, found.quality) == (5, None)
    assert row_of(found, "random").reached == 0
    head, rows = standings(part_of(found))
    assert "speed-up" not in head
    assert not any("nan" in cell or "never" in cell for row in rows for cell in row)
    said = [answer(part_of(found)), *reasons(part_of(found))]
    assert not any("nan" in words for words in said)
    final = ranking([found])
    assert final.pvalues.tolist() == [[1, 1], [1, 1]]
    assert final.alike() == [("smac", "random")]


def test_what_happens_after_the_end_changes_nothing():
    up = [(0.1, LOW, 5), (0.9, FULL, 145)]
    found = found_in(
        runs_of("smac", 2, *up, limits=Limits.of("200s")), runs_of("random", 2, (0.5, LOW, 40), (0.2, LOW, 40))
    )
    assert found.end == 100
    assert [row_of(found, "smac").reached, row_of(found, "smac").cost] == [2, 5]
    group = next(group for group in found.comparison.groups if group.optimizer == "smac")
    assert found.reached(group) == [5, 5]


def test_a_first_result_that_cost_nothing_is_no_error():
    found = found_in(runs_of("smac", 3, (0.1, FULL, 0.0), (0.05, FULL, 9)), runs_of("random", 3, (0.2, FULL, 10)))
    assert 1e7 < row_of(found, "smac").speed_up.factor < math.inf
    assert payoff(found).answer == "likely"


def test_lost_trials_are_no_trials():
    run = made_run((None, LOW, 1, "lost"), (None, LOW, 1, "lost"), (0.1, FULL, 1), optimizer="smac")
    (row,) = found_in([run]).standings
    assert (row.trials, row.iterations) == (1, 1)


# what is the same, and what is not


def test_the_order_of_the_runs_changes_no_interval():
    ours = [made_run((0.3, FULL, 1), (0.1, FULL, 4 + seed), optimizer="smac", seed=seed) for seed in range(6)]
    theirs = [made_run((0.3, FULL, 5), (0.1, FULL, 10 + 9 * seed), optimizer="random", seed=seed) for seed in range(6)]
    intervals = {
        (found.low, found.factor, found.high)
        for runs in (theirs, theirs[::-1])
        for found in [row_of(found_in(ours, runs), "smac").speed_up]
    }
    assert len(intervals) == 1


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"eta": 2}, "smac, eta=2"),
        ({"max_fidelity": 0.5}, "smac, max fidelity=0.5"),
        ({"objectives": ("loss", "size")}, "smac, objectives=loss+size"),
    ],
)
def test_runs_that_were_asked_otherwise_are_another_group(changed, name):
    runs = runs_of("smac", 2, (0.1, FULL, 9)), runs_of("smac", 2, (0.2, FULL, 9), **changed)
    assert {row.name for row in found_in(*runs).standings} - {"smac"} == {name}
    found = found_in(runs_of("smac", 2, (0.1, FULL, 9), **changed), runs_of("random", 2, (0.2, FULL, 9)))
    assert [row.name for row in found.standings] == ["smac", "random"]  # only among runs of one optimizer


def test_equal_costs_are_said_to_be_equal():
    same = [(0.5, FULL, 5), (0.1, FULL, 5)]
    found = found_in(runs_of("smac", 6, *same), runs_of("random", 6, *same))
    assert answer(part_of(found)) == (
        "It cannot be told: smac reached what random search had in the end at the same cost, whichever seeds are drawn."
    )


def test_worse_is_what_a_signed_rank_test_says_is_worse():
    for seeds, expected in ((5, False), (6, True)):
        ours = [made_run((0.3 + seed / 100, FULL, 9), optimizer="smac", seed=seed) for seed in range(seeds)]
        found = found_in(ours, runs_of("random", seeds, (0.2, FULL, 9)))
        assert significantly_worse(*found.comparison.groups, found.end) == expected
        assert not significantly_worse(*found.comparison.groups[::-1], found.end)


@pytest.mark.slow
def test_all_pairs_that_are_not_told_apart_are_named():
    final = [[0.1, 0.2, 0.05 if block % 2 else 0.9] for block in range(10)]
    place = average_ranks([[[loss] for loss in block] for block in final])
    found = Ranking(("a", "b", "c"), "seeds", True, np.ones(1), Band(place, place, place), np.array(final))
    _, rows = ranks(found)
    assert {row[0]: row[2] for row in rows} == {"a": "c", "b": "c", "c": "a, b"}
