"""Tasks: what is one, how a name leads to it, and spaces from files."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest
from ConfigSpace import ConfigurationSpace
from conftest import quadratic, quadratic_space
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import spaces

import mfbo
from mfbo.errors import BadSpace, BadTask, MissingExtra, UnknownName
from mfbo.space import read_space
from mfbo.tasks.registry import BUILTIN, load, names

FILE = """
import mfbo
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    return config["x"]

task = mfbo.Task("mine", ConfigurationSpace({"x": (0.0, 1.0)}), train)
other = 3

def made():
    return task

def unmade():
    raise KeyError("no\\nsuch")
"""


@pytest.fixture(autouse=True)
def _modules(monkeypatch):
    """Files and folders that a test has imported are gone after it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("mfbo_task_", "package_")):
            del sys.modules[name]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


# tasks


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "-", None])
def test_a_name_is_one_that_a_folder_can_have(name):
    with pytest.raises(BadTask, match="use letters, digits, '-' and '_'"):
        mfbo.Task(name, quadratic_space(), quadratic)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"train": 3}, "train is 3; give a function"),
        ({"space": {"x": (0, 1)}}, "space is a dict; give a ConfigurationSpace"),
        ({"fidelity": (1, 9)}, r"fidelity is \(1, 9\); give mfbo.Fidelity"),
    ],
)
def test_a_part_of_the_wrong_kind_is_refused_with_what_to_give(wrong, words):
    with pytest.raises(BadTask, match=words):
        mfbo.Task(**{"name": "t", "space": quadratic_space(), "train": quadratic, **wrong})


@pytest.mark.parametrize(("more", "simulated"), [({}, False), ({"stateless": True}, True), ({"full_cost": 2.0}, True)])
def test_a_task_is_known_to_be_simulated_by_what_it_says(more, simulated):
    assert mfbo.Task("t", quadratic_space(), quadratic, **more).simulated is simulated


# names


def test_every_name_that_is_listed_has_a_description_and_no_task_is_imported_for_it():
    listed = names()
    assert set(BUILTIN) <= set(listed)
    assert all(listed.values())


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match=r"'digts'; did you mean 'digits'\? `mfbo tasks` lists .*path/file.py:NAME"):
        load("digts")


@pytest.mark.parametrize("name", ["", ":", "digits:", "digits:task", "é\n", "/"])
def test_what_is_no_name_is_unknown(name):
    with pytest.raises(UnknownName):
        load(name)


def test_a_file_leads_to_its_task_and_to_what_a_function_in_it_returns(file):
    for name in ("task", "made"):
        task = load(f"{file}:{name}")
        assert (task.name, task.source) == ("mine", f"{file}:{name}")
        assert task.train({"x": 0.5}, task.fidelity.full, mfbo.Context()) == 0.5


def test_a_file_may_be_named_from_where_one_stands_and_import_its_neighbours(file, monkeypatch):
    (file.parent / "package_beside.py").write_text("loss = 0.25\n")
    file.write_text("from package_beside import loss\n" + FILE.replace('config["x"]', "loss"))
    monkeypatch.chdir(file.parent)
    task = load("mine.py:task")
    assert task.train({}, task.fidelity.full, mfbo.Context()) == 0.25


def test_a_file_without_that_name_is_answered_with_the_nearest(file):
    with pytest.raises(UnknownName, match=rf"unknown task 'tusk'; did you mean 'task'\? There are: task; in {file}"):
        load(f"{file}:tusk")
    with pytest.raises(UnknownName, match=r"a task of your own is named .*mine\.py:NAME"):
        load(str(file))


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BadTask, match=r"task file '.*absent\.py' does not exist; give path/to/file\.py:name"):
        load(f"{tmp_path}/absent.py:task")
    with pytest.raises(BadTask, match="does not exist"):
        load(f"{tmp_path}.py:task")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("import mfbo\n\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import mfbo\nx = (\n", 2, "SyntaxError: '\\(' was never closed"),
        ("import package_absent\n", 1, "ModuleNotFoundError: No module named 'package_absent'"),
        ("def f():\n    raise ValueError('one\\ntwo')\n\nf()\n", 2, "ValueError: one two"),
        ("import sys\nsys.exit('usage: ...')\n", 2, "SystemExit: usage"),
        ("import mfbo\nmfbo.Fidelity(epochs=(3, 1))\n", 2, "BadValue: fidelity epochs"),
        ("import package_broken\n", 1, "SyntaxError"),
    ],
)
@pytest.mark.parametrize("relative", [False, True])
def test_a_file_that_fails_is_named_with_its_line_in_one_line(tmp_path, monkeypatch, text, line, words, relative):
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "package_broken.py").write_text("\n" * 98 + "x = (\n")
    monkeypatch.chdir(tmp_path)
    name = "mine.py:task" if relative else f"{tmp_path}/mine.py:task"
    before = {module for module in sys.modules if module.startswith("mfbo_task_")}
    with pytest.raises(BadTask, match=rf"mine\.py' fails in line {line}: {words}") as caught:
        load(name)
    assert "\n" not in str(caught.value)
    assert {module for module in sys.modules if module.startswith("mfbo_task_")} == before


def test_what_is_no_task_is_refused_with_what_it_is(file):
    with pytest.raises(BadTask, match=r"is a int; it must be a mfbo.Task, or a function that returns one"):
        load(f"{file}:other")
    with pytest.raises(BadTask, match=r"is to return a mfbo.Task, but fails: KeyError: 'no.*such'"):
        load(f"{file}:unmade")
    with pytest.raises(BadTask, match=r"is to return a mfbo.Task, but fails: TypeError: train"):
        load(f"{file}:train")


# entry points


def offer(monkeypatch, tmp_path, **values):
    """Let an installed package offer these tasks by name."""
    (tmp_path / "package_offers.py").write_text(FILE + "\nfrom mfbo.errors import MissingExtra\n\n"
        "def lacking():\n    raise MissingExtra('pip install it')\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    entries = [EntryPoint(name.replace("_", "-"), value, "mfbo.tasks") for name, value in values.items()]
    monkeypatch.setattr("mfbo.tasks.registry.entry_points", lambda group: entries if group == "mfbo.tasks" else [])


def test_an_installed_package_offers_tasks_by_name(monkeypatch, tmp_path):
    offer(
        monkeypatch, tmp_path, my_task="package_offers:task", made="package_offers:made", digits="package_offers:task"
    )
    assert names()["my-task"] == "from package_offers:task"
    assert names()["digits"] == BUILTIN["digits"].description
    assert (load("my-task").name, load("my-task").source, load("made").source) == ("mine", "my-task", "made")
    with pytest.raises(UnknownName, match="did you mean 'my-task'"):
        load("mytask")


@pytest.mark.parametrize("value", ["package_absent:task", "package_offers:absent", "package_offers:unmade"])
def test_a_package_that_breaks_its_offer_is_named(monkeypatch, tmp_path, value):
    offer(monkeypatch, tmp_path, broken=value)
    with pytest.raises(BadTask, match="'broken'") as caught:
        load("broken")
    assert "\n" not in str(caught.value)


def test_what_a_task_says_is_missing_reaches_the_user_as_it_is(monkeypatch, tmp_path):
    offer(monkeypatch, tmp_path, lacking="package_offers:lacking")
    with pytest.raises(MissingExtra, match=r"^pip install it$"):
        load("lacking")


# spaces


@pytest.mark.slow
@given(spaces())
@settings(max_examples=40)
def test_a_space_in_a_file_is_the_space_that_was_written(tmp_path_factory, space):
    path = tmp_path_factory.mktemp("spaces") / "space.yaml"
    space.to_yaml(path)
    found = read_space(path)
    assert found.to_serialized_dict() == space.to_serialized_dict()
    found.seed(3)
    space.seed(3)
    assert found.sample_configuration(5) == space.sample_configuration(5)


def test_a_space_is_chosen_by_name_or_by_file(task, tmp_path):
    wide = ConfigurationSpace({"x": (-9.0, 9.0)})
    task = mfbo.Task("t", task.space, quadratic, spaces={"wide": lambda: wide})
    wide.to_yaml(tmp_path / "mine.yml")
    assert task.with_space("default") is task
    assert task.with_space("wide").space is wide
    assert task.with_space(str(tmp_path / "mine.yml")).space == wide
    with pytest.raises(
        UnknownName, match=r"unknown space 'wider'; did you mean 'wide'\? There are: default, wide; or a"
    ):
        task.with_space("wider")


def test_a_space_of_another_task_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text("x1: [-5.0, 10.0]\nx2: [0.0, 15.0]\n")
    with pytest.raises(BadSpace, match=r"has no 'x3', which task 'hartmann3' trains with; add it, as \{choices: "):
        load("hartmann3").with_space(str(tmp_path / "mine.yaml"))
    (tmp_path / "mine.yaml").write_text("x1: [-5.0, 10.0]\nx2: [0.0, 15.0]\nx3: {choices: [0.5]}\n")
    assert len(load("hartmann3").with_space(str(tmp_path / "mine.yaml")).space) == 3


def test_a_grid_keeps_what_lies_inside_another_space(task):
    task = mfbo.Task("t", task.space, quadratic, grid={"x": [-5.0, 0.0, 5.0], "n": [1], "kind": ["a"]})
    narrow = task.on(ConfigurationSpace({"x": (-1.0, 1.0), "kind": ["b", "c"], "other": (0, 9)}))
    assert narrow.grid == {"x": [0.0]}


GOOD = "hyperparameters: [{type: uniform_float, name: x, lower: 0.0, upper: 1.0, default_value: 0.5, log: false}]\n"


def test_a_short_file_will_do(tmp_path):
    (tmp_path / "space.yaml").write_text(GOOD + "conditions: []\nforbiddens: []\nformat_version: 0.4\n")
    assert list(read_space(tmp_path / "space.yaml")) == ["x"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"3", b"[]", b"{", b"\xff\xfe\x00", b"a: [1", b"x: {lower: 0}", b"[" * 400 + b"]" * 400, b"&a [*a]",
        GOOD.replace("uniform_float", "uniform").encode(), GOOD.replace("upper: 1.0", "upper: -1.0").encode(),
        GOOD.replace("name: x", "name: [1]").encode(), GOOD.replace("lower: 0.0", "lower: low").encode(),
        b"hyperparameters: []\nconditions: []\nforbiddens: []\nformat_version: 0.4\n",
        GOOD.encode() + b"conditions: [{child: y, parent: x, type: EQ, value: 1}]\nforbiddens: []\n",
    ],
)  # fmt: skip
def test_a_damaged_space_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "space.yaml"
    path.write_bytes(content)
    with pytest.raises(BadSpace, match=rf"space file '{path}'") as caught:
        read_space(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_space_file_that_is_none_is_named(tmp_path, task):
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(BadSpace, match="does not exist"):
            read_space(path)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_garbage_in_a_space_file_is_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "garbage.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSpace):
        read_space(path)


@pytest.mark.parametrize(
    "code",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "!!python/object/new:os.system ['touch {}']",
        "hyperparameters: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{}']]",
        GOOD.replace("0.5", "!!python/object/apply:os.system ['touch {}']"),
        GOOD.replace("0.5", "__import__('os').system('touch {}')"),
    ],
)
def test_nothing_in_a_space_file_is_executed(tmp_path, code):
    path, mark = tmp_path / "space.yaml", tmp_path / "executed"
    path.write_text(code.replace("{}", str(mark)) + "\nconditions: []\nforbiddens: []\nformat_version: 0.4\n")
    with pytest.raises(BadSpace):
        read_space(path)
    assert not mark.exists()
