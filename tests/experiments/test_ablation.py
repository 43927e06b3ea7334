"""Each ablation changes what `smac` asks; one that no longer fits the optimizer says so."""

from __future__ import annotations

import ablation
import pytest
import suite_runs

from mfbo.tasks.registry import load

CASES = {
    "without_cost": "hartmann3-cost",
    "every_rung": "hartmann6-terrible",
    "fixed_random": "branin",
    "without_logarithm": "hartmann3-cost",
    "one_rung": "branin",
}


def asked(run):
    return [(trial.config, trial.rung) for trial in run.asks.values()]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task"), list(CASES.items()))
def test_an_ablation_asks_something_else(name, task):
    whole, without = (suite_runs.run(each, load(task), 3, 9) for each in ("smac", f"ablation:{name}"))
    assert asked(whole) != asked(without)


def test_a_part_that_is_no_longer_there_is_not_switched_off_in_silence():
    with pytest.raises(AttributeError, match="'trusted' any more"):
        ablation.switch(object(), "trusted", None)
