"""mfbo as Python calls it."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import bowl

import mfbo
from mfbo.errors import BadTask, BadValue, NoTrialSucceeded


def fails(config, fidelity, context):
    raise ValueError(f"no such layer: {config['x'] > 2}")


def test_progress_is_shown_by_default_and_not_where_it_is_switched_off(capsys):
    mfbo.tune(bowl(), "3x", optimizer="random")
    assert "trials" in capsys.readouterr().err
    mfbo.tune(bowl(), "3x", optimizer="random", progress=False)
    said = capsys.readouterr()
    assert said.err == said.out == ""


def test_settings_and_search_options_are_keywords():
    result = mfbo.tune(bowl(), "4x", optimizer="asha", eta=2, workers=2, max_disk=1.0, data_dir="here", progress=False)
    header = result.ledger.header
    assert (header.search.optimizer, header.search.eta) == ("asha", 2)
    assert (header.settings.workers, header.settings.max_disk) == (2, 1.0)
    assert header.settings.options["data_dir"] == "here"


def test_a_keyword_that_there_is_not_is_named():
    with pytest.raises(mfbo.MfboError, match="worker"):
        mfbo.tune(bowl(), "4x", worker=2, progress=False)


def test_a_plan_and_a_comparison_take_settings_and_progress_as_keywords_too(tmp_path, capsys):
    planned = mfbo.plan("branin", "9x", optimizer="asha", workers=3, data_dir="here")
    assert planned.workers == 3
    assert repr(planned).startswith("<Plan: 9x buys ")
    capsys.readouterr()
    asked = {"out": tmp_path, "optimizers": "random", "seeds": 2, "workers": 2, "data_dir": "here"}
    found = mfbo.compare("branin", "2x", **asked)
    assert "[2/2] branin random seed 1: best loss " in capsys.readouterr().err
    assert {(one.ledger.header.settings.workers, one.ledger.header.settings.options["data_dir"]) for one in found} == {
        (2, "here")
    }
    mfbo.compare("branin", "2x", **asked, progress=False)
    assert capsys.readouterr().err == ""
    with pytest.raises(BadTask, match=r"give mfbo.Task\(NAME, SPACE, fails, "):
        mfbo.plan(fails, "4x")


def test_a_train_function_is_told_how_to_become_a_task():
    with pytest.raises(BadTask, match=r"give mfbo.Task\(NAME, SPACE, fails, "):
        mfbo.tune(fails, "4x")


def test_where_every_trial_fails_the_first_error_is_raised_and_nothing_is_lost(tmp_path):
    task = mfbo.Task("broken", bowl().space, fails, mfbo.Fidelity(epochs=(1, 3)))
    with pytest.raises(NoTrialSucceeded, match="no such layer: False") as caught:
        mfbo.tune(task, max_trials=5, workers=0, optimizer="random", out=tmp_path / "run", progress=False)
    assert caught.value.result.trials == 5
    assert caught.value.result.best is None
    assert (tmp_path / "run" / "ledger.jsonl").is_file()


def test_resume_goes_on_with_new_limits(tmp_path):
    out = tmp_path / "run"
    first = mfbo.tune("branin", "2x", optimizer="random", out=out, progress=False)
    second = mfbo.resume(out, max_cost="4x", progress=False)
    assert second.trials > first.trials


def test_a_result_is_short_in_words_and_a_table_in_a_notebook():
    result = mfbo.tune("branin", "2x", optimizer="random", progress=False)
    assert len(repr(result)) < 200
    assert "branin with random" in repr(result)
    assert "<td>random</td>" in result._repr_html_()
    assert "<td>budget spent</td>" in result._repr_html_(), "no bare word of the ledger's"


def test_in_a_notebook_one_output_is_updated(monkeypatch):
    updates = []

    class Handle:
        def update(self, shown):
            updates.append(shown._repr_html_())

    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=lambda shown, display_id: Handle()))
    result = mfbo.tune("branin", "3x", optimizer="random")
    assert "tuning branin with random" in "".join(updates)
    assert f"{result.trials} trials" in updates[-1]
    assert f"best {result.best.loss:.4g}" in updates[-1]


@pytest.mark.slow
def test_a_script_without_a_terminal_gets_lines(tmp_path):
    code = "import mfbo\nif __name__ == '__main__':\n    mfbo.tune('branin', '3x', optimizer='random')\n"
    (tmp_path / "script.py").write_text(code)
    said = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "tuning branin with random" in said.stderr
    assert said.stdout == ""


def test_unknown_space_is_told_in_the_words_of_python():
    with pytest.raises((BadValue, mfbo.MfboError), match="space"):
        mfbo.tune("branin", "2x", space="nowhere", progress=False)
