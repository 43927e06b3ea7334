"""The journal of a run: whatever happens to it, what was written is read again or the damage is named."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import stat
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import chained, records_of
from strategies import SECONDS, outcomes, trials

import mfbo.ledger
from mfbo.errors import BadLedger, DamagedLedger, RunError, RunExists, RunLocked, RunNotFound
from mfbo.fidelity import Fidelity
from mfbo.ledger import records
from mfbo.ledger.journal import FILE, FORMAT, begun, parse, read
from mfbo.ledger.run import Header, Limits
from mfbo.ledger.writer import Ledger, announced, repair
from mfbo.search import Search
from mfbo.trial import Outcome, Report, Rung, Trial

RUNGS = (Rung(1, 0.5, 0.1), Rung(9, 1.0, 1.0))
HEADER = Header(
    task="made-up",
    search=Search("random", 7, "joint"),
    limits=Limits.of("2h", 100, None),
    fidelity=Fidelity((1, 9), (0.5, 1.0)),
    rungs=RUNGS,
    space={"hyperparameters": []},
    space_hash="0123",
)
OUTCOME = Outcome("ok", 0.25, RUNGS[1], 3.0, 0.5, {"accuracy": 0.75}, (Report(1, 0.5, 1.0), Report(9, 0.25, 3.0)))
TRIAL = Trial(0, {"x": 0.1, "kind": "ä\n", "flag": True}, RUNGS[1])
FAILED = replace(OUTCOME, status="failed", loss=None, error="Traceback:\n  no such luck")


@pytest.fixture
def written(tmp_path):
    """A folder with a run of one record of every kind, and two trials."""
    with Ledger.create(HEADER, tmp_path / "run") as ledger:
        ledger.ask(TRIAL)
        ledger.result(TRIAL, OUTCOME, overhead=0.25, charge=3.75, wall=4.0)
        ledger.end("interrupted", overhead=0.5, charge=0.5)
        ledger.limits(Limits.of("4h", 100))
        ledger.resume(at="2030-01-01", command="mfbo resume run")
        ledger.ask(replace(TRIAL, id=1))
        ledger.result(replace(TRIAL, id=1), FAILED, overhead=0.0, charge=3.5, wall=8.0)
        ledger.end("budget")
    return tmp_path / "run"


def lines(folder):
    return (folder / FILE).read_bytes().splitlines()


def damaged(folder, number, line):
    """The ledger's content with another line of that number, counted from 1; a record has a checksum that is right."""
    if isinstance(line, dict):
        records = records_of(folder)
        return chained([*records[: number - 1], line, *records[number:]])
    content = lines(folder)
    content[number - 1] = line
    return b"\n".join(content) + b"\n"


def test_what_was_written_is_read(written):
    run = read(written)
    assert run == read(str(written)) == read(written / FILE)
    assert (run.header, run.folder, run.torn, run.ended) == (HEADER, written, 0, "budget")
    assert run.limits == Limits.of("4h", 100)
    assert run.asks == {0: TRIAL, 1: replace(TRIAL, id=1)}
    assert [result.outcome for result in run.results] == [OUTCOME, FAILED]
    assert run.events == [("ask", 0), ("result", 0), ("ask", 1), ("result", 1)]


def test_cost_and_time_add_up_over_an_interruption(written):
    run = read(written)
    assert [(r.spent, r.at, r.wall) for r in run.results] == [(3.75, 3.75, 4.0), (7.75, 7.75, 8.0)]
    assert (run.spent, run.seconds, run.wall) == (7.75, 7.75, 8.0)


parts = st.lists(st.tuples(outcomes, SECONDS, SECONDS, SECONDS), min_size=1, max_size=4)


@pytest.mark.slow
@given(parts.flatmap(lambda some: st.tuples(st.just(some), st.tuples(*(trials(i) for i in range(len(some)))))))
@settings(max_examples=60)
def test_every_trial_and_outcome_comes_back_as_it_was(tmp_path_factory, given_parts):
    folder = tmp_path_factory.mktemp("runs") / "run"
    with Ledger.create(HEADER, folder) as ledger:
        for (outcome, overhead, charge, wall), trial in zip(*given_parts, strict=True):
            ledger.ask(trial)
            ledger.result(trial, outcome, overhead=overhead, charge=charge, wall=wall)
        ledger.end("exhausted", overhead=1.0, charge=2.0)
    run = read(folder)
    assert run == ledger.run
    some, asked = given_parts
    assert [result.outcome for result in run.results] == [outcome for outcome, *_ in some]
    assert list(run.asks.values()) == list(asked)
    assert run.spent == pytest.approx(sum(charge for _, _, charge, _ in some) + 2)
    assert run.seconds == pytest.approx(sum(outcome.cost + overhead for outcome, overhead, *_ in some) + 1)
    assert all(before.at <= after.at for before, after in pairwise(run.results))


def test_in_memory_it_holds_the_same_and_writes_nothing(written, tmp_path):
    with Ledger.create(HEADER, None) as ledger:
        ledger.ask(TRIAL)
        ledger.result(TRIAL, OUTCOME, overhead=0.25, charge=3.75, wall=4.0)
    assert ledger.run.results == read(written).results[:1]
    assert list(tmp_path.iterdir()) == [written]


def test_a_ledger_cut_at_any_byte_still_reads(written):
    content = (written / FILE).read_bytes()
    whole, header = read(written), content.index(b"\n") + 1
    for size in range(header, len(content)):
        run = parse(content[:size])
        assert run.torn == size - content.rindex(b"\n", 0, size) - 1
        assert run.results == whole.results[: len(run.results)]
        assert run.asks.items() <= whole.asks.items()
        assert run.spent <= whole.spent


def test_a_ledger_without_a_whole_header_says_that_nothing_ran(written):
    header = lines(written)[0]
    for size in (0, 1, len(header) // 2, len(header)):
        with pytest.raises(RunNotFound, match=r"nothing was kept; start it again with the same `mfbo tune` command"):
            parse(header[:size])


@pytest.mark.parametrize("line", [b"", b"{", b"\xff\xfe", b"[1]", b"{}", b"null", b"[" * 100_000, b'{"record":"ask"}'])
@pytest.mark.parametrize("number", [2, 4, 9])
def test_damage_in_the_middle_is_named_with_its_line(written, number, line):
    with pytest.raises(
        BadLedger, match=rf"^ledger: line {number} of the ledger is .*before it with: --repair$"
    ) as caught:
        parse(damaged(written, number, line))
    assert "\n" not in str(caught.value)


RESULT = {"trial", "spent", "wall", "overhead", "record"}  # the others are of the outcome
CHANGES = {
    "status": ["superb", 3, None, ["ok"]],
    "loss": [math.nan, math.inf, "0.1", "nan", [], True],
    "rung": [3, None, {"epochs": 1.5, "data": 1, "work": 1}, {"epochs": "9", "data": 1, "work": 1}],
    "train": [math.nan, -1, None, "1"],
    "evaluation": [-0.5, []],
    "overhead": [-1, math.inf],
    "virtual": [1, "no"],
    "metrics": [None, [], {"accuracy": "0.9"}, {"accuracy": {}}, {"accuracy": -math.inf}],
    "reports": [None, [1], [[1, 2]], [[1, math.nan, 3]], [[1, "2", 3]], [[1, 2, 3, 4]]],
    "trial": [5, "0", None, []],
    "spent": [math.nan, -1, "7", None],
    "wall": [math.inf, None],
    "start_epoch": [-1, 1.5, None],
    "record": ["results", None, 3],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in CHANGES.items() for value in values])
def test_a_result_with_an_impossible_part_is_damage(written, key, value):
    record = records_of(written)[2]
    part = record if key in RESULT else record["outcome"]
    assert key in part
    part[key] = value
    with pytest.raises(BadLedger, match="line 3 of the ledger is damaged") as caught:
        parse(damaged(written, 3, record))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "Infinity", "9" * 400, "9" * 5000])
def test_a_number_that_is_none_is_damage(written, value):
    records = records_of(written)
    line = json.dumps(records[2], separators=(",", ":")).replace('"loss":0.25', f'"loss":{value}').encode()
    assert value.encode() in line
    with pytest.raises(BadLedger, match="line 3"):
        parse(chained([*records[:2], line, *records[3:]]))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_too_many_levels_deep_is_damage_wherever_it_stands(written, number):
    records = records_of(written)
    line = json.dumps(records[number - 1]).encode()[:-1] + b',"other":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(BadLedger, match=f"line {number} of the ledger is damaged"):
        parse(chained([*records[: number - 1], line, *records[number:]]))


@pytest.mark.parametrize(
    ("key", "value"),
    [("trial", -1), ("trial", 0.5), ("config", [1]), ("config", {"x": {}}), ("config", {"x": math.nan}), ("rung", 3)],
)
def test_an_ask_with_an_impossible_part_is_damage(written, key, value):
    record = records_of(written)[1]
    with pytest.raises(BadLedger, match="line 2 of the ledger is damaged"):
        parse(damaged(written, 2, {**record, key: value}))


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=6))
def test_whatever_overwrites_a_ledger_it_is_read_or_refused_in_a_line(tmp_path_factory, at, garbage):
    content = bytearray(BYTES)
    at %= len(content)
    content[at : at + len(garbage)] = garbage
    try:
        run = parse(bytes(content))
    except BadLedger as refused:
        damage = str(refused)
        assert "\n" not in damage
        return
    assert all(result.outcome.loss is None or math.isfinite(result.outcome.loss) for result in run.results)
    assert math.isfinite(run.spent)


BYTES = chained(
    [
        msgspec.to_builtins(records.Begin(records.FORMAT, HEADER)),
        msgspec.to_builtins(records.Ask(0, TRIAL.config, TRIAL.rung)),
        msgspec.to_builtins(records.Ended(0, OUTCOME, 0.25, 3.75, 4.0)),
        msgspec.to_builtins(records.End("budget", 0.0, 0.0)),
    ]
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", 3), ("limits", None), ("limits", {"max_cost": 5}),
        ("limits", {"max_cost": {"amount": 0, "unit": "s"}}),
        ("limits", {"max_trials": "9"}), ("limits", {"max_trials": 0}), ("rungs", []), ("rungs", [3]), ("rungs", None),
        ("rungs", [{"epochs": 0}]), ("space", []), ("space", {"hyperparameters": 3}),
        ("space", {"hyperparameters": [{}]}),
        ("space", {"hyperparameters": [{"name": "x", "type": "uniform_float", "lower": "0"}]}), ("fidelity", 3),
        ("fidelity", {"epochs": [9, 1]}), ("settings", [1]), ("settings", {"workers": "2"}), ("versions", None),
        ("full_cost", "1"), ("full_cost", 0), ("known", [1]), ("plan", {}), ("grid", {"x": 3}), ("search", None),
        ("search", {"optimizer": None}), ("search", {"seed": "7"}), ("search", {"seed": -1}), ("search", {"eta": 1}),
        ("search", {"prior": "default"}), ("search", {"objectives": ["size"]}), ("search", {"path": "time"}),
    ],
)  # fmt: skip
def test_a_damaged_header_is_named(written, key, value):
    record = records_of(written)[0]
    record["run"][key] = value
    with pytest.raises(BadLedger, match=r"line 1 of the ledger is damaged .* it is the header") as caught:
        parse(damaged(written, 1, record))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_ledger_is_refused(written):
    with pytest.raises(BadLedger, match="does not begin with a header"):
        parse(b"\n".join(lines(written)[1:]) + b"\n")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (FORMAT + 1, f"this mfbo reads {FORMAT}; upgrade mfbo"),
        (1, r"of an earlier mfbo.*look at it with the mfbo that wrote it, or start the run anew in another folder"),
        *((other, "which no mfbo writes; start the run anew") for other in (FORMAT + 0.5, "2", None, True, 0, -5)),
    ],
)
def test_another_format_is_refused_with_what_to_do(written, version, words):
    with pytest.raises(BadLedger, match=rf"format {version!r}.*{words}"):
        parse(damaged(written, 1, {**records_of(written)[0], "format": version}))


def test_a_torn_last_line_is_told_removed_on_reopening_and_written_over(written):
    whole = (written / FILE).read_bytes()
    cut = whole[: whole.rindex(b'{"record":"end"')]
    (written / FILE).write_bytes(cut + b'{"record":"res')
    assert read(written).torn == 14
    with Ledger.reopen(written) as ledger:
        assert ledger.run.torn == 14
        assert (written / FILE).read_bytes() == cut
        ledger.ask(replace(TRIAL, id=2))
    run = read(written)
    assert (run.torn, list(run.asks)) == (0, [0, 1, 2])
    assert [trial.id for trial in run.open] == [2]


def test_reading_changes_nothing(written):
    (written / FILE).write_bytes((written / FILE).read_bytes() + b'{"rec')
    before = (written / FILE).read_bytes()
    read(written)
    assert (written / FILE).read_bytes() == before


def test_a_run_goes_on_where_it_was_left(written):
    with Ledger.reopen(written) as ledger:
        ledger.resume(at="2030-01-02")
        assert read(written).ended is None
        ledger.ask(replace(TRIAL, id=2))
        ledger.result(replace(TRIAL, id=2), OUTCOME, overhead=1.0, charge=4.5, wall=12.0)
    run = read(written)
    assert run == replace(ledger.run, torn=0)
    assert (run.spent, run.seconds, len(run.results)) == (12.25, 12.25, 3)


@pytest.mark.parametrize("status", ["stopped", "lost"])
def test_a_trial_without_a_final_result_stays_open(written, status):
    with Ledger.reopen(written) as ledger:
        third = replace(TRIAL, id=2)
        ledger.ask(third)
        ledger.result(third, replace(OUTCOME, status=status), overhead=0.0, charge=1.0, wall=9.0)
        assert ledger.run.open == read(written).open == [third]
        ledger.result(third, OUTCOME, overhead=0.0, charge=1.0, wall=10.0)
        assert ledger.run.open == read(written).open == []


def test_a_second_writer_is_refused_until_the_first_lets_go(written, tmp_path):
    with Ledger.create(HEADER, tmp_path / "new") as first:
        with pytest.raises(RunLocked, match="another process is writing"):
            Ledger.reopen(tmp_path / "new")
        first.ask(TRIAL)
    with Ledger.reopen(tmp_path / "new"), pytest.raises(RunLocked):
        Ledger.reopen(tmp_path / "new")
    assert list(read(tmp_path / "new").asks) == [0]


def test_a_refused_writer_repairs_nothing(written):
    with Ledger.reopen(written):
        torn = (written / FILE).read_bytes() + b'{"half'
        (written / FILE).write_bytes(torn)
        with pytest.raises(RunLocked):
            Ledger.reopen(written)
        assert (written / FILE).read_bytes() == torn


def test_a_folder_that_holds_a_run_is_refused(written):
    before = (written / FILE).read_bytes()
    with pytest.raises(RunExists, match="holds another run"):
        Ledger.create(HEADER, written)
    assert (written / FILE).read_bytes() == before


def test_a_folder_that_cannot_be_made_or_read_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunExists, match="cannot write to"):
        Ledger.create(HEADER, tmp_path / "file" / "run")
    for nowhere in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(RunNotFound, match=f"no run in {str(nowhere)!r}"):
            read(nowhere)
        with pytest.raises(RunNotFound):
            Ledger.reopen(nowhere)


def test_a_ledger_that_may_not_be_read_or_written_is_refused_in_one_line(written, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(RunError, match=r"cannot write to .*Permission denied"):
            Ledger.reopen(written)
    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(RunError, match=r"cannot read .*Permission denied"):
        read(written)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["loss", "train", "metrics", "reports", "overhead", "wall", "charge"])
def test_no_number_that_is_none_gets_in(written, bad, where):
    before = (written / FILE).read_bytes()
    values = {"metrics": {"accuracy": bad}, "reports": (Report(1, bad, 1.0),)}
    outcome = replace(OUTCOME, **{where: values.get(where, bad)}) if hasattr(OUTCOME, where) else OUTCOME
    numbers = {"overhead": 0.0, "charge": 0.0, "wall": 0.0} | ({} if hasattr(OUTCOME, where) else {where: bad})
    with Ledger.reopen(written) as ledger:
        with pytest.raises(ValueError, match="JSON"):
            ledger.result(TRIAL, outcome, **numbers)
        assert (written / FILE).read_bytes() == before
        assert ledger.run == read(written)


def test_a_line_longer_than_the_system_takes_at_once_is_whole(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(mfbo.ledger.writer.os, "write", lambda fd, content: write(fd, content[:7]))
    with Ledger.create(HEADER, tmp_path) as ledger:
        ledger.ask(TRIAL)
    assert read(tmp_path) == ledger.run


def test_a_full_disk_leaves_a_ledger_that_reads(written, monkeypatch):
    write, whole = os.write, read(written)

    def full(fd, content):
        if len(content) < 40:
            raise OSError(28, "No space left on device")
        return write(fd, content[:40])

    with Ledger.reopen(written) as ledger:
        monkeypatch.setattr(mfbo.ledger.writer.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            ledger.ask(replace(TRIAL, id=2))
    assert read(written).torn > 0
    assert read(written).results == whole.results
    assert list(read(written).asks) == list(ledger.run.asks) == [0, 1]


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("seconds", [0.1, 1.5])
@pytest.mark.parametrize("since", ["just now", "long ago"])
def test_a_result_on_the_real_clock_is_on_the_disk_before_it_counts(tmp_path, monkeypatch, virtual, seconds, since):
    monkeypatch.setattr(mfbo.ledger.writer, "SYNC_INTERVAL", 0.0 if since == "long ago" else 1.0)
    monkeypatch.setattr(mfbo.ledger.writer.time, "monotonic", lambda: 7.0)
    waits = virtual or (seconds < 1 and since == "just now")
    synced = []
    sync = os.fsync
    monkeypatch.setattr(mfbo.ledger.writer.os, "fsync", lambda fd: (synced.append(os.fstat(fd)), sync(fd)))
    with Ledger.create(HEADER, tmp_path / "run") as ledger:
        assert any(stat.S_ISDIR(entry.st_mode) for entry in synced)  # else a power cut may take the new file itself
        ledger.ask(TRIAL)
        before = len(synced)
        outcome = replace(OUTCOME, virtual=virtual, train=seconds, evaluation=0.0)
        ledger.result(TRIAL, outcome, overhead=0.0, charge=1.0, wall=1.0)
        assert len(synced) == before + (not waits)
        size = (tmp_path / "run" / FILE).stat().st_size
        assert waits or synced[-1].st_size == size


def test_every_record_is_one_line_of_plain_json(written):
    assert [json.loads(line)["record"] for line in lines(written)] == (
        ["run", "ask", "result", "end", "limits", "resume", "ask", "result", "end"]
    )
    assert not re.search(rb"[^\x20-\x7e\n]", (written / FILE).read_bytes())


@given(st.integers(0, 8 * len(BYTES) - 1))
@settings(max_examples=300)
def test_a_flipped_bit_is_noticed_before_the_last_line(bit):
    content = bytearray(BYTES)
    content[bit // 8] ^= 1 << bit % 8
    assert_noticed(bytes(content))


@given(st.integers(0, 8), st.sampled_from(["drop", "double", "swap", "move"]), st.integers(0, 8))
def test_a_line_that_is_dropped_doubled_or_moved_is_noticed(at, change, other):
    whole = BYTES.splitlines(keepends=True)
    content, at, other = list(whole), at % len(whole), other % len(whole)
    if change == "drop":
        del content[at]
    elif change == "double":
        content.insert(other, content[at])
    elif change == "swap":
        content[at], content[other] = content[other], content[at]
    else:
        content.insert(other, content.pop(at))
    assert_noticed(b"".join(content))


def assert_noticed(content):
    """What is not refused is the beginning of the run as it was: only the last line can go unnoticed."""
    whole = parse(BYTES)
    try:
        run = parse(content)
    except (BadLedger, RunNotFound):
        return
    assert content == BYTES or BYTES.startswith(content[: len(content) - run.torn])
    assert (run.header, run.asks, run.results) == (whole.header, whole.asks, whole.results[: len(run.results)])


def test_repair_keeps_what_is_before_the_damage_and_the_whole_beside_it(written):
    whole = (written / FILE).read_bytes()
    broken = whole.replace(b'"loss":0.25', b'"loss":0.20', 1)
    (written / FILE).write_bytes(broken)
    with pytest.raises(DamagedLedger, match=r"line 3 .*keep the 2 lines before it with: mfbo resume .*run --repair"):
        read(written)
    assert "its first 2 lines are kept" in repair(written)
    assert b"".join(whole.splitlines(keepends=True)[:2]) == (written / FILE).read_bytes()
    assert (written / FILE).with_suffix(".damaged").read_bytes() == broken
    assert [trial.id for trial in read(written).open] == [0]
    assert repair(written) == "nothing of the ledger is damaged"


def test_nothing_of_a_damaged_header_can_be_kept(written):
    content = (written / FILE).read_bytes().replace(b"made-up", b"made-op", 1)
    (written / FILE).write_bytes(content)
    with pytest.raises(DamagedLedger, match="start the run anew"):
        repair(written)
    assert (written / FILE).read_bytes() == content


@pytest.mark.parametrize("content", [b"", b'{"record":"run","for'])
def test_a_ledger_without_a_whole_header_counts_as_absent(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    assert not begun(tmp_path)
    with Ledger.create(HEADER, tmp_path) as ledger:
        ledger.ask(TRIAL)
    assert read(tmp_path) == ledger.run
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_run_that_was_killed_before_its_ledger_says_how_to_start_it_again(tmp_path):
    with contextlib.suppress(SystemExit), announced(tmp_path / "run", "mfbo tune x --out run"):
        with pytest.raises(RunNotFound, match="is being prepared, and has no ledger yet"):
            read(tmp_path / "run")
        shutil.copytree(tmp_path / "run", tmp_path / "killed")  # as nobody holds it any more
        with pytest.raises(RunNotFound, match="nothing was kept; start it again with: mfbo tune x --out run"):
            read(tmp_path / "killed")
        raise SystemExit
    assert not (tmp_path / "run").exists()  # only a kill leaves it there
    with announced(tmp_path / "run", "mfbo tune x"), Ledger.create(HEADER, tmp_path / "run"):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == [FILE]


def test_of_two_that_begin_in_one_folder_one_does(tmp_path, monkeypatch):
    link = os.link

    def late(source, target):
        monkeypatch.setattr(mfbo.ledger.writer.os, "link", link)
        Ledger.create(replace(HEADER, task="first"), tmp_path).close()
        link(source, target)

    monkeypatch.setattr(mfbo.ledger.writer.os, "getpid", iter((1, 2)).__next__)
    monkeypatch.setattr(mfbo.ledger.writer.os, "link", late)
    with pytest.raises(RunExists, match="holds another run"):
        Ledger.create(HEADER, tmp_path)
    assert read(tmp_path).header.task == "first"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_what_is_no_unicode_is_spelled_out(tmp_path):
    with Ledger.create(replace(HEADER, command="mfbo tune \udc80\ud83d"), tmp_path):
        pass
    assert read(tmp_path).header.command == "mfbo tune \\udc80\\ud83d"
