"""Settings as a ledger keeps them, and as a run goes on with them."""

from __future__ import annotations

from dataclasses import asdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfbo
from mfbo.errors import BadValue
from mfbo.settings import Settings, possible, resumed

NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()
TEXT = st.text(max_size=9)
ANY = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(st.none()) | st.dictionaries(TEXT, TEXT)


@given(
    st.builds(
        Settings,
        device=TEXT,
        options=st.dictionaries(TEXT, TEXT),
        space=TEXT,
        from_scratch=st.booleans(),
        workers=st.none() | st.integers(),
        max_trial_time=st.none() | TEXT,
        max_trial_memory=NUMBER,
        max_disk=NUMBER,
    )
)
def test_what_a_ledger_keeps_is_read_back(settings):
    kept = msgspec.json.decode(msgspec.json.encode(settings), type=Settings)
    assert resumed(kept, None, None) == settings


@given(st.dictionaries(st.sampled_from([*asdict(Settings()), "else"]), ANY, min_size=1))
def test_nothing_is_taken_for_a_setting_that_is_none(kept):
    if not all(possible(name, value) for name, value in kept.items()):
        return
    settings = resumed(msgspec.convert(kept, Settings), None, "local")
    read = {name: getattr(settings, name) for name in kept if name != "scheduler"}
    assert read == {name: value for name, value in kept.items() if name != "scheduler"}


@pytest.mark.parametrize(
    ("name", "value"), [("workers", "2"), ("workers", True), ("device", 3), ("options", {"a": 1}), ("else", 1)]
)
def test_a_value_of_another_kind_is_not_possible(name, value):
    assert not possible(name, value)


def test_what_is_said_now_comes_before_what_was_said_then():
    kept = Settings(workers=2, scheduler="tcp://then:1")
    with pytest.raises(BadValue, match="give where it continues"):
        resumed(kept, None, None)
    assert resumed(kept, None, "local") == Settings(workers=2)
    assert resumed(kept, 5, "tcp://now:1") == Settings(workers=5, scheduler="tcp://now:1")


def test_a_run_goes_on_with_another_number_of_workers(task, tmp_path):
    mfbo.tune(task, "4x", optimizer="random", out=tmp_path)
    result = mfbo.resume(tmp_path, max_cost="12x", task=task, workers=4)
    assert result.trials == 12
    assert result.ledger.wall == pytest.approx((4 + 2) * 2.7)  # four one by one, then eight on four workers
