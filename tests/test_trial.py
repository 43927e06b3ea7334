"""Trials, measurements and outcomes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import configs, outcomes

from mfbo.trial import Outcome, Rung, Status, Trial, config_key


@given(configs, st.randoms())
def test_the_key_of_a_configuration_depends_on_its_values_and_not_on_their_order(config, random):
    names = list(config)
    random.shuffle(names)
    assert config_key({name: config[name] for name in names}) == config_key(config) == Trial(3, config, Rung()).key


@given(configs, configs)
def test_different_configurations_have_different_keys(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (config_key(one) == config_key(other)) == same


def test_a_key_tells_apart_what_python_calls_equal():
    assert len({config_key({"x": value}) for value in (1, 1.0, True, "1")}) == 4


@given(configs)
def test_a_configuration_read_from_a_ledger_has_the_key_that_it_had(config):
    assert config_key(json.loads(json.dumps(config))) == config_key(config)


def test_a_key_is_a_file_name_and_the_same_in_every_process():
    key = config_key({"lr": 0.1, "kind": "ä/..", "n": 3})
    script = "from mfbo.trial import config_key; print(config_key({'n': 3, 'kind': 'ä/..', 'lr': 0.1}))"
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == key
    assert len(key) == 16
    assert set(key) <= set("0123456789abcdef")


@given(outcomes)
def test_an_outcome_is_one_of_success_failure_and_to_be_continued(outcome):
    states = (outcome.status == "ok", outcome.failed, not outcome.final)
    assert sum(states) == 1
    assert outcome.cost == outcome.train + outcome.evaluation


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_is_described(status):
    assert f"``{status}``" in Outcome.__doc__
