"""Ranks and normalised regret over tasks and seeds: by worth where it is known, with intervals that chance explains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import FULL, RUNGS, made_run

from mfbo.evidence.comparison import side_by_side
from mfbo.evidence.ranking import ranking, regrets
from mfbo.evidence.summary import summarize

LOW = RUNGS[1]


def compared(task, losses, seeds=4, rung=FULL):
    """One configuration a run; `losses` by optimizer, each with a little of the seed in it."""
    return side_by_side(
        [
            made_run((9.0, rung, 1), (loss + seed / 100, rung, 9), optimizer=name, seed=seed, task=task)
            for name, loss in losses.items()
            for seed in range(seeds)
        ]
    )


def with_worth(comparison, worth):
    """The comparison as it is where configurations are known to be worth so much at full fidelity."""
    from mfbo.evidence.curves import anytime

    groups = tuple(
        replace(group, worth=worth, curves=tuple(anytime(run, worth) for run in group.runs))
        for group in comparison.groups
    )
    return replace(comparison, groups=groups, true=True)


def test_ranks_are_by_worth_at_full_fidelity_where_it_is_known():
    runs = [
        made_run((loss, rung, 9, {"x": x}), optimizer=name, seed=seed)
        for name, loss, rung, x in (("smac", 0.1, LOW, 5), ("random", 0.5, FULL, 1))
        for seed in (0, 1)
    ]
    observed = side_by_side(runs)
    known = with_worth(observed, lambda config: float(config["x"]))
    first, second = ranking([summarize(observed)]), ranking([summarize(known)])
    assert (first.true, first.ranks[:, -1].tolist()) == (False, [1, 2])  # a low rung's loss is lower
    assert (second.true, second.ranks[:, -1].tolist()) == (True, [2, 1])


@pytest.mark.slow
def test_an_interval_is_as_wide_as_tasks_and_seeds_differ():
    clear = [summarize(compared(f"t{n}", {"smac": 0.1, "random": 0.9})) for n in range(5)]
    mixed = [
        summarize(compared(f"t{n}", {"smac": 0.1 + 0.8 * (n % 2), "random": 0.9 - 0.8 * (n % 2)})) for n in range(5)
    ]
    sure, unsure = ranking(clear), ranking(mixed)
    assert (sure.band.low[:, -1].tolist(), sure.band.high[:, -1].tolist()) == ([1, 2], [1, 2])
    assert (unsure.band.low[:, -1] < 1.4).all()
    assert (unsure.band.high[:, -1] > 1.6).all()
    for found in (sure, unsure):
        assert (found.band.low <= found.ranks + 1e-9).all()
        assert (found.ranks <= found.band.high + 1e-9).all()


def test_regret_is_one_before_the_first_result_and_nought_at_the_best_known():
    found = regrets([summarize(compared("a", {"smac": 0.0, "random": 1.0}, seeds=1))])
    rows = dict(zip(found.names, found.band.centre, strict=True))
    assert rows["smac"][0] == rows["random"][0] == 1
    assert rows["smac"][-1] == 0
    assert rows["random"][-1] == pytest.approx(1 / 9)
    assert not found.optimum


def test_each_task_counts_the_same_whatever_the_scale_of_its_losses():
    small = compared("a", {"smac": 0.1, "random": 0.2})
    runs = [
        made_run(
            *[(1000 * r.outcome.loss, FULL, r.outcome.cost) for r in run.results],
            optimizer=run.header.optimizer,
            seed=run.header.seed,
            task="b",
        )
        for run in small.runs
    ]
    alone, both = regrets([summarize(small)]), regrets([summarize(small), summarize(side_by_side(runs))])
    assert both.tasks == 2
    np.testing.assert_allclose(both.band.centre, alone.band.centre)
    assert (both.band.low <= both.band.centre + 1e-9).all()


def test_there_is_no_regret_of_one_optimizer_or_where_nothing_got_better():
    assert regrets([summarize(compared("a", {"smac": 0.1}))]) is None
    flat = side_by_side([made_run((1.0, FULL, 5), optimizer=name) for name in ("smac", "random")])
    assert regrets([summarize(flat)]) is None
