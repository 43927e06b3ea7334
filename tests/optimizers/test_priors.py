"""A configuration believed in: tried first, drawn near to as long as it holds, read from a file that a person wrote."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from ConfigSpace.conditions import EqualsCondition
from conftest import bowl
from priors import regrets

import mfbo
from mfbo.engine.replay import replay
from mfbo.errors import BadValue, MfboError, UnknownName
from mfbo.ledger.journal import FILE
from mfbo.ledger.journal import read as read_ledger
from mfbo.ledger.observer import Observer
from mfbo.optimizers.priors import Prior, near
from mfbo.optimizers.registry import names_with
from mfbo.optimizers.sampling import random_configs
from mfbo.space import fitted, of_words, prior_of, read_config
from mfbo.tasks.registry import load


def wide():
    kind = Categorical("kind", ["a", "b"], default="a")
    only = Float("only", (0.0, 1.0), default=0.5)
    space = ConfigurationSpace()
    space.add(kind, only, Float("rate", (1e-5, 1.0), default=1e-3, log=True), Integer("units", (8, 256), default=100))
    space.add(EqualsCondition(only, kind, "b"))
    return space


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", names_with("takes_prior"))
def test_it_is_asked_first_and_the_run_resumes_and_replays_exactly(optimizer, tmp_path):
    prior = {"x": 0.25, "y": 0.75}
    whole = mfbo.tune(bowl(), "3x", optimizer=optimizer, prior=prior, out=tmp_path / "whole")
    assert whole.ledger.asks[0].config == prior
    assert read_ledger(tmp_path / "whole").header.prior == prior
    assert replay(whole.ledger).mismatch is None
    lines = (tmp_path / "whole" / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / FILE).write_bytes(b"".join(lines[: len(lines) // 2]))
    assert mfbo.resume(tmp_path / "cut", task=bowl()).ledger.results == whole.ledger.results


def test_an_optimizer_that_makes_no_use_of_it_says_so():
    class Notes(Observer):
        def on_note(self, text):
            said.append(text)

    said = []
    run = mfbo.tune(bowl(), "1x", optimizer="random", prior="default", observer=Notes()).ledger
    assert said == ["random does not use a prior; these do: smac, smac-stock, hyperband, asha"]
    assert run.header.prior is None


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "task", "prior"), [("asha", "hartmann6", 4), ("asha", "mixed", 4)])
def test_a_good_one_helps_early(optimizer, task, prior):
    task = load(task)
    ranked = sorted(islice(random_configs(task.space, 12345), 400), key=task.true_loss)
    believed, none = (regrets(task, optimizer, given, 6)[:, 0].mean() for given in (ranked[prior], None))
    assert believed < 0.9 * none


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["asha", "smac"])
def test_a_bad_one_is_shaken_off(optimizer):
    task = load("hartmann3")
    ranked = sorted(islice(random_configs(task.space, 12345), 400), key=task.true_loss)
    # the middle of twelve runs: one in ten or so ends in the local minimum, with or without a prior
    believed, none = (np.median(regrets(task, optimizer, given, 12, 12)[:, -1]) for given in (ranked[-20], None))
    assert believed <= max(1.5 * none, 0.05)


def test_trust_is_whole_at_first_and_gone_where_the_best_lie_elsewhere():
    far, close = (Prior(bowl().space, {"x": x, "y": 0.5}, 0) for x in (0.9, 0.15))
    assert far.trust == close.trust == 1.0
    assert far.shares(0) == (0.5, 0.0)
    assert far.shares(1) == (0.75, 0.0)
    for prior in (far, close):
        for place in range(9):
            prior.add({"x": 0.1 + place / 100, "y": 0.5}, 0, place / 10)
    assert far.trust < 0.02
    assert 0.3 < close.trust <= 0.5
    assert sum(far.shares(0)) == pytest.approx(0.5)
    higher = Prior(bowl().space, {"x": 0.9, "y": 0.5}, 0)
    for place in range(9):
        higher.add({"x": 0.1, "y": 0.5}, 0, place / 10)
        higher.add({"x": 0.9, "y": 0.4 + place / 100}, 1, place / 10)
    assert higher.trust > 0.3  # what a higher rung says counts


@pytest.mark.slow
def test_draws_lie_near_the_centre_inside_the_space_and_follow_from_seed_and_number():
    space = wide()
    config = fitted({"rate": 0.9, "units": 10}, space, "here", partial=True)
    prior, twin = Prior(space, config, 3), Prior(space, config, 3)
    drawn = [prior.draw(number) for number in range(200)]
    assert drawn == [twin.draw(number) for number in range(200)]
    found = [choice for choices in drawn for choice in choices]
    assert 50 < sum(bool(choices) for choices in drawn) < 150
    assert all(fitted(choice, space, "drawn") == choice for choice in found)
    assert np.mean([np.log10(choice["rate"]) for choice in found]) > -2  # uniform draws have a mean of -2.5
    assert 0.7 < np.mean([choice["kind"] == "a" for choice in found]) < 0.9  # 4 to 1
    assert all(("only" in choice) == (choice["kind"] == "b") for choice in found)


def test_none_is_drawn_twice():
    space = ConfigurationSpace({"kind": ["a", "b", "c"], "other": [1, 2, 3]})
    prior = Prior(space, {"kind": "b", "other": 2}, 0)
    found = list(near(prior, random_configs(space, 0)))
    assert found[0] == prior.config
    assert len(found) == len({str(sorted(config.items())) for config in found}) == 9


def test_a_file_may_leave_values_out_and_have_numbers_as_words(tmp_path):
    file = tmp_path / "prior.yaml"
    file.write_text("rate: 1e-2\nunits: 32.0\n")
    assert read_config(file) == {"rate": 0.01, "units": 32.0}
    assert prior_of(file, wide()) == {"kind": "a", "rate": 0.01, "units": 32}
    assert prior_of("default", wide()) == {"kind": "a", "rate": 0.001, "units": 100}
    assert prior_of({"kind": "b"}, wide()) == {"kind": "b", "only": 0.5, "rate": 0.001, "units": 100}
    assert of_words(["--rate=0.01", "--kind=b"]) == {"rate": "0.01", "kind": "b"}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"rat": 1}, "unknown hyperparameter 'rat'; did you mean 'rate'"),
        ({"rate": 7}, "rate 7 is not allowed; give 1e-05 to 1.0"),
        ({"rate": "fast"}, "rate 'fast' is not allowed"),
        ({"rate": True}, "rate True is not allowed"),
        ({"units": 8.5}, "units 8.5 is not allowed; give 8 to 256"),
        ({"units": None}, "units None is not allowed"),
        ({"units": [8]}, r"units \[8\] is not allowed"),
        ({"kind": "c"}, r"kind 'c' is not allowed; give one of \['a', 'b'\]"),
    ],
)
def test_a_wrong_name_or_value_is_told_in_one_line(values, text):
    with pytest.raises((BadValue, UnknownName), match=text) as caught:
        prior_of(values, wide())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["- 1\n", "a: [\n", "7", "", "\x00"])
def test_a_file_that_is_none_is_refused(content, tmp_path):
    (tmp_path / "prior.yaml").write_text(content)
    with pytest.raises(MfboError, match="configuration"):
        prior_of(tmp_path / "prior.yaml", wide())
    with pytest.raises(BadValue, match="that exists"):
        prior_of("nothing.yaml", wide())


def test_what_is_missing_is_refused_where_all_must_be_there():
    with pytest.raises(BadValue, match="has no 'only'; give every hyperparameter"):
        fitted({"kind": "b", "rate": 0.1, "units": 9}, wide(), "here")
