"""Costs as text and as numbers, and what is left of one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfbo.budget import SECONDS, Budget, duration
from mfbo.cost.account import Account
from mfbo.errors import BadCost
from mfbo.ledger.run import Limits

AMOUNTS = st.floats(min_value=0, max_value=None, exclude_min=True, allow_infinity=False)
BUDGETS = st.builds(Budget, AMOUNTS | st.integers(1, 10**9).map(float), st.sampled_from(["s", "x"]))


@given(BUDGETS)
def test_parsing_inverts_formatting(budget):
    assert Budget.parse(str(budget)) == budget


@given(AMOUNTS | st.integers(1, 10**20))
def test_a_number_of_seconds_is_that_cost(seconds):
    assert Budget.parse(str(Limits.of(seconds).max_cost)) == Limits.of(seconds).max_cost == Budget(float(seconds), "s")


def test_a_number_of_numpy_is_a_number():
    assert {Limits.of(number).max_cost for number in (np.float64(90), np.int64(90), 90)} == {Budget(90.0, "s")}


@given(st.dictionaries(st.sampled_from("dhms"), st.integers(0, 1000), min_size=1))
def test_parts_add_up(counts):
    text = "".join(f"{counts[unit]}{unit}" for unit in SECONDS if unit in counts)
    seconds = sum(count * SECONDS[unit] for unit, count in counts.items())
    if seconds:
        assert Budget.parse(text) == Budget(seconds, "s")
    else:
        with pytest.raises(BadCost, match="more than zero"):
            Budget.parse(text)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("45s", Budget(45, "s")),
        ("90m", Budget(5400, "s")),
        ("2h", Budget(7200, "s")),
        ("1h30m", Budget(5400, "s")),
        ("1d", Budget(86400, "s")),
        ("0.5h", Budget(1800, "s")),
        (" 2H ", Budget(7200, "s")),
        ("20x", Budget(20, "x")),
        ("0.25X", Budget(0.25, "x")),
    ],
)
def test_what_the_documentation_names_is_read(text, budget):
    assert Budget.parse(text) == budget


NO_COSTS = ["", " ", "0", "0s", "0x", "-1h", "2 hours please", "5", "1m1h", "1h1h", "1e3s", "nan", "infs", "1.s", ".5s"]
NO_COSTS += ["1h2x", "2 h", "x", "s", "1h\n2m", "1" + "0" * 400 + "s", "0." + "0" * 400 + "1s"]


@pytest.mark.parametrize("text", NO_COSTS)
def test_what_is_no_cost_is_refused_in_one_line_that_names_it(text):
    with pytest.raises(BadCost) as caught:
        Budget.parse(text, "max wall")
    assert str(caught.value).startswith(f"max wall {text!r}")
    assert "give a duration such as 45s" in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="0123456789.dhmsx -", max_size=8))
def test_whatever_is_typed_is_a_positive_cost_or_refused(text):
    try:
        budget = Budget.parse(text)
    except BadCost:
        return
    assert 0 < budget.amount < math.inf


def test_durations_read_well():
    assert [duration(s) for s in (1, 60, 90, 3600, 5400, 86400, 90061, 0.5, 90.5)] == (
        ["1s", "1m", "1m30s", "1h", "1h30m", "1d", "1d1h1m1s", "0.5s", "90.5s"]
    )


@given(BUDGETS, st.lists(st.floats(0, 1), max_size=50))
def test_an_account_is_never_overdrawn_by_what_it_affords(budget, shares):
    account = Account(budget)
    for share in shares:
        amount = share * budget.amount
        if account.affords(amount):
            account.spent += amount
    assert account.spent <= budget.amount * (1 + 1e-6)
    assert 0 <= account.left <= budget.amount


@given(st.integers(1, 300), st.floats(1e-3, 1e9))
def test_rounding_in_sums_keeps_no_last_payment_back(parts, amount):
    account = Account(Budget(amount, "s"))
    for _ in range(parts):
        assert account.affords(amount / parts)
        assert not account.empty
        account.spent += amount / parts
    assert account.empty
    assert not account.affords(amount / parts)


def test_without_a_limit_everything_is_affordable_and_nothing_is_ever_used_up():
    account = Account(Budget(math.inf, "s"), spent=1e12)
    assert account.left == math.inf
    assert account.affords(1e300)
    assert not account.empty


def test_what_was_used_past_the_limit_leaves_nothing_and_not_less():
    account = Account(Budget(10, "s"), spent=11)
    assert (account.left, account.empty, account.affords(0.1)) == (0, True, False)
