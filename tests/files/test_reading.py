"""YAML as people write it: what is read, what is refused with its line, and that the bounds hold."""

from __future__ import annotations

import math
import os
import re

import pytest
from conftest import ROOTS
from hypothesis import given
from hypothesis import strategies as st

from mfbo.errors import BadSpace, BadValue
from mfbo.files.reading import MAX_BYTES, parse_yaml, read_json, read_yaml, to_yaml
from mfbo.space import kept_space, read_config, read_space
from mfbo.study.folder import read_study


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E5", 1e5), ("+1.e-3", 1e-3), ("-.5e3", -500.0), ("'1e-4'", "1e-4"), ("'3'", "3"), ("3", 3),
        ("3.0", 3.0), ("2026-11-28", "2026-11-28"), ("1.2.3", "1.2.3"), ("0", 0), ("-0", 0), ("0.5", 0.5),
        ("00.5", 0.5), ("!!timestamp x", "x"),
        ("0x10", 16), ("1_000", 1000), ("true", True), ("null", None), ("~", None), ("'no'", "no"), ("y", "y"),
        (".inf", math.inf), ("!!python/tuple [1, 2]", (1, 2)), ("1e400", math.inf), ("a: &b [1]\nc: *b", None),
    ],
)  # fmt: skip
def test_a_word_is_what_it_looks_like(text, value):
    found = parse_yaml(f"k: {text}" if "\n" not in text else text).content
    assert found == ({"k": value} if "\n" not in text else {"a": [1], "c": [1]})
    assert type(found.get("k")) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k: 1\na: [010, 100]", "line 2: 010 may be an octal number in YAML; write 10, or quote it"),
        ("a: 08", "line 1: 08 may be an octal number in YAML; write 8"),
        ("a: -007", "line 1: -007 may be"),
        ("a: 1:30", "line 1: 1:30 may be base 60 in YAML"),
        ("a: [yes, maybe]", "line 1: yes is true in YAML; quote it: 'yes'"),
        ("a: 1\noff: 2", "line 2: off is false in YAML"),
        ("a: 1\nb: 2\n'a': 3", "line 3: 'a' is there twice, in line 1 too"),
        ("a:\n  b: 1\n  b: 2", "line 3: 'b' is there twice, in line 2 too"),
        ("a: [1\nb: 2", "line 2: "),
        ("a: 1\n\tb: 2", "line 2: found character"),
        ("a: !!python/object:os.system x", "line 1: could not determine a constructor"),
        ("a: 1\n---\nb: 2", "line 2: but found another document"),
        ("a: &b [*b]", "line 1: it holds itself"),
        ("a: *b", "line 1: found undefined alias"),
        ("? [1, 2]\n: 3", "line 1: "),
        ("a: " + "[" * 1000 + "]" * 1000, "line 1: more than 50 levels deep"),
        ("a: " + "{b: " * 1000 + "1" + "}" * 1000, "line 1: more than 50 levels deep"),
        ("\n".join(f"{'  ' * i}a:" for i in range(100)), "more than 50 levels deep"),
        ("- " * 1000 + "1", "more than 50 levels deep"),
        ("a: \x00", "unacceptable character"),
        ("a: !!int x", "invalid literal"),
        ("a: !!float x", "could not convert"),
        ("a: !!int [1]", "line 1: "),
    ],
)
def test_what_is_not_sure_to_be_meant_is_refused_with_its_line(text, said):
    with pytest.raises(BadValue) as caught:
        parse_yaml(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40))


@pytest.mark.parametrize("bomb", [BOMB, MERGES, "[" * 100_000, "a: " + "x" * MAX_BYTES, "&a [" * 30 + "]" * 30 + "x"])
@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (read_space, BadSpace),
        (read_config, BadValue),
        (read_study, BadValue),
        (lambda path: read_yaml(path, "file"), BadValue),
    ],
)
def test_a_bomb_is_refused_wherever_yaml_is_read(tmp_path, bomb, read, kind):
    path = tmp_path / "bomb.yaml"
    path.write_text(bomb)
    with pytest.raises(kind, match=r"bomb\.yaml") as caught:
        read(path)
    assert "\n" not in str(caught.value)


LARGE = {
    "choices": "a: [" + ", ".join(f"c{i}" for i in range(20_000)) + "]\n",
    "hyperparameters": "".join(f"a{i}: [0, 1]\n" for i in range(2000)),
    "own form": "hyperparameters: [{type: categorical, name: a, choices: [" + "a, " * 20_000 + "a]}]\n",
    "rules": "hyperparameters: [{type: constant, name: a, value: 1}]\nforbiddens: [" + "1, " * 999 + "1]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGE)
def test_a_space_for_which_the_library_takes_minutes_is_refused_by_its_size(tmp_path, kind):
    (tmp_path / "large.yaml").write_text(LARGE[kind])
    with pytest.raises(BadSpace, match=r"or less") as caught:
        read_space(tmp_path / "large.yaml")
    assert "\n" not in str(caught.value)
    with pytest.raises(BadSpace, match=r"or less"):
        kept_space(parse_yaml(LARGE[kind]).content)


JSON = [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"{", b'{"a": 1' + b"0" * 9999 + b"}", b'{"a": "x"}', b"[1]", b""]


@pytest.mark.parametrize("content", JSON, ids=range(len(JSON)))
def test_json_is_read_within_bounds_and_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BadValue, match=r"^facts '.*a\.json' is damaged: ") as caught:
        read_json(tmp_path / "a.json", "facts", dict[str, int])
    assert "\n" not in str(caught.value)
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    with pytest.raises(BadValue, match="it is a link"):
        read_json(tmp_path / "b.json", "facts", dict[str, int])


def test_json_that_is_too_large_says_its_bound_and_a_missing_one_is_missing(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json", "facts", dict[str, int]) == {"a": 1}
    with pytest.raises(BadValue, match=r"more than 4\.768e-06 MiB"):
        read_json(tmp_path / "a.json", "facts", dict[str, int], max_bytes=5)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json", "facts", dict[str, int])


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(BadValue, match="it is a pipe"):
        read_yaml(tmp_path / "a.yaml", "study")


ALLOWED = {  # who reads JSON or YAML past these bounds, and why it may
    "reading.py", "records.py",  # here, and the ledger, whose lines are checked against its types
    "journal.py",  # the header, the same
    "metric_file.py",  # bounded by itself, in a trial
    "sklearn_state.py", "recording.py",  # from an archive that is bounded
    "mailbox.py", "worker.py", "link.py", "fingerprint.py",  # between our own processes
    "digits.py", "agnews.py", "imdb.py", "cifar10.py",  # predict scripts, which stand alone beside their own model
}  # fmt: skip


def test_nobody_reads_json_or_yaml_without_bounds():
    found = {
        path.name
        for root in ROOTS.values()
        for path in root.rglob("*.py")
        if re.search(r"json\.(loads?|decode)\(|yaml\.(safe_)?load|_DECODER\.decode", path.read_text())
    }
    assert found <= ALLOWED


def test_aliases_and_merges_of_everyday_use_are_read():
    text = "base: &base {lr: 1, n: [1, 2]}\nmine:\n  <<: *base\n  lr: 2\nagain: [*base, *base]\n"
    assert parse_yaml(text).content["mine"] == {"lr": 2, "n": [1, 2]}


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("a: é".encode("utf-16"))
    with pytest.raises(BadValue, match="it is not UTF-8 text"):
        read_yaml(path, "study")
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(path, "study").content == {"a": 1}
    with pytest.raises(BadValue, match=r"study .* cannot be read: Is a directory"):
        read_yaml(tmp_path, "study")


ODD = ["1e-4", "010", "08", "no", "1:30", "2026-11-28", "null", "3", "<<", "=", "1_0", "~"]
WORDS = st.text() | st.sampled_from(ODD)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
VALUES = st.recursive(LEAVES, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(WORDS, parts, max_size=2))


@pytest.mark.slow
@given(st.dictionaries(WORDS, VALUES, max_size=4))
def test_what_is_written_is_read_as_the_same(values):
    found = parse_yaml(to_yaml(values)).content
    assert found == values
    assert repr(found) == repr(values)


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text):
    said = ""
    try:
        parse_yaml(text)
    except BadValue as error:
        said = str(error)
    assert "\n" not in said
