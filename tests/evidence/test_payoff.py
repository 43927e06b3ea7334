"""Whether multi-fidelity paid off: what the numbers say, and when they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import FULL, RUNGS, made_run

from mfbo.evidence.comparison import side_by_side
from mfbo.evidence.payoff import MIN_SEEDS, payoff
from mfbo.evidence.ranking import ranking
from mfbo.evidence.summary import summarize

LOW = RUNGS[1]


def run_of(optimizer, seed, *steps, task="made"):
    """A run that comes to each (loss, cost): cost as charged by then."""
    costs = [0.0, *(cost for _, cost in steps)]
    results = [(loss, FULL, now - before) for (loss, now), before in zip(steps, costs, strict=False)]
    return made_run(*results, optimizer=optimizer, seed=seed, task=task)


def evidence_of(seeds, ours, theirs=((0.5, 10), (0.2, 80)), optimizer="smac", baseline="random"):
    runs = [run_of(optimizer, seed, *ours(seed)) for seed in range(seeds)]
    runs += [run_of(baseline, seed, *theirs) for seed in range(seeds)]
    return summarize(side_by_side(runs))


def soon(seed):
    return (0.5, 1), (0.1, 5 + seed / 10)


def late(seed):
    return (0.5, 1), (0.2, 95)


def mixed(seed):
    return ((0.5, 1), (0.1, 5)) if seed % 2 else ((0.5, 1), (0.9, 90))


def never(seed):
    return ((0.5, 1),)


@pytest.mark.parametrize(
    ("ours", "seeds", "answer"),
    [
        (soon, MIN_SEEDS, "yes"),
        (soon, MIN_SEEDS - 1, "likely"),
        (late, MIN_SEEDS, "no"),
        (late, 3, "unlikely"),
        (never, MIN_SEEDS, "no"),
        (mixed, 8, "open"),
        (soon, 1, "unknown"),
    ],
)
def test_the_answer_is_what_the_interval_and_the_number_of_seeds_allow(ours, seeds, answer):
    assert payoff(evidence_of(seeds, ours)).answer == answer


def test_enough_seeds_are_those_from_which_a_signed_rank_test_can_be_significant():
    few, enough = (payoff(evidence_of(seeds, soon)) for seeds in (MIN_SEEDS - 1, MIN_SEEDS))
    assert enough.smallest_pvalue < 0.05 < few.smallest_pvalue


def test_the_speed_up_is_the_ratio_of_the_costs_over_every_baseline():
    runs = [run_of("smac", seed, (0.5, 1), (0.1, 8)) for seed in range(3)]
    runs += [run_of("random", seed, (0.5, 10), (0.2, 80)) for seed in range(3)]
    runs += [run_of("grid", seed, (0.4, 40)) for seed in range(3)]
    found = payoff(summarize(side_by_side(runs)))
    assert {name: one.factor for name, one in found.speed_ups.items()} == {"random": 10, "grid": 5}


def test_without_a_baseline_or_an_optimizer_of_low_fidelities_nothing_is_known():
    assert payoff(evidence_of(3, soon, baseline="hyperband")).answer == "unknown"
    assert payoff(evidence_of(3, soon, optimizer="grid")).optimizer is None


def test_smac_is_judged_even_where_another_did_better():
    runs = [run_of("smac", seed, (0.5, 1), (0.2, 95)) for seed in range(3)]
    runs += [run_of("hyperband", seed, (0.1, 2)) for seed in range(3)]
    runs += [run_of("random", seed, (0.5, 10), (0.2, 80)) for seed in range(3)]
    assert payoff(summarize(side_by_side(runs))).optimizer.name == "smac"


def test_ranks_over_the_seeds_of_one_task_are_those_worked_out_by_hand():
    runs = [run_of("smac", seed, (0.5, 50)) for seed in (0, 1)]
    runs += [run_of("random", 0, (0.9, 20), (0.1, 100)), run_of("random", 1, (0.9, 20))]
    found = ranking([summarize(side_by_side(runs))])
    assert (found.names, found.kind) == (("smac", "random"), "seeds")
    assert found.shares[0] >= 0.2  # before that neither has a result
    assert found.ranks[:, 0].tolist() == [2, 1]  # random alone has one
    assert found.ranks[:, -1].tolist() == [1.5, 1.5]  # each is ahead in one seed
    assert found.final.tolist() == [[0.5, 0.1], [0.5, 0.9]]
    assert np.array_equal(found.pvalues, np.ones((2, 2)))


def test_ranks_over_tasks_are_of_mean_losses_and_of_the_optimizers_that_all_have():
    tasks = [
        summarize(
            side_by_side(
                [run_of(name, seed, (loss, 10), task=task) for name, loss in losses.items() for seed in (0, 1)]
            )
        )
        for task, losses in (
            ("one", {"smac": 0.1, "random": 0.2, "grid": 0.3}),
            ("two", {"random": 0.4, "smac": 0.3}),
        )
    ]
    found = ranking(tasks)
    assert (found.names, found.kind) == (("smac", "random"), "tasks")
    assert found.ranks[:, -1].tolist() == [1, 2]


def test_there_are_no_ranks_of_one_optimizer_or_one_block():
    assert ranking([summarize(side_by_side([run_of("smac", seed, (0.5, 50)) for seed in (0, 1)]))]) is None
    assert ranking([summarize(side_by_side([run_of(name, 0, (0.5, 50)) for name in ("smac", "grid")]))]) is None
