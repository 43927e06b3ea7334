"""The short form of a space file."""

from __future__ import annotations

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
        ("lr: [-1e308, 1e308]", "wider than floats go"),
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
            "must be larger than lower bound",
        ),
    ],
)
def test_a_line_of_another_form_is_refused_by_its_name(tmp_path, text, said):
    with pytest.raises(BadSpace) as caught:
        written(tmp_path, text)
    assert str(caught.value).startswith(f"space file '{tmp_path / 'space.yaml'}'")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=2))


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
