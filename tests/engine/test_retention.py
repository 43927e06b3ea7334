"""Which checkpoints a run keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfbo.checkpoint import Checkpoints
from mfbo.engine import retention as retention_module
from mfbo.engine.retention import Retention
from mfbo.ledger.run import Header, Limits, Result, Run
from mfbo.optimizers.registry import OPTIMIZERS, ladder_of, make
from mfbo.search import Search
from mfbo.trial import Outcome, Rung, Trial

RUNGS = (Rung(1, 1.0, 1 / 9), Rung(3, 1.0, 1 / 3), Rung(9, 1.0, 1.0))


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path)


def trial(name, level=0):
    return Trial(0, {"name": name}, RUNGS[level])


def result(name, level=0, loss=0.5, status="ok"):
    outcome = Outcome(status, None if status == "failed" else loss, RUNGS[level], 1.0)
    return Result(trial(name, level), outcome, 0.0, 1.0, 1.0)


def save(checkpoints, name, epoch, size=100):
    with checkpoints.save(trial(name).key, epoch) as folder:
        (folder / "weights").write_bytes(b"x" * size)


def kept(checkpoints):
    return {name for name in "abcdef" if trial(name).key in checkpoints.keys()}  # noqa: SIM118


def test_a_trial_goes_on_from_the_epochs_that_its_configuration_has_behind_it(checkpoints):
    retention = Retention(checkpoints, top_epochs=9)
    save(checkpoints, "a", 3)
    assert retention.epochs(trial("a", 2)) == 3
    assert retention.epochs(trial("a", 1)) == 0
    assert retention.epochs(trial("b", 2)) == 0


def test_what_failed_or_reached_the_top_is_deleted_and_what_may_be_promoted_is_kept(checkpoints):
    retention = Retention(checkpoints, top_epochs=9)
    for name in "abcd":
        save(checkpoints, name, 1)
    retention.after(result("a"), None)
    retention.after(result("b", status="failed"), None)
    retention.after(result("c", status="stopped"), None)
    retention.after(result("d", 2), None)
    assert kept(checkpoints) == {"a", "c"}


def test_the_incumbent_is_kept_until_another_takes_its_place(checkpoints):
    retention = Retention(checkpoints, top_epochs=9)
    save(checkpoints, "a", 9)
    save(checkpoints, "b", 9)
    first, second = result("a", 2, 0.5), result("b", 2, 0.4)
    retention.after(first, first)
    assert kept(checkpoints) == {"a", "b"}
    retention.after(second, second)
    assert kept(checkpoints) == {"b"}


def test_the_best_at_the_top_is_kept_while_a_lower_rung_has_the_incumbent(checkpoints):
    retention = Retention(checkpoints, top_epochs=9)
    for name, epochs in (("a", 9), ("b", 1), ("c", 9)):
        save(checkpoints, name, epochs)
    top = result("a", 2)
    retention.after(result("c", 2, 0.9), top, highest=top)
    retention.after(top, top, highest=top)
    retention.after(result("b", 0, 0.1), result("b", 0, 0.1), highest=top)
    assert kept(checkpoints) == {"a", "b"}


def test_an_incumbent_that_failed_higher_up_is_kept(checkpoints):
    retention = Retention(checkpoints, top_epochs=9)
    save(checkpoints, "a", 3)
    best = result("a", 1)
    retention.after(best, best)
    retention.after(result("a", 2, status="failed"), best)
    assert kept(checkpoints) == {"a"}


def test_the_lowest_rung_and_the_worst_loss_go_first_where_the_disk_is_short(checkpoints):
    retention = Retention(checkpoints, top_epochs=9, max_bytes=250)
    for name, level, loss in (("a", 1, 0.9), ("b", 0, 0.1), ("c", 0, 0.2)):
        save(checkpoints, name, RUNGS[level].epochs)
        retention.after(result(name, level, loss), None)
    assert kept(checkpoints) == {"a", "b"}
    save(checkpoints, "d", 1)
    retention.after(result("d", 0, 0.05), None)
    assert kept(checkpoints) == {"a", "d"}


def test_the_incumbent_makes_no_room(checkpoints):
    retention = Retention(checkpoints, top_epochs=9, max_bytes=150)
    best = result("a", 0, 0.1)
    save(checkpoints, "a", 1)
    retention.after(best, best)
    for name, size in (("b", 100), ("c", 1000)):
        save(checkpoints, name, 1, size)
        retention.after(result(name, 0, 0.9), best)
        assert kept(checkpoints) == {"a"}


def test_a_trial_in_flight_makes_no_room_as_it_may_be_reading_its_checkpoint(checkpoints):
    retention = Retention(checkpoints, top_epochs=9, max_bytes=150)
    save(checkpoints, "a", 1)
    retention.after(result("a", 0, 0.9), None)
    assert retention.epochs(trial("a", 1)) == 1
    save(checkpoints, "b", 1)
    retention.after(result("b", 0, 0.3), None)
    assert kept(checkpoints) == {"a"}
    retention.after(result("a", 1, 0.8), result("c"))
    save(checkpoints, "d", 1)
    retention.after(result("d", 1, 0.7), result("c"))
    assert kept(checkpoints) == {"d"}


def test_what_is_neither_pending_nor_in_flight_nor_the_incumbent_is_deleted(checkpoints):
    retention = Retention(checkpoints, top_epochs=9)
    for name in "abcde":
        save(checkpoints, name, 1)
    for name in "abcd":
        retention.after(result(name, loss=0.5), result("a"), pending=[trial(other).key for other in "abcde"])
    assert kept(checkpoints) == set("abcde")
    for name in "bc":
        retention.epochs(trial(name, 1))
    retention.after(result("c", 0, status="stopped"), result("a"), pending=[])
    assert kept(checkpoints) == set("abce"), "the incumbent's, of trials in flight or open, and of one without a result"
    retention.after(result("b", 1), result("a"), pending=[trial("b").key])
    assert kept(checkpoints) == set("abce")
    retention.after(result("c", 1), result("b", 1), pending=[])
    assert kept(checkpoints) == {"b", "e"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "random-2x"])
def test_no_optimizer_goes_on_with_a_configuration_that_it_has_given_up(name, task):
    optimizer = make(Search(name), task, ladder_of(name, task.fidelity, None))
    flying, given_up, again = [], set(), 0
    told = set()
    for number in range(120):
        if len(flying) < 3 and (asked := optimizer.ask()) is not None:
            assert asked.key not in given_up
            again += asked.key in told
            flying.append(asked)
        elif flying:
            back = flying.pop(number % len(flying))
            optimizer.tell(back, Outcome("ok", (back.config["x"] - 1) ** 2, back.rung, 1.0))
            told.add(back.key)
        pending = optimizer.pending()
        if pending is not None:
            given_up = told - set(pending) - {one.key for one in flying}
    assert (again > 0) == (name not in ("random", "grid"))


def test_without_a_limit_given_there_is_the_usual_one(checkpoints, monkeypatch):
    monkeypatch.setattr(retention_module, "DEFAULT_BYTES", 250)
    retention = Retention(checkpoints, top_epochs=9)
    for name, loss in zip("abc", (0.3, 0.1, 0.2), strict=True):
        save(checkpoints, name, 1)
        retention.after(result(name, loss=loss), None)
    assert kept(checkpoints) == {"a", "b", "c"}, "the best is there for the next promotion, beside the limit"
    save(checkpoints, "d", 1)
    retention.after(result("d", loss=0.4), None)
    assert kept(checkpoints) == {"a", "b", "c"}, "the worst makes room"


def test_what_the_next_promotion_of_each_rung_begins_with_makes_no_room(checkpoints, monkeypatch):
    monkeypatch.setattr(retention_module, "DEFAULT_BYTES", 0)
    retention = Retention(checkpoints, top_epochs=9)
    for name, level, loss in (("a", 0, 0.3), ("b", 0, 0.4), ("c", 1, 0.9), ("d", 1, 0.8)):
        save(checkpoints, name, RUNGS[level].epochs)
        retention.after(result(name, level, loss), None)
    assert kept(checkpoints) == {"a", "d"}


def test_a_checkpoint_that_has_grown_counts_as_it_is_now(checkpoints):
    retention = Retention(checkpoints, top_epochs=9, max_bytes=250)
    for name in "ab":
        save(checkpoints, name, 1)
        retention.after(result(name, loss=0.5), None)
    save(checkpoints, "b", 3, size=200)
    retention.after(result("b", 1), None)
    assert kept(checkpoints) == {"b"}


def test_a_run_that_goes_on_clears_what_was_useless_before(checkpoints):
    header = Header("t", Search("random"), Limits.of("2h"), {}, RUNGS, {}, "")
    run = Run(header, header.limits, results=[result("a", 2), result("b", status="failed"), result("c")])
    for name in "abc":
        save(checkpoints, name, 1)
    retention = Retention(checkpoints, top_epochs=9)
    retention.read(run)
    assert kept(checkpoints) == {"a", "b", "c"}
    retention.after(result("c", 1), run.results[0])
    assert kept(checkpoints) == {"a", "c"}


def test_a_file_that_a_trial_renames_while_sizes_are_measured_ends_no_run(tmp_path, monkeypatch):
    from mfbo.engine import retention

    for name in ("gone", "kept"):
        (tmp_path / name).write_bytes(b"12345")
    lstat = Path.lstat

    def late(path):
        if path.name == "gone":
            path.unlink(missing_ok=True)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", late)
    assert retention._size(tmp_path) == 5
