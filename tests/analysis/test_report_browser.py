"""The report in a real browser: what a reader does, and what a hostile run cannot.

Needs Chromium with its driver, and selenium, as the checks before a change goes in have them.
"""

from __future__ import annotations

import json
import re

import pytest
from made_runs import FULL, RUNGS, made_run
from test_report import HOSTILE, gone_on, hostile_run, run_at, watched

from mfbo.analysis.report.material import gather
from mfbo.analysis.report.page import page

try:
    import browser
except ImportError:  # no selenium, and not asked for these tests
    browser = None

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser.opened(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def chrome(window):
    """The browser; whatever a test did in it, its console must have no complaint in the end."""
    yield window
    assert browser.complaints(window) == []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The address of the page of a study of 12 runs with some 100 trials."""
    folder = tmp_path_factory.mktemp("study")
    runs = []
    for seed in range(3):
        for number, optimizer in enumerate(("smac", "hyperband", "random", "grid")):
            trials = [
                (1 / (1 + x) + number / 10, rung, 1 + rung.work, {"x": x + 1, "kind": "ab"[x % 2]})
                for rung in (RUNGS[1:] if number < 2 else (FULL,))
                for x in range(4 if number < 2 else 8)
            ]
            runs.append(folder / f"{optimizer}{seed}")
            made_run(*trials, (None, FULL, 1, "failed"), optimizer=optimizer, seed=seed, folder=runs[-1])
    return written(folder / "report.html", runs)


def written(path, runs):
    path.write_text(page(gather(runs)), encoding="utf-8")
    return path.as_uri()


def script(chrome, text):
    return chrome.execute_script(f"return {text}")


# what follows is one script each: a live page may draw itself anew between two


def column(chrome, name):
    """What stands in a column of the table of trials, on the page of it that is shown."""
    return chrome.execute_script(
        """
        const text = (one) => one.innerText.trim(), all = (selector) => [...document.querySelectorAll(selector)]
        const place = all(".trials th button").map(text).indexOf(arguments[0])
        return all(".trials tbody tr").map((row) => text(row.querySelectorAll("td")[place]))
        """,
        name,
    )


def click(chrome, selector, text=None):
    chrome.execute_script(
        """
        const [selector, text] = arguments, all = [...document.querySelectorAll(selector)]
        const found = all.filter((one) => text === null || one.innerText.trim() === text)
        if (found.length !== 1) throw Error(`${found.length} elements are ${selector} ${text}`)
        found[0].scrollIntoView({block: "center"})
        found[0].click()
        """,
        selector,
        text,
    )


def filtered(chrome, words):
    chrome.execute_script(
        """
        const search = document.querySelector(".trials input")
        search.value = arguments[0]
        search.dispatchEvent(new Event("input", {bubbles: true}))
        """,
        words,
    )


@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_without_a_complaint_and_without_scrolling_sideways(chrome, study, width):
    browser.resized(chrome, width)
    browser.shown(chrome, study)
    assert script(chrome, "document.documentElement.scrollWidth <= window.innerWidth")
    figures = json.loads(script(chrome, "document.getElementById('data').textContent"))["figures"]
    assert len(figures) >= 7
    drawn = script(
        chrome,
        "[...document.querySelectorAll('.plot')].filter((one) => one.querySelector('.trace')).map((one) => one.id)",
    )
    assert set(drawn) == set(figures)


@pytest.mark.parametrize("width", [1280, 400])
def test_every_column_can_be_reached(chrome, study, width):
    browser.resized(chrome, width)
    browser.shown(chrome, study)
    inside = chrome.execute_script(
        """
        return [...document.querySelectorAll(".scroll")].map((box) => {
          box.scrollLeft = box.scrollWidth
          const cells = box.querySelector("tr").cells, last = cells[cells.length - 1].getBoundingClientRect()
          return last.right <= box.getBoundingClientRect().right + 1 && last.right <= window.innerWidth
        })
        """
    )
    assert len(inside) >= 3
    assert all(inside)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_colours_of_the_screen_and_figures_can_be_told_from_the_ground(chrome, study, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.shown(chrome, study)
    ground, lines = chrome.execute_script(
        """
        const lightness = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
          .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0) / 255
        const lines = [...document.querySelectorAll("#t0-anytime .scatterlayer path.js-line")]
        return [lightness(getComputedStyle(document.body).backgroundColor),
          lines.map((one) => one.style.stroke).filter((one) => one !== "").map(lightness)]
        """
    )
    assert (ground < 0.2) == (scheme == "dark")
    assert all(abs(line - ground) > 0.2 for line in lines)
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_click_on_a_column_sorts_by_it_as_numbers_up_and_down(chrome, study):
    browser.shown(chrome, study)
    first = [float(loss) for loss in column(chrome, "loss")]
    assert first == sorted(first)
    click(chrome, ".trials th button", "loss")
    last = [float(loss) for loss in column(chrome, "loss")]
    assert last == sorted(last, reverse=True)
    assert last[0] > first[-1]
    assert script(chrome, "document.querySelectorAll('.trials th[aria-sort=descending]').length") == 1
    click(chrome, ".trials th button", "loss")
    assert [float(loss) for loss in column(chrome, "loss")] == first


def test_the_filter_keeps_the_rows_with_all_words_and_pages_step_through_the_rest(chrome, study):
    browser.shown(chrome, study)
    total = len(json.loads(script(chrome, "document.getElementById('data').textContent"))["tables"]["t0"]["rows"])
    assert script(chrome, "document.querySelector('.count').textContent") == f"{total} of {total} trials"
    seen = len(column(chrome, "loss"))
    while not script(chrome, "document.querySelector('button[data-step=\"1\"]').disabled"):
        click(chrome, "button[data-step='1']")
        seen += len(column(chrome, "loss"))
    assert seen == total
    filtered(chrome, "smac failed")
    assert column(chrome, "optimizer") == ["smac"] * 3
    assert column(chrome, "status") == ["failed"] * 3
    filtered(chrome, "nothing like it")
    assert column(chrome, "loss") == []


def shown_in(chrome, figure):
    text = f"document.getElementById('{figure}')._fullData.filter((one) => one.visible === true).map((one) => one.meta)"
    return set(script(chrome, text))


def test_a_box_shows_and_hides_an_optimizer_in_all_figures(chrome, study):
    browser.shown(chrome, study)
    every = {"smac", "hyperband", "random", "grid"}
    assert shown_in(chrome, "t0-anytime") == every
    click(chrome, "#toggles input[value=smac]")
    browser.until(chrome, lambda: shown_in(chrome, "t0-ranks") == every - {"smac"})
    for figure in ("t0-anytime", "t0-quality", "t0-learning", "t0-scatter0"):
        browser.until(chrome, lambda figure=figure: shown_in(chrome, figure) == every - {"smac"})
    click(chrome, "#toggles input[value=smac]")
    browser.until(chrome, lambda: shown_in(chrome, "t0-anytime") == every)


def test_a_button_makes_the_cost_axis_linear_and_logarithmic_again(chrome, study):
    browser.shown(chrome, study)
    kind = "document.getElementById('t0-anytime')._fullLayout.xaxis.type"
    assert script(chrome, kind) == "log"
    click(chrome, "button[data-scale=t0-anytime][data-axis=x]")
    browser.until(chrome, lambda: script(chrome, kind) == "linear")
    click(chrome, "button[data-scale=t0-anytime][data-axis=x]")
    browser.until(chrome, lambda: script(chrome, kind) == "log")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_browser_runs_nothing_of_a_hostile_run_and_shows_it_as_text(chrome, tmp_path, text):
    browser.shown(chrome, written(tmp_path / "report.html", [hostile_run(tmp_path / "run", text)]))
    # an alert would make the next command fail; a blocked script would be complained of
    assert script(chrome, "document.querySelectorAll('main script').length") == 1
    assert script(chrome, "document.querySelectorAll('img, iframe, object, embed, svg[onload], [onerror]').length") == 0
    words = "".join(text.split()).replace("\u2028", "").replace("\u2029", "")
    titles = script(chrome, "[...document.querySelectorAll('.xtitle')].map((one) => one.textContent).join(' ')")
    assert words[:30] in "".join(titles.split())
    assert words in "".join(script(chrome, "document.querySelector('.trials thead').textContent").split())


def test_a_live_page_follows_its_run_and_keeps_what_the_reader_chose(chrome, tmp_path):
    made_run((0.5, FULL, 9), (0.6, FULL, 9), folder=tmp_path / "run", ended=None)
    with watched(tmp_path / "run") as address:
        browser.shown(chrome, address)
        filtered(chrome, "ok")
        click(chrome, ".trials th button", "loss")
        assert column(chrome, "loss") == ["0.6", "0.5"]
        click(chrome, "button[data-scale=t0-anytime][data-axis=x]")
        gone_on(tmp_path / "run", 0.7, ended="budget")
        browser.until(chrome, lambda: "3 of 3" in script(chrome, "document.querySelector('.count').textContent"))
        assert column(chrome, "loss") == ["0.7", "0.6", "0.5"]
        assert script(chrome, "document.querySelector('.trials input').value") == "ok"
        browser.until(
            chrome, lambda: script(chrome, "document.getElementById('t0-anytime')._fullLayout.xaxis.type") == "linear"
        )
        browser.until(chrome, lambda: script(chrome, "document.getElementById('live').textContent") == "live: ended")
        chrome.get("about:blank")


def test_what_was_injected_in_spite_of_all_would_not_run(window, tmp_path):
    content = page(gather([run_at(tmp_path / "run")]))
    evil = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    (tmp_path / "report.html").write_text(content.replace("<main>", f"<main>{evil}", 1), encoding="utf-8")
    browser.shown(window, (tmp_path / "report.html").as_uri())
    assert script(window, "window.pwned") is None
    assert any(re.search("Content Security Policy", one) for one in browser.complaints(window))
