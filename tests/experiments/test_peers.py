"""What the adapters of the benchmark's peers have in common; the adapters themselves are checked by peer_checks.py,
in each peer's own environment.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    Integer,
    OrdinalHyperparameter,
)
from peer_base import Dice, Peer, decoded, refuse, single

from mfbo.errors import BadSpace
from mfbo.fidelity import Fidelity
from mfbo.tasks.registry import load
from mfbo.trial import Outcome

RUNGS = Fidelity(epochs=(1, 9)).ladder()


class Scripted:
    """A library that wants to know what a list says."""

    def __init__(self, *wanted):
        self.wanted = list(wanted)
        self.told = []

    def suggest(self):
        x, level = self.wanted.pop(0) if len(self.wanted) > 1 else self.wanted[0]
        return len(self.told), {"x": x}, level

    def report(self, theirs, config, level, loss):
        self.told.append((theirs, config["x"], level, loss))


def told(trial, loss):
    return Outcome("ok" if loss is not None else "failed", loss, trial.rung, train=1.0)


def test_levels_become_rungs_and_losses_come_back_with_the_handle():
    library = Scripted((1, 0), (1, 2), (2, 0))
    peer = Peer(library, RUNGS)
    first = peer.ask()
    assert (first.id, first.config, first.rung) == (0, {"x": 1}, RUNGS[0])
    peer.tell(first, told(first, 0.5))
    second = peer.ask()
    assert (second.id, second.key, second.rung) == (1, first.key, RUNGS[2])
    peer.tell(second, told(second, None))
    assert library.told == [(0, 1, 0, 0.5), (1, 1, 2, None)]


def test_results_come_back_in_any_order():
    library = Scripted((1, 0), (2, 0), (3, 0))
    peer = Peer(library, RUNGS)
    trials = [peer.ask(), peer.ask()]
    for trial in reversed(trials):
        peer.tell(trial, told(trial, float(trial.config["x"])))
    assert [x for _, x, _, _ in library.told] == [2, 1]


def test_what_a_library_repeats_is_answered_without_a_trial():
    library = Scripted((1, 0), (1, 0), (1, 1))
    peer = Peer(library, RUNGS)
    first = peer.ask()
    peer.tell(first, told(first, 0.5))
    assert peer.ask().rung == RUNGS[1]  # the same configuration at another rung is another question
    assert library.told == [(0, 1, 0, 0.5), (1, 1, 0, 0.5)]


def test_a_library_that_only_repeats_itself_is_exhausted():
    peer = Peer(Scripted((1, 0)), RUNGS)
    trial = peer.ask()
    peer.tell(trial, told(trial, 0.5))
    assert peer.ask() is None


def test_a_library_has_random_numbers_of_its_own():
    dice = Dice(3)
    before, outside = random.getstate(), np.random.RandomState()
    outside.set_state(np.random.get_state())
    with dice.own():
        first = np.random.random(), random.random()
    assert np.random.random(5).tolist() == outside.random(5).tolist()
    with dice.own():
        second = np.random.random(), random.random()
    other = Dice(3)
    with other.own():
        assert first == (np.random.random(), random.random())
        assert second == (np.random.random(), random.random())
    assert random.getstate() == before
    assert np.random.random() == outside.random()


def test_listed_values_come_back_by_their_index():
    space = ConfigurationSpace()
    space.add(
        Float("lr", (0.0, 1.0)),
        Integer("n", (1, 9)),
        Categorical("kind", ["a", "b"]),
        OrdinalHyperparameter("width", [16, 32, 64]),
        Constant("fixed", "yes"),
    )
    assert [name for name, each in space.items() if single(each)] == ["fixed"]
    found = decoded(space, {"lr": np.float64(0.5), "n": np.int64(3), "kind": np.int64(1), "width": 2, "extra": 7})
    assert found == {"fixed": "yes", "kind": "b", "lr": 0.5, "n": 3, "width": 64}
    assert all(type(value) in (float, int, str) for value in found.values())


def test_a_space_that_a_library_has_no_words_for_is_refused():
    mixed = load("mixed").space
    with pytest.raises(BadSpace, match="Known knows no forbidden clauses, and 'mixed' has some; leave this task out"):
        refuse("Known", mixed, conditions=True)
    flat = load("counting-ones").space
    refuse("Known", flat, conditions=False)
    conditional = ConfigurationSpace(name="trees")
    conditional.add(Categorical("kind", ["a", "b"]), Float("rate", (0.0, 1.0)))
    conditional.add(EqualsCondition(conditional["rate"], conditional["kind"], "a"))
    refuse("Known", conditional, conditions=True)
    with pytest.raises(BadSpace, match="Known knows no conditions, and 'trees' has some; leave this task out"):
        refuse("Known", conditional, conditions=False)
