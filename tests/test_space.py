"""The short form of a space file."""

from __future__ import annotations

import json

import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from hypothesis import given
from hypothesis import strategies as st

from mfbo.errors import BadSpace
from mfbo.space import read_space


def written(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return read_space(path)


def test_each_form_is_the_hyperparameter_that_it_looks_like(tmp_path):
    space = written(
        tmp_path,
        "a: [0.5, 2]\nb: [1e-4, 1e-1, log]\nc: [16, 256]\nd: [1, 64, log]\ne: [adam, sgd]\nf: {choices: [16, 32]}\n"
        "g: {choices: [true, false]}\n",
    )
    expected = ConfigurationSpace()
    expected.add(
        Float("a", (0.5, 2.0)),
        Float("b", (1e-4, 1e-1), log=True),
        Integer("c", (16, 256)),
        Integer("d", (1, 64), log=True),
        Categorical("e", ["adam", "sgd"]),
        Categorical("f", [16, 32]),
        Categorical("g", [True, False]),
    )
    assert space == expected


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("a: ['3', '5']", ["3", "5"]),
        ("a: ['3', x]", ["3", "x"]),
        ("a: {choices: [null, 5]}", [None, 5]),
        ("a: {choices: ['3', 3]}", ["3", 3]),
        ("a: {choices: [true, 2, 0.5, word]}", [True, 2, 0.5, "word"]),
        ("a: ['no', 'yes']", ["no", "yes"]),
        ("a: [2026-11-28, 2026-11-29]", ["2026-11-28", "2026-11-29"]),
        ("a: [adam, log]", ["adam", "log"]),
        ("a: [adam]", ["adam"]),
        ("a: ['1e-4', '1e-3']", ["1e-4", "1e-3"]),
    ],
)
def test_words_and_choices_are_what_is_written(tmp_path, text, choices):
    found = written(tmp_path, text)["a"]
    assert list(found.choices) == choices
    assert [type(choice) for choice in found.choices] == [type(choice) for choice in choices]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr: 3", "line 1: 'lr': 3: 3 is no range; give"),
        ("a: [1, 2]\n\nlr: [1]", "line 3: 'lr': [1]: no range"),
        ("lr: [1, 2, 3]", "for these values alone give {choices: [...]}"),
        ("lr: [1, 2, linear]", "no range"),
        ("lr: [1, a]", "no range"),
        ("lr: []", "no range"),
        ("lr: [true, false]", "true and false are no range; give {choices: [true, false]}"),
        ("lr: [false, 5]", "no range"),
        ("lr: {low: 1, high: 2}", "a mapping with low, high is no range"),
        ("lr: [2, 1]", "line 1: 'lr': [2, 1]: the low end 2 must be below the high end 1"),
        ("lr: [1, 1]", "{choices: [1]} is a single value"),
        ("lr: [0, 1, log]", "a log scale needs a low end above 0, not 0"),
        ("lr: [-1, 1, log]", "a log scale needs a low end above 0, not -1"),
        ("lr: [0, .inf]", "inf is no end of a range"),
        ("lr: [.nan, 1]", "nan is no end of a range"),
        ("lr: [0, 1e999]", "inf is no end of a range"),
        ("lr: [-1e308, 1e308]", "-1e+308 is no end of a range; give numbers up to 1e+290"),
        ("lr: [0.0, 1e308]", "1e+308 is no end of a range; give numbers up to 1e+290"),
        ("lr: [nan, 1]", "nan is no end of a range; give a finite number"),
        ("lr: [6e-14, 1, log]", "6e-14 is 0 or another number to 13 decimals, as ConfigSpace keeps it"),
        ("lr: [1e-320, 1, log]", "is 0 or another number to 13 decimals"),
        ("lr: [1.00000000000001, 1.00000000000002]", "are the same to 13 decimals"),
        ("lr: [1 10]", "'1 10' is one word; put commas between: [1, 10]"),
        ("lr: [1;10;log]", "'1;10;log' is one word; put commas between: [1, 10, log]"),
        ("true: [1, 2]", "the name True is a bool in YAML; quote it"),
        ("null: [1, 2]", "the name None is a NoneType in YAML; quote it"),
        ("1e3: [1, 2]", "the name 1000.0 is a float in YAML; quote it"),
        ("b: {x: {y: 1, y: 2}}", "line 1: 'y' is there twice, in line 1 too"),
        ("lr:\t[1, 2]", "line 1: found character"),
        ("a: [1, 2]\n---\nb: [1, 2]", "line 2: but found another document"),
        ("lr: [0o10, 100]", "line 1: 'lr': ['0o10', 100]: no range"),
        ("lr: [1:30, 2:00]", "line 1: 1:30 may be base 60"),
        ("lr: [0, 9007199254740993]", "whole numbers go to 2**53"),
        ("lr: ['3', 5]", "'3' is quoted, and so a word; write 3 without quotes"),
        ("lr: ['1e-4', '0.1', log]", "'1e-4' is quoted"),
        ("lr: [010, 100]", "line 1: 010 may be an octal number"),
        ("lr: [yes, no]", "line 1: yes is true in YAML"),
        ("lr: [1, 2]\nlr: [3, 4]", "line 2: 'lr' is there twice, in line 1 too"),
        ("lr: [a, a]", "choice 'a' equals 'a'; give each once"),
        ("lr: {choices: [1, 1.0]}", "choice 1.0 equals 1"),
        ("lr: {choices: [1, true]}", "choice True equals 1"),
        ("lr: {choices: []}", "choices are []; give a list"),
        ("lr: {choices: 5}", "choices are 5; give a list"),
        ("lr: {choices: [[100], [50, 50]]}", "choice [100] is a list; give words or numbers, such as '50-50'"),
        ("lr: {choices: [{a: 1}]}", "is a mapping"),
        ("lr: {choices: [.nan]}", "choice nan is not finite"),
        ("lr: {choices: [!!set {a}]}", "is a set; give a number"),
        ("lr: {choices: [!!binary aGk=]}", "is a bytes; give a number"),
        ("'': [0, 1]", "the name is empty"),
        ("hyperparameters: 5", "'hyperparameters': 5"),
        ("{}", "has no hyperparameters"),
        ("", "it is empty; give a line a hyperparameter"),
        ("# nothing\n", "it is empty"),
        ("k:[1, 2]", "line 1: 'k:[1, 2]' has no space behind the colon"),
        ("- a\n- b", "it holds a list and no names"),
        ("5", "it holds a int and no names"),
        (
            "hyperparameters:\n- type: uniform_float\n  name: x\n  lower: 5\n  upper: 1",
            "'x': the low end 5 must be below the high end 1",
        ),
    ],
)
def test_a_line_of_another_form_is_refused_by_its_name(tmp_path, text, said):
    with pytest.raises(BadSpace) as caught:
        written(tmp_path, text)
    assert str(caught.value).startswith(f"space file '{tmp_path / 'space.yaml'}'")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


X = {"type": "uniform_float", "name": "x", "lower": 0.0, "upper": 1.0, "default_value": 0.5, "log": False}
N = {"type": "uniform_int", "name": "n", "lower": 1, "upper": 9, "default_value": 5, "log": False}
KIND = {"type": "categorical", "name": "kind", "choices": ["a", "b"], "default_value": "a", "weights": None}
SERIALIZED = [
    ([{**X, "default_value": 5.0}], "'x': the default 5.0 is not in the range from 0.0 to 1.0"),
    ([{**X, "lower": True}], "'x': lower is True; give a finite number, without quotes"),
    ([{**X, "upper": "1"}], "'x': upper is '1'; give a finite number, without quotes"),
    ([{**X, "lower": 0.0, "log": True}], "'x': a log scale needs a low end above 0, not 0.0"),
    ([{**X, "lower": 2}], "'x': the low end 2 must be below the high end 1.0"),
    ([{**X, "q": 0.1}], "'x': ConfigSpace knows no steps (q) any more"),
    ([{**X, "type": "normal_float", "mu": "0.5", "sigma": 1.0}], "'x': mu is '0.5'; give a finite number"),
    ([{**N, "lower": 0.5}], "'n': lower is 0.5, of whole numbers; give a whole number"),
    ([{**N, "upper": 10**20}], "'n': whole numbers go to 2**53"),
    ([{**N, "default_value": 1.5}], "'n': default_value is 1.5, of whole numbers"),
    ([{**KIND, "choices": []}], "'kind': choices are []; give a list of one or more"),
    ([{**KIND, "choices": ["a", [1]]}], "'kind': choice [1] is a list"),
    ([{**KIND, "default_value": "c"}], "The default value has to be one of the choices"),
    ([KIND, KIND], "already exists"),
    ([{**KIND, "type": "nothing"}], "No found decoder for 'nothing'"),
    ([1, 2], "hyperparameter 1 is 1; give a mapping with name, type and more"),
    ([{"name": 5}], "hyperparameter 1 is {'name': 5}; give a mapping"),
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize(("entries", "said"), SERIALIZED, ids=[said[:40] for _, said in SERIALIZED])
def test_configspaces_own_form_is_checked_before_it_is_read(tmp_path, entries, said, suffix):
    path = tmp_path / f"space.{suffix}"
    path.write_text(json.dumps({"name": "s", "hyperparameters": entries, "conditions": [], "forbiddens": []}))
    with pytest.raises(BadSpace) as caught:
        read_space(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"conditions": [{"type": "EQ", "child": "zz", "parent": "kind", "value": "a"}]},
        {"conditions": [{"type": "EQ", "child": "x", "parent": "zz", "value": "a"}]},
        {"forbiddens": [{"type": "EQUALS", "name": "zz", "value": 1}]},
        {"forbiddens": [{"type": "AND", "clauses": [{"type": "EQUALS", "name": "zz", "value": 1}]}]},
        {"forbiddens": [{"type": "RELATION", "left": "x", "right": "zz", "lambda": "LESS"}]},
    ],
)
def test_a_condition_on_an_unknown_name_says_which_there_are(tmp_path, parts):
    path = tmp_path / "space.json"
    path.write_text(
        json.dumps({"name": "s", "hyperparameters": [X, KIND], "conditions": [], "forbiddens": [], **parts})
    )
    with pytest.raises(BadSpace, match=r"name 'zz', which is no hyperparameter; there are: x, kind"):
        read_space(path)


def test_json_is_read_within_the_same_bounds(tmp_path):
    path = tmp_path / "space.json"
    path.write_text('{\n\t"lr": [1e-4, 0.1, "log"],\n\t"units": [16, 256], "act": ["3", "5"]}')
    space = read_space(path)
    assert space["lr"] == Float("lr", (1e-4, 0.1), log=True)
    assert list(space["act"].choices) == ["3", "5"]
    space.to_json(path)
    assert read_space(path) == space
    for text, said in [
        ('{"a": [1, 2], "a": [3, 4]}', "'a' is there twice"),
        ('{"a": [1, NaN]}', "NaN is no JSON"),
        ("[" * 100_000, "levels deep"),
        ("[" * 60 + "]" * 60, "more than 50 levels deep"),
        ('{"a": [1,\n2}', "line 2: it is no JSON"),
        ('{"a": ' + str([1] * 200_001) + "}", "more than 200000 values"),
        ('{"a": "' + "x" * 2**20 + '"}', "more than 1 MiB"),
    ]:
        path.write_text(text)
        with pytest.raises(BadSpace, match=said):
            read_space(path)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=2))


@pytest.mark.slow
@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_whatever_is_there_is_a_space_or_is_refused(tmp_path_factory, values):
    import yaml

    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    said = ""
    try:
        assert len(read_space(path)) > 0
    except BadSpace as error:
        said = str(error)
    assert "\n" not in said
