"""Ledgers with an odd value in one field, and checksums that are right: read or refused in a line, by every command."""

from __future__ import annotations

from copy import deepcopy

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import records_of, rewrite

import mfbo
from mfbo.cli import main

ODD = [None, True, -1, 0, 0.5, 1e308, -1e308, 1e-308, 2**53, 2**63, 10**30, 1e15, "", "x", "1e5", "nan", [], {}, [1]]
COMMANDS = (
    ["show", "run"],
    ["best", "run"],
    ["best", "run", "--format", "json"],
    ["replay", "run"],
    ["narrow", "run"],
    ["export", "run", "--to", "csv", "-o", "new.csv"],
    ["export", "run", "--to", "smac", "-o", "new"],
    ["tell", "run", "--loss", "1", "config.yaml"],
    ["resume", "run", "--max-cost", "2.1x", "--accept-changes", "-q"],
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    mfbo.tune("branin", "1x", optimizer="asha", eta=2, out=folder / "run", observer=mfbo.Observer())
    (folder / "config.yaml").write_text("x1: 1.0\nx2: 2.0\n")
    return folder, records_of(folder / "run")


def paths(value, path=()):
    """The path of every part of a JSON value but the whole."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from paths(part, (*path, key))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_odd_value_ends_a_command_in_a_traceback(run, monkeypatch, data):
    folder, records = run
    monkeypatch.chdir(folder)
    records = deepcopy(records)
    record = records[data.draw(st.sampled_from([0, 0, *range(len(records))]))]
    *path, last = data.draw(st.sampled_from(list(paths(record))))
    part = record
    for key in path:
        part = part[key]
    part[last] = data.draw(st.sampled_from(ODD))
    for name in ("new.csv", "new"):
        if (folder / name).exists():
            (folder / name).rename(folder / f"old-{name}-{len(list(folder.iterdir()))}")
    rewrite(folder / "run", records)
    said = CliRunner().invoke(main, data.draw(st.sampled_from(COMMANDS)))
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exc_info
