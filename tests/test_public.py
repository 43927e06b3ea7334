"""What mfbo shows to its users: names, errors, docstrings, examples and types."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys

import pytest
from conftest import ROOTS

import mfbo
from mfbo import errors

MODULES = {
    ".".join([package, *path.relative_to(root).with_suffix("").parts]).removesuffix(".__init__"): path
    for package, root in ROOTS.items()
    for path in sorted(root.rglob("*.py"))
}


def test_the_names_that_are_exported_are_all_public_ones_and_no_others():
    own = {
        name
        for name, value in vars(mfbo).items()
        if not name.startswith("_") and getattr(value, "__module__", "").partition(".")[0] == "mfbo"
    }
    aliases = {"Config"}  # of types, which have no module
    assert own | aliases | set(mfbo._LAZY) | {"__version__"} == set(mfbo.__all__)
    assert sorted(mfbo.__all__) == mfbo.__all__
    assert all(getattr(mfbo, name) is not None for name in mfbo.__all__)
    assert dir(mfbo) == mfbo.__all__


def test_what_a_user_needs_is_public():
    functions = {"tune", "resume", "plan", "compare", "sklearn_task"}
    what = {"Task", "Fidelity", "Measurement", "Context", "Settings", "Search", "Observer", "MfboError", "TrialStopped"}
    results = {"TuneResult", "Best", "Config", "Rung", "Trial", "Outcome"}
    assert functions | what | results | {"__version__"} <= set(mfbo.__all__)


def test_to_import_mfbo_imports_nothing_heavy():
    code = "import mfbo, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "ConfigSpace", "smac", "click", "rich"} & set(found) == set()


def test_a_plan_and_a_comparison_take_the_keywords_of_tune(tmp_path):
    planned = mfbo.plan("branin", "9x", optimizer="asha", eta=2, max_fidelity=0.5)
    assert planned.steps[-1].rung.work <= 0.5
    found = mfbo.compare("branin", "1x", out=tmp_path, optimizers=("asha", "hyperband"), seeds=1, eta=2)
    assert [result.ledger.header.search.eta for result in found] == [2, 2]
    with pytest.raises(mfbo.MfboError, match="unknown keyword 'etta'; did you mean 'eta'"):
        mfbo.plan("branin", "9x", etta=2)
    with pytest.raises(mfbo.MfboError, match="unknown keyword 'oout'; did you mean 'out'"):
        mfbo.tune("branin", "9x", oout="r")
    with pytest.raises(mfbo.MfboError, match="unknown keyword 'worker'; did you mean 'workers'"):
        mfbo.tune("branin", "9x", worker=2)


def test_a_name_that_is_not_there_is_an_error_as_in_any_module():
    with pytest.raises(AttributeError, match="module 'mfbo' has no attribute 'tuna'"):
        _ = mfbo.tuna


def test_the_tree_of_errors_is_as_it_is_drawn():
    drawn, above = {}, []
    for line in errors.__doc__.partition("::\n")[2].splitlines():
        if match := re.match(r"    ([│├└─ ]*)(\w+)(?: \((\w+)\))?  ", line):
            level = len(match[1]) // 4
            above[level:] = [match[2]]
            drawn[match[2]] = match[3] or (above[level - 1] if level else "Exception")
    classes = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == "mfbo.errors"]
    assert {kind.__name__: kind.__base__.__name__ for kind in classes} == drawn


def test_every_error_for_a_person_is_caught_as_one():
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, Exception):
            assert issubclass(kind, mfbo.MfboError), name


def public_parts(tree):
    """(name, node) of the module's public functions and classes and of their public methods."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                yield from ((f"{node.name}.{name}", part) for name, part in public_parts(node))


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_has_a_docstring_and_its_types(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    parts = list(public_parts(tree))
    assert [name for name, node in parts if not ast.get_docstring(node)] == []
    functions = [(name, node) for name, node in parts if isinstance(node, ast.FunctionDef)]
    assert [name for name, node in functions if node.returns is None] == []


def test_the_code_of_a_user_with_types_runs():
    import typed_consumer  # whose types .ci/wheel.py checks

    assert -5 <= typed_consumer.main() <= 5


def test_the_package_says_that_it_is_typed():
    assert (ROOTS["mfbo"] / "py.typed").is_file()


@pytest.mark.parametrize(
    "module", [name for name, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8")]
)
def test_examples_in_docstrings_are_true(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_examples_that_explain_costs_errors_and_fidelity_are_there():
    shown = {name for name, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8")}
    assert {"mfbo.budget", "mfbo.errors", "mfbo.fidelity", "mfbo.display.tables", "mfbo.display.text"} <= shown
