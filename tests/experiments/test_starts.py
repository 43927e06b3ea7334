"""Processes that a train function starts, in every way and by every start method: the same in a trial as alone."""

from __future__ import annotations

import fuzz_starts
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starts")
    fuzz_starts.write(folder)
    return folder


@pytest.mark.parametrize(("kind", "workers"), fuzz_starts.WAYS)
def test_what_works_alone_works_in_a_trial(home, kind, workers):
    assert fuzz_starts.compared(home, kind, workers) is None


def test_a_way_that_comes_to_something_else_would_be_shown(home, monkeypatch):
    fuzz_starts.found(home, "alone", 0)
    before = fuzz_starts.found

    def other(home, kind, workers):
        return before(home, "alone", 0) | ({"pool fork": 1.0} if kind != "alone" else {})

    monkeypatch.setattr(fuzz_starts, "found", other)
    assert "{'pool fork': 1.0}" in fuzz_starts.compared(home, "file", 0)
