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
    ("text", "said"),
    [
        ("lr: 3", "'lr': 3 is no range; give"),
        ("lr: [1]", "is no range"),
        ("lr: [1, 2, 3]", "is no range"),
        ("lr: [1, 2, linear]", "is no range"),
        ("lr: [1, a]", "is no range"),
        ("lr: []", "is no range"),
        ("lr: [true, false]", "is no range"),
        ("lr: {low: 1, high: 2}", "is no range"),
        ("lr: [2, 1]", "'lr': "),
        ("lr: [0, 1, log]", "'lr': "),
        ("lr: [a, a]", "'lr': "),
        ("lr: {choices: []}", "'lr': "),
        ("{}", "has no hyperparameters"),
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
