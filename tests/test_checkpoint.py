"""Checkpoints by configuration: found again, and whole at any moment."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mfbo.checkpoint
from mfbo.checkpoint import Checkpoints


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def save(checkpoints, key, epoch, words=None):
    with checkpoints.save(key, epoch) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "weights").write_text(words or f"{key} {epoch}")


def found(checkpoints, key, below=1000):
    """(epochs, what was saved), or None."""
    newest = checkpoints.find(key, below)
    return newest and (newest[0], (newest[1] / "sub" / "weights").read_text())


def test_the_newest_below_the_epochs_asked_for_is_found(checkpoints):
    save(checkpoints, "a", 9)
    assert found(checkpoints, "a", below=10) == (9, "a 9")
    assert found(checkpoints, "a", below=9) is None
    assert found(checkpoints, "b") is None


def test_a_higher_one_replaces_lower_ones_and_a_lower_one_spares_higher_ones(checkpoints):
    save(checkpoints, "a", 1)
    save(checkpoints, "a", 3)
    assert found(checkpoints, "a", below=3) is None
    save(checkpoints, "a", 2)
    assert (found(checkpoints, "a", below=3), found(checkpoints, "a")) == ((2, "a 2"), (3, "a 3"))


def test_epochs_are_compared_as_numbers(checkpoints):
    save(checkpoints, "a", 100_000)
    save(checkpoints, "a", 99_999)
    assert found(checkpoints, "a", below=10**6) == (100_000, "a 100000")


def test_saving_again_replaces_what_was_saved_at_that_epoch(checkpoints):
    save(checkpoints, "a", 3, "first")
    save(checkpoints, "a", 3, "second")
    assert found(checkpoints, "a") == (3, "second")


def test_nothing_is_made_before_the_first_save(checkpoints):
    assert (checkpoints.keys(), found(checkpoints, "a")) == ([], None)
    checkpoints.drop("a")
    assert not checkpoints.root.exists()


def test_configurations_are_kept_apart_and_dropped_one_by_one(checkpoints):
    for key in "ab":
        save(checkpoints, key, 1)
    checkpoints.drop("a")
    assert (checkpoints.keys(), found(checkpoints, "a"), found(checkpoints, "b")) == (["b"], None, (1, "b 1"))


def test_what_somebody_else_put_there_is_passed_over(checkpoints):
    save(checkpoints, "a", 1)
    for name in ("epoch-last", "epoch-", "notes", ".epoch-00009.7"):
        (checkpoints.root / "a" / name).mkdir()
    assert found(checkpoints, "a") == (1, "a 1")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_previous_one_survives_a_write_that_fails(checkpoints, error):
    save(checkpoints, "a", 1)

    def write():
        with checkpoints.save("a", 3) as folder:
            (folder / "weights").write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert found(checkpoints, "a") == (1, "a 1")
    assert [path.name for path in (checkpoints.root / "a").iterdir()] == ["epoch-00001"]


def test_the_previous_one_survives_a_disk_that_is_full_at_the_last_moment(checkpoints, monkeypatch):
    save(checkpoints, "a", 1)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mfbo.checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(checkpoints, "a", 3)
    assert found(checkpoints, "a") == (1, "a 1")


def test_all_of_it_is_on_the_disk_before_it_has_its_name(checkpoints, monkeypatch):
    synced = []
    monkeypatch.setattr(mfbo.checkpoint, "sync", lambda path: synced.append((path.name, found(checkpoints, "a"))))
    save(checkpoints, "a", 3)
    names, seen = zip(*synced, strict=True)
    assert {"sub", "weights"} < set(names)
    assert names[-1] == "a"
    assert seen == (*[None] * (len(seen) - 1), (3, "a 3"))


KILLS = """
import os, sys
from pathlib import Path
from mfbo.checkpoint import Checkpoints

checkpoints = Checkpoints(Path(sys.argv[1]))
os.fsync = lambda handle: None  # a kill takes nothing from the system's memory, and it is quicker so

def save(epoch, words):
    with checkpoints.save("key", epoch) as folder:
        for name in "abc":
            (folder / name).write_text(words)

def step(change, last):
    def count(event, arguments):
        nonlocal last
        if event.startswith(("os.", "shutil.", "open")):
            last -= 1
            if last < 0:
                os._exit(9)
    child = os.fork()
    if not child:
        sys.addaudithook(count)
        change()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

CHANGES = {
    "new": lambda: save(3, "new"),
    "again": lambda: save(1, "new"),
    "drop": lambda: checkpoints.drop("key"),
}
for name, change in CHANGES.items():
    kills, killed = 0, 9
    while killed:
        save(1, "old")
        killed = step(change, kills)
        kills += 1
        for below in (2, 4):
            newest = checkpoints.find("key", below)
            parts = {(newest[1] / name).read_text() for name in "abc"} if newest else set()
            print(name, kills, below, newest and newest[0], *parts)
        checkpoints.drop("key")
        assert checkpoints.keys() == []
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_whole_checkpoints(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLS, str(tmp_path)], capture_output=True, text=True, check=True)
    seen = [line.split(maxsplit=3) for line in done.stdout.splitlines()]

    def states(change, below):
        return {rest for name, _, most, rest in seen if (name, most) == (change, below)}

    assert states("new", "4") == {"1 old", "3 new"}
    assert states("new", "2") == {"1 old", "None"}
    assert states("again", "4") == {"1 old", "1 new", "None"}
    assert states("drop", "4") == {"1 old", "None"}
    steps = [max(int(kills) for name, kills, *_ in seen if name == change) for change in ("new", "again", "drop")]
    assert min(steps) > 10


def test_what_a_killed_process_left_half_written_is_cleared_by_the_next(checkpoints):
    left = checkpoints.root / "a" / ".epoch-00003.12345"
    left.mkdir(parents=True)
    (left / "weights").write_text("half")
    assert found(checkpoints, "a") is None
    save(checkpoints, "a", 3)
    assert [path.name for path in (checkpoints.root / "a").iterdir()] == ["epoch-00003"]


def test_the_one_that_a_trial_began_with_stays_until_its_result_counts(checkpoints):
    save(checkpoints, "a", 3)
    for epoch in (5, 9):
        with checkpoints.save("a", epoch, keep=3) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / "weights").write_text(f"a {epoch}")
    assert (found(checkpoints, "a", below=9), found(checkpoints, "a")) == ((3, "a 3"), (9, "a 9"))
    checkpoints.trim("a")
    checkpoints.trim("unknown")
    assert (found(checkpoints, "a", below=9), found(checkpoints, "a")) == (None, (9, "a 9"))
